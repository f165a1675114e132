"""Measure sentinel's systemd backend beside systemd's own tools, where a service manager runs.

    contrib/testbed/run-tests --exec -- python3 contrib/bench/bench_systemd.py [--quick]
"""

import argparse
import contextlib
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

from lab import Lab, Stamp, Stamps, call
from measures import end_one, timed
from report import cell, table

SCOPE = [] if os.geteuid() == 0 else ["--user"]
BARE = "bench-bare"  # the units that systemd-run starts
Action = Callable[[], object]
Samples = dict[str, dict[str, list[float]]]


class Ground:
    """Both backends of sentinel in homes of their own, and bare systemd."""

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.stamps = Stamps(lab.root / "fifo")
        self.samples: Samples = {}
        self.sentinel = sentinel_command()

    def env(self, backend: str) -> dict[str, str]:
        return {**os.environ, "SENTINEL_HOME": str(self.lab.root / backend), "SENTINEL_BACKEND": backend}

    def ask(self, backend: str, *words: str) -> str:
        return call([*self.sentinel, *words], self.env(backend), self.lab.root)

    def bare(self, *words: str) -> str:
        return call(words, os.environ, self.lab.root)

    def stamped(self, word: str) -> list[str]:
        return [str(self.lab.stamp), str(self.stamps.path), word]

    def add(self, key: str, who: str, value: float) -> None:
        self.samples.setdefault(key, {}).setdefault(who, []).append(value)

    def rounds(self, key: str, count: int, actions: Mapping[str, Action]) -> None:
        """All in turn, in random order; the first round only warms up."""
        for number in range(count + 1):
            for who in random.sample(list(actions), len(actions)):
                spent = timed(actions[who])
                if number:
                    self.add(key, who, spent)

    def close(self) -> None:
        for backend in ("systemd", "native"):
            with contextlib.suppress(Exception):
                names = [each["name"] for each in json.loads(self.ask(backend, "list", "--json"))]
                if names:
                    self.ask(backend, "delete", "--force", *names)
                self.ask(backend, "daemon", "stop")
        subprocess.run(["systemctl", *SCOPE, "stop", f"{BARE}*"], capture_output=True)
        self.stamps.close()


def sentinel_command() -> list[str]:
    beside = Path(sys.executable).with_name("sentinel")
    found = str(beside) if beside.exists() else shutil.which("sentinel")
    return [found] if found else [sys.executable, "-m", "sentinel"]


# --- run ------------------------------------------------------------------------------------------


def one_more(ground: Ground, count: int) -> None:
    serial = iter(range(10_000))

    def sentinel(backend: str) -> Action:
        def run() -> None:
            ground.ask(backend, "run", "--name", f"one-{next(serial)}", "--", *ground.stamped("one"))
            ground.stamps.next()

        return run

    def bare() -> None:
        ground.bare("systemd-run", *SCOPE, "-q", f"--unit={BARE}-{next(serial)}", *ground.stamped("one"))
        ground.stamps.next()

    ground.rounds("run", count, {
        "sentinel on systemd": sentinel("systemd"), "sentinel on native": sentinel("native"), "systemd-run": bare,
    })  # fmt: skip
    for backend in ("systemd", "native"):
        names = [each["name"] for each in json.loads(ground.ask(backend, "list", "--json"))]
        ground.ask(backend, "delete", "--force", *names)
    ground.bare("systemctl", *SCOPE, "stop", f"{BARE}*")


# --- crash ----------------------------------------------------------------------------------------


def crashes(ground: Ground, count: int) -> None:
    """Without a delay between death and restart, on all three."""
    restart = ["--restart", "--restart-delay", "0"]
    ground.ask("native", "daemon", "start")
    ground.ask("native", "run", "--name", "crash", *restart, "--", *ground.stamped("native"))
    ground.ask("systemd", "run", "--name", "crash", *restart, "--", *ground.stamped("systemd"))
    ground.bare(
        "systemd-run", *SCOPE, "-q", f"--unit={BARE}-crash", "-p", "Restart=always", "-p", "RestartSec=0",
        "-p", "StartLimitIntervalSec=0", *ground.stamped("bare"),
    )  # fmt: skip
    titles = {"systemd": "sentinel on systemd", "native": "sentinel on native", "bare": "systemd-run"}
    running = {stamp.word: stamp for stamp in ground.stamps.take(3)}
    for _ in range(count):
        for word in random.sample(list(running), len(running)):
            running[word] = crash(ground, running[word], titles[word])
    for backend in ("systemd", "native"):
        ground.ask(backend, "delete", "--force", "crash")
    ground.bare("systemctl", *SCOPE, "stop", f"{BARE}-crash")


