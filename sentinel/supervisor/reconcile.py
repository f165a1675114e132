"""Bring what runs to what is wanted. Commands, `list` and the daemon all come through here."""

from collections.abc import Iterable

from sentinel.backends.base import Seen
from sentinel.errors import BackendError, SentinelError
from sentinel.model import Record, State
from sentinel.plain import dataclass, field
from sentinel.supervisor import launching
from sentinel.supervisor.absorb import absorb
from sentinel.supervisor.context import Context, Engine
from sentinel.supervisor.decide import Action, GiveUp, Nothing, Start, Stop, WakeAt, decide
from sentinel.supervisor.missed import tell_missed

AGAIN = 0.05  # seconds until the next look at what could not be started


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
    unreachable: dict[Engine, BackendError] = field(default_factory=dict)  # engines, and why

    def check(self, records: Iterable[Record]) -> None:
        """Raise BackendError where one of them could not be looked at."""
        for record in records:
            if error := self.unreachable.get((record.backend, record.scope)):
                raise error

    def wake(self, at: float) -> None:
        """Look again then, or earlier."""
        self.wake_at = at if self.wake_at is None else min(self.wake_at, at)


def reconcile(context: Context, ids: Iterable[int] | None = None, *, stop_here: bool = False) -> Report:
    """One round over these processes (None: all). What another command works on is left to it.

    Nothing is locked or written where all is as wanted. What has to be stopped first (its command was killed
    half-way) goes to a helper, since nobody should wait here; the helper itself has `stop_here`. One engine that
    can't be reached (see `Report.unreachable`) does not keep the others from their work. `report.state` is only to
    be read.

    Raises:
        StateError: state.json can't be read or written.
        BackendError: an engine went away meanwhile.
    """
    state = context.store.read(cached=True)
    wanted = None if ids is None else set(ids)
    report = Report(state, {})
    records = [r for r in state.processes.values() if wanted is None or r.id in wanted]
    report.seen, report.unreachable = context.look(records)
    pending = [r.id for r in records if r.id in report.seen and _needs_work(context, r.copy(), report)]
    if pending:
        _round(context, pending, report, stop_here)
        report.state = context.store.read(cached=True)
        acted = [report.state.processes[i] for i in pending if i in report.state.processes]
        report.seen.update(context.see(acted))
    return report


def after_exits(context: Context, ids: Iterable[int]) -> Report:
    """The same for processes that the engine has just told to have ended: straight to work.

    `report.state` is only to be read.
    """
    report = Report(State(), {})
    _round(context, list(ids), report, False)
    report.state = context.store.read(cached=True)
    return report


def settle(context: Context, ids: Iterable[int]) -> dict[int, Seen]:
    """Take in what the engines say of processes that the caller has claimed, and save it."""
    state = context.store.read()
    records = [state.processes[i] for i in ids if i in state.processes]
    seen = context.see(records)
    now = context.now()
    changed = {r.id for r in records if absorb(r, seen[r.id], now) or seen[r.id].exits}
    _save(context, changed, {}, set(), seen)
    return seen


def _needs_work(context: Context, record: Record, report: Report) -> bool:
    """Absorb into this copy, and decide. True where something has to be saved or done."""
    seen = report.seen[record.id]
    changed = absorb(record, seen, context.now())
    action = _decide(context, record, seen)
    if isinstance(action, WakeAt):
        report.wake(action.at)
    return changed or bool(seen.exits) or not isinstance(action, Nothing | WakeAt)


def _decide(context: Context, record: Record, seen: Seen) -> Action:
    engine = context.engine_of(record)
    alive = seen.alive or (engine.restarts_by_itself and seen.status is not None and seen.status.value != "failed")
    return decide(record, alive, context.now(), engine_restarts=engine.restarts_by_itself)


def _round(context: Context, ids: list[int], report: Report, stop_here: bool) -> None:
    with context.store.claim(ids, block=False) as mine:
        report.busy = len(mine) < len(ids)
        if mine:
            _work(context, mine, report, stop_here)
    if report.to_stop and not stop_here:
        from sentinel.supervisor import helper

        report.helpers.append(helper.spawn(context.home, "reconcile", report.to_stop))


def _work(context: Context, ids: set[int], report: Report, stop_here: bool) -> None:
    """Do what is due for processes that are ours alone for now."""
    state = context.store.read(cached=True)
    records = {i: state.processes[i].copy() for i in sorted(ids) if i in state.processes}
    report.seen.update(context.see(records.values()))
    old_pids = {i: r.runtime.last_pid for i, r in records.items()}
    changed = {i for i, r in records.items() if absorb(r, report.seen[i], context.now()) or report.seen[i].exits}
    actions = {i: _decide(context, r, report.seen[i]) for i, r in records.items()}
    stops = [(records[i], a) for i, a in actions.items() if isinstance(a, Stop)]
    if stop_here:
        for i in _stop(context, stops, report):
            changed.add(i)
            actions[i] = _decide(context, records[i], report.seen[i])
    else:
        report.to_stop = [record.id for record, _ in stops]
    starts = [(records[i], a.automatic) for i, a in actions.items() if isinstance(a, Start)]
    started = launching.launch(context, state, starts)
    given_up = {i for i, a in actions.items() if isinstance(a, GiveUp)}
    _save(context, changed, started, given_up, report.seen)
    _tell(context, report, actions, started, records, old_pids)


def _tell(
    context: Context,
    report: Report,
    actions: dict[int, Action],
    started: dict[int, launching.Launched],
    records: dict[int, Record],
    old_pids: dict[int, int | None],
) -> None:
    """What became of each, for whoever asked."""
    for i, action in actions.items():
        if isinstance(action, WakeAt):
            report.wake(action.at)
        elif isinstance(action, Start):
            outcome, name = started[i].outcome, records[i].name
            if isinstance(outcome, SentinelError):
                report.failed.append((name, outcome))
                report.wake(context.now() + AGAIN)
            elif action.automatic:
                report.restarted.append((name, old_pids[i], outcome.pid))


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
    down = [record for record, _ in stops if record.id in done]
    report.seen.update(context.see(down))
    for record in down:
        absorb(record, report.seen[record.id], context.now())
    return done


def _save(
    context: Context,
    changed: set[int],
    started: dict[int, launching.Launched],
    given_up: set[int],
    seen: dict[int, Seen],
) -> None:
    """Write what was seen and done into state.json, and let go of the engines' exit records."""
    touched = sorted(changed | set(started) | given_up)
    if not touched:
        return
    now = context.now()
    exits: dict[int, int] = {}
    with context.store.change(durable=False, only=touched) as state:
        records = [state.processes[i] for i in touched if i in state.processes]
        for record in records:
            tell_missed(context, record, seen[record.id], now)
            if record.id in changed:
                absorb(record, seen[record.id], now)
                if ends := seen[record.id].exits:
                    exits[record.id] = max(end.run for end in ends)
            if record.id in started:
                started[record.id].apply(record, now)
            if record.id in given_up:
                record.runtime.gave_up = True
    if exits:
        context.forget_exits(records, exits)
