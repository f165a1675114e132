"""The service manager in the verbs that we need: many units at once, over one connection."""

import os
import signal
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from sentinel.backends.systemd import naming, transient_files
from sentinel.backends.systemd.bus import (
    LOST,
    MANAGER,
    NO_UNIT,
    ROOT,
    SERVICE,
    Bus,
    BusError,
    Call,
    connect,
    get_call,
    manager_call,
    plain,
    unit_path,
)
from sentinel.backends.systemd.reach import Reach
from sentinel.backends.systemd.unit import Properties
from sentinel.errors import BackendError

_AT_ONCE = 100  # calls: dbus-daemon refuses more than 128 that are unanswered on a system bus
JOB_TIMEOUT = 60.0  # seconds for a job that only has to execute a program: a machine may be very busy


class Unit(NamedTuple):
    """A row of ListUnits."""

    name: str
    load: str
    active: str
    sub: str
    job: str  # object path of a job that is queued for it; "" if none
    job_type: str

    @property
    def ended(self) -> bool:
        return self.active in ("failed", "inactive")


class Manager:
    """One service manager; the bus is connected at the first question and again after a fork."""

    def __init__(self, reach: Reach) -> None:
        self.reach = reach
        self._bus: Bus | None = None
        self._pid = 0

    @property
    def flag(self) -> str:
        """What systemctl and journalctl need to talk to the same manager."""
        return "--user " if self.reach.scope == "user" else ""

    @property
    def bus(self) -> Bus:
        if self._bus is None or self._pid != os.getpid():
            self._bus = connect(self.reach.address)
            self._pid = os.getpid()
        return self._bus

    def close(self) -> None:
        if self._bus is not None and self._pid == os.getpid():
            self._bus.close()
        self._bus = None

    def units(self, patterns: Sequence[str] = ()) -> dict[str, Unit]:
        """All that is loaded of ours, or matches the patterns."""
        wanted = list(patterns) or [naming.unit_pattern()]
        try:
            rows = self._ask(manager_call("ListUnitsByPatterns", "asas", [], wanted))[0]
        except BusError as error:
            raise BackendError(f"cannot ask systemd for its units: {error.message}", error.hint) from error
        return {row[0]: Unit(row[0], row[2], row[3], row[4], row[9] if row[7] else "", row[8]) for row in rows}

    def property(self, name: str) -> Any:
        """Of the manager itself."""
        return plain(self._ask(get_call(ROOT, MANAGER, name)))

    def life(self) -> tuple[frozenset[str], str]:
        """Names of the variables it would give to each unit; what tells this life of it from one before.

        Units end with the manager that runs them.
        """
        names = ("Environment", "UserspaceTimestampMonotonic")
        answers = self._many([get_call(ROOT, MANAGER, name) for name in names])
        for answer in answers:
            if isinstance(answer, BusError):
                raise answer
        entries, since = map(plain, answers)
        return frozenset(str(entry).partition("=")[0] for entry in entries), str(since)

    def incarnation(self) -> str:
        return self.life()[1]

    def start_transient(self, units: Sequence[tuple[str, Properties]]) -> list[str | BusError]:
        """The job of each, or why not. A slice that was about to go, empty as it was, stays ("replace")."""
        calls = [
            manager_call("StartTransientUnit", "ssa(sv)a(sa(sv))", name, "replace", properties, [])
            for name, properties in units
        ]
        answers = self._many(calls)
        kept = transient_files.directory(self.reach.scope, self.reach.uid)
        for (name, properties), answer in zip(units, answers, strict=True):
            if not isinstance(answer, BusError):
                transient_files.mend(kept / name, properties)
        return [answer if isinstance(answer, BusError) else str(answer[0]) for answer in answers]

    def stop(self, units: Sequence[str]) -> list[str | BusError]:
        """The stop job of each, or why not."""
        calls = [manager_call("StopUnit", "ss", name, "replace") for name in units]
        return [answer if isinstance(answer, BusError) else str(answer[0]) for answer in self._many(calls)]

    def kill_and_stop(self, units: Sequence[str]) -> list[str | BusError]:
        """SIGKILL to all of each, and its stop job right behind, lest it be restarted in between."""
        calls = []
        for name in units:
            calls.append(manager_call("KillUnit", "ssi", name, "all", signal.SIGKILL))
            calls.append(manager_call("StopUnit", "ss", name, "replace"))
        return [answer if isinstance(answer, BusError) else str(answer[0]) for answer in self._many(calls)[1::2]]

    def kill(self, units: Iterable[str]) -> None:
        """SIGKILL to every process of each; one that is gone is fine."""
        self._many([manager_call("KillUnit", "ssi", name, "all", signal.SIGKILL) for name in units])

    def reset_failed(self, units: Iterable[str]) -> None:
        """Let go of what failed."""
        self._many([manager_call("ResetFailedUnit", "s", name) for name in units])

    def unref(self, units: Iterable[str]) -> None:
        """Let go of what AddRef held."""
        self._many([manager_call("UnrefUnit", "s", name) for name in units])

    def set_properties(self, unit: str, properties: Properties) -> bool:
        """At run time. False: there is no such unit."""
        try:
            self._ask(manager_call("SetUnitProperties", "sba(sv)", unit, True, properties))
        except BusError as error:
            if error.kind == NO_UNIT:
                return False
            raise BackendError(f"cannot change {unit}: {error.message}", error.hint) from error
        return True

    def wait(self, jobs: Sequence[str], timeout: float = JOB_TIMEOUT) -> Mapping[str, str]:
        """How each ended; missing: not within `timeout` seconds."""
        return self.bus.wait_jobs(jobs, time.monotonic() + timeout) if jobs else {}

    def read(self, units: Sequence[str], properties: Sequence[str], interface: str = SERVICE) -> list[list[Any]]:
        """These properties of each; None for what is not there."""
        calls = [get_call(unit_path(unit), interface, prop) for unit in units for prop in properties]
        values = [plain(answer) for answer in self._many(calls)]
        width = len(properties)
        return [values[at : at + width] for at in range(0, len(values), width)]

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Jobs made in here can be waited for."""
        self.bus.watch_jobs()
        try:
            yield
        finally:
            if self._bus is not None:
                self._bus.unwatch_jobs()

    def _ask(self, call: Call) -> tuple[Any, ...]:
        answer = self._many([call])[0]
        if isinstance(answer, BusError):
            raise answer
        return answer

    def _many(self, calls: Sequence[Call]) -> list[tuple[Any, ...] | BusError]:
        answers: list[tuple[Any, ...] | BusError] = []
        for at in range(0, len(calls), _AT_ONCE):
            answers += self.bus.call_many(calls[at : at + _AT_ONCE])
        if any(isinstance(answer, BusError) and answer.kind == LOST for answer in answers):
            self.close()  # the next question connects anew
        return answers
