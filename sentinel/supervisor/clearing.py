"""`logs --clear`: forget what was written up to now."""

from collections.abc import Sequence

from sentinel.errors import SentinelError
from sentinel.supervisor import processes
from sentinel.supervisor.api import Done, Outcome
from sentinel.supervisor.context import Context


def clear(context: Context, tokens: Sequence[str]) -> Outcome:
    """Empty the log files. The journal is the administrator's: there, a position is remembered."""
    done: list[Done] = []
    for i in processes.find(context, tokens):
        record = context.store.read().processes[i]
        answer = Done(i, record.name, pid=record.runtime.pid, group=record.spec.group)
        try:
            position = context.engine_of(record).logs(record).clear()
        except SentinelError as error:
            answer.error = error
        else:
            if position is not None:
                with context.store.change() as state:
                    state.processes[i].cursor, state.processes[i].cleared_at = position
        done.append(answer)
    return Outcome(done)
