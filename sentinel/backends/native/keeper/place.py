"""The home that a keeper was started for: that very directory, not whatever has its path by now."""

from __future__ import annotations

import os


class Place:
    """Held open, so that the numbers by which it is known again can't be given to another one."""

    def __init__(self, root: str, lock: int) -> None:
        self._root = root
        self._lock = lock
        self._fd = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def is_there(self) -> bool:
        """Whether what is written below it reaches who is meant."""
        return _is(self._root, self._fd)

    def is_ours(self) -> bool:
        """Whether we are its keeper: no other can have begun there."""
        return _is(f"{self._root}/run/keeper.lock", self._lock)


def _is(path: str, fd: int) -> bool:
    try:
        return os.path.samestat(os.stat(path), os.fstat(fd))
    except OSError:
        return False
