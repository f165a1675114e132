"""24 hours of the daemon's loop, with a clock that is made up: bounded in all that it does and keeps, and on time."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from faultlab import House
from made_clock import Clock

from sentinel import ledger
from sentinel.backends.native.keeper import starter
from sentinel.events import Event

HOURS = 24
HOUR = 3600.0
HERE = Path(__file__).parent
IN_THE_KEEPER = """
import sys
sys.path.insert(0, {here!r})
from made_clock import Clock
Clock({clock!r}).install(stands=False)
sys.path.pop(0)
import runpy
runpy.run_path({keeper!r}, run_name="__main__")
"""
IN_HELPERS = """
import sys
sys.path.insert(0, {here!r})
from made_clock import Clock
Clock({clock!r}).install(stands=False)
sys.path.pop(0)
"""


def _live_through(house: House, long: bool) -> dict[str, Any]:
    """What `day.py` tells."""
    here = house.marks
    Clock.make(str(here / "clock"))
    (here / "path").mkdir()
    where = {"here": str(HERE), "clock": str(here / "clock"), "keeper": starter.KEEPER}
    (here / "keeper.py").write_text(IN_THE_KEEPER.format(**where))
    (here / "path/sitecustomize.py").write_text(IN_HELPERS.format(**where))
    argv = [sys.executable, str(HERE / "day.py"), str(house.root), str(here), str(HOURS), "long" if long else "short"]
    with open(house.home.daemon_log, "ab") as log:
        env = {**os.environ, "SENTINEL_HOME": str(house.root)}
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env, check=False)
    result = here / "result.json"
    assert result.exists(), house.home.daemon_log.read_text()[-4000:]
    told: dict[str, Any] = json.loads(result.read_text())
    return told


class Told:
    """The events of the day, by name, in seconds since it began."""

    def __init__(self, house: House, began: float) -> None:
        self._events = list(ledger.read(house.home))
        self._began = began

    def of(self, name: str, *words: str) -> list[tuple[float, Event]]:
        found = [event for event in self._events if event.name == name and event.event in words]
        return [(event.at - self._began, event) for event in found]


def test_a_day(house: House, long: bool) -> None:
    house.home.prepare()
    full = b'{"at": 1.0, "event": "started", "id": 1, "name": "before", "pid": 1, "run": 1}\n'
    for path in (house.home.events, house.home.daemon_log, house.home.hooks_log):
        path.write_bytes(full * ((ledger.LARGEST - 2000) // len(full)))  # so that a day's events are too many
    day = _live_through(house, long)
    assert day["passed"] == HOURS * HOUR
    told = Told(house, day["began"])
    _on_time(told, day["marks"], long)
    _bounded(house, day, long)
    _logs_whole(house, day["lines"])


def _on_time(told: Told, marks: dict[str, float], long: bool) -> None:
    """Things happened at the second they should."""
    restarts = told.of("crash", "restarted")
    assert [at for at, _ in restarts][-5:] == pytest.approx([hour * HOUR for hour in range(HOURS - 5, HOURS)])
    assert restarts[-1][1].details["restarts"] == HOURS - 1
    starts = [at for at, _ in told.of("loop0", "restarted")]
    gaps = {round(later - earlier, 3) for earlier, later in itertools.pairwise(starts[-20:])}
    assert gaps == {30.0 if long else 600.0}
    ill = [at for at, event in told.of("checked", "restarted") if event.details["reason"] == "health"]
    # the third probe of each run
    assert 7 <= len(ill) <= 8
    assert all(899 <= later - earlier <= 901 for earlier, later in itertools.pairwise(ill))
    assert 0 <= ill[0] - (19.5 * HOUR + 10) <= 901
    assert 0 <= told.of("checked", "healthy")[-1][0] - (21.5 * HOUR + 10) <= 361
    assert [event.details["restarts"] for _, event in told.of("tries", "gave-up")] == [5]
    at, event = told.of("bloat", "restarted")[0]
    assert event.details["reason"] == "memory"
    assert -0.001 <= at - marks["swollen"] <= 2.001


def _bounded(house: House, day: dict[str, Any], long: bool) -> None:
    """What the daemon and its keeper do, hold and keep does not grow with the hours."""
    loops = 5 * 24 * 120 if long else 24 * 6
    looks = HOURS * HOUR / 2 if long else HOUR / 10  # at memory
    # Of logs once a minute; of what waits longer than that as well; of health every five; two for each crash.
    assert day["waits"] <= HOURS * (60 + 60 + 12) * 1.2 + looks + 2 * loops
    assert day["told"] <= 12 * (loops + HOURS * 12 + 100)  # exits, starts, hooks that ended, answers of probes
    early, late = day["at"]
    assert late["private"] <= early["private"] + 4000
    assert late["keeper"] <= early["keeper"] + 2000
    for what in ("descriptors", "keeper descriptors"):
        assert late[what] <= early[what] + 3
    assert late["files"] <= early["files"] + 20
    assert late["threads"] <= early["threads"] + 32
    home = house.home
    for path in (home.events, home.daemon_log, home.hooks_log):  # all were nearly full when the day began
        files = [path, path.with_name(path.name + ".1")]
        assert [each for each in path.parent.glob(f"{path.name}*") if each not in files] == []
        assert all(each.stat().st_size <= 1.1 * ledger.LARGEST for each in files)
    assert "restarted loop0" in home.daemon_log.read_text()
    assert not list(home.exits.glob("*.json"))


def _logs_whole(house: House, lines: int) -> None:
    log = house.home.log("writer", "stdout")
    kept = [log, *log.parent.glob(f"{log.name}.[0-9]*")]
    assert len(kept) == 4
    assert all(path.stat().st_size <= 256_000 + 2 * 64_000 for path in kept)
    told = [int(line.data) for line in house.supervisor.log_tail("writer", lines, ["stdout"], None)]
    assert told == list(range(lines - len(told), lines))
    assert len(told) >= 3 * 4000
