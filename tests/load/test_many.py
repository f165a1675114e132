"""Many processes, crash loops, log floods: bounded, and nothing lost."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path

import lab
from faultlab import House

from sentinel.model import LogSettings, Restart, RestartPolicy


def _memory(pid: int) -> int:
    """What is its own, in kB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(found) for found in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+)", text, re.MULTILINE))


def test_many_processes(house: House, long: bool) -> None:
    count = 1000 if long else 100
    house.daemon_up()
    house.supervisor.run(house.request("w", ["/bin/sleep", "1000"], instances=count))
    first = {view.name: view.pid for view in house.supervisor.list().processes}
    assert len(first) == count
    assert all(lab.alive(pid) for pid in first.values() if pid)
    outcome = house.supervisor.stop_all()
    assert not [done for done in outcome.done if done.error]
    assert not any(lab.alive(pid) for pid in first.values() if pid)
    house.supervisor.start_all()
    second = {view.name: view.pid for view in house.supervisor.list().processes}
    assert second.keys() == first.keys()
    for pid in list(second.values())[: count // 2]:
        assert pid is not None
        os.kill(pid, 9)

    def all_back() -> None:
        now = {view.name: view for view in house.supervisor.list(usage=False).processes}
        assert {view.status for view in now.values()} == {"running"}
        assert sum(now[name].pid != pid for name, pid in second.items()) == count // 2

    lab.eventually(all_back)
    house.check_no_orphans()


def test_crash_loops(house: House, long: bool) -> None:
    """The starts are bounded by the back-off, and the daemon's memory does not grow with them."""
    daemon = house.daemon_up()
    names = [f"w{number}" for number in range(20 if long else 10)]
    began = time.monotonic()
    for name in names:
        argv = ["/bin/sh", "-c", 'echo $$ >>"$0"; exit 7', str(house.marks / f"{name}.starts")]
        house.run(name, argv, restart=RestartPolicy(Restart.ALWAYS, delay=0.1))
    lab.eventually(lambda: all(len(house.starts(name)) >= 3 for name in names))
    before = _memory(daemon.pid)
    limit = began + 600 if long else 0.0
    rounds = 5  # 0.1 + 0.2 + 0.4 + 0.8 s

    def enough() -> None:
        assert all(len(house.starts(name)) >= rounds for name in names)
        assert time.monotonic() >= limit

    lab.eventually(enough, within=700 if long else lab.WITHIN)
    starts = {name: len(house.starts(name)) for name in names}
    passed = time.monotonic() - began
    # After a quick death 0.1 s at least, doubled each time up to 30 s; one that is no quick death took a second.
    most = 10 * passed + 1 if not long else 60 + passed / 10
    assert max(starts.values()) <= most
    assert _memory(daemon.pid) < before + 8000, "the daemon grows"
    assert daemon.poll() is None
    house.supervisor.stop_all()
    for name in names:
        told = [(each["run"], each.get("exit_code")) for each in house.exits(name)]
        assert told[:-1] == [(run + 1, 7) for run in range(len(told) - 1)]
        assert len(told) in (len(house.starts(name)), len(house.starts(name)) + 1)  # one stopped as it began


FLOOD = """
import os, sys, time
here, lines = sys.argv[1:]
for begin in range(0, int(lines), 100):
    time.sleep(0.03)
    os.write(1, b"".join(b"%08d %s\\n" % (number, b"x" * 90) for number in range(begin, begin + 100)))
open(here, "w").close()
time.sleep(1000)
"""


def test_log_floods(house: House, long: bool) -> None:
    """Rotation by the daemon while several processes write: every byte is there, in order.

    On a file system that can't cut off the head of a file, what is written in between may be lost: documented.
    """
    lines = 100_000 if long else 10_000  # of 100 bytes
    count = 20 if long else 5
    exact = lab.rotates_whole(house.marks)
    house.daemon_up()
    for number in range(count):
        argv = [lab.PYTHON, "-IS", "-c", FLOOD, str(house.marks / f"{number}.done"), str(lines)]
        logs = LogSettings(max_size=lines * 20, backups=20)
        house.run(f"w{number}", argv, logs=logs)
    lab.eventually(lambda: len(list(house.marks.glob("*.done"))) == count)
    for number in range(count):
        log = house.home.log(f"w{number}", "stdout")
        lab.eventually(lambda log=log: len(list(log.parent.glob(f"{log.name}.[0-9]*"))) >= 1)
        told = [int(line.data[:8]) for line in house.supervisor.log_tail(f"w{number}", 2 * lines, ["stdout"], None)]
        if exact:
            assert told == list(range(lines))
        assert told == sorted(set(told))
