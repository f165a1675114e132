"""Stopping many units: all told at once and waited for together, and nothing called stopped that is not."""

import os
import signal
import time
from collections.abc import Callable, Sequence

from sentinel.backends.systemd import exits
from sentinel.backends.systemd.bus import NO_UNIT, BusError
from sentinel.backends.systemd.manager import Manager, Unit
from sentinel.backends.systemd.notebook import Notebook
from sentinel.backends.systemd.seeing import WAITING
from sentinel.backends.systemd.slices import members
from sentinel.backends.systemd.unit import SHORTEST_STOP
from sentinel.errors import BackendError, SentinelError, StopError
from sentinel.model import Record

_GRACE = 15.0  # seconds beyond the stop timeout: for SIGKILL, the hooks, and a busy machine
_TELL = 0.5  # seconds between two reports to whoever shows progress


class Stopping:
    """What `stop` does, for the units of one home."""

    def __init__(self, manager: Manager, notebook: Notebook, told: Callable[[], None] | None = None) -> None:
        self._manager = manager
        self._notebook = notebook
        self._told = told  # called whenever one has ended

    def stop(self, records: Sequence[Record], *, force: bool, reason: str) -> dict[int, SentinelError | None]:
        results: dict[int, SentinelError | None] = {record.id: None for record in records}
        loaded = self._manager.units()
        running = [record for record in records if not _gone(loaded.get(self._notebook.unit(record)))]
        ends = {
            record.id: self._ends(record)
            for record in running
            if loaded[self._notebook.unit(record)].sub not in WAITING
        }
        for record in running:
            self._say_why(record, reason)
        names = {record.id: self._notebook.unit(record) for record in running}
        with self._manager.watching():
            jobs = self._ask(running, names, results, force)
            self._wait(running, jobs, force)
        self._check(records, results, ends, force)
        return results

    def _say_why(self, record: Record, reason: str) -> None:
        note = self._notebook.read(record.id)
        if note is not None:
            note.stop, note.pending = reason, False
            self._notebook.write(record.id, note)

    def _ask(
        self, running: list[Record], names: dict[int, str], results: dict[int, SentinelError | None], force: bool
    ) -> dict[int, str]:
        jobs: dict[int, str] = {}
        ask = self._manager.kill_and_stop if force else self._manager.stop
        for record, answer in zip(running, ask(list(names.values())), strict=True):
            if isinstance(answer, str):
                jobs[record.id] = answer
            elif answer.kind != NO_UNIT:
                results[record.id] = _refused(record, answer)
        return jobs

    def _wait(self, running: list[Record], jobs: dict[int, str], force: bool) -> None:
        """SIGKILL comes from systemd, or from here where the timeout is shorter than it is told."""
        begun = time.monotonic()
        left = dict(jobs)
        hasty = (
            []
            if force
            else sorted(
                (record for record in running if record.id in jobs and record.spec.stop_timeout < SHORTEST_STOP),
                key=lambda record: record.spec.stop_timeout,
            )
        )
        for record in hasty:
            self._collect(left, begun + record.spec.stop_timeout, only=record.id)
            if record.id in left:
                self._manager.kill([self._notebook.unit(record)])
        longest = 0.0 if force else max((record.spec.stop_timeout for record in running), default=0.0)
        deadline = begun + longest + SHORTEST_STOP + _GRACE
        while left and (now := time.monotonic()) < deadline:
            self._collect(left, min(deadline, now + _TELL) if self._told else deadline)

    def _collect(self, left: dict[int, str], deadline: float, only: int | None = None) -> None:
        """Strike out the jobs that have ended; wait for all, or for `only` that one, until the deadline."""
        wanted = {id: job for id, job in left.items() if only is None or id == only}
        done = self._manager.wait(list(wanted.values()), max(0.0, deadline - time.monotonic()))
        for id, job in wanted.items():
            if job in done:
                del left[id]
                if self._told:
                    self._told()

    def _check(
        self,
        records: Sequence[Record],
        results: dict[int, SentinelError | None],
        ends: dict[int, int],
        force: bool,
    ) -> None:
        """Nothing may be left: neither of a unit that says it failed to stop, nor a unit that went on."""
        loaded = self._manager.units()
        failed = []
        for record in records:
            unit = loaded.get(self._notebook.unit(record))
            if results[record.id] is not None:
                continue
            if force and record.id in ends and (unit is None or unit.ended):
                self._record_kill(record, ends[record.id])
            if unit is None:
                continue
            pids = members(self._manager, unit.name)
            if pids or not unit.ended:
                results[record.id] = self._left(record, unit, pids)
            elif unit.active == "failed":
                failed.append(unit.name)
                if not force and ends.get(record.id) == self._ends(record):
                    self._record(record, unit.name)
        self._manager.reset_failed(failed)

    def _ends(self, record: Record) -> int:
        found = exits.read(self._notebook.hooks(record))
        return found.ends if found else 0

    def _record_kill(self, record: Record, ends: int) -> None:
        """By SIGKILL, also where systemd began to restart it before it took our stop job, and ended that by SIGTERM."""
        found = exits.read(self._notebook.hooks(record))
        if found is None or found.ends == ends or found.exit(0, "").signal == signal.SIGTERM:
            exits.add(self._notebook.hooks(record), os.CLD_KILLED, signal.SIGKILL)

    def _record(self, record: Record, unit: str) -> None:
        """After SIGKILL to a whole control group some kernels also kill what is started in it later: the hook."""
        code, status = self._manager.read([unit], ["ExecMainCode", "ExecMainStatus"])[0]
        if code is not None and status is not None and self._notebook.read(record.id) is not None:
            exits.add(self._notebook.hooks(record), code, status)

    def _left(self, record: Record, unit: Unit, pids: list[int]) -> StopError:
        what = f"still there: {', '.join(map(str, pids))}" if pids else f"{unit.name} is {unit.active}"
        see = f"see 'systemctl {self._manager.flag}status {unit.name}'"
        return StopError(f"cannot stop {record.name}: {what}", see)


def _gone(unit: Unit | None) -> bool:
    return unit is None or (unit.ended and not unit.job)


def _refused(record: Record, error: BusError) -> BackendError:
    return BackendError(f"cannot stop {record.name}: {error.message}", error.hint)
