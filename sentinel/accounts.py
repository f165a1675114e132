"""The users that processes run as."""

import os
from typing import TYPE_CHECKING

from sentinel.backends.base import Account
from sentinel.errors import LaunchError
from sentinel.names import printable

if TYPE_CHECKING:
    from pwd import struct_passwd


def lookup(user: str) -> Account:
    """By name, else by uid. LaunchError: no such user."""
    import pwd

    if user and "\0" not in user:
        try:
            return _account(pwd.getpwnam(user))
        except (KeyError, UnicodeError):
            pass
    try:
        if user.isascii() and user.isdigit() and len(user) <= 10:
            return _account(pwd.getpwuid(int(user)))
    except (KeyError, OverflowError):
        pass
    raise LaunchError(f"no such user: {printable(user)}", "'getent passwd' lists the users of this system")


def refuse_other_user(user: str | None) -> Account | None:
    """The account to change to; None: as whoever runs sentinel.

    Raises:
        LaunchError: no such user, or another one and we are not root.
    """
    if user is None:
        return None
    account = lookup(user)
    if account.uid == os.geteuid():
        return None
    if os.geteuid() != 0:
        raise LaunchError(f"cannot run as {account.name}: only root may", "leave out --user, or use sudo")
    return account


def current_name() -> str:
    """Name of whoever runs sentinel (the uid where it has none)."""
    import pwd

    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _account(found: "struct_passwd") -> Account:
    return Account(
        name=found.pw_name,
        uid=found.pw_uid,
        gid=found.pw_gid,
        groups=tuple(os.getgrouplist(found.pw_name, found.pw_gid)),
        home=found.pw_dir or "/",
        shell=found.pw_shell or "/bin/sh",
    )
