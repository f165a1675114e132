"""A process as other supervisors need it told: resolved, with nothing of sentinel in it."""

import re
from enum import Enum
from pathlib import Path

from sentinel.model import Group, HealthCheck, Limits, Restart, RestartPolicy
from sentinel.plain import dataclass, field

NAMES = 5  # of variables that a note tells


class Show(Enum):
    """What becomes of the values of variables, among which secrets may be."""

    FILE = "in a file for its owner alone"
    PLAIN = "shown"
    HIDDEN = "left out"


@dataclass(slots=True)
class Job:
    """One process. `notes`: what the chosen format cannot do, or does differently."""

    name: str
    program: str
    arguments: list[str]
    cwd: str
    user: str | None = None  # None: as whoever runs the supervisor
    env: dict[str, str] = field(default_factory=dict)
    given: frozenset[str] = frozenset()  # names of the variables that somebody gave to it or to its group
    restart: RestartPolicy = field(default_factory=RestartPolicy)
    limits: Limits = field(default_factory=Limits)
    health: HealthCheck | None = None
    notify: bool = False
    startup_timeout: float | None = None
    stop_timeout: float = 10.0
    stop_signal: str = "TERM"
    group: Group | None = None
    on_failure: str | None = None
    managed: bool = True  # false: sentinel does not run it
    to_files: bool = False  # where its output went
    notes: list[str] = field(default_factory=list)

    def note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)


@dataclass(frozen=True, slots=True)
class Options:
    show: Show
    scope: str  # "user" or "system"
    directory: Path | None = None  # where the files will be


@dataclass(slots=True)
class Made:
    """A file to write. A secret one is for its owner alone, and never printed."""

    name: str
    text: str
    secret: bool = False


def file_stem(name: str) -> str:
    """The name as part of a file's or a job's: itself where it is plain, so that people find it."""
    from sentinel.backends.systemd.naming import escape

    return name if len(name) <= 200 and re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name) else escape(name)


def note_common(job: Job, *, format: str) -> None:
    """What none of the formats has."""
    if job.health is not None:
        job.note(f"dropped: the health check ({job.health.kind} {job.health.target}); {format} has none")
    if job.on_failure is not None:
        job.note(f"dropped: --on-failure; {format} has no such hook")
    if job.group is not None:
        limits = (job.group.memory_max, job.group.cpu_quota, job.group.tasks_max)
        if limits != (None, None, None):
            job.note(f"dropped: the limits of group {job.group.name}, which hold for all its members together")
    if job.restart.mode is not Restart.NO and job.managed:
        job.note("approximated: the wait before a restart does not grow with each quick death")


def note_limits(job: Job, *have: str, format: str) -> None:
    """Name the limits that the format has not."""
    limits = job.limits
    for name, flag in (("nice", "--nice"), ("ionice", "--ionice"), ("nofile", "--limit-nofile"),
                       ("memory_max", "--memory-max")):  # fmt: skip
        if getattr(limits, name) is not None and name not in have:
            job.note(f"dropped: {flag} {getattr(limits, name)}; {format} has no such limit")


def hidden_note(job: Job) -> str:
    """The variables that were given lead: the rest is what some shell had."""
    names = sorted(job.env, key=lambda name: (name not in job.given, name))
    told, more = names[:NAMES], len(names) - NAMES
    rest = f" and {more} more" if more > 0 else ""
    return f"left out: the values of its variables (--output or --show-env has them): {', '.join(told)}{rest}"
