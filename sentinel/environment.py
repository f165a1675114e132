"""The environment of a process: captured at `run`, and what is laid over it at every start."""

from collections.abc import Mapping

from sentinel.backends.base import Account
from sentinel.model import Group, Record
from sentinel.paths import Home


def check_variable(text: str) -> tuple[str, str]:
    """"K=V" -> (K, V); UsageError."""
    raise NotImplementedError


def capture(home: Home, id: int, environ: Mapping[str, str]) -> None:
    """Keep the environment of a process, for its owner alone. StateError."""
    raise NotImplementedError


def load_captured(home: Home, id: int) -> dict[str, str] | None:
    """None: nothing was captured (a process of an earlier version)."""
    raise NotImplementedError


def forget(home: Home, id: int) -> None:
    """Remove what was captured; a missing file is no error."""
    raise NotImplementedError


def resolve(home: Home, record: Record, group: Group | None, account: Account | None) -> dict[str, str]:
    """All variables of the next run. LaunchError names an env file that is missing."""
    raise NotImplementedError
