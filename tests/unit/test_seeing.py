"""What is told of a unit that moves on between the questions of one look."""

import os
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from sentinel import identity
from sentinel.backends.systemd import exits
from sentinel.backends.systemd.manager import Unit
from sentinel.backends.systemd.notebook import Note, Notebook
from sentinel.backends.systemd.seeing import Seeing
from sentinel.backends.systemd.stopping import Stopping
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


@pytest.mark.parametrize(
    ("code", "status", "told"),
    [
        (os.CLD_EXITED, 7, (7, None)),  # by itself, before it could be killed
        (os.CLD_KILLED, signal.SIGTERM, (None, signal.SIGKILL)),  # a restart that systemd had begun and ended again
        (None, None, (None, signal.SIGKILL)),  # the hook was killed as well
    ],
)
def test_how_a_forced_stop_is_told(
    tmp_path: Path, code: int | None, status: int | None, told: tuple[int | None, int | None]
) -> None:
    notebook = Notebook(Home(tmp_path / "home"))
    notebook.prepare()
    record = Record(1, "web", "systemd", Spec(argv=["true"], cwd="/"), unit="sentinel-web.service")
    exits.reset(notebook.hooks(record))
    if code is not None and status is not None:
        exits.add(notebook.hooks(record), code, status)
    manager: Any = None
    Stopping(manager, notebook)._record_kill(record, 0)
    ends = exits.read(notebook.hooks(record))
    assert ends is not None
    end = ends.exit(1, "stop")
    assert (end.code, end.signal) == told
