"""Health checks: when each is due, what its answers mean, and when a process is restarted for it."""

import time
from collections.abc import Callable

from sentinel.errors import SentinelError
from sentinel.health import Prober
from sentinel.model import Desired, Health, Record, Restart, State
from sentinel.supervisor.context import Context
from sentinel.supervisor.readiness import probe_surroundings

Helper = Callable[[str, list[int]], None]


class HealthWatch:
    """Probes run beside each other in the Prober's threads; what they say is written when it changes."""

    def __init__(self, context: Context, help: Helper) -> None:
        self._context = context
        self._help = help
        self._prober = Prober()
        self._due: dict[int, float] = {}  # id -> monotonic time of the next probe
        self._records: dict[int, Record] = {}
        self._running: dict[int, tuple[int, int | None]] = {}  # id -> (run, pid) that is being probed

    def fileno(self) -> int:
        return self._prober.fileno()

    def close(self) -> None:
        self._prober.close()

    def update(self, state: State) -> None:
        """Take in which processes have checks and run. A new run is probed after its first interval."""
        now = time.monotonic()
        wanted = {
            r.id: r
            for r in state.processes.values()
            if r.spec.health is not None and r.desired is Desired.RUNNING and r.runtime.pid is not None
        }
        for id, record in wanted.items():
            before = self._records.get(id)
            if before is None or _incarnation(before) != _incarnation(record) or id not in self._due:
                self._due[id] = now + self._first(record)
        self._due = {id: due for id, due in self._due.items() if id in wanted}
        self._records = wanted

    @staticmethod
    def _first(record: Record) -> float:
        """Seconds until the first probe of a run: soon while it starts up, else after an interval."""
        assert record.spec.health is not None
        interval = record.spec.health.interval
        starting = record.spec.startup_timeout is not None and not record.runtime.ready
        return min(interval, 1.0) if starting else interval

    def wait(self) -> float | None:
        """Seconds until the next probe is due."""
        return max(0.0, min(self._due.values()) - time.monotonic()) if self._due else None

    def round(self) -> None:
        """Begin the probes that are due."""
        now = time.monotonic()
        for id, due in list(self._due.items()):
            if due > now:
                continue
            record = self._records[id]
            check = record.spec.health
            assert check is not None
            self._due[id] = now + max(check.interval, 0.05)
            try:
                surroundings = probe_surroundings(self._context, record)
            except SentinelError as error:
                self._take(id, False, error.message)
                continue
            if self._prober.submit(id, check, *surroundings):
                self._running[id] = _incarnation(record)

    def take_results(self) -> None:
        """Write what the probes that ended have said."""
        for key, ok, message in self._prober.results():
            assert isinstance(key, int)
            record = self._records.get(key)
            if record is not None and self._running.pop(key, None) == _incarnation(record):
                self._take(key, ok, message)

    def _take(self, id: int, ok: bool, message: str) -> None:
        record = self._records[id]
        runtime, check = record.runtime, record.spec.health
        assert check is not None
        if not ok and _starts_up(record):
            self._due[id] = min(self._due[id], time.monotonic() + 1.0)
            return  # checks count only after start-up
        failures = 0 if ok else runtime.health_failures + 1
        health = Health.HEALTHY if ok else runtime.health
        if failures >= check.failures:
            health = Health.UNHEALTHY
        news = (health, failures, message if not ok else "", runtime.ready or ok)
        if news != (runtime.health, runtime.health_failures, runtime.health_message, runtime.ready):
            self._write(id, news)
        if failures >= check.failures and record.spec.restart.mode is not Restart.NO:
            self._due[id] = time.monotonic() + max(check.interval, 1.0)
            self._help("health", [id])

    def _write(self, id: int, news: tuple[Health, int, str, bool]) -> None:
        incarnation = _incarnation(self._records[id])
        with self._context.store.change(durable=False, only=[id]) as state:
            record = state.processes.get(id)
            if record is None or _incarnation(record) != incarnation:
                return
            runtime = record.runtime
            runtime.health, runtime.health_failures, runtime.health_message, runtime.ready = news
            self._records[id] = record


def _incarnation(record: Record) -> tuple[int, int | None]:
    return record.runtime.run, record.runtime.pid


def _starts_up(record: Record) -> bool:
    limit, began = record.spec.startup_timeout, record.runtime.started_at
    if limit is None or record.runtime.ready or began is None:
        return False
    return 0 <= time.time() - began < limit
