"""What happened to processes: told from two states of state.json, so that no code path can forget to say it."""

from collections.abc import Iterator, Mapping

from sentinel.model import Desired, Exit, Health, Record, State
from sentinel.plain import dataclass, field

WORDS = ("created", "started", "restarted", "exited", "stopped", "failed", "unhealthy", "healthy", "gave-up", "moved",
         "deleted")  # fmt: skip
FAILURES = ("failed", "gave-up", "unhealthy")  # and "exited" that was not clean: what --on-failure is for


@dataclass(slots=True)
class Event:
    """One thing that happened. `details` has only what applies: pid, run, exit_code, exit_signal, reason, by, …"""

    at: float
    event: str
    id: int
    name: str
    details: dict[str, object] = field(default_factory=dict)

    @property
    def is_failure(self) -> bool:
        if self.event == "exited":
            return self.details.get("clean") is False
        return self.event in FAILURES


@dataclass(slots=True)
class Before:
    """What of a record is compared."""

    run: int
    wanted_run: int
    pid: int | None
    end: tuple[int, int, float | None] | None
    desired: Desired
    health: Health
    gave_up: bool
    backend: str
    name: str


def snapshot(state: State) -> dict[int, Before]:
    """What `derive` needs of the state as it was."""
    return {id: _before(record) for id, record in state.processes.items()}


def _before(record: Record) -> Before:
    runtime = record.runtime
    return Before(
        runtime.run,
        record.wanted_run,
        runtime.pid,
        _end(runtime.last_exit),
        record.desired,
        runtime.health,
        runtime.gave_up,
        record.backend,
        record.name,
    )


def _end(last: Exit | None) -> tuple[int, int, float | None] | None:
    return None if last is None else (last.run, last.number, last.at)


def derive(before: Mapping[int, Before], state: State, now: float, by: str) -> list[Event]:
    """The events between the two, in the order in which they happened. `by`: the command that changed it."""
    events: list[Event] = []
    for id, record in state.processes.items():
        old = before.get(id)
        if old is None:
            events.append(Event(record.created_at or now, "created", id, record.name, {"by": by}))
            old = Before(0, 0, None, None, record.desired, Health.UNKNOWN, False, record.backend, record.name)
        events.extend(_of(old, record, now, by))
    for id, old in before.items():
        if id not in state.processes:
            events.append(Event(now, "deleted", id, old.name, {"by": by}))
    return events


def _of(old: Before, record: Record, now: float, by: str) -> Iterator[Event]:
    runtime = record.runtime
    if record.backend != old.backend:
        yield Event(now, "moved", record.id, record.name, {"from": old.backend, "to": record.backend, "by": by})
    if runtime.last_exit is not None and _end(runtime.last_exit) != old.end:
        yield ended(record, runtime.last_exit, now, by)
    elif record.desired is Desired.STOPPED and old.desired is Desired.RUNNING and old.pid is None:
        yield Event(now, "stopped", record.id, record.name, {"by": by})
    if runtime.pid is not None and (runtime.run, runtime.pid) != (old.run, old.pid):
        yield _began(old, record, now, by)
    if runtime.gave_up and not old.gave_up:
        yield Event(now, "gave-up", record.id, record.name, {"restarts": runtime.restarts})
    if runtime.health is not old.health and runtime.health is not Health.UNKNOWN:
        answer = {"answer": runtime.health_message} if runtime.health_message else {}
        yield Event(now, runtime.health.value, record.id, record.name, dict(answer))


def ended(record: Record, end: Exit, now: float, by: str) -> Event:
    """That a run of it ended, and how."""
    details: dict[str, object] = {"run": end.run}
    if end.reason.startswith("launch: "):
        return Event(end.at or now, "failed", record.id, record.name, {**details, "reason": end.reason[8:]})
    if end.code is not None:
        details["exit_code"] = end.code
    if end.signal is not None:
        details["exit_signal"] = end.signal
    if end.reason:
        details["reason"] = end.reason
        if end.reason == "health" and record.runtime.health_message:
            details["answer"] = record.runtime.health_message
    if end.reason in ("stop", "restart", "move", "shutdown"):
        details["by"] = by
        return Event(end.at or now, "stopped", record.id, record.name, details)
    if end.reason == "systemd":
        return Event(end.at or now, "stopped", record.id, record.name, {**details, "by": "systemctl"})
    details["clean"] = end.clean if end.known else None
    return Event(end.at or now, "exited", record.id, record.name, details)


def _began(old: Before, record: Record, now: float, by: str) -> Event:
    runtime = record.runtime
    details: dict[str, object] = {"pid": runtime.pid, "run": runtime.run}
    if old.run == 0 or runtime.restarts == 0:
        return Event(runtime.started_at or now, "started", record.id, record.name, {**details, "by": by})
    last = runtime.last_exit
    details["reason"] = last.reason if last and last.reason in ("health", "memory", "oom") else "crash"
    if last is not None and last.clean and details["reason"] == "crash":
        details["reason"] = "exit"
    details["restarts"] = runtime.restarts
    return Event(runtime.started_at or now, "restarted", record.id, record.name, details)
