"""How sentinel's commands, memory and idle cost grow with the number of processes.

    uv run python contrib/bench/growth.py
    contrib/testbed/run-tests --exec -- python3 contrib/bench/growth.py --backend systemd --counts 10,100,500
"""

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from bench_systemd import SCOPE, sentinel_command
from install import say
from lab import Lab, Stamps, alive, call, effort, parent, pss, wait_for
from measures import end_one, timed
from report import cell, machine, table

Samples = dict[str, list[float]]
TITLES = {
    "up": "`run --instances N`, ms",
    "list": "`list`, ms",
    "stopall": "`stopall`, ms",
    "startall": "`startall`, ms",
    "crash": "Crash of one to running again, ms",
    "crash-cpu": "CPU of the daemon for that, ms",
    "memory-keeper": "Memory (PSS) of the keeper, MB",
    "memory-daemon": "Memory (PSS) of the daemon, MB",
    "memory-manager": "Memory (PSS) of the service manager, MB",
    "idle-cpu": "Idle: CPU per second, ms",
    "idle-wakeups": "Idle: wake-ups per second",
}


class Ground:
    """A home of sentinel's with so many processes in it, and those who look after them."""

    def __init__(self, lab: Lab, backend: str, quick: bool) -> None:
        self.lab, self.backend, self.quick = lab, backend, quick
        self.stamps = Stamps(lab.root / "fifo")
        self.sentinel = sentinel_command()
        home = {"SENTINEL_HOME": str(lab.root / "home"), "SENTINEL_BACKEND": backend}
        self.env = {**os.environ, **home}
        self.pids: list[int] = []
        if backend == "native":
            self.ask("daemon", "start")

    def ask(self, *words: str) -> str:
        return call([*self.sentinel, *words], self.env, self.lab.root)

    def keepers(self) -> dict[str, int]:
        """Those who look after the processes, by what they are called."""
        if self.backend == "systemd":
            return {"manager": manager_pid()}
        daemon = int(json.loads(self.ask("daemon", "status", "--json"))["pid"])
        keeper = parent(self.pids[0])
        assert keeper is not None
        return {"daemon": daemon, "keeper": keeper}

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self.delete_all()
        with contextlib.suppress(Exception):
            self.ask("daemon", "stop")
        self.stamps.close()

    # what is measured

    def up(self, count: int) -> None:
        policy = ["--restart", "--restart-delay", "0"]  # on systemd before 254 every restart has the same delay
        stamped = [str(self.lab.stamp), str(self.stamps.path), "up"]
        self.ask("run", "--name", "many", "--instances", str(count), *policy, "--", *stamped)
        self.pids = [stamp.pid for stamp in self.stamps.take(count)]

    def stop_all(self) -> None:
        self.ask("stopall")
        wait_for(lambda: not any(alive(pid) for pid in self.pids), "the end of all")

    def start_all(self) -> None:
        self.ask("startall")
        self.pids = [stamp.pid for stamp in self.stamps.take(len(self.pids))]

    def crash(self, which: int) -> None:
        end_one(self.pids[which])
        self.pids[which] = self.stamps.next().pid

    def delete_all(self) -> None:
        names = [each["name"] for each in json.loads(self.ask("list", "--json"))]
        if names:
            self.ask("delete", "--force", *names)

    def measure(self, count: int) -> Samples:
        say(f"  {count} processes")
        found: Samples = {key: [] for key in TITLES}
        rounds = 2 if self.quick else 5
        found["up"].append(timed(self.up, count))
        self._look(found, rounds * 2)
        for _ in range(rounds):
            found["stopall"].append(timed(self.stop_all))
            found["startall"].append(timed(self.start_all))
        self._crash(found, rounds * 2)
        self._idle(found)
        self.delete_all()
        return found

    def _look(self, found: Samples, rounds: int) -> None:
        self.ask("list")  # warms the caches
        found["list"] += [timed(self.ask, "list") for _ in range(rounds)]

    def _crash(self, found: Samples, rounds: int) -> None:
        time.sleep(1.5)  # what dies sooner than after a second waits
        own = [pid for name, pid in self.keepers().items() if name == "daemon"]
        self.crash(0)  # the daemon has now seen what the commands did
        for number in range(1, min(rounds, len(self.pids) - 1) + 1):
            time.sleep(0.1)  # until what it does after the restart is over
            before = effort(own)
            found["crash"].append(timed(self.crash, number))
            time.sleep(0.1)
            if own:
                found["crash-cpu"].append((effort(own) - before).cpu * 1000)

    def _idle(self, found: Samples) -> None:
        keepers = self.keepers()
        time.sleep(2.0)  # until what was begun before is over
        for name, pid in keepers.items():
            with contextlib.suppress(PermissionError):
                found[f"memory-{name}"].append(pss([pid]) / 2**20)
        before, begin = effort(list(keepers.values())), time.monotonic()
        time.sleep(10.0 if self.quick else 65.0)  # the daemon looks at quiet logs once a minute
        spent, seconds = effort(list(keepers.values())) - before, time.monotonic() - begin
        found["idle-cpu"].append(spent.cpu * 1000 / seconds)
        found["idle-wakeups"].append(spent.wakeups / seconds)


def manager_pid() -> int:
    if not SCOPE:
        return 1
    argv = ["systemctl", "show", f"user@{os.geteuid()}.service", "-p", "MainPID", "--value"]
    return int(subprocess.run(argv, capture_output=True, text=True, check=True).stdout)


def page(backend: str, measured: Mapping[int, Samples], load: float) -> str:
    counts = list(measured)
    more = counts[-1] / counts[0]
    lines = []
    for key, title in TITLES.items():
        rows = [measured[count][key] for count in counts]
        if all(rows):
            lines.append([title, *(cell(row, None, 3) for row in rows), growth(rows[0], rows[-1])])
    header = ["", *(f"N = {count:,}" for count in counts), f"{more:g} times as many"]
    return (
        f"## On {backend}\n\nMachine: {machine(load)}. Each cell: median (10th to 90th percentile); the last column: "
        f"how many times as much with N = {counts[-1]:,}.\n\n{table(header, lines)}\n"
    )


def growth(few: Sequence[float], many: Sequence[float]) -> str:
    first, last = statistics.median(few), statistics.median(many)
    return f"{last / first:.2g}×" if first else "–"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backend", choices=("native", "systemd"), default="native")
    parser.add_argument("--counts", default="10,100,1000", help="how many, from few to many (default: %(default)s)")
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it works")
    parser.add_argument("--out", type=Path, help="write the table there too")
    given = parser.parse_args()
    load = os.getloadavg()[0]
    lab = Lab(tempfile.gettempdir())
    ground = Ground(lab, given.backend, given.quick)
    try:
        measured = {int(count): ground.measure(int(count)) for count in given.counts.split(",")}
    finally:
        ground.close()
        lab.close()
    text = page(given.backend, measured, load)
    print(text, end="")
    if given.out:
        given.out.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
