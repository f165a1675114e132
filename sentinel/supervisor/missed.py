"""Ends of runs that two states of state.json do not tell of: the ledger gets each once, whoever was killed when."""

from sentinel import events, ledger
from sentinel.backends.base import Seen
from sentinel.model import Exit, Record
from sentinel.supervisor.context import Context


def tell_missed(context: Context, record: Record, seen: Seen, now: float) -> None:
    """Inside `Store.change`, before these exits are absorbed into the record.

    The last one that is new is told by the change itself. Those before it (two runs ended while nobody looked)
    are not, nor one that was saved by somebody who was killed before writing it into the ledger: its exit
    record is still there.
    """
    if not seen.exits:
        return
    last = record.runtime.last_exit
    newest = max(_key(end) for end in seen.exits)
    told_by_the_change = newest if last is None or newest > _key(last) else None
    for end in seen.exits:
        if _key(end) != told_by_the_change and end.at and not ledger.tells_end(context.home, record.id, end):
            context.store.tell(events.ended(record, end, now, context.store.command))


def _key(end: Exit) -> tuple[int, float]:
    return end.run, end.at or 0.0
