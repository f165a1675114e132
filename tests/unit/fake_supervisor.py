"""A supervisor that only remembers: the command line's tests talk to it.

Run as a program it is `sentinel` over the fake: the first argument names a scenario below.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NoReturn

from sentinel.backends.base import LogLine
from sentinel.errors import NotFound, SentinelError
from sentinel.paths import Home
from sentinel.supervisor.api import (
    DaemonView,
    Done,
    GroupView,
    Listing,
    Outcome,
    PortView,
    ProcessView,
    RunRequest,
)

Progress = Callable[[int, int], None]


def view(id: int = 1, name: str = "web", **changed: Any) -> ProcessView:
    """A process that runs; `changed` are the fields that are otherwise."""
    fields: dict[str, Any] = {
        "id": id,
        "name": name,
        "backend": "native",
        "status": "running",
        "pid": 12345,
        "cpu_percent": 1.25,
        "memory_bytes": 20 * 1024 * 1024,
        "uptime_seconds": 3723.0,
        "started_at": 1_700_000_000.0,
        "restarts": 0,
        "exit_code": None,
        "exit_signal": None,
        "health": None,
        "user": "deploy",
        "group": None,
        "command": "python3 -m http.server 8000",
        "cwd": "/srv",
        "env_file": None,
        "ports": {},
        "stdout_log": "/logs/web.stdout.log",
        "stderr_log": "/logs/web.stderr.log",
        "restart_policy": "always",
    }
    return ProcessView(**{**fields, **changed})


class FakeSupervisor:
    """Answers with what its attributes hold, and keeps what it was called with in `calls`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []
        self.outcome = Outcome([Done(1, "web", 12345)])
        self.listing = Listing([view()])
        self.lines: list[LogLine | None] = []
        self.groups = [
            GroupView("workers", ["web"], {"TOKEN": "secret"}, "/srv/workers.env", 1_700_000_000.0)
        ]
        self.port = PortView(8234, "default", None, 1_700_000_000.0)
        self.daemon = DaemonView(True, 77, 61.0)
        self.failure: BaseException | None = None
        self.group_warnings: list[str] = []

    def _called(self, name: str, *args: Any, **kwargs: Any) -> None:
        self.calls.append((name, args, kwargs))
        if self.failure:
            raise self.failure

    def last(self) -> tuple[str, tuple[Any, ...], dict[str, Any]]:
        return self.calls[-1]

    def _act(self, verb: str, *args: Any, progress: Progress | None = None, **kwargs: Any) -> Outcome:
        self._called(verb, *args, **kwargs)
        if progress:
            progress(1, 2)
        return self.outcome

    def run(self, request: RunRequest, progress: Progress | None = None) -> Outcome:
        return self._act("run", request, progress=progress)

    def start(self, names: Sequence[str], progress: Progress | None = None) -> Outcome:
        return self._act("start", names, progress=progress)

    def stop(self, names: Sequence[str], *, force: bool = False, progress: Progress | None = None) -> Outcome:
        return self._act("stop", names, force=force, progress=progress)

    def restart(
        self, names: Sequence[str], *, update_env: bool = False, progress: Progress | None = None
    ) -> Outcome:
        return self._act("restart", names, update_env=update_env, progress=progress)

    def delete(
        self, names: Sequence[str], *, force: bool = False, progress: Progress | None = None
    ) -> Outcome:
        return self._act("delete", names, force=force, progress=progress)

    def clean(self) -> Outcome:
        return self._act("clean")

    def start_all(self, progress: Progress | None = None) -> Outcome:
        return self._act("start_all", progress=progress)

    def stop_all(self, *, force: bool = False, progress: Progress | None = None) -> Outcome:
        return self._act("stop_all", force=force, progress=progress)

    def restart_all(self, progress: Progress | None = None) -> Outcome:
        return self._act("restart_all", progress=progress)

    def move(self, names: Sequence[str], backend: str, progress: Progress | None = None) -> Outcome:
        return self._act("move", names, backend, progress=progress)

    def status(self, names: Sequence[str]) -> Listing:
        self._called("status", names)
        return self.listing

    def names(self) -> "list[str]":
        self._called("names")
        return [one.name for one in self.listing.processes]

    def log_tail(
        self, name: str, lines: int, streams: Sequence[str], since: float | None
    ) -> Iterator[LogLine | None]:
        self._called("log_tail", name, lines, streams, since)
        return iter(self.lines)

    def log_follow(
        self, name: str, lines: int, streams: Sequence[str], since: float | None
    ) -> Iterator[LogLine | None]:
        self._called("log_follow", name, lines, streams, since)
        yield from self.lines
        raise KeyboardInterrupt

    def log_clear(self, names: Sequence[str]) -> Outcome:
        return self._act("log_clear", names)

    def group_create(self, *args: Any) -> "list[str]":
        self._called("group_create", *args)
        return self.group_warnings

    def group_add(self, group: str, names: Sequence[str], *, restart: bool = False) -> Outcome:
        return self._act("group_add", group, names, restart=restart)

    def group_remove(self, group: str, names: Sequence[str]) -> Outcome:
        return self._act("group_remove", group, names)

    def group_list(self, name: str | None = None) -> "list[GroupView]":
        self._called("group_list", name)
        return self.groups

    def group_names(self) -> "list[str]":
        self._called("group_names")
        return [one.name for one in self.groups]

    def group_start(self, name: str) -> Outcome:
        return self._act("group_start", name)

    def group_stop(self, name: str, *, force: bool = False) -> Outcome:
        return self._act("group_stop", name, force=force)

    def group_restart(self, name: str) -> Outcome:
        return self._act("group_restart", name)

    def group_delete(self, name: str, *, with_processes: bool = False, stop: bool = False) -> Outcome:
        return self._act("group_delete", name, with_processes=with_processes, stop=stop)

    def port_allocate(self, port: int | None, name: str | None) -> PortView:
        self._called("port_allocate", port, name)
        return self.port

    def port_list(self) -> "list[PortView]":
        self._called("port_list")
        return [self.port]

    def port_free(self, port_or_name: str) -> PortView:
        self._called("port_free", port_or_name)
        return self.port

    def port_names(self) -> "list[str]":
        self._called("port_names")
        return [self.port.name]

    def daemon_start(self, backend: str | None = None, metrics: str | None = None) -> DaemonView:
        self._called("daemon_start", backend, metrics)
        return self.daemon

    def daemon_stop(self) -> DaemonView:
        self._called("daemon_stop")
        return self.daemon

    def daemon_status(self) -> DaemonView:
        self._called("daemon_status")
        return self.daemon

    def daemon_run(self, metrics: str | None = None) -> None:
        self._called("daemon_run", metrics)

    def metrics(self) -> str:
        self._called("metrics")
        return "# EOF\n"

    def list(self, group: str | None = None, *, usage: bool = True) -> Listing:
        self._called("list", group)
        return self.listing


