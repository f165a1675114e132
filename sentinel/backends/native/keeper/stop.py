"""End one tree: the stop signal to all, after the timeout SIGKILL, again and again until nothing is left.

The same for a stop that was asked for and for what a main process that ended by itself left behind.
"""

from __future__ import annotations

import os

from sentinel import identity

from . import system
from .system import signals

GIVE_UP = 5.0  # seconds after the first SIGKILL
FIRST_LOOK, LONGEST_LOOK = 0.005, 0.1  # seconds between looks where the kernel does not tell us


class Ending:
    """The end of one process's tree, from the first signal until nothing is left."""

    def __init__(
        self, process: Process, forest: Forest, reason: str, number: int, timeout: float, now: float
    ) -> None:
        self.reason = reason
        self.waiters: list[tuple[Connection, object]] = []  # clients (with seq) that wait for it
        self._process = process
        self._forest = forest
        self._number = number
        self._kill_at = now + timeout
        self._killed = False
        self._give_up_at = 0.0
        self._pause = FIRST_LOOK
        self._look_at = now + FIRST_LOOK
        self._signalled: dict[int, float] = {}
        if timeout > 0:
            self._send_all(number)

    def hasten(self, now: float, timeout: float) -> None:
        """Somebody else wants it ended, and won't wait longer than this."""
        self._kill_at = min(self._kill_at, now + timeout)
        self._give_up_at = max(self._give_up_at, now + GIVE_UP)

    def next_look(self) -> float:
        """When `step` has something to do though nothing was heard."""
        if not self._killed and self._forest.seen_directly(self._process):
            return self._kill_at
        return self._look_at if self._killed else min(self._kill_at, self._look_at)

    def step(self, now: float) -> bool:
        """Look, and do what is due. True: nothing is left."""
        process = self._process
        if process.ended is not None and self._forest.is_empty(process):
            return True
        if not self._killed and now >= self._kill_at:
            self._killed = True
            self._give_up_at = now + GIVE_UP
            self._pause = FIRST_LOOK
        if self._killed:
            self._kill_all()
        elif process.ended is not None:
            self._send_new()
        self._pause = min(
            self._pause * 2, LONGEST_LOOK if now < self._give_up_at or not self._killed else 1.0
        )
        self._look_at = now + self._pause
        return False

    def gave_up(self, now: float) -> bool:
        """Whether something has survived SIGKILL for so long that those who wait should be told."""
        return self._killed and now >= self._give_up_at

    def left(self) -> list[int]:
        return list(self._forest.members(self._process))

    def _send_all(self, number: int) -> None:
        """To the whole group at one blow, so that nobody forks away, and to each that is outside of it."""
        process = self._process
        self._signalled = members = self._forest.members(process)
        numbers = (number, signals.SIGCONT) if number != signals.SIGKILL else (number,)
        grouped = self._signal_group(numbers)
        for pid, start in members.items():
            if pid not in grouped or _group_of(pid) != process.pid:
                for one in numbers:
                    system.signal_pid(pid, start, one)

    def _signal_group(self, numbers: tuple[int, ...]) -> dict[int, float]:
        """The main process's group, while it lives and so the group's number can't be another's."""
        process = self._process
        if process.ended is not None or _group_of(process.pid) != process.pid:
            return {}
        if process.adopted and identity.start_time(process.pid) != process.start:
            return {}
        try:
            for number in numbers:
                os.killpg(process.pid, number)
        except OSError:
            return {}
        return self._signalled

    def _send_new(self) -> None:
        """What turned up since: a main process that ended has left it behind."""
        for pid, start in self._forest.members(self._process).items():
            if self._signalled.get(pid) != start:
                self._signalled[pid] = start
                system.signal_pid(pid, start, self._number)
                system.signal_pid(pid, start, signals.SIGCONT)

    def _kill_all(self) -> None:
        """Groups first: whoever forks faster than we look is still in the group of its parent."""
        for group in self._forest.groups(self._process):
            _kill_group(group)
        self._send_all(signals.SIGKILL)


def _kill_group(group: int) -> None:
    try:
        os.killpg(group, signals.SIGKILL)
    except OSError:
        pass


def _group_of(pid: int) -> int:
    try:
        return os.getpgid(pid)
    except OSError:
        return 0


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .process import Process
    from .tree import Forest
    from .wire import Connection
