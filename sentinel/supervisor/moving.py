"""`move`: the same process on the other engine."""

from collections.abc import Callable, Sequence

from sentinel import faultpoints
from sentinel.backends.resolve import Choice, resolve
from sentinel.errors import SentinelError, UsageError
from sentinel.model import Desired, Record
from sentinel.supervisor import launching, processes
from sentinel.supervisor.api import Done, Outcome
from sentinel.supervisor.context import Context
from sentinel.supervisor.reconcile import settle

Progress = Callable[[int, int], None]


def move(context: Context, ids: Sequence[int], backend: str, progress: Progress | None = None) -> Outcome:
    """Stop each there and start it here: same id, name, environment, group, ports and history.

    Raises:
        Unsupported: the target can't honour one of them; nothing was touched.
        BackendError: the target can't be reached.
    """
    if backend not in ("native", "systemd"):
        raise UsageError(f"cannot move to {backend!r}", "use --to native or --to systemd")
    choice = resolve(context.home, flag=backend)
    target = context.engine(choice.name, choice.scope)
    state = context.store.read()
    for i in ids:
        record = state.processes[i]
        target.refuse(record.spec, state.groups.get(record.spec.group) if record.spec.group else None)
    done: list[Done] = []
    with context.store.claim(ids):
        settle(context, ids)
        for i in ids:
            done.append(_move_one(context, i, choice))
            if progress:
                progress(len(done), len(ids))
    context.poke_daemon()
    return Outcome(done, list(choice.notes))


def _move_one(context: Context, id: int, choice: Choice) -> Done:
    from copy import deepcopy

    state = context.store.read()
    record = state.processes[id]
    answer = Done(id, record.name, pid=record.runtime.pid, group=record.spec.group)
    if record.backend == choice.name:
        answer.already = True
        return answer
    before = deepcopy(record)
    was_running = record.desired is Desired.RUNNING and context.see([record])[id].alive
    if was_running:  # before it is stopped: whoever finds us killed starts it, here or there
        _want_run(context, id, 1)
    error = context.engine_of(record).stop([record], reason="move")[id]
    settle(context, [id])
    if error is not None:
        if was_running:
            _want_run(context, id, 0)
        answer.error = error
        return answer
    faultpoints.reach("move.stopped")
    _place(context, id, choice.name, choice.scope)
    faultpoints.reach("move.placed")
    if not was_running:
        context.engine_of(before).forget([before])
        return answer
    failure = _start(context, id)
    faultpoints.reach("move.started")
    if failure is None:
        context.engine_of(before).forget([before])
        answer.pid = context.store.read().processes[id].runtime.pid
        return answer
    _place(context, id, before.backend, before.scope)
    again = _start(context, id)
    how = "it runs on as before" if again is None else f"and it could not be started again: {again.message}"
    answer.error = type(failure)(f"cannot move {before.name}: {failure.message}; {how}", failure.hint)
    return answer


def _place(context: Context, id: int, backend: str, scope: str | None) -> None:
    with context.store.change() as state:
        record = state.processes[id]
        record.backend, record.scope, record.unit = backend, scope, None
        if backend == "systemd":
            from sentinel.backends.systemd.naming import unit_name

            record.unit = unit_name(record.name, context.home)


def _want_run(context: Context, id: int, more: int) -> None:
    """It is to run so many times more, from now on."""
    with context.store.change() as state:
        state.processes[id].wanted_run = state.processes[id].runtime.run + more


def _start(context: Context, id: int) -> SentinelError | None:
    _want_run(context, id, 1)
    state = context.store.read()
    record: Record = state.processes[id]
    answer = launching.launch(context, state, [(record, False)])[id]
    if isinstance(answer.outcome, SentinelError):
        _want_run(context, id, 0)
        return answer.outcome
    with context.store.change(durable=False) as state:
        answer.apply(state.processes[id], context.now())
        moved = state.processes[id]
    processes.mark_logs(context, [moved])
    return None
