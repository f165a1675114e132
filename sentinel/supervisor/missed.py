"""Ends of runs that two states of state.json do not tell of: the ledger gets each once, whoever was killed when."""

from sentinel import events, ledger
from sentinel.backends.base import Seen
from sentinel.model import Record
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
    newest = seen.exits[-1]
    told_by_the_change = newest if last is None or newest.is_after(last) else None
    for end in seen.exits:
        if end is not told_by_the_change and end.at and not ledger.tells_end(context.home, record.id, end):
            context.store.tell(events.ended(record, end, now, context.store.command))
