"""Log files are looked at as often as their growth asks for, and rotated when they are full."""

import os
import time
from pathlib import Path

from sentinel.errors import SentinelError
from sentinel.logs.marks import mark
from sentinel.logs.rotate import rotate
from sentinel.model import Record, State
from sentinel.plain import dataclass
from sentinel.supervisor.context import Context
from sentinel.supervisor.rotation import has_files

SOON = 1.0  # seconds: after a start, and while a log grows fast
SELDOM = 60.0  # seconds: a log that hardly grows


@dataclass(slots=True)
class _Log:
    path: str
    name: str
    limit: int
    backups: int
    size: int
    looked: float
    due: float


class LogWatch:
    """One deadline for each log file, by how fast it fills."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: dict[int, tuple[Record, list[_Log]]] = {}
        self._logs: list[_Log] = []

    def update(self, state: State) -> None:
        """Take in which processes write log files. A new run's files are looked at soon."""
        before, self._known = self._known, {}
        for id, record in state.processes.items():
            known = before.get(id)
            if known is None or known[0] is not record:
                known = record, self._logs_of(record, known)
            self._known[id] = known
        self._logs = [log for _, logs in self._known.values() for log in logs]

    def _logs_of(self, record: Record, before: tuple[Record, list[_Log]] | None) -> list[_Log]:
        settings, now = record.spec.logs, time.monotonic()
        if record.runtime.pid is None or not has_files(record) or settings.max_size <= 0:
            return []
        same_run = before is not None and before[0].runtime.run == record.runtime.run
        old = {log.path: log for log in before[1]} if before is not None and same_run else {}
        logs = []
        for stream in ("stdout", "stderr"):
            path = str(self._context.home.log(record.name, stream))
            log = old.get(path) or _Log(path, record.name, 0, 0, _size(path), now, now + SOON)
            log.limit, log.backups = settings.max_size, settings.backups
            logs.append(log)
        return logs

    def wait(self) -> float | None:
        if not self._logs:
            return None
        return max(0.0, min(log.due for log in self._logs) - time.monotonic())

    def round(self) -> None:
        """Rotate what is full, and plan the next look. One that has waited for half its time is taken along, so
        that many quiet logs share one wake-up."""
        now = time.monotonic()
        if not any(log.due <= now for log in self._logs):
            return
        for log in self._logs:
            if log.due > now and log.due - now > now - log.looked:
                continue
            if _size(log.path) > log.limit:
                self._rotate(log)
            self._plan(log, now)

    def _rotate(self, log: _Log) -> None:
        try:
            if rotate(Path(log.path), log.limit, log.backups):
                mark(self._context.home, log.name)
        except SentinelError as error:
            from sentinel.supervisor.daemon.loop import say

            say(str(error))

    @staticmethod
    def _plan(log: _Log, now: float) -> None:
        """Half the time until it would be full at the rate it grows: a burst is seen in time, a quiet log seldom."""
        size = _size(log.path)
        grown, passed = size - log.size, max(now - log.looked, 0.001)
        rate = max(0.0, grown / passed)
        left = max(0, log.limit - size)
        wait = SELDOM if rate <= 0 else left / rate / 2
        log.size, log.looked = size, now
        log.due = now + min(SELDOM, max(SOON, wait))


def _size(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except OSError:
        return 0
