"""What is said between the keeper and its clients: newline JSON, typed here for the clients' side.

A request is {"op", "seq", ...}; its reply carries the same seq, so any number may be under way at once.
"""

from typing import TypedDict


class SpawnRequest(TypedDict, total=False):
    """One run of a process. id, run, program, argv, env, cwd, stdout, stderr are required."""

    id: int
    run: int
    program: str  # path of the file to execute
    argv: list[str]
    env: dict[str, str]  # all of it; SENTINEL_PROCESS (and NOTIFY_SOCKET where asked for) are added
    cwd: str
    uid: int | None  # None: as whoever runs the keeper
    gid: int | None
    groups: list[int] | None
    umask: int | None  # None: 022
    nice: int | None  # -20..19
    ionice: list[int] | None  # [class, level]: class 1 realtime, 2 best-effort, 3 idle
    nofile: int | None
    stdout: str
    stderr: str
    notify: bool
    stop_timeout: float  # what is left when the main process ends by itself has this long; default 10


class SpawnReply(TypedDict, total=False):
    """pid, start, started_at and run where it runs (`already`: it did before); else `failed` and `errno`."""

    pid: int
    start: float
    started_at: float
    run: int
    already: bool
    stopping: bool  # with already: somebody is stopping it
    failed: str  # the step: "program" "cwd" "user" "nice" "ionice" "nofile" "log" "fork" "exec"
    errno: int


class StopRequest(TypedDict, total=False):
    """id is required. `signal`: a number; default SIGTERM. `timeout`: seconds until SIGKILL; default 10."""

    id: int
    signal: int
    timeout: float
    force: bool  # SIGKILL at once
    reason: str  # for the exit record; default "stop"


class StopReply(TypedDict, total=False):
    """Nothing of the tree is left, unless `left` names what survived SIGKILL for 5 s."""

    id: int
    left: list[int]
    idle: bool  # it did not run


class Told(TypedDict):
    """A process the keeper has. `ended`: its main process has; what is left of its tree is being ended."""

    run: int
    pid: int
    start: float
    started_at: float
    ready: bool
    stopping: bool
    adopted: bool
    ended: bool


class AdoptRequest(TypedDict, total=False):
    """id, run, pid, start are required."""

    id: int
    run: int
    pid: int
    start: float
    started_at: float
    ready: bool
    stop_timeout: float


class AdoptReply(TypedDict, total=False):
    """`gone`: no such process any more, nothing was changed. `already`: the keeper has that id (pid, run)."""

    pid: int
    run: int
    gone: bool
    already: bool


class Event(TypedDict, total=False):
    """event is "spawned" (id run pid start started_at), "ready" (id run) or "exit" (as the exit record)."""

    event: str
    id: int
    run: int
    pid: int
    start: float
    started_at: float
    code: int | None
    signal: int | None
    at: float
    reason: str
    known: bool
