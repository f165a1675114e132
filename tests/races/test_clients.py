"""Eight clients at once, a daemon that comes and goes, processes that are killed: it comes to rest as it should."""

from __future__ import annotations

from faultlab import CLIENTS_NAMES, House, client, ended

from sentinel.supervisor.facade import Supervisor


def test_eight_clients(house: House, long: bool, seed: int) -> None:
    house.supervisor.group_create("g", {}, None)
    for name in CLIENTS_NAMES[:3]:
        house.run(name)

    def begin(number: int) -> int:
        def work(_: Supervisor) -> None:
            client(house, seed * 100 + number, 2000 if long else 25)

        return house.begin(work)

    daemon = house.daemon_up()
    children = [begin(number) for number in range(8)]
    house.kill(daemon)
    house.kill_keeper()
    house.daemon()
    assert {ended(child) for child in children} == {0}
    house.all_settled(CLIENTS_NAMES)
