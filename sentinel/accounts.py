"""The users that processes run as."""

from sentinel.backends.base import Account


def lookup(user: str) -> Account:
    """By name, else by uid. LaunchError: no such user."""
    raise NotImplementedError


def refuse_other_user(user: str | None) -> Account | None:
    """The account to change to; None: as whoever runs sentinel. LaunchError: only root may."""
    raise NotImplementedError


def current_name() -> str:
    """Name of whoever runs sentinel (the uid where it has none)."""
    raise NotImplementedError
