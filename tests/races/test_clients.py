"""Eight clients at once, a daemon that comes and goes, processes that are killed: it comes to rest as it should."""

from __future__ import annotations

import os
import random
import signal
from contextlib import suppress

import lab
from faultlab import House, ended

from sentinel.errors import SentinelError
from sentinel.supervisor.facade import Supervisor

NAMES = ["a", "b", "c", "d", "e", "f"]


def _client(house: House, seed: int, steps: int) -> None:
    """Refusals are fine (somebody else was first); anything else is a fault, and ends the client with it."""
    chance = random.Random(seed)
    for _ in range(steps):
        name, what = chance.choice(NAMES), chance.randrange(9)
        with suppress(SentinelError):
            supervisor = house.supervisor
            if what < 2:
                supervisor.run(house.request(name, ports=["PORT"]))
            elif what == 2:
                for pid in house.copies(name):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            elif what == 3:
                supervisor.list()
            elif what == 4:
                supervisor.group_add("g", [name], restart=chance.random() < 0.5)
            elif what == 5:
                supervisor.restart(chance.sample(NAMES, 2))
            else:
                getattr(supervisor, ("start", "stop", "delete")[what - 6])([name])


def test_eight_clients(house: House, long: bool, seed: int) -> None:
    house.supervisor.group_create("g", {}, None)
    for name in NAMES[:3]:
        house.run(name)

    def client(number: int) -> int:
        def work(_: Supervisor) -> None:
            _client(house, seed * 100 + number, 2000 if long else 25)

        return house.begin(work)

    daemon = house.daemon_up()
    children = [client(number) for number in range(8)]
    house.kill(daemon)
    house.kill_keeper()
    house.daemon()
    assert {ended(child) for child in children} == {0}
    house.state()
    for name in NAMES:
        record = house.record(name)
        if record is not None and record.desired == "running":
            house.only_copy(name)
            continue
        if record is not None:
            house.until(name, "stopped")
        lab.eventually(lambda name=name: not house.copies(name))
    house.check_no_orphans()
    house.check_no_leaks()
