"""What commands that were killed half-way have left of files: taken away by the next `delete`, `clean` or daemon."""

import os
import time
from contextlib import suppress
from pathlib import Path

from sentinel.model import State
from sentinel.paths import Home

OLD = 3600.0  # seconds: a temporary file that nobody is still about to rename


def sweep(home: Home, state: State) -> None:
    """Remove environments, exit records and files of units of processes that are no more, and old temporary files.

    `state` may be a moment old: ids that were given out since are known by being higher.
    """
    for directory in (home.environments, home.exits, home.run / "units"):
        for path in _files(directory):
            id = path.name.partition(".")[0]
            if id.isdecimal() and int(id) < state.next_id and int(id) not in state.processes:
                _remove(path)
    for directory in (home.root, home.environments, home.exits, home.logs, home.run):
        for path in _files(directory):
            if path.name.startswith(".tmp-") or (directory == home.exits and path.name.endswith(".tmp")):
                _remove_old(path)


def _files(directory: Path) -> list[Path]:
    try:
        return [directory / name for name in os.listdir(directory)]
    except OSError:
        return []


def _remove_old(path: Path) -> None:
    with suppress(OSError):
        if time.time() - os.lstat(path).st_mtime > OLD:
            os.unlink(path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        os.unlink(path)
