"""A keeper of its own for each test, asked through the client; at the end nothing of it may be left."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import lab
import pytest

from sentinel.backends.native.client import Ended, Event, Keeper, SpawnReply, SpawnRequest, read_exits
from sentinel.backends.native.keeper import sockets
from sentinel.paths import Home

WITHIN = lab.WITHIN


class Lab:
    """A home, its keeper and what it runs."""

    def __init__(self, root: Path, programs: lab.Programs) -> None:
        self.root = root
        self.home = Home(root)
        self.programs = programs
        self._keepers: list[Keeper] = []
        self._pids: set[int] = set()

    def connect(self) -> Keeper:
        keeper = Keeper.connect(self.home, start=True)
        assert keeper is not None
        self._keepers.append(keeper)
        self._pids.add(keeper.pid)
        return keeper

    def listener(self) -> Keeper:
        keeper = self.connect()
        keeper.listen()
        return keeper

    def order(self, id: int, argv: list[str], **options: Any) -> SpawnRequest:
        request: dict[str, Any] = {
            "id": id, "run": 1, "program": argv[0], "argv": argv, "env": {"PATH": "/usr/bin:/bin"},
            "cwd": str(self.programs.directory), "stdout": self.log(id), "stderr": self.log(id, "stderr"),
            "stop_timeout": WITHIN, **options,
        }
        return SpawnRequest(**request)  # type: ignore[typeddict-item]

    def log(self, id: int, stream: str = "stdout") -> str:
        return str(self.home.log(f"p{id}", stream))

    def spawn(self, keeper: Keeper, id: int, argv: list[str], **options: Any) -> SpawnReply:
        """Start one that has to start."""
        reply = keeper.spawn_many([self.order(id, argv, **options)])[0]
        assert "pid" in reply, reply
        return reply

    def exits(self, *ids: int) -> list[Ended]:
        return read_exits(self.home, set(ids) or None)

    def exit_of(self, id: int, run: int = 1) -> Ended:
        """The exit record of a run, once it is there."""

        return lab.eventually(lambda: [ended for ended in self.exits(id) if ended.exit.run == run])[0]

    def close(self) -> None:
        """Stop what runs, and see the keeper end by itself."""
        keeper = Keeper.connect(self.home, start=True)
        assert keeper is not None
        self._pids.add(keeper.pid)
        keeper.stop_many([{"id": id, "force": True} for id in keeper.tell()])
        for each in (*self._keepers, keeper):
            each.close()
        lab.eventually(lambda: lab.gone(*self._pids), within=WITHIN)
        assert not self.home.keeper_socket.exists()
        log = self.home.keeper_log.read_text()
        assert log == "", f"the keeper complained:\n{log}"


def next_exit(listener: Keeper, id: int) -> Event:
    """The exit event of a process."""
    while True:
        event = listener.wait_event(WITHIN)
        assert event is not None, f"no exit of {id} was told"
        if event["event"] == "exit" and event["id"] == id:
            return event


def kill(pid: int, number: int = signal.SIGKILL) -> None:
    assert pid > 1
    os.kill(pid, number)


def kill_keeper(keeper: Keeper) -> None:
    """As the kernel's OOM killer does; returns when it has gone."""
    kill(keeper.pid)
    lab.eventually(lambda: lab.gone(keeper.pid))


def portable(monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    """Have the keeper, and the client within the test, use the portable twins or not."""
    monkeypatch.setenv("SENTINEL_PORTABLE", "1" if mode == "portable" else "0")
    monkeypatch.setattr(sockets, "PORTABLE", mode == "portable" or sys.platform != "linux")


@pytest.fixture(params=["usual", "portable"])
def mode(request, monkeypatch):
    portable(monkeypatch, request.param)
    return request.param


@pytest.fixture
def keep(mode, tmp_path, programs):
    made = Lab(tmp_path / "home", programs)
    yield made
    made.close()
    assert not lab.end_everything(tmp_path, set())
