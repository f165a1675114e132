"""What is told of a unit that moves on between the questions of one look."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sentinel import identity
from sentinel.backends.systemd import exits
from sentinel.backends.systemd.manager import Unit
from sentinel.backends.systemd.notebook import Note, Notebook
from sentinel.backends.systemd.seeing import Seeing
from sentinel.model import Record, Spec, Status
from sentinel.paths import Home


class Manager:
    """Answers first what the unit was, then, asked for its main process, who that is by then."""

    def __init__(self, unit: Unit, pid: int) -> None:
        self.unit, self.pid = unit, pid

    def units(self) -> Mapping[str, Unit]:
        return {self.unit.name: self.unit}

    def read(self, units: Sequence[str], properties: Sequence[str]) -> list[list[Any]]:
        assert properties == ["MainPID", "ExecMainStartTimestamp"]
        return [[self.pid, 1_000_000] for _ in units]


@pytest.mark.parametrize(
    ("active", "sub", "runs", "status", "restarts"),
    [
        ("deactivating", "stop-post", False, Status.BACKOFF, 1),
        ("deactivating", "stop-post", True, None, 2),
        ("deactivating", "stop-sigterm", True, Status.STOPPING, 2),
        ("activating", "auto-restart", False, Status.BACKOFF, 1),
        ("active", "running", True, None, 2),
        ("active", "running", False, Status.BACKOFF, 2),
    ],
)
def test_restarts_are_those_of_the_run_that_is_told(
    tmp_path: Path, active: str, sub: str, runs: bool, status: Status | None, restarts: int
) -> None:
    home = Home(tmp_path / "home")
    notebook = Notebook(home)
    notebook.prepare()
    record = Record(1, "web", "systemd", Spec(argv=["true"], cwd="/"), unit="sentinel-web.service")
    notebook.write(1, Note("sentinel-web.service", 1, identity.boot_id(), "life", 1.0, mode="always", pending=False))
    for _ in range(2):
        exits.add(notebook.hooks(record), os.CLD_EXITED, 3)
    unit = Unit("sentinel-web.service", "loaded", active, sub, "", "")
    manager: Any = Manager(unit, os.getpid() if runs else 0)
    seen = Seeing(manager, notebook).see([record])[1]
    assert (seen.alive, seen.status, seen.restarts) == (runs, status, restarts)
