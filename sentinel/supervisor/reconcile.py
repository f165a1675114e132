"""Bring what runs to what is wanted. Commands, `list` and the daemon all come through here."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from sentinel.backends.base import Seen
from sentinel.errors import SentinelError
from sentinel.model import Record, State
from sentinel.supervisor import launching
from sentinel.supervisor.absorb import absorb
from sentinel.supervisor.context import Context
from sentinel.supervisor.decide import Action, GiveUp, Nothing, Start, Stop, WakeAt, decide
from sentinel.supervisor.missed import tell_missed


@dataclass(slots=True)
class Report:
    """What a round of reconciling did, and when the next deadline is."""

    state: State
    seen: dict[int, Seen]
    restarted: list[tuple[str, int | None, int]] = field(default_factory=list)  # name, old pid, new pid
    failed: list[tuple[str, SentinelError]] = field(default_factory=list)
    wake_at: float | None = None
    to_stop: list[int] = field(default_factory=list)
    helpers: list[int] = field(default_factory=list)  # pids of helpers that were started for them
    busy: bool = False  # somebody else works on one of them: look again when they are done


def reconcile(context: Context, ids: Iterable[int] | None = None, *, stop_here: bool = False) -> Report:
    """One round over these processes (None: all). What another command works on is left to it.

    Nothing is locked or written where all is as wanted. What has to be stopped first (its command was killed
    half-way) goes to a helper, since nobody should wait here; the helper itself has `stop_here`.

    Raises:
        StateError: state.json can't be read or written.
        BackendError: an engine can't be reached.
    """
    state = context.store.read()
    wanted = None if ids is None else set(ids)
    records = [r for r in state.processes.values() if wanted is None or r.id in wanted]
    seen = context.see(records)
    report = Report(state, seen)
    pending = [r.id for r in records if _needs_work(context, r, seen[r.id], report)]
    if pending:
        with context.store.claim(pending, block=False) as mine:
            report.busy = len(mine) < len(pending)
            if mine:
                _work(context, mine, report, stop_here)
    if report.to_stop and not stop_here:
        from sentinel.supervisor import helper

        report.helpers.append(helper.spawn(context.home, "reconcile", report.to_stop))
    return report


def settle(context: Context, ids: Iterable[int]) -> dict[int, Seen]:
    """Take in what the engines say of processes that the caller has claimed, and save it."""
    state = context.store.read()
    records = [state.processes[i] for i in ids if i in state.processes]
    seen = context.see(records)
    now = context.now()
    save_seen(context, {r.id for r in records if absorb(r, seen[r.id], now) or seen[r.id].exits}, seen)
    return seen


def save_seen(context: Context, ids: set[int], seen: dict[int, Seen]) -> None:
    """Write what was seen of these processes into state.json, and let go of the engines' exit records."""
    if not ids:
        return
    now = context.now()
    exits: dict[int, int] = {}
    with context.store.change(durable=False) as state:
        records = [state.processes[i] for i in ids if i in state.processes]
        for record in records:
            tell_missed(context, record, seen[record.id], now)
            absorb(record, seen[record.id], now)
            if seen[record.id].exits:
                exits[record.id] = max(end.run for end in seen[record.id].exits)
    if exits:
        context.forget_exits(records, exits)


def _needs_work(context: Context, record: Record, seen: Seen, report: Report) -> bool:
    """Absorb into the copy just read, and decide. True where something has to be saved or done."""
    changed = absorb(record, seen, context.now())
    action = _decide(context, record, seen)
    if isinstance(action, WakeAt):
        _wake(report, action.at)
    return changed or bool(seen.exits) or not isinstance(action, Nothing | WakeAt)


def _decide(context: Context, record: Record, seen: Seen) -> Action:
    engine = context.engine_of(record)
    alive = seen.alive or (engine.restarts_by_itself and seen.status is not None and seen.status.value != "failed")
    return decide(record, alive, context.now(), engine_restarts=engine.restarts_by_itself)


def _wake(report: Report, at: float) -> None:
    report.wake_at = at if report.wake_at is None else min(report.wake_at, at)


def _work(context: Context, ids: set[int], report: Report, stop_here: bool) -> None:
    """Do what is due for processes that are ours alone for now."""
    state = context.store.read()
    records = {i: state.processes[i] for i in sorted(ids) if i in state.processes}
    seen = context.see(records.values())
    report.seen.update(seen)
    old_pids = {i: r.runtime.pid for i, r in records.items()}
    changed: set[int] = set()
    actions: dict[int, Action] = {}
    for i, record in records.items():
        if absorb(record, seen[i], context.now()) or seen[i].exits:
            changed.add(i)
        actions[i] = _decide(context, record, seen[i])
    stops = [(records[i], a) for i, a in actions.items() if isinstance(a, Stop)]
    if not stop_here:
        report.to_stop, stops = [record.id for record, _ in stops], []
    stopped = _stop(context, stops, report)
    for i in stopped:
        actions[i] = _decide(context, records[i], report.seen[i])
    starts = [(records[i], a.automatic) for i, a in actions.items() if isinstance(a, Start)]
    given_up = {i for i, a in actions.items() if isinstance(a, GiveUp)}
    started = launching.launch(context, state, starts)
    _save(context, changed | stopped, started, given_up, report)
    for record, automatic in starts:
        result = started[record.id]
        if isinstance(result.outcome, SentinelError):
            report.failed.append((record.name, result.outcome))
        elif automatic:
            report.restarted.append((record.name, old_pids[record.id], result.outcome.pid))
    for i, action in actions.items():
        if isinstance(action, WakeAt):
            _wake(report, action.at)
        elif isinstance(action, Start) and isinstance(started[i].outcome, SentinelError):
            _wake(report, context.now() + 0.05)
    report.state = context.store.read()
    report.seen.update(context.see(report.state.processes[i] for i in ids if i in report.state.processes))


def _stop(context: Context, stops: list[tuple[Record, Stop]], report: Report) -> set[int]:
    """Stop what should not run (a command was killed half-way); the ids that are down now."""
    done: set[int] = set()
    for reason in sorted({action.reason for _, action in stops}):
        group = [record for record, action in stops if action.reason == reason]
        for engine, records in context.by_engine(group):
            for i, error in engine.stop(records, reason=reason).items():
                if error is None:
                    done.add(i)
                else:
                    report.failed.append((next(r.name for r in records if r.id == i), error))
    if done:
        again = context.see(record for record, _ in stops if record.id in done)
        for record, _ in stops:
            if record.id in again:
                absorb(record, again[record.id], context.now())
        report.seen.update(again)
    return done


def _save(
    context: Context,
    changed: set[int],
    started: dict[int, launching.Launched],
    given_up: set[int],
    report: Report,
) -> None:
    if not (changed or started or given_up):
        return
    now = context.now()
    exits: dict[int, int] = {}
    with context.store.change(durable=False) as state:
        for i in sorted(changed | set(started) | given_up):
            record = state.processes.get(i)
            if record is None:
                continue
            tell_missed(context, record, report.seen[i], now)
            if i in changed:
                absorb(record, report.seen[i], now)
            ends = report.seen[i].exits
            if ends:
                exits[i] = max(end.run for end in ends)
            if i in started:
                started[i].apply(record, now)
            if i in given_up:
                record.runtime.gave_up = True
        records = list(state.processes.values())
    if exits:
        context.forget_exits(records, exits)
