"""start, stop, restart, delete, clean: what is done to processes that are there already."""

import os
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack

from sentinel import faultpoints, names
from sentinel.backends.base import Seen, Started
from sentinel.errors import NotFound, SentinelError
from sentinel.model import Desired, Record, State, Status
from sentinel.supervisor import launching, leftovers
from sentinel.supervisor.api import Done, Outcome
from sentinel.supervisor.context import Context
from sentinel.supervisor.reconcile import settle

Progress = Callable[[int, int], None]
UP = (Status.RUNNING, Status.STARTING, Status.STOPPING, Status.BACKOFF)


def find(context: Context, tokens: Sequence[str]) -> list[int]:
    """Ids of these names or ids.

    Raises:
        NotFound: names all that are missing.
    """
    return [record.id for record in names.find_many(context.store.read(), tokens)]


def start(context: Context, ids: Sequence[int], progress: Progress | None = None) -> Outcome:
    """Start those that do not run. One that runs already is left alone and says so."""
    with context.store.claim(ids):
        settle(context, ids)
        state = context.store.read()
        seen = context.see(_records(state, ids))
        idle = [i for i in ids if i in state.processes and not _running(state.processes[i], seen[i])]
        want_run(context, idle)
        outcome = launch(context, ids, set(idle))
    context.poke_daemon()
    return outcome


def stop(
    context: Context, ids: Sequence[int], *, force: bool = False, progress: Progress | None = None
) -> Outcome:
    """Stop those that run; the records stay. `force` does not wait for another command's stop of the same."""
    with ExitStack() as stack:
        if not force:
            stack.enter_context(context.store.claim(ids))
        before, up = _want_stop(context, ids)
        errors = _stop(context, list(before.values()), force=force, reason="stop", progress=progress)
        settle(context, ids)
    context.poke_daemon()
    done = [Done(i, r.name, group=r.spec.group, already=i not in up, error=errors.get(i)) for i, r in before.items()]
    return Outcome(done)


def restart(
    context: Context,
    ids: Sequence[int],
    *,
    update_env: bool = False,
    reason: str = "restart",
    progress: Progress | None = None,
) -> Outcome:
    """Stop what runs of them, and start each anew."""
    from sentinel import environment

    with context.store.claim(ids):
        settle(context, ids)
        if update_env:
            for i in ids:
                environment.capture(context.home, i, os.environ)
        records = want_run(context, ids)
        errors = _stop(context, records, reason=reason, progress=progress)
        settle(context, ids)
        outcome = launch(context, ids, {i for i in ids if errors.get(i) is None})
    for done in outcome.done:
        done.error = errors.get(done.id) or done.error
    context.poke_daemon()
    return outcome


def delete(
    context: Context, ids: Sequence[int], *, force: bool = False, progress: Progress | None = None
) -> Outcome:
    """Stop and remove them, with their logs, captured environments and ports."""
    with context.store.claim(ids):
        before, _ = _want_stop(context, ids)
        errors = _stop(context, list(before.values()), force=force, reason="stop", progress=progress)
        settle(context, ids)
        gone = [r for i, r in before.items() if errors.get(i) is None]
        remove(context, gone)
    context.poke_daemon()
    return Outcome([Done(i, r.name, group=r.spec.group, error=errors.get(i)) for i, r in before.items()])


def clean(context: Context) -> Outcome:
    """Remove every record that does not run and is not wanted to (or ended and will not be restarted)."""
    from sentinel.supervisor.views import status_of

    state = context.store.read()
    with context.store.claim(list(state.processes), block=False) as mine:
        settle(context, mine)
        state = context.store.read()
        records = _records(state, mine)
        seen = context.see(records)
        over = (Status.STOPPED, Status.EXITED, Status.FAILED)
        gone = [r for r in records if status_of(r, seen[r.id], context.now()) in over]
        remove(context, gone)
        leftovers.sweep(context.home, state)
    return Outcome([Done(r.id, r.name, group=r.spec.group) for r in gone])


def remove(context: Context, records: Iterable[Record]) -> None:
    """Take stopped processes out of everything. What is left of files after a kill half-way, the next one takes.

    Logs go by the name, so they go while it still is this one's: nobody can have taken it meanwhile.
    """
    from sentinel import environment, ports
    from sentinel.logs.rotate import remove_logs

    gone = list(records)
    if not gone:
        return
    for record in gone:
        remove_logs(context.home, record.name)
    faultpoints.reach("delete.emptied")
    with context.store.change() as state:
        for record in gone:
            state.processes.pop(record.id, None)
            ports.free_of(state, record.id)
    faultpoints.reach("delete.removed")
    for engine, group in context.by_engine(gone):
        engine.forget(group)
    for record in gone:
        environment.forget(context.home, record.id)
        faultpoints.reach("delete.forgot")
    leftovers.sweep(context.home, state)


