"""What the command line may ask for, and the answers it prints. Plain data both ways."""

from sentinel.errors import SentinelError
from sentinel.events import Event
from sentinel.model import HealthCheck, Limits, LogSettings, Restart, RestartPolicy
from sentinel.plain import dataclass, field


@dataclass(slots=True)
class RunRequest:
    """`sentinel run`, parsed. Names, sizes and times are checked by whoever parsed them."""

    command: list[str]
    name: str | None = None
    instances: int | None = None
    group: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    env_file: str | None = None
    cwd: str | None = None
    user: str | None = None
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    health: HealthCheck | None = None
    limits: Limits = field(default_factory=Limits)
    logs: LogSettings = field(default_factory=LogSettings)
    startup_timeout: float | None = None
    stop_timeout: float = 10.0
    stop_signal: str = "TERM"
    on_failure: str | None = None
    ports: list[str] = field(default_factory=list)  # variables that get a port each
    backend: str | None = None  # --backend; None or "auto": see sentinel.backends.resolve


@dataclass(slots=True)
class Done:
    """One process that a command acted on."""

    id: int
    name: str
    pid: int | None = None
    group: str | None = None
    already: bool = False  # it was so before
    notes: list[str] = field(default_factory=list)
    error: SentinelError | None = None
    ports: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Outcome:
    """What a command did to each process, and what the user should know besides (warnings, a line each)."""

    done: list[Done]
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ProcessView:
    """A process as `list` and `status` show it; the fields are the keys of `--json`, in this order."""

    id: int
    name: str
    backend: str
    status: str
    pid: int | None
    cpu_percent: float | None
    memory_bytes: int | None
    uptime_seconds: float | None
    started_at: float | None
    restarts: int
    exit_code: int | None
    exit_signal: int | None
    health: str | None  # None: no check
    user: str
    group: str | None
    command: str
    cwd: str
    env_file: str | None
    ports: dict[str, int]
    stdout_log: str | None
    stderr_log: str | None
    restart_policy: str
    # for `status` on a terminal, not in JSON:
    exit_reason: str = ""
    unit: str | None = None
    notes: list[str] = field(default_factory=list)
    health_message: str = ""
    health_check: str | None = None
    max_restarts: int | None = None
    restart_delay: float | None = None
    events: list[Event] = field(default_factory=list)  # the last three


JSON_KEYS = [
    *("id", "name", "backend", "status", "pid", "cpu_percent", "memory_bytes", "uptime_seconds", "started_at"),
    *("restarts", "exit_code", "exit_signal", "health", "user", "group", "command", "cwd", "env_file", "ports"),
    *("stdout_log", "stderr_log", "restart_policy"),
]


@dataclass(slots=True)
class Listing:
    """`list`: the processes, and those that were restarted because somebody looked ("lazy restart")."""

    processes: list[ProcessView]
    restarted: list[tuple[str, int | None, int]] = field(default_factory=list)  # name, old pid, new pid
    warnings: list[str] = field(default_factory=list)


@dataclass(slots=True)
class GroupView:
    name: str
    processes: list[str]
    env: dict[str, str]  # values as they are: the command line masks them
    env_file: str | None
    created_at: float
    memory_max: int | None = None
    cpu_quota: float | None = None
    tasks_max: int | None = None


@dataclass(slots=True)
class PortView:
    port: int
    name: str
    process: str | None
    allocated_at: float


@dataclass(slots=True)
class DaemonView:
    running: bool
    pid: int | None = None
    uptime_seconds: float | None = None
    backend: str | None = None  # "systemd" where it runs as a unit
    already: bool = False  # it ran before it was asked to start
    metrics: str | None = None  # HOST:PORT where it serves them


__all__ = [
    "JSON_KEYS",
    "DaemonView",
    "Done",
    "GroupView",
    "Listing",
    "Outcome",
    "PortView",
    "ProcessView",
    "Restart",
    "RunRequest",
]
