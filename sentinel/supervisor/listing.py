"""`list` and `status`: what is now. Looking restarts what ended meanwhile, when no daemon does."""

from collections.abc import Sequence

from sentinel import names
from sentinel.errors import NotFound, SentinelError
from sentinel.model import Record
from sentinel.supervisor import history, processes
from sentinel.supervisor.api import Listing
from sentinel.supervisor.context import Context
from sentinel.supervisor.daemon_client import running_pid
from sentinel.supervisor.reconcile import Report, reconcile
from sentinel.supervisor.rotation import rotate_full
from sentinel.supervisor.views import view


def listing(context: Context, group: str | None = None, *, usage: bool = True) -> Listing:
    """All processes, or those of a group, in the order of their ids."""
    if group is not None and group not in context.store.read().groups:
        raise NotFound(f"no group named {names.printable(group)}", "run 'sentinel group list' to see them")
    report = _look(context)
    records = [r for r in report.state.processes.values() if group is None or r.spec.group == group]
    return _views(context, report, records, usage)


def status(context: Context, tokens: Sequence[str]) -> Listing:
    """These processes, in the order asked for."""
    ids = processes.find(context, tokens)
    report = _look(context)
    records = [report.state.processes[i] for i in ids if i in report.state.processes]
    answer = _views(context, report, records, True)
    for one in answer.processes:
        one.events = history.latest(context, one.id, 3)
    return answer


def _look(context: Context) -> Report:
    report = reconcile(context)
    if report.restarted:
        state = context.store.read()
        started = {name for name, _, _ in report.restarted}
        processes.mark_logs(context, [r for r in state.processes.values() if r.name in started])
        context.poke_daemon()
    if running_pid(context.home) is None:
        rotate_full(context, report.state.processes.values())
    return report


def _views(context: Context, report: Report, records: list[Record], usage: bool) -> Listing:
    report.check(records)
    now = context.now()
    measured = _usage(context, report, records) if usage else {}
    shown = [view(context.home, r, report.seen[r.id], now, measured) for r in records if r.id in report.seen]
    warnings = [*context.store.warnings, *(f"cannot restart {name}: {error.message}" for name, error in report.failed)]
    return Listing(shown, list(report.restarted), warnings)


def _usage(context: Context, report: Report, records: list[Record]) -> dict[int, tuple[float | None, int]]:
    """CPU since the last look (or a short sample) and memory, of whole trees."""
    alive = [r for r in records if r.id in report.seen and report.seen[r.id].alive]
    if not alive:
        return {}
    from sentinel.usage import UsageMemory

    pids: dict[int, list[int]] = {}
    for engine, group in context.by_engine(alive):
        try:
            pids.update(engine.pids(group))
        except SentinelError:
            continue  # an engine that went away meanwhile: the list is still worth showing
    return UsageMemory(context.home).measure(pids)