def _records(state: State, ids: Iterable[int]) -> list[Record]:
    return [state.processes[i] for i in ids if i in state.processes]


def _running(record: Record, seen: Seen) -> bool:
    """Alive, or about to be by the engine's own doing."""
    if record.desired is Desired.STOPPED:
        return seen.alive
    return seen.alive or (seen.status is not None and seen.status.value in ("starting",))


def want_run(context: Context, ids: Iterable[int]) -> list[Record]:
    """Record that they are to run, from a new run on; returns the records as they were before.

    Raises:
        NotFound: one was deleted meanwhile by another command.
    """
    from copy import deepcopy

    before = []
    with context.store.change() as state:
        for i in ids:
            record = _get(state, i)
            before.append(deepcopy(record))
            record.desired = Desired.RUNNING
            record.wanted_run = record.runtime.run + 1
            record.runtime.gave_up = False
            record.runtime.quick_deaths = record.runtime.failures = 0
    return before


def _want_stop(context: Context, ids: Iterable[int]) -> tuple[dict[int, Record], set[int]]:
    """Record that they are to be stopped. The records, and the ids of those that ran or were about to."""
    from sentinel.supervisor.views import status_of

    state = context.store.read()
    seen = context.see(_records(state, ids))
    before: dict[int, Record] = {}
    up: set[int] = set()
    with context.store.change() as state:
        for i in ids:
            record = _get(state, i)
            saw = seen.get(i, Seen())
            if status_of(record, saw, context.now()) in UP:
                up.add(i)
            record.desired = Desired.STOPPED
            record.wanted_run = record.runtime.run
            record.runtime.stopping = saw.alive or saw.status is not None
            before[i] = record
    return before, up


def _get(state: State, id: int) -> Record:
    record = state.processes.get(id)
    if record is None:
        raise NotFound(f"process {id} was deleted by another command", "run 'sentinel list' to see what is left")
    return record


def _stop(
    context: Context,
    records: Sequence[Record],
    *,
    reason: str,
    force: bool = False,
    progress: Progress | None = None,
) -> dict[int, SentinelError | None]:
    errors: dict[int, SentinelError | None] = {}
    down = 0

    def told() -> None:
        nonlocal down
        down += 1
        if progress:
            progress(down, len(records))

    faultpoints.reach("stop.wanted")
    for engine, group in context.by_engine(records):
        errors.update(engine.stop(group, force=force, reason=reason, told=told))
    faultpoints.reach("stop.done")
    return errors


def launch(
    context: Context, ids: Sequence[int], starting: set[int], *, keep_wanted: bool = False
) -> Outcome:
    """Start these and say for all ids what is now. One that can't be started is told as failed, and left stopped
    unless it is to be kept wanted."""
    state = context.store.read()
    starts = [(state.processes[i], False) for i in ids if i in starting]
    launched = launching.launch(context, state, starts)
    if launched:
        now = context.now()
        with context.store.change(durable=False) as state:
            for i, answer in launched.items():
                answer.apply(state.processes[i], now)
                if not keep_wanted and not isinstance(answer.outcome, Started):
                    state.processes[i].desired = Desired.STOPPED
        mark_logs(context, [state.processes[i] for i in launched])
    done = []
    for record in _records(state, ids):
        launch = launched.get(record.id)
        failed = launch.outcome if launch and isinstance(launch.outcome, SentinelError) else None
        done.append(
            Done(
                record.id,
                record.name,
                pid=record.runtime.pid,
                group=record.spec.group,
                already=record.id not in starting,
                notes=list(record.runtime.notes) if launch else [],
                error=failed,
                ports=dict(record.spec.ports),
            )
        )
    return Outcome(done)


def mark_logs(context: Context, records: Iterable[Record]) -> None:
    """Note when each run began, so that `logs --since` finds it in files that carry no times; rotate full ones."""
    from sentinel.logs.marks import mark
    from sentinel.supervisor.rotation import has_files, rotate_full

    writers = [record for record in records if has_files(record)]
    rotate_full(context, writers)
    for record in writers:
        mark(context.home, record.name)

