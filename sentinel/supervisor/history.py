"""`events`: the ledger, for some processes or all."""

from collections.abc import Iterator, Sequence

from sentinel import ledger, names
from sentinel.errors import NotFound
from sentinel.events import Event
from sentinel.supervisor.context import Context

Wanted = set[int] | None


def _wanted(context: Context, tokens: Sequence[str]) -> Wanted:
    """Ids of these names or ids; a process that was deleted is found by what the ledger calls it."""
    if not tokens:
        return None
    state = context.store.read()
    ids: set[int] = set()
    for token in tokens:
        try:
            ids.add(names.find(state, token).id)
        except NotFound:
            past = {e.id for e in ledger.read(context.home) if token in (e.name, str(e.id))}
            if not past:
                raise
            ids |= past
    return ids


def events(context: Context, tokens: Sequence[str], lines: int, since: float | None) -> list[Event]:
    """The latest `lines` events, oldest first."""
    wanted = _wanted(context, tokens)
    return _latest(context, wanted, lines, since)


def latest(context: Context, id: int, lines: int) -> list[Event]:
    """The latest of one process."""
    return _latest(context, {id}, lines, None)


def follow(context: Context, tokens: Sequence[str], lines: int, since: float | None) -> Iterator[Event | None]:
    """The latest, then what comes; None: nothing for a moment."""
    wanted = _wanted(context, tokens)
    coming = ledger.follow(context.home)
    next(coming)  # it has opened the file now: nothing falls between it and what is read
    shown = _latest(context, wanted, lines, since)
    yield from shown
    for event in coming:
        if event is None or ((wanted is None or event.id in wanted) and event not in shown):
            yield event


def _latest(context: Context, wanted: Wanted, lines: int, since: float | None) -> list[Event]:
    found = [
        event
        for event in ledger.read(context.home)
        if (wanted is None or event.id in wanted) and (since is None or event.at >= since)
    ]
    return found[-lines:] if lines > 0 else []
