"""Killed with SIGKILL between any two steps: no double start, no orphan, no leak, and what was wanted comes to be."""

from __future__ import annotations

import os
import signal

import lab
import pytest
from faultlab import House

from sentinel.backends.native.keeper import system
from sentinel.model import Limits

SAVES = ["state.saving", "state.backed-up", "file.written", "state.saved", "ledger.written"]
LAUNCHES = ["launch.starting", "launch.started"]
DIRECT = ["keeper.trying", "keeper.spawned"]  # with a system call that forks and executes
FORKED = ["keeper.forked", "keeper.executed"]  # where there is something to set in between, such as limits
EXITS = ["keeper.exit-written", "keeper.exit-recorded", "keeper.exit-noted", "keeper.reaped", "keeper.stopping"]
KEEPER = [*(() if system.PORTABLE else DIRECT), *FORKED, *EXITS]


@pytest.fixture(params=["commands", "daemon"])
def healer(request: pytest.FixtureRequest, house: House) -> str:
    """Who puts right what was left: the next command that looks, or a daemon."""
    if request.param == "daemon":
        house.run("steady")
        house.daemon_up()
    return str(request.param)


def settled(house: House, name: str) -> None:
    """Whatever was left: it comes to rest as the record wants it, once, with nothing lost or left over."""
    house.state()
    record = house.record(name)
    if record is None:
        lab.eventually(lambda: not house.copies(name))
    elif record.desired == "running":
        house.only_copy(name)
    else:
        house.until(name, "stopped")
        assert not house.copies(name)
    house.check_no_orphans()


def test_run(house: House, healer: str) -> None:
    if healer == "commands":
        house.run("steady")
    points = [*SAVES, "run.captured", "run.created", *LAUNCHES, "daemon.poking"]
    for point, name in house.killed_at(points, lambda s, name: s.run(house.request(name, ports=["PORT"]))):
        settled(house, name)
        made = house.record(name)
        assert len(house.starts(name)) == (made is not None), point
        if point.startswith(("run.created", "launch", "daemon")):
            assert made, point
    house.run("last")
    house.check_no_leaks()


def test_start(house: House, healer: str) -> None:
    house.run("w")
    house.before = lambda _: house.supervisor.stop(["w"])
    runs = 1
    for point, _ in house.killed_at([*SAVES, *LAUNCHES, "daemon.poking"], lambda s, _: s.start(["w"])):
        settled(house, "w")
        house.supervisor.start(["w"])
        house.only_copy("w")
        runs += 1
        assert len(house.starts("w")) == runs, point
    house.check_no_leaks()


def test_stop(house: House, healer: str) -> None:
    house.before = house.run
    for point, name in house.killed_at([*SAVES, "stop.wanted", "stop.done", "exits.saved", "daemon.poking"],
                                       lambda s, name: s.stop([name])):  # fmt: skip
        settled(house, name)
        house.supervisor.stop([name])
        house.until(name, "stopped")
        assert len(house.starts(name)) == 1, point
        told = house.exits(name)
        assert [(each["run"], each["exit_signal"]) for each in told] == [(1, signal.SIGTERM)], point
    house.check_no_leaks()


def test_restart(house: House, healer: str) -> None:
    house.run("w")
    points = [*SAVES, "stop.wanted", "stop.done", "exits.saved", *LAUNCHES, "daemon.poking"]
    for point, _ in house.killed_at(points, lambda s, _: s.restart(["w"], update_env=True)):
        settled(house, "w")
        wanted = house.record("w")
        assert wanted is not None
        assert len(house.starts("w")) == wanted.wanted_run, point
    house.check_no_leaks()
    assert [each["run"] for each in house.exits("w")] == list(range(1, len(house.starts("w"))))


def test_delete(house: House, healer: str) -> None:
    house.before = lambda name: [house.run(name, ports=["PORT"]), house.home.log(name, "stdout").write_text("old\n")]
    points = [*SAVES, "stop.wanted", "stop.done", "exits.saved", "delete.emptied", "delete.removed", "delete.forgot",
              "daemon.poking"]  # fmt: skip
    for point, name in house.killed_at(points, lambda s, name: s.delete([name])):
        settled(house, name)
        if house.record(name) is not None:
            house.supervisor.delete([name])
        assert not house.copies(name)
        # a name is free only once its files are gone: else they would be taken for the next one's, or stay for ever
        assert not [path.name for path in house.home.logs.iterdir() if name in path.name], point
    house.check_no_leaks()


def test_group(house: House) -> None:
    house.supervisor.group_create("g", {"COLOUR": "blue"}, None)
    house.run("w")
    points = [*SAVES, "group.added", "stop.wanted", "stop.done", *LAUNCHES]
    for _ in house.killed_at(points, lambda s, _: s.group_add("g", ["w"], restart=True)):
        settled(house, "w")
        house.supervisor.group_add("g", ["w"], restart=True)
        assert house.view("w").group == "g"
        house.supervisor.group_remove("g", ["w"])
    house.before = lambda name: house.supervisor.group_create(name, {}, None)
    for _, name in house.killed_at(SAVES[:-1], lambda s, name: s.group_delete(name)):
        house.state()
        if name in house.supervisor.group_names():
            house.supervisor.group_delete(name)
    assert house.supervisor.group_names() == ["g"]
    house.check_no_leaks()


def test_the_keeper_at_its_write_points(house: House) -> None:
    for point in KEEPER:
        house.kill_keeper()
        limits = Limits(nice=1 if point in FORKED else None)
        requests = [house.request(name, limits=limits) for name in ("w", "pin")]
        house.forked(lambda s, requests=requests: [s.run(each) for each in requests], point, once=True)
        house.only_copy("w")
        os.kill(house.only_copy("w"), signal.SIGKILL)
        house.only_copy("w")
        house.supervisor.restart(["w"])
        house.only_copy("w")
        house.check_no_orphans()
        house.supervisor.delete([name for name in ("w", "pin") if name in house.supervisor.names()])
        assert not (house.marks / "once").exists(), f"{point} was not reached"
        assert not house.copies("w")
        (house.marks / "w.starts").unlink()
    house.check_no_leaks()


@pytest.mark.parametrize("point", ["child.unnoted", "child.noted"])
def test_a_program_killed_before_it_is_executed(house: House, point: str) -> None:
    house.forked(lambda s: s.run(house.request("w", limits=Limits(nice=1))), point, once=True)
    assert not (house.marks / "once").exists()
    house.only_copy("w")
    house.check_no_orphans()


def test_the_daemon_at_its_write_points(house: House) -> None:
    """Killed on its way from an exit to the restart: the next daemon goes on, and each status is told once."""
    pid = house.run("w")
    points = ["state.saving", "file.written", "state.saved", "ledger.written", *LAUNCHES, "exits.saved"]
    for point in points:
        daemon = house.daemon_up(SENTINEL_TEST_STOP_AT=point)
        os.kill(pid, signal.SIGKILL)
        assert daemon.wait(lab.WITHIN) == -signal.SIGKILL, point
        house.daemon_up()
        lab.eventually(lambda pid=pid: [copy for copy in house.copies("w") if copy != pid])
        pid = house.only_copy("w")
        house.written_down("w", pid)
        house.kill(house.daemons[-1])
    assert len(house.starts("w")) == len(points) + 1
    house.supervisor.list()
    told = house.exits("w")
    assert [(each["run"], each["exit_signal"]) for each in told] == [(n + 1, 9) for n in range(len(points))]
    house.check_no_orphans()
    house.check_no_leaks()