def scenario(name: str) -> FakeSupervisor:
    """The fakes that a process of its own can be asked to be."""
    fake = FakeSupervisor()
    if name == "many":
        fake.listing = Listing([view(id, f"worker-{id}") for id in range(1, 5001)])
    elif name == "missing":
        fake.failure = NotFound("no process named 'web'", "see 'sentinel list'")
    elif name == "bug":
        fake.failure = ZeroDivisionError("an accident")
    elif name == "interrupted":
        fake.failure = KeyboardInterrupt()
    elif name == "partly":
        fake.outcome = Outcome(
            [Done(1, "web"), Done(2, "api", error=SentinelError("cannot stop api", "wait"))]
        )
    elif name == "logs":
        fake.lines = [LogLine("stdout", b"one \xff\x1b[2J"), None, LogLine("stderr", b"[bold]two")]
    elif name == "foreign":
        fake.listing = Listing([view(1, "日本")])
    elif name == "names":
        fake.listing = Listing([view(1, "web@1"), view(2, "web@2"), view(3, "worker")])
    return fake


def main() -> None:
    from sentinel.cli.app import run

    chosen = scenario(sys.argv.pop(1))

    def make(home: Home) -> Any:
        return chosen

    if "FAKE_MODULES" in os.environ:
        _tell_modules(Path(os.environ["FAKE_MODULES"]))
    run(make)


def _tell_modules(path: Path) -> None:
    """Write down what is loaded when the program ends."""
    leave = os._exit

    def told(status: int) -> NoReturn:
        path.write_text("\n".join(sys.modules))
        leave(status)

    os._exit = told


if __name__ == "__main__":
    main()
