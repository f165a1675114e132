"""Many units at once: all start, stop and come back, and nothing of sentinel's own stays to look after them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lab

LONG_ENOUGH = 600.0  # seconds for one command


def _running(sentinel: lab.Sentinel) -> dict[str, int]:
    """{name: pid}, once all are running."""

    def check() -> dict[str, int]:
        listed: list[dict[str, Any]] = sentinel.ok("list", "--json", within=LONG_ENOUGH).json()
        assert {each["status"] for each in listed} == {"running"}
        return {each["name"]: each["pid"] for each in listed}

    return lab.eventually(check, within=LONG_ENOUGH)


def test_many_units(sentinel_at: Callable[[Path, str], lab.Sentinel], tmp_path: Path, long: bool) -> None:
    count = 500 if long else 30
    sentinel = sentinel_at(tmp_path / "home", "systemd")
    before = lab.units()

    def loaded() -> int:
        return sum(unit.endswith(".service") for unit in lab.units() - before)

    options = ["--name", "w", "--instances", str(count), "--restart", "--restart-delay", "0"]
    sentinel.ok("run", *options, "--", "/bin/sleep", "100000", within=LONG_ENOUGH)
    first = _running(sentinel)
    assert len(first) == len(set(first.values())) == count
    lab.eventually(lambda: loaded() == count)
    assert all(lab.alive(pid) for pid in first.values())
    # What it costs while nothing happens is the service manager's: no process of ours is there.
    assert lab.processes_naming(sentinel.home).keys() <= set(first.values())

    sentinel.ok("stopall", within=LONG_ENOUGH)
    assert lab.gone(*first.values())
    lab.eventually(lambda: loaded() == 0)
    assert {each["status"] for each in sentinel.list()} == {"stopped"}

    sentinel.ok("startall", within=LONG_ENOUGH)
    second = _running(sentinel)
    assert second.keys() == first.keys()
    lab.eventually(lambda: loaded() == count)

    crashed = list(second)[: count // 2]
    for name in crashed:
        os.kill(second[name], signal.SIGKILL)

    def all_back() -> dict[str, int]:
        now = _running(sentinel)
        assert all((now[name] != pid) is (name in crashed) for name, pid in second.items())
        return now

    third = lab.eventually(all_back, within=LONG_ENOUGH)
    restarts = {each["name"]: each["restarts"] for each in sentinel.list()}
    assert restarts == {name: int(name in crashed) for name in second}
    assert lab.processes_naming(sentinel.home).keys() <= set(third.values())

    sentinel.ok("delete", "--force", *third, within=LONG_ENOUGH)
    assert lab.gone(*third.values())
    lab.eventually(lambda: lab.units() == before)
