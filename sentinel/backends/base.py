"""The Backend interface: the user's verbs, and what each of them promises on every engine."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

from sentinel.errors import SentinelError
from sentinel.model import Exit, Group, Record, Spec, Status
from sentinel.plain import dataclass, field


@dataclass(frozen=True, slots=True)
class Account:
    """A user a process runs as, looked up once."""

    name: str
    uid: int
    gid: int
    groups: tuple[int, ...]
    home: str
    shell: str


@dataclass(slots=True)
class Launch:
    """All that one run of a process needs, resolved: nothing is looked up later."""

    record: Record
    run: int  # number of the run that this starts
    program: str  # absolute path of the file to execute
    argv: list[str]  # what the program gets, argv[0] included
    env: dict[str, str]
    cwd: str
    account: Account | None  # None: as whoever runs sentinel
    stdout: str  # absolute paths; unused where the journal takes the output
    stderr: str
    notify: bool = False  # give it NOTIFY_SOCKET and tell when it says READY=1


@dataclass(slots=True)
class Started:
    """A run that has executed its program. `already`: it was running before, and no second copy was made."""

    pid: int
    start_time: float
    started_at: float
    run: int
    already: bool = False
    notes: list[str] = field(default_factory=list)  # what was asked for and is not in force, a sentence each


@dataclass(slots=True)
class Seen:
    """What the engine says of a process now."""

    alive: bool = False  # its main process runs
    run: int | None = None  # number of the run that is alive
    pid: int | None = None
    start_time: float | None = None
    started_at: float | None = None
    ready: bool = False  # it said READY=1
    status: Status | None = None  # STARTING, STOPPING, BACKOFF, FAILED where the engine knows more
    restarts: int | None = None  # automatic ones that the engine itself has made since the start (systemd)
    exits: list[Exit] = field(default_factory=list)  # not yet acknowledged (see Backend.forget_exits), oldest first
    stopped_by: str = ""  # "systemd": an administrator stopped it behind our back
    passing: bool = False  # the engine is about to start it or to let go of it: another look will tell more


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of output without its newline. `at` is None where the engine keeps no time for each line."""

    stream: str  # "stdout" or "stderr"
    data: bytes
    at: float | None = None


class LogSource(Protocol):
    """The output of one process, kept wherever its engine keeps it."""

    def tail(self, lines: int, streams: Sequence[str], since: float | None = None) -> Iterator[LogLine]:
        """The last `lines` lines of each of the streams, oldest first; rotated files are crossed into."""

    def follow(self, streams: Sequence[str]) -> Iterator[LogLine | None]:
        """What is written from now on, for ever: across rotations and restarts. None: nothing new for a moment."""

    def tail_and_follow(
        self, lines: int, streams: Sequence[str], since: float | None = None
    ) -> Iterator[LogLine | None]:
        """`tail`, then `follow`, with no line lost or twice in between."""

    def clear(self) -> tuple[str | None, float] | None:
        """Forget what was written up to now. Journal position and time, where that is all there is to remember."""


Results = dict[int, Started | SentinelError]


class Backend(Protocol):
    """An engine that keeps processes running.

    Every method takes several records, since engines do many at once far faster than one after the other; each
    answers for every record it was given and never lets one failure stop the others.
    """

    name: str
    restarts_by_itself: bool  # systemd: a crash needs neither sentinel's daemon nor a command of ours

    def refuse(self, spec: Spec, group: Group | None) -> None:
        """Raise Unsupported for what this engine can't honour. Touches nothing."""

    def start(self, launches: Sequence[Launch]) -> Results:
        """Start each; return once each has executed its program, or with what failed (LaunchError).

        At most one copy of a process ever runs: one that is alive is answered with `already`.
        """

    def stop(
        self,
        records: Sequence[Record],
        *,
        force: bool = False,
        reason: str = "stop",
        told: Callable[[], None] | None = None,
    ) -> Mapping[int, SentinelError | None]:
        """Stop each with its signal, after its stop timeout with SIGKILL; `force`: SIGKILL at once.

        Return once nothing of their trees is left, or StopError names what is. Stopping a stopped one is no
        error. They are waited for together: as long as the slowest, not the sum. `reason` goes into the Exit.
        `told` is called whenever one has ended.
        """

    def see(self, records: Sequence[Record]) -> Mapping[int, Seen]:
        """What each is now, checked, with the exits that were not yet acknowledged."""

    def forget_exits(self, records: Mapping[int, int]) -> None:
        """Exits of {id: up to and including this run} are saved elsewhere now."""

    def forget(self, records: Sequence[Record]) -> None:
        """Remove what the engine keeps of stopped processes: failed units, exit records. Not their log files."""

    def wait_ready(self, records: Sequence[Record], timeout: float) -> Mapping[int, SentinelError | None]:
        """Wait until each said READY=1; LaunchError for one that ended first or did not within `timeout` s."""

    def pids(self, records: Sequence[Record]) -> Mapping[int, list[int]]:
        """All processes of each tree that is alive, the main one first."""

    def logs(self, record: Record) -> LogSource:
        """Where its output is, whether it runs or not."""

    def apply_group(self, group: Group) -> list[str]:
        """Make the group as wanted (a slice and its limits); sentences about what is not in force."""

    def remove_group(self, name: str) -> None:
        """Take away what stands for an empty group."""
