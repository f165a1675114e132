"""What the entry does: bring back at boot what is wanted, and end it in order at shutdown, still wanted."""

from collections.abc import Callable, Iterable

from sentinel.backends.base import Seen
from sentinel.errors import SentinelError
from sentinel.model import Desired, Record, Restart
from sentinel.supervisor import processes
from sentinel.supervisor.api import Done, Outcome
from sentinel.supervisor.context import Context
from sentinel.supervisor.reconcile import settle

SHUTDOWN = "shutdown"  # the reason in the exit records


def run(context: Context) -> Outcome:
    """Start whatever is wanted and does not run, on every engine; then the daemon, if any of it needs one."""
    context.home.prepare()
    wanted = [r for r in context.store.read().processes.values() if r.desired is Desired.RUNNING]
    outcome = Outcome([])
    for records in _by_reachable_engine(context, wanted, outcome):
        try:
            outcome.done += _start([r.id for r in records], context)
        except SentinelError as error:
            outcome.done += [Done(r.id, r.name, group=r.spec.group, error=error) for r in records]
    _start_daemon(context, wanted, outcome)
    context.poke_daemon()
    return outcome


def _by_reachable_engine(context: Context, records: list[Record], outcome: Outcome) -> Iterable[list[Record]]:
    """One engine that is not there must not keep the other's processes away."""
    parts: dict[tuple[str, str | None], list[Record]] = {}
    for record in records:
        parts.setdefault((record.backend, record.scope), []).append(record)
    for key, part in parts.items():
        try:
            context.engine(*key)
        except SentinelError as error:
            outcome.done += [Done(r.id, r.name, group=r.spec.group, error=error) for r in part]
        else:
            yield part


def _start(ids: list[int], context: Context) -> list[Done]:
    with context.store.claim(ids, block=False) as mine:  # whoever has claimed another one starts it
        settle(context, mine)
        state = context.store.read()
        records = [state.processes[i] for i in sorted(mine) if i in state.processes]
        seen = context.see(records)
        idle = [r.id for r in records if not _is_up(seen[r.id]) and comes_back(r)]
        processes.want_run(context, idle)
        return processes.launch(context, idle, set(idle), keep_wanted=True).done


def _is_up(seen: Seen) -> bool:
    return seen.alive or (seen.status is not None and seen.status.value in ("starting", "stopping", "backoff"))


def comes_back(record: Record) -> bool:
    """Whether a process that does not run is to run after a boot: what did its work and ended by itself is not."""
    last = record.runtime.last_exit
    if record.desired is not Desired.RUNNING:
        return False
    if last is None or last.run < record.runtime.run or record.runtime.run < record.wanted_run:
        return True
    if last.reason or last.code is None:  # sentinel or the system ended it, or a signal from outside
        return True
    mode = record.spec.restart.mode
    return mode is Restart.ALWAYS or (mode is Restart.ON_FAILURE and not last.clean)


def needs_daemon(records: Iterable[Record]) -> bool:
    """Restarts, memory limits and log rotation of native processes, all health checks and hooks are the daemon's."""
    wanted = [r for r in records if r.desired is Desired.RUNNING]
    return any(r.backend == "native" or r.spec.health is not None or r.spec.on_failure is not None for r in wanted)


def _start_daemon(context: Context, wanted: list[Record], outcome: Outcome) -> None:
    from sentinel.supervisor import daemon_client

    metrics = daemon_client.wanted_metrics(context.home)
    failed = {done.id for done in outcome.done if done.error is not None}
    needed = needs_daemon(wanted) or any(r.id in failed and _is_tried_again(r) for r in wanted)
    for where in (metrics, None) if metrics else (None,):
        if where is None and not needed:
            return
        try:
            daemon_client.start(context.home, metrics=where)
            return
        except SentinelError as error:
            outcome.warnings.append(str(error))


def _is_tried_again(record: Record) -> bool:
    return record.spec.restart.mode is not Restart.NO


def listen() -> Callable[[], None]:
    """From now on SIGTERM and SIGINT only end the wait that is returned. What we start does not inherit that."""
    import os
    import signal

    reader, writer = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(writer, b"!") and None)

    def wait() -> None:
        os.read(reader, 1)

    return wait


def end(context: Context) -> Outcome:
    """Stop the daemon, then the native processes, each with its own signal and time. All of them stay wanted.

    Units are systemd's own to stop.
    """
    from sentinel.supervisor import daemon_client

    outcome = Outcome([])
    try:
        daemon_client.stop(context.home)
    except SentinelError as error:
        outcome.warnings.append(str(error))
    native = [r.id for r in context.store.read().processes.values() if r.backend == "native"]
    with context.store.claim(native, block=False) as mine:
        state = context.store.read()
        records = [state.processes[i] for i in sorted(mine) if i in state.processes]
        seen = context.see(records)
        alive = [r for r in records if seen[r.id].alive]
        for engine, group in context.by_engine(alive):
            errors = engine.stop(group, reason=SHUTDOWN)
            outcome.done += [Done(r.id, r.name, group=r.spec.group, error=errors.get(r.id)) for r in group]
        settle(context, [r.id for r in alive])
    return outcome
