"""Take in what an engine says of a process: exits are counted once, pids are believed only when seen alive."""

from sentinel.backends.base import Seen, Started
from sentinel.model import Desired, Exit, Health, Record, Runtime, Status
from sentinel.supervisor.decide import QUICK, SETTLED


def absorb(record: Record, seen: Seen, now: float) -> bool:
    """Bring the record's runtime up to what was seen. Returns whether anything changed."""
    changed = False
    for end in seen.exits:
        changed |= _take_exit(record, end)
    changed |= _count_engine_restarts(record.runtime, seen)
    if seen.alive:
        changed |= _take_alive(record, seen)
    else:
        changed |= _take_dead(record, seen, now)
    return changed


def took_start(record: Record, started: Started, boot: str, *, automatic: bool) -> None:
    """A run was started: by the user, or automatically after it ended by itself."""
    runtime = record.runtime
    if runtime.run >= started.run and runtime.pid == started.pid:
        return
    if automatic:
        runtime.restarts += max(1, started.run - runtime.run)
        runtime.failures += 1
    else:
        runtime.restarts = runtime.failures = runtime.quick_deaths = 0
        runtime.gave_up = False
    begin_run(runtime, started.run)
    runtime.pid = runtime.last_pid = started.pid
    runtime.start_time = started.start_time
    runtime.started_at = started.started_at
    runtime.boot_id = boot
    runtime.notes = list(started.notes)


def begin_run(runtime: Runtime, run: int) -> None:
    """Forget what belonged to the run before."""
    runtime.run = run
    runtime.engine_restarts = 0
    runtime.ready = False
    runtime.stopping = False
    runtime.health = Health.UNKNOWN
    runtime.health_failures = 0
    runtime.health_message = ""


def failed_start(record: Record, run: int, message: str, now: float, *, automatic: bool) -> None:
    """A run could not be started: remembered like a quick death, so that its retries back off."""
    runtime = record.runtime
    begin_run(runtime, run)
    runtime.pid = runtime.start_time = runtime.started_at = None
    runtime.last_exit = Exit(run=run, at=now, reason=f"launch: {message}")
    runtime.quick_deaths += 1
    if automatic:
        runtime.failures += 1
        runtime.restarts += 1


def _take_exit(record: Record, end: Exit) -> bool:
    runtime = record.runtime
    last = runtime.last_exit
    if last is not None and not end.is_after(last):
        return False
    if end.run > runtime.run:  # started by somebody who was killed before saying so
        runtime.restarts += end.run - runtime.run if runtime.run else 0
        begin_run(runtime, end.run)
        runtime.started_at = None
    if end.run == runtime.run:
        _count_death(runtime, end)
        runtime.pid = runtime.start_time = None
        runtime.ready = False
        runtime.stopping = False
        runtime.health = Health.UNKNOWN
    runtime.last_exit = end
    if end.reason == "systemd":
        record.desired = Desired.STOPPED
    return True


def _count_death(runtime: Runtime, end: Exit) -> None:
    uptime = 0.0
    if runtime.started_at is not None and end.at is not None:
        uptime = end.at - runtime.started_at
    runtime.quick_deaths = runtime.quick_deaths + 1 if uptime < QUICK else 0
    if uptime >= SETTLED:
        runtime.failures = 0


def _count_engine_restarts(runtime: Runtime, seen: Seen) -> bool:
    if seen.restarts is None or seen.restarts <= runtime.engine_restarts:
        return False
    runtime.restarts += seen.restarts - runtime.engine_restarts
    runtime.engine_restarts = seen.restarts
    return True


def _take_alive(record: Record, seen: Seen) -> bool:
    runtime = record.runtime
    before = (runtime.run, runtime.pid, runtime.start_time, runtime.started_at, runtime.ready)
    run = seen.run if seen.run is not None else runtime.run
    if run > runtime.run:
        automatic = run > record.wanted_run
        if automatic:
            runtime.restarts += run - runtime.run
            runtime.failures += 1
        begin_run(runtime, run)
    elif seen.pid != runtime.pid:
        begin_run(runtime, runtime.run) if seen.restarts is None else _new_incarnation(runtime)
    runtime.pid, runtime.start_time = seen.pid, seen.start_time
    runtime.last_pid = seen.pid
    if seen.started_at is not None:
        runtime.started_at = seen.started_at
    runtime.ready = runtime.ready or seen.ready
    return before != (runtime.run, runtime.pid, runtime.start_time, runtime.started_at, runtime.ready)


def _new_incarnation(runtime: Runtime) -> None:
    """The engine restarted it within the same run of ours."""
    counted = runtime.engine_restarts
    begin_run(runtime, runtime.run)
    runtime.engine_restarts = counted


def _take_dead(record: Record, seen: Seen, now: float) -> bool:
    runtime = record.runtime
    changed = False
    if seen.stopped_by and record.desired is Desired.RUNNING:
        record.desired = Desired.STOPPED
        if runtime.last_exit is None or runtime.last_exit.run < runtime.run or not runtime.last_exit.reason:
            last = runtime.last_exit
            known = last if last is not None and last.run == runtime.run else Exit(run=runtime.run, at=now)
            runtime.last_exit = Exit(known.run, known.code, known.signal, known.at, seen.stopped_by, known.number)
        changed = True
    if seen.status is Status.FAILED and not runtime.gave_up and record.wanted_run <= runtime.run:
        runtime.gave_up = changed = True
    if runtime.stopping and seen.status is None:
        runtime.stopping = False
        changed = True
    if runtime.pid is None:
        return changed
    runtime.pid = runtime.start_time = None
    runtime.ready = False
    runtime.health = Health.UNKNOWN
    ended = runtime.last_exit is not None and runtime.last_exit.run >= runtime.run
    waits = seen.status is not None  # the engine restarts it, or knows how it ended
    if not ended and not waits:
        # Nobody was there to see it: the keeper was killed, the machine rebooted, the manager went away.
        end = Exit(run=runtime.run, at=now)
        _count_death(runtime, end)
        runtime.last_exit = end
    return True
