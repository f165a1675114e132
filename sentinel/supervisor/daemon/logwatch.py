"""Log files are looked at as often as their growth asks for, and rotated when they are full."""

import os
import time
from pathlib import Path

from sentinel.errors import SentinelError
from sentinel.logs.marks import mark
from sentinel.logs.rotate import rotate
from sentinel.model import State
from sentinel.plain import dataclass
from sentinel.supervisor.context import Context

SOON = 1.0  # seconds: after a start, and while a log grows fast
SELDOM = 60.0  # seconds: a log that hardly grows


@dataclass(slots=True)
class _Log:
    path: Path
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
        self._logs: dict[Path, _Log] = {}
        self._runs: dict[int, int] = {}

    def update(self, state: State) -> None:
        """Take in which processes write log files. A new run's files are looked at soon."""
        now = time.monotonic()
        wanted: dict[Path, _Log] = {}
        for record in state.processes.values():
            runtime, settings = record.runtime, record.spec.logs
            if runtime.pid is None or not (record.backend == "native" or settings.kind == "file"):
                continue
            for stream in ("stdout", "stderr"):
                path = self._context.home.log(record.name, stream)
                log = self._logs.get(path)
                if log is None or self._runs.get(record.id) != runtime.run:
                    log = _Log(path, record.name, 0, 0, _size(path), now, now + SOON)
                log.limit, log.backups = settings.max_size, settings.backups
                if log.limit > 0:
                    wanted[path] = log
            self._runs[record.id] = runtime.run
        self._logs = wanted
        self._runs = {i: run for i, run in self._runs.items() if i in state.processes}

    def wait(self) -> float | None:
        if not self._logs:
            return None
        return max(0.0, min(log.due for log in self._logs.values()) - time.monotonic())

    def round(self) -> None:
        """Rotate what is full, and plan the next look. One that has waited for half its time is taken along, so
        that many quiet logs share one wake-up."""
        now = time.monotonic()
        if not any(log.due <= now for log in self._logs.values()):
            return
        for log in self._logs.values():
            if log.due > now and log.due - now > now - log.looked:
                continue
            try:
                if rotate(log.path, log.limit, log.backups):
                    mark(self._context.home, log.name)
            except SentinelError as error:
                from sentinel.supervisor.daemon.loop import say

                say(str(error))
            self._plan(log, now)

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


def _size(path: Path) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except OSError:
        return 0
