"""Records as `list` and `status` show them."""

from collections.abc import Mapping

from sentinel.accounts import current_name
from sentinel.backends.base import Seen
from sentinel.command import display
from sentinel.model import Desired, Record, Status
from sentinel.paths import Home
from sentinel.supervisor.api import ProcessView
from sentinel.supervisor.decide import ends_in_restart, waits_for_us


def status_of(record: Record, seen: Seen, now: float) -> Status:
    """The one word for what a process is."""
    runtime = record.runtime
    if seen.alive:
        return _alive(record, seen, now)
    if seen.status is not None and seen.status is not Status.FAILED:
        return seen.status
    if record.desired is Desired.STOPPED:
        failed = runtime.last_exit is not None and runtime.last_exit.never_ran
        return Status.FAILED if failed else Status.STOPPED
    if runtime.gave_up:
        return Status.FAILED
    if runtime.run < record.wanted_run:
        return Status.STARTING
    if waits_for_us(record) or (record.backend == "native" and ends_in_restart(record)):
        return Status.BACKOFF
    last = runtime.last_exit
    if last is None or not last.known:
        return Status.FAILED if last is not None and last.reason else Status.EXITED
    return Status.EXITED if last.clean else Status.FAILED


def _alive(record: Record, seen: Seen, now: float) -> Status:
    runtime = record.runtime
    if runtime.stopping or record.desired is Desired.STOPPED or seen.status is Status.STOPPING:
        return Status.STOPPING
    limit = record.spec.startup_timeout
    began = runtime.started_at or seen.started_at
    if limit is not None and not (runtime.ready or seen.ready) and began is not None and now < began + limit:
        return Status.STARTING
    return Status.RUNNING


def view(
    home: Home, record: Record, seen: Seen, now: float, usage: Mapping[int, tuple[float | None, int]]
) -> ProcessView:
    """One process; `usage` holds CPU percent and memory by id where they were measured."""
    spec, runtime = record.spec, record.runtime
    status = status_of(record, seen, now)
    last = runtime.last_exit
    shown_exit = last
    cpu, memory = usage.get(record.id, (None, None))
    files = record.backend == "native" or spec.logs.kind == "file"
    began = runtime.started_at if seen.alive else None
    return ProcessView(
        id=record.id,
        name=record.name,
        backend=record.backend,
        status=status.value,
        pid=seen.pid if seen.alive else None,
        cpu_percent=cpu if seen.alive else None,
        memory_bytes=memory if seen.alive else None,
        uptime_seconds=max(0.0, now - began) if began is not None else None,
        started_at=runtime.started_at,
        restarts=runtime.restarts,
        exit_code=shown_exit.code if shown_exit else None,
        exit_signal=shown_exit.signal if shown_exit else None,
        health=runtime.health.value if spec.health is not None else None,
        user=spec.user if spec.user is not None else current_name(),
        group=spec.group,
        command=display(spec.argv),
        cwd=spec.cwd,
        env_file=spec.env_file,
        ports=dict(spec.ports),
        stdout_log=str(home.log(record.name, "stdout")) if files else None,
        stderr_log=str(home.log(record.name, "stderr")) if files else None,
        restart_policy=spec.restart.mode.value,
        exit_reason=last.reason if last else "",
        unit=record.unit,
        notes=list(runtime.notes),
        health_message=runtime.health_message,
        health_check=f"{spec.health.kind} {spec.health.target}" if spec.health else None,
        max_restarts=spec.restart.max_restarts,
        restart_delay=spec.restart.delay,
    )

