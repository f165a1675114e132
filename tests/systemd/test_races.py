"""Several clients at once on a service manager, and processes that are killed: it comes to rest as it should."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from faultlab import CLIENTS_NAMES, House
from lab import WITHIN

CLIENT = """import sys
from pathlib import Path
root, marks, seed, steps, *path = sys.argv[1:]
sys.path[:0] = path
from faultlab import House, client
client(House(Path(root), Path(marks)), int(seed), int(steps), "systemd")
"""


def test_four_clients(house: House, long: bool, seed: int) -> None:
    house.supervisor.group_create("g", {}, None)
    for name in CLIENTS_NAMES[:2]:
        house.run(name, backend="systemd")
    tests = Path(__file__).resolve().parents[1]
    clients = []
    for number in range(4):
        words = [house.root, house.marks, seed * 100 + number, 500 if long else 12, tests, tests / "faults"]
        clients.append(subprocess.Popen([sys.executable, "-c", CLIENT, *map(str, words)]))
    assert [client.wait(WITHIN * (50 if long else 3)) for client in clients] == [0] * 4
    house.all_settled(CLIENTS_NAMES)
    house.supervisor.group_delete("g", with_processes=True)
