"""Any two commands at the same moment: both end, each is done or refused, and what is left is whole."""

from __future__ import annotations

import itertools
import socket

import lab
import pytest
from faultlab import KILLED, REFUSED, House, Work, ended

COMMANDS: dict[str, Work] = {
    "start": lambda s: s.start(["w"]),
    "stop": lambda s: s.stop(["w"]),
    "stop --force": lambda s: s.stop(["w"], force=True),
    "restart": lambda s: s.restart(["w"], update_env=True),
    "delete": lambda s: s.delete(["w"]),
    "clean": lambda s: s.clean(),
    "list": lambda s: s.list(),
    "stopall": lambda s: s.stop_all(),
    "startall": lambda s: s.start_all(),
    "restartall": lambda s: s.restart_all(),
    "group add": lambda s: s.group_add("g", ["w"], restart=True),
    "group start": lambda s: s.group_start("g"),
    "group stop": lambda s: s.group_stop("g"),
    "group restart": lambda s: s.group_restart("g"),
    "group remove": lambda s: s.group_remove("g", ["w"]),
    "group delete": lambda s: s.group_delete("g", with_processes=True),
    "logs --clear": lambda s: s.log_clear(["w"]),
}


def _settle(house: House) -> None:
    record = house.record("w")
    if record is None:
        lab.eventually(lambda: not house.copies("w"))
    elif record.desired == "running":
        house.only_copy("w")
    else:
        house.until("w", "stopped")
        assert not house.copies("w")


@pytest.mark.parametrize("begin", ["running", "stopped"])
def test_all_pairs(house: House, long: bool, begin: str) -> None:
    house.run("other")
    commands = {**COMMANDS, "run": lambda s: s.run(house.request("w"))}
    pairs = list(itertools.combinations_with_replacement(commands, 2))
    for one, two in pairs if long else pairs[begin == "stopped" :: 4]:
        if "g" not in house.supervisor.group_names():
            house.supervisor.group_create("g", {}, None)
        if house.record("w") is None and {one, two} != {"run"}:
            house.run("w")
        if begin == "stopped" and house.record("w") is not None:
            house.supervisor.stop(["w"])
        if {one, two} == {"run"} and house.record("w") is not None:
            house.supervisor.delete(["w"])
        children = [house.begin(commands[each]) for each in (one, two)]
        codes = [ended(child) for child in children]
        assert set(codes) <= {0, REFUSED}, (one, two, codes)
        house.state()
        _settle(house)
    house.check_no_orphans()
    house.check_no_leaks()


def test_two_runs_of_the_same_name(house: House) -> None:
    for number in range(6):
        children = [house.begin(lambda s, n=number: s.run(house.request(f"w{n}", ports=["PORT"]))) for _ in range(4)]
        assert sorted(ended(child) for child in children) == [0, REFUSED, REFUSED, REFUSED]
        house.only_copy(f"w{number}")
        assert len(house.starts(f"w{number}")) == 1
    house.check_no_leaks()


def test_a_daemon_that_starts_twice(house: House) -> None:
    house.run("w")
    daemons = [house.daemon() for _ in range(3)]
    lab.eventually(lambda: sum(daemon.poll() is None for daemon in daemons) == 1)
    alive = next(daemon for daemon in daemons if daemon.poll() is None)
    lab.eventually(lambda: house.supervisor.daemon_status().pid == alive.pid)
    assert {daemon.wait() for daemon in daemons if daemon is not alive} == {1}
    house.only_copy("w")
    house.kill(alive)
    assert alive.returncode == KILLED
    house.only_copy("w")


def test_a_port_that_is_stolen_between_stop_and_start(house: House) -> None:
    house.run("w", ports=["PORT"])
    port = house.view("w").ports["PORT"]
    house.supervisor.stop(["w"])
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        thief.bind(("0.0.0.0", port))
        thief.listen()
        house.supervisor.start(["w"])  # what it makes of its port is its own business; it keeps it
        house.only_copy("w")
        assert house.forked(lambda s: s.port_allocate(port, None)) == REFUSED
        house.run("x", ports=["PORT"])
        assert house.view("x").ports["PORT"] != port
    assert house.view("w").ports == {"PORT": port}
    house.supervisor.delete(["w", "x"])
    assert house.forked(lambda s: s.port_free(str(s.port_allocate(port, None).port))) == 0
    house.check_no_leaks()
