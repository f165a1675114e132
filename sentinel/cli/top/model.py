"""What `top` knows: the processes as last seen, how their usage went, what is selected and asked for."""

from collections import deque
from collections.abc import Iterable

from sentinel.cli.look import shown_status
from sentinel.plain import dataclass, field
from sentinel.supervisor.api import Listing, ProcessView

KEPT = 120  # samples of each process
SORTS = ("id", "name", "cpu", "memory", "restarts", "uptime")


def _samples() -> deque[float | None]:
    return deque(maxlen=KEPT)


@dataclass(slots=True)
class Trace:
    """How usage went, oldest first; None: it did not run."""

    cpu: deque[float | None] = field(default_factory=_samples)
    memory: deque[float | None] = field(default_factory=_samples)

    def add(self, cpu: float | None, memory: float | None) -> None:
        self.cpu.append(cpu)
        self.memory.append(memory)


@dataclass(slots=True)
class Group:
    """A group's members together."""

    name: str
    members: list[ProcessView]

    @property
    def running(self) -> int:
        return sum(one.pid is not None for one in self.members)

    @property
    def cpu(self) -> float:
        return sum(one.cpu_percent or 0.0 for one in self.members)

    @property
    def memory(self) -> int:
        return sum(one.memory_bytes or 0 for one in self.members)


@dataclass(slots=True)
class Snapshot:
    """What one look found; `listing` is None where it was for the log alone."""

    listing: Listing | None = None
    daemon: bool = False
    log_of: int | None = None  # id whose lines these are
    log: list[tuple[str, str]] = field(default_factory=list)  # stream, line


@dataclass(slots=True)
class Model:
    """All that is shown. `update` takes in what was seen; `press` (keys.py) what the user wants."""

    processes: list[ProcessView] = field(default_factory=list)
    traces: dict[int, Trace] = field(default_factory=dict)
    group_traces: dict[str, Trace] = field(default_factory=dict)
    daemon: bool = True
    loaded: bool = False
    selected: int | None = None  # id
    sort: str = "id"
    filter: str = ""
    filtering: bool = False  # the filter is being typed
    following: bool = False  # the logs take the whole screen
    log_of: int | None = None
    log: list[tuple[str, str]] = field(default_factory=list)
    message: str = ""  # until the next key
    trouble: str = ""  # until a look succeeds
    page: int = 10  # rows of the table that the last picture had

    def visible(self) -> list[ProcessView]:
        """The processes that the filter lets through, in the order asked for."""
        wanted = self.filter.casefold()
        return sorted((one for one in self.processes if wanted in _text(one)), key=self._order)

    def _order(self, one: ProcessView) -> tuple[float | str, int]:
        by: dict[str, float | str] = {
            "name": one.name,
            "cpu": -(one.cpu_percent or 0.0),
            "memory": -(one.memory_bytes or 0),
            "restarts": -one.restarts,
            "uptime": -(one.uptime_seconds or 0.0),
        }
        return by.get(self.sort, one.id), one.id

    def selection(self) -> ProcessView | None:
        """The selected process; the first one if none is, or it is not there any more."""
        shown = self.visible()
        return next((one for one in shown if one.id == self.selected), shown[0] if shown else None)

    def groups(self) -> list[Group]:
        names = sorted({one.group for one in self.processes if one.group})
        return [Group(name, [one for one in self.processes if one.group == name]) for name in names]

    def update(self, seen: Snapshot) -> None:
        """Take in a new look."""
        self.log_of, self.log = seen.log_of, seen.log
        if seen.listing is not None:
            self.daemon, self.loaded, self.trouble = seen.daemon, True, ""
            self._see(seen.listing)

    def _see(self, listing: Listing) -> None:
        self._keep_place(listing.processes)
        self.processes = listing.processes
        self.traces = {one.id: self.traces.get(one.id) or Trace() for one in self.processes}
        for one in self.processes:
            self.traces[one.id].add(one.cpu_percent, one.memory_bytes)
        groups = self.groups()
        self.group_traces = {group.name: self.group_traces.get(group.name) or Trace() for group in groups}
        for group in groups:
            self.group_traces[group.name].add(group.cpu, group.memory)
        if told := _told(listing):
            self.message = told

    def _keep_place(self, processes: Iterable[ProcessView]) -> None:
        """Where the selected process is gone, the one that takes its place is selected."""
        before = [one.id for one in self.visible()]
        there = {one.id for one in processes}
        if self.selected in before and self.selected not in there:
            at = before.index(self.selected)
            after = [id for id in [*before[at:], *reversed(before[:at])] if id in there]
            self.selected = after[0] if after else None


def _text(one: ProcessView) -> str:
    return "\n".join((one.name, one.group or "", shown_status(one), one.backend, one.command)).casefold()


def _told(listing: Listing) -> str:
    restarted = [f"auto-restarted {name} (new pid: {new})" for name, _, new in listing.restarted]
    return "; ".join([*listing.warnings, *restarted]).replace("\n", " ")
