"""The nouns of sentinel as plain dataclasses: what is wanted and what was seen, kept apart.

Times are seconds since the epoch (float) unless a name says otherwise; sizes are bytes. Nothing of ours is
imported here.
"""

from enum import StrEnum

from sentinel.plain import copied, dataclass, field


class Desired(StrEnum):
    """What the user wants of a process."""

    RUNNING = "running"
    STOPPED = "stopped"


class Status(StrEnum):
    """What a process is, as `list` shows it."""

    RUNNING = "running"
    STARTING = "starting"
    STOPPING = "stopping"
    STOPPED = "stopped"
    EXITED = "exited"
    FAILED = "failed"
    BACKOFF = "backoff"


class Restart(StrEnum):
    """When a process that ended by itself is started again."""

    NO = "no"
    ON_FAILURE = "on-failure"
    ALWAYS = "always"


class Health(StrEnum):
    """What the health check last said."""

    UNKNOWN = "unknown"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


CLEAN_SIGNALS = (1, 2, 13, 15)  # HUP, INT, PIPE, TERM: systemd.service(5), SuccessExitStatus=


@dataclass(slots=True)
class RestartPolicy:
    mode: Restart = Restart.NO
    delay: float | None = None  # seconds before the second quick restart; None: the backend's default
    max_restarts: int | None = None  # without 10 s of uptime in between; None: never gives up


@dataclass(slots=True)
class HealthCheck:
    kind: str  # "http", "tcp" or "cmd"
    target: str  # URL, HOST:PORT or a command line
    interval: float = 30.0
    timeout: float = 3.0
    failures: int = 3


@dataclass(slots=True)
class Limits:
    nice: int | None = None
    ionice: str | None = None  # "idle", "best-effort:4", "realtime:0"
    nofile: int | None = None
    memory_max: int | None = None


@dataclass(slots=True)
class LogSettings:
    kind: str = "auto"  # "auto" (systemd: the journal, native: files), "file", "journal"
    max_size: int = 10 * 1024 * 1024
    backups: int = 3


@dataclass(slots=True)
class Spec:
    """What a user asked for with `run`. The captured environment is in a file of its own (Home.environment)."""

    argv: list[str]  # as given; one element is a command line, several are an argument vector kept exactly
    cwd: str
    user: str | None = None  # None: whoever runs sentinel
    group: str | None = None
    env_file: str | None = None  # absolute
    env: dict[str, str] = field(default_factory=dict)  # --env
    ports: dict[str, int] = field(default_factory=dict)  # variable -> allocated port
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    health: HealthCheck | None = None
    limits: Limits = field(default_factory=Limits)
    logs: LogSettings = field(default_factory=LogSettings)
    startup_timeout: float | None = None
    stop_timeout: float = 10.0
    stop_signal: str = "TERM"  # without SIG
    on_failure: str | None = None  # a shell command line that is told of failures


@dataclass(slots=True)
class Exit:
    """How one run of a process ended. Neither code nor signal: it is not known (nobody was there to see)."""

    run: int  # number of the run that ended
    code: int | None = None
    signal: int | None = None
    at: float | None = None
    reason: str = ""  # "", or why sentinel or the system ended it: "stop", "restart", "health", "memory",
    #                   "oom", "systemd" (an administrator's systemctl stop), "launch: …" (it never ran)
    number: int = 0  # where the engine restarts within a run: which of its ends this is, from 1

    @property
    def known(self) -> bool:
        return self.code is not None or self.signal is not None

    @property
    def never_ran(self) -> bool:
        """It could not be started."""
        return self.reason.startswith("launch:")

    @property
    def clean(self) -> bool:
        """0, or death by HUP, INT, TERM or PIPE."""
        return self.code == 0 or self.signal in CLEAN_SIGNALS

    def is_after(self, other: "Exit") -> bool:
        """Whether it came later; the clock, which may have been stepped in between, is asked last."""
        if self.run != other.run:
            return self.run > other.run
        if self.number and other.number:
            return self.number > other.number
        return (self.at or 0.0) > (other.at or 0.0)


@dataclass(slots=True)
class Runtime:
    """What was last seen of a process. Never believed unchecked."""

    run: int = 0  # number of the current or latest run; 0: never started
    pid: int | None = None  # of the latest run while it was last seen alive, else None
    last_pid: int | None = None  # of the latest run, kept after its end, to be told
    start_time: float | None = None  # identity beside the pid: see sentinel.identity
    boot_id: str | None = None
    started_at: float | None = None
    restarts: int = 0  # automatic ones since the last start by the user
    engine_restarts: int = 0  # of them, those that the engine itself counts for this run (systemd's NRestarts)
    quick_deaths: int = 0  # in a row: each doubles the back-off
    failures: int = 0  # automatic restarts without 10 s of uptime in between, for max_restarts
    gave_up: bool = False
    last_exit: Exit | None = None
    ready: bool = False  # start-up is over: told by sd_notify, health check or time
    health: Health = Health.UNKNOWN
    health_failures: int = 0
    health_message: str = ""
    stopping: bool = False  # a stop was asked for and not yet seen to end
    notes: list[str] = field(default_factory=list)  # what the backend could not enforce for this run


@dataclass(slots=True)
class Record:
    """One process: identity, what is wanted, what was seen."""

    id: int
    name: str
    backend: str  # "native" or "systemd"
    spec: Spec
    desired: Desired = Desired.RUNNING
    wanted_run: int = 1  # start until runtime.run has reached this; `start` and `restart` raise it
    created_at: float = 0.0
    unit: str | None = None  # systemd: the unit's name
    scope: str | None = None  # systemd: "user" or "system"
    cursor: str | None = None  # systemd: journal position that `logs --clear` remembered
    cleared_at: float | None = None  # systemd: when `logs --clear` was asked for
    runtime: Runtime = field(default_factory=Runtime)

    def copy(self) -> "Record":
        """One whose runtime may change. The spec is shared, and lists are: they are replaced, and never changed."""
        other = copied(self)
        other.runtime = copied(self.runtime)
        return other


@dataclass(slots=True)
class Group:
    name: str
    created_at: float = 0.0
    env: dict[str, str] = field(default_factory=dict)
    env_file: str | None = None
    memory_max: int | None = None
    cpu_quota: float | None = None  # percent of one CPU
    tasks_max: int | None = None


@dataclass(slots=True)
class Lease:
    """A port that was handed out."""

    port: int
    name: str
    process: int | None = None  # id of the process it was allocated for
    allocated_at: float = 0.0


@dataclass(slots=True)
class State:
    """All that state.json holds. Members of a group are the records whose spec names it."""

    next_id: int = 1
    processes: dict[int, Record] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    ports: list[Lease] = field(default_factory=list)