def crash(ground: Ground, victim: Stamp, title: str) -> Stamp:
    time.sleep(max(0.0, victim.at + 1.3 - time.monotonic()))
    begin = time.monotonic()
    end_one(victim.pid)
    again = ground.stamps.next()
    ground.add("crash", title, (again.at - begin) * 1000)
    return again


# --- many -----------------------------------------------------------------------------------------


def lists(ground: Ground, count: int, many: int) -> None:
    for backend in ("systemd", "native"):
        ground.ask(backend, "run", "--name", "many", "--instances", str(many), "--restart", "--", *ground.stamped("up"))
        ground.stamps.take(many)
    units = [f"sentinel-*many*{number}.service" for number in range(1, many + 1)]
    ground.rounds("list", count, {
        "sentinel on systemd": lambda: ground.ask("systemd", "list"),
        "sentinel on native": lambda: ground.ask("native", "list"),
        "systemctl list-units": lambda: ground.bare("systemctl", *SCOPE, "list-units", "--no-pager"),
        "systemctl show": lambda: ground.bare("systemctl", *SCOPE, "show", "--no-pager", *units),
    })  # fmt: skip
    for verb in ("stopall", "startall"):
        for backend in ("systemd", "native"):
            begin = time.perf_counter()
            ground.ask(backend, verb)
            if verb == "startall":
                ground.stamps.take(many)
            ground.add(verb, f"sentinel on {backend}", (time.perf_counter() - begin) * 1000)


def stays(ground: Ground) -> int:
    """Processes of sentinel's own that the systemd backend leaves in memory."""
    home = os.fsencode(ground.lab.root / "systemd")
    found = 0
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            words = Path(f"/proc/{entry}/cmdline").read_bytes() if entry.isdigit() else b""
            found += b"sentinel" in words and home in words and str(ground.lab.stamp).encode() not in words
    return found


# --- the page -------------------------------------------------------------------------------------

TITLES = {
    "run": "Run one more process, ms", "crash": "Crash to running again, no delay, ms", "list": "List {many}, ms",
    "stopall": "Stop {many}, ms", "startall": "Start {many}, ms",
}  # fmt: skip
REFERENCES = {"run": "systemd-run", "crash": "systemd-run", "list": "sentinel on native",
              "stopall": "sentinel on native", "startall": "sentinel on native"}  # fmt: skip


def page(samples: Samples, many: int, stay: int) -> str:
    columns = list(dict.fromkeys(who for found in samples.values() for who in found))
    measured = [(key, title.format(many=many)) for key, title in TITLES.items() if key in samples]
    lines = [[title, *row(samples[key], key, columns)] for key, title in measured]
    version = subprocess.run(["systemctl", "--version"], capture_output=True, text=True).stdout.split()[1]
    scope = "user manager" if SCOPE else "system manager"
    return (
        f"systemd {version}, {scope}. Each cell: median (10th to 90th percentile) · ratio to systemd-run, or to the "
        f"native backend where systemd-run has no such thing.\n\n{table(['', *columns], lines)}\n\n"
        f"Processes of sentinel's own that stay in memory on systemd: {stay}.\n"
    )


def row(found: Mapping[str, Sequence[float]], key: str, columns: Sequence[str]) -> list[str]:
    reference = REFERENCES[key]
    base = statistics.median(found[reference])
    return [
        cell(found[who], None if who == reference else base, 3) if who in found else "–" for who in columns
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="few rounds: to see that it works")
    parser.add_argument("--count", type=int, default=100, help="how many are many (default: %(default)s)")
    parser.add_argument("--out", type=Path, help="write the table there too")
    given = parser.parse_args()
    rounds = 3 if given.quick else 20
    lab = Lab(tempfile.gettempdir())
    ground = Ground(lab)
    try:
        one_more(ground, rounds)
        crashes(ground, rounds)
        lists(ground, rounds, given.count)
        text = page(ground.samples, given.count, stays(ground))
        print(text, end="")
        if given.out:
            given.out.write_text(text)
        return 0
    finally:
        ground.close()
        lab.close()


if __name__ == "__main__":
    sys.exit(main())
