"""What the keeper knows of one process."""

from __future__ import annotations

import os


class Process:
    """One run: its main process, what was told of it, and what is being done to it."""

    __slots__ = (
        "adopted",
        "ended",
        "ending",
        "extra",
        "id",
        "notify",
        "pid",
        "pidfd",
        "ready",
        "run",
        "start",
        "started_at",
        "stop_timeout",
        "waiting",
    )

    def __init__(
        self, id: int, run: int, pid: int, start: float, started_at: float, stop_timeout: float
    ) -> None:
        self.id = id
        self.run = run
        self.pid = pid  # also its session and process group, unless adopted from elsewhere
        self.start = start
        self.started_at = started_at
        self.stop_timeout = stop_timeout
        self.ready = False
        self.adopted = False  # not our child: a former keeper's
        self.ended: Death | None = None  # its main process is gone
        self.ending: Ending | None = None  # its tree is being ended
        self.notify: Notify | None = None
        self.pidfd: int | None = None  # tells when an adopted one ends
        self.extra: dict[
            int, float
        ] = {}  # pids (with start) once seen in its tree and not to be found by a look
        self.waiting: list[tuple[Connection, Message]] = []  # spawns that wait for the tree to end

    def told(self) -> Message:
        return {
            "run": self.run,
            "pid": self.pid,
            "start": self.start,
            "started_at": self.started_at,
            "ready": self.ready,
            "stopping": self.ending is not None,
            "adopted": self.adopted,
            "ended": self.ended is not None,
        }

    def main_alive(self) -> bool:
        return self.ended is None

    def reason(self) -> str:
        return self.ending.reason if self.ending is not None else ""


class Death:
    """How a main process ended. Neither code nor signal: nobody was there to see."""

    __slots__ = ("at", "code", "reason", "signal")

    def __init__(self, code: int | None, signal: int | None, at: float, reason: str) -> None:
        self.code = code
        self.signal = signal
        self.at = at
        self.reason = reason


def death(status: int, at: float, reason: str) -> Death:
    """From what waitpid says."""
    if os.WIFSIGNALED(status):
        return Death(None, os.WTERMSIG(status), at, reason)
    return Death(os.WEXITSTATUS(status), None, at, reason)


def exit_record(process: Process) -> dict[str, object]:
    """What is kept and told of how it ended."""
    end = process.ended or Death(None, None, process.started_at, "")
    return {
        "id": process.id,
        "run": process.run,
        "pid": process.pid,
        "start": process.start,
        "code": end.code,
        "signal": end.signal,
        "at": end.at,
        "reason": end.reason,
        "known": end.code is not None or end.signal is not None,
    }


TYPE_CHECKING = False
if TYPE_CHECKING:
    from .notify import Notify
    from .stop import Ending
    from .wire import Connection, Message
