"""What a check says, and what all of them look at."""

import os
import shlex
from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property

from sentinel.model import Desired, Record, State
from sentinel.paths import Home
from sentinel.plain import dataclass
from sentinel.supervisor.context import Context


class Finding(StrEnum):
    """How it is."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"
    SKIPPED = "skipped"


@dataclass(slots=True)
class Check:
    """One answer; `repair` is the exact command that puts it right, or what to do where no command can."""

    name: str
    status: Finding
    message: str
    repair: str = ""


def ok(name: str, message: str) -> Check:
    return Check(name, Finding.OK, message)


def warning(name: str, message: str, repair: str) -> Check:
    return Check(name, Finding.WARNING, message, repair)


def problem(name: str, message: str, repair: str) -> Check:
    return Check(name, Finding.PROBLEM, message, repair)


def skipped(name: str, message: str) -> Check:
    return Check(name, Finding.SKIPPED, message)


class Subject:
    """The home that is looked at. `state` is what could be read of it, empty where nothing could."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.home: Home = context.home
        self.state = State()
        self.readable = False  # whether state.json, or its backup, could be read

    def records(self, backend: str) -> list[Record]:
        return [record for record in self.state.processes.values() if record.backend == backend]

    def wanted(self, backend: str) -> list[Record]:
        return [record for record in self.records(backend) if record.desired is Desired.RUNNING]

    @cached_property
    def user(self) -> str:
        from sentinel.accounts import current_name

        return current_name()

    @cached_property
    def sudo(self) -> str:
        """In front of what only root may do."""
        return "" if os.geteuid() == 0 else "sudo "


def command(*words: object) -> str:
    """A command line that can be pasted."""
    return shlex.join(str(word) for word in words)


def listed(names: Iterable[str], most: int = 5) -> str:
    """ "a, b and 3 more"."""
    found = list(names)
    if len(found) <= most:
        return ", ".join(found)
    return f"{', '.join(found[:most])} and {len(found) - most} more"
