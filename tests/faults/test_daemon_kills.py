"""kill -9 the daemon at any moment: no exit status lost or told twice, no line missing, never two copies."""

from __future__ import annotations

import random
import subprocess
from pathlib import Path

import lab
from faultlab import House

from sentinel.model import Restart, RestartPolicy

LINES = 20  # of each run

# Run number N prints its LINES numbered lines and ends with status N modulo 50, plus 1; with a `enough` it stays.
# $0: a directory of its own, $1: how long a run takes
CRASHER = """
mkdir "$0/alone" || echo "two at once" >>"$0/doubles"
if [ -e "$0/../enough" ]; then touch "$0/stays"; exec sleep 1000; fi
read -r runs <"$0/runs"
line=$((runs * LINES)); end=$((line + LINES))
while [ $line -lt $end ]; do echo "line $line"; line=$((line + 1)); done
sleep "$1"
echo $((runs + 1)) >"$0/runs"
rmdir "$0/alone"
exit $((runs % 50 + 1))
""".replace("LINES", str(LINES))


def test_random_kills_of_the_daemon(house: House, long: bool, seed: int) -> None:
    chance = random.Random(seed)
    names = [f"w{number}" for number in range(20 if long else 8)]
    for name in names:
        place = house.marks / name
        place.mkdir()
        (place / "runs").write_text("0\n")
        argv = ["/bin/sh", "-c", CRASHER, str(place), "1" if long else "0.2"]
        house.run(name, argv, restart=RestartPolicy(Restart.ALWAYS, delay=0.0))
    for _ in range(300 if long else 25):
        daemon = house.daemon()
        try:  # while it starts up, or later
            daemon.wait(chance.choice([0.05, 0.2, 0.4, 0.6]) * chance.random() * 2)
        except subprocess.TimeoutExpired:
            house.kill(daemon)
        else:
            raise AssertionError(f"the daemon ended by itself: {daemon.returncode}")
    house.daemon_up()
    lab.eventually(lambda: all(int((house.marks / name / "runs").read_text()) > 3 for name in names))
    (house.marks / "enough").touch()
    for name in names:
        _has_all(house, name)
    assert not list(house.marks.glob("*/doubles"))
    house.check_no_orphans()


def _has_all(house: House, name: str) -> None:
    place: Path = house.marks / name

    def settled() -> int:
        assert (place / "stays").exists()
        record = house.record(name)
        assert record is not None
        runs = int((place / "runs").read_text())
        assert (record.runtime.run, record.runtime.pid is not None) == (runs + 1, True), record
        return runs

    runs = lab.eventually(settled)
    lab.eventually(lambda: len(house.exits(name)) >= runs)
    told = [(each["run"], each["exit_code"]) for each in house.exits(name)]
    assert told == [(run + 1, run % 50 + 1) for run in range(runs)], name
    record = house.record(name)
    assert record is not None
    assert record.runtime.restarts == runs
    assert record.runtime.last_exit is not None
    assert record.runtime.last_exit.code == (runs - 1) % 50 + 1
    lines = house.home.log(name, "stdout").read_text().splitlines()
    assert lines == [f"line {number}" for number in range(runs * LINES)], name
