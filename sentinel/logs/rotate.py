"""Rotate log files under programs that go on appending to them."""

from pathlib import Path

from sentinel.paths import Home


def rotate(path: Path, max_size: int, backups: int) -> bool:
    """Move what the log holds to its first backup if it has passed max_size (0: never). True: it was moved."""
    raise NotImplementedError


def clear(path: Path) -> None:
    """Forget what was written up to now: the live file's content and the backups."""
    raise NotImplementedError


def remove_logs(home: Home, name: str) -> None:
    """Remove both logs of a process with their backups and what belongs to them."""
    raise NotImplementedError


def rename_logs(home: Home, old: str, new: str) -> None:
    """Give the logs of a process, and what belongs to them, the name `new`."""
    raise NotImplementedError
