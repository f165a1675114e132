"""Claims: while a command works on a process, no other one does. A byte-range lock each, byte = id.

POSIX locks belong to the process and are dropped when it closes *any* descriptor of the file, so each home
has one descriptor per process, which is opened here and nowhere else.
"""

import errno
import fcntl
import os
import time
from _thread import allocate_lock, get_ident  # threading costs each command 1.5 ms
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sentinel.errors import Conflict, StateError
from sentinel.files import open_private, reason
from sentinel.paths import Home

_FIRST_PAUSE, _LONGEST_PAUSE = 0.001, 0.05


class Claims:
    """The claims of this process on one home."""

    def __init__(self, home: Home) -> None:
        self.pid = os.getpid()
        self._fd = _open(home)
        self._held: dict[int, tuple[int, int]] = {}  # id -> (thread, how often)
        self._guard = allocate_lock()

    def still_good(self, home: Home) -> bool:
        """Whether this is not the copy in a forked child, nor of a file that is gone."""
        if self.pid != os.getpid():
            return False
        try:
            return bool(self._held) or os.path.samestat(os.stat(home.claims), os.fstat(self._fd))
        except OSError:
            return False

    def close(self) -> None:
        if self.pid == os.getpid():
            os.close(self._fd)

    def take(self, id: int, *, block: bool, deadline: float | None) -> bool:
        """Whether the claim could be had; waits in the kernel, or up to the deadline (monotonic)."""
        pause = _FIRST_PAUSE
        while not self._try(id):
            if not block:
                return False
            if deadline is None and self._wait_in_kernel(id):
                continue
            left = _LONGEST_PAUSE if deadline is None else deadline - time.monotonic()
            if left <= 0:
                return False
            time.sleep(min(pause, left))
            pause = min(2 * pause, _LONGEST_PAUSE)
        return True

    def release(self, id: int) -> None:
        with self._guard:
            thread, times = self._held.pop(id)
            if times > 1:
                self._held[id] = (thread, times - 1)
            elif self.pid == os.getpid():
                fcntl.lockf(self._fd, fcntl.LOCK_UN, 1, id)

    def _try(self, id: int) -> bool:
        me = get_ident()
        with self._guard:
            if id in self._held:
                thread, times = self._held[id]
                if thread == me:
                    self._held[id] = (me, times + 1)
                return thread == me
            try:
                fcntl.lockf(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, id)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EACCES):
                    return False
                raise StateError(f"cannot lock process {id}: {reason(error)}") from error
            self._held[id] = (me, 1)
            return True

    def _wait_in_kernel(self, id: int) -> bool:
        """Sleep until no other process has it. False: another thread of ours has it, or it would deadlock."""
        with self._guard:
            if id in self._held:
                return False
        try:
            fcntl.lockf(self._fd, fcntl.LOCK_EX, 1, id)
        except OSError as error:
            if error.errno == errno.EDEADLK:
                return False
            raise StateError(f"cannot lock process {id}: {reason(error)}") from error
        return True  # it is ours already; `_try` locks it once more, which changes nothing, and notes it


_claims: dict[str, Claims] = {}
_opening = allocate_lock()


@contextmanager
def claim(
    home: Home, ids: Iterable[int], *, block: bool = True, timeout: float | None = None
) -> Iterator[set[int]]:
    """Hold these records against other processes and threads; in ascending order, against deadlocks.

    `block=False` gives those that could be had at once. Re-entrant within a thread.

    Raises:
        Conflict: one is still held by somebody else after `timeout` seconds.
    """
    claims = _of(home)
    deadline = None if timeout is None else time.monotonic() + timeout
    taken: list[int] = []
    try:
        for id in sorted(set(ids)):
            if claims.take(id, block=block, deadline=deadline):
                taken.append(id)
            elif block:
                raise Conflict(
                    f"process {id} is busy: another sentinel command works on it",
                    "try again when that has ended",
                )
        yield set(taken)
    finally:
        for id in reversed(taken):
            claims.release(id)


def _of(home: Home) -> Claims:
    key = str(home.root)
    with _opening:
        found = _claims.get(key)
        if found is not None and found.still_good(home):
            return found
        if found is not None:
            found.close()
        _claims[key] = Claims(home)
        return _claims[key]


def _open(home: Home) -> int:
    home.prepare()
    try:
        return open_private(home.claims, os.O_RDWR | os.O_CREAT)
    except OSError as error:
        raise StateError(f"cannot use {home.claims}: {reason(error)}", "check its permissions") from error
