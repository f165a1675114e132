"""A day of the daemon within seconds: `day.py HOME DIRECTORY HOURS LONG`.

Its real loop, a real keeper and helpers, real processes that crash, fall ill, swell and write logs. Only the clock is
made up: where the loop would wait and nothing is going on, it is moved on to the next deadline.
DIRECTORY/result.json tells what was counted.
"""

from __future__ import annotations

import json
import os
import re
import selectors
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from made_clock import Clock, really

from sentinel.backends.native.keeper import starter
from sentinel.model import HealthCheck, Limits, LogSettings, Record, Restart, RestartPolicy
from sentinel.paths import Home
from sentinel.supervisor.api import RunRequest
from sentinel.supervisor.daemon.loop import Daemon
from sentinel.supervisor.daemon.main import _only_one
from sentinel.supervisor.facade import Supervisor

HOUR = 3600.0
PATIENCE = 240.0  # real seconds until what goes on has to be over
BLOCK = 1000  # lines of 64 bytes
ACTOR = Path(__file__).parents[1] / "actor.py"
PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable


@dataclass
class Counted:
    """What the loop did, and how large it was at some hours."""

    waits: int = 0  # it woke up because a deadline was due
    told: int = 0  # or since something happened
    at: list[dict[str, float]] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)  # when the plan did something


class Paced:
    """The loop's selector: real events come through; where there are none, the clock is moved on."""

    def __init__(self, real: selectors.BaseSelector, day: Day) -> None:
        self._real = real
        self._day = day
        self.register, self.unregister, self.close = real.register, real.unregister, real.close

    def select(self, timeout: float | None) -> list[Any]:
        day = self._day
        ready = self._real.select(0)
        until = really() + PATIENCE
        while not ready and not day.is_quiet():
            ready = self._real.select(0.02)
            if really() > until:
                raise SystemExit(f"at {day.clock.passed} s: it does not become quiet; waiting for {day.awaited}")
        ready = ready or self._real.select(0)  # what came in between
        if ready:
            day.counted.told += 1
            return ready
        if day.move_on(timeout):
            day.counted.waits += 1
        return []


class Day:
    """The plan of a day, and the daemon that lives through it."""

    def __init__(self, home: Home, directory: Path, hours: int, long: bool) -> None:
        self.home, self.directory, self.hours, self.long = home, directory, hours, long
        self.clock = Clock(str(directory / "clock"))
        self.clock.install(stands=True)
        starter.KEEPER = str(directory / "keeper.py")
        os.environ["PYTHONPATH"] = str(directory / "path")
        self.supervisor = Supervisor(home)
        self.daemon = Daemon(home)
        self.daemon._selector = Paced(self.daemon._selector, self)  # type: ignore[assignment]
        self.counted = Counted()
        self.brief = {"tries"}  # names of processes that end by themselves at once
        self.awaited: tuple[str, Callable[[Record], bool]] | None = None
        self.lines = 0
        self.plan = self._plan()

    # the clock

    def is_quiet(self) -> bool:
        """Nothing goes on but what waits for the clock."""
        daemon = self.daemon
        if daemon._ending:
            return True
        prober = daemon.health._prober
        with prober._lock:  # an answer is there a moment before the loop can hear of it
            if prober._busy or prober._results:
                return False
        if daemon._helpers or daemon.context.hooks or daemon._all or daemon._ended:
            return False
        state = daemon.context.store.read(cached=True)
        records = {record.name: record for record in state.processes.values()}
        if any(name in records and records[name].runtime.pid is not None for name in self.brief):
            return False
        if self.awaited is not None:
            name, check = self.awaited
            if name not in records or not check(records[name]):
                return False
            self.awaited = None
        return True

    def move_on(self, timeout: float | None) -> bool:
        """To the deadline, or to what is planned before; whether it was the deadline."""
        now = self.clock.passed
        planned = self.plan[0][0] if self.plan else float("inf")
        due = float("inf") if timeout is None else now + timeout
        if due < planned:
            self.clock.passed = due
            return True
        self.clock.passed = max(now, planned)
        self.plan.pop(0)[1]()
        return False

    # the plan

    def _plan(self) -> list[tuple[float, Callable[[], object]]]:
        end = self.hours * HOUR
        plan: list[tuple[float, Callable[[], object]]] = [(hour * HOUR, self.crash) for hour in range(1, self.hours)]
        plan += [(each * 600.0 + 7, self.write) for each in range(int(end / 600))]
        plan += [(hour * HOUR - 1, self.measure) for hour in (2, self.hours)]
        # Late enough to be in the ledger still at the end of the long form.
        plan += [(19.5 * HOUR + 10, self.fall_ill), (21.5 * HOUR + 10, self.recover)]
        plan += [(20 * HOUR + 5, lambda: self.run("tries", ["/bin/false"], max_restarts=5))]
        plan += [(0.0 if self.long else 20.3 * HOUR, self.begin_bloat), (20.4 * HOUR, self.swell)]
        if not self.long:
            plan += [(20.45 * HOUR, lambda: self.supervisor.delete(["bloat"], force=True))]
        plan += [(end, self.daemon.end)]
        return sorted(plan, key=lambda each: each[0])

    def run(self, name: str, argv: list[str], mode: Restart = Restart.ALWAYS, **options: Any) -> None:
        policy = RestartPolicy(mode, delay=options.pop("delay", None), max_restarts=options.pop("max_restarts", None))
        options = {"restart": policy, "cwd": str(self.directory), "stop_timeout": 5.0, **options}
        self.supervisor.run(RunRequest(argv, name=name, backend="native", **options))

    def begin(self) -> None:
        """All that runs from the first hour on."""
        here = self.directory
        self.run("quiet", ["/bin/sleep", "1000000"], instances=10)
        self.run("crash", ["/bin/sleep", "1000000"])
        for number in range(5 if self.long else 1):
            self.brief.add(f"loop{number}")
            delay = None if self.long else 600.0
            self.run(f"loop{number}", ["/bin/false"], delay=delay, on_failure="echo the process has $SENTINEL_EVENT")
        os.mkfifo(here / "words")
        logs = LogSettings(max_size=4 * 64 * BLOCK, backups=3)
        well = HealthCheck("cmd", f"! test -e {here}/ill", interval=300.0, timeout=30.0, failures=3)
        self.run("checked", ["/bin/sleep", "1000000"], health=well)
        self.run("writer", ["/bin/sh", "-c", 'exec cat <>"$0"', str(here / "words")], logs=logs)

    def record(self, name: str) -> Record:
        return next(r for r in self.supervisor._context.store.read().processes.values() if r.name == name)

    def crash(self) -> None:
        before = self.record("crash")
        assert before.runtime.pid is not None
        os.kill(before.runtime.pid, signal.SIGKILL)
        self.awaited = "crash", lambda now: now.runtime.pid is not None and now.runtime.run > before.runtime.run

    def write(self) -> None:
        """A block of numbered lines; it is in the log when this returns."""
        text = b"".join(b"%063d\n" % number for number in range(self.lines, self.lines + BLOCK))
        self.lines += BLOCK
        with open(self.directory / "words", "wb", buffering=0) as fifo:
            fifo.write(text)
        log = self.home.log("writer", "stdout")
        until = really() + PATIENCE
        last = b"%063d\n" % (self.lines - 1)
        while not log.read_bytes().endswith(last):
            if really() > until:
                raise SystemExit("what was written does not arrive in the log")

    def fall_ill(self) -> None:
        (self.directory / "ill").touch()

    def recover(self) -> None:
        (self.directory / "ill").unlink()

    def begin_bloat(self) -> None:
        program = (
            "import os, sys, time\nwhile not os.path.exists(sys.argv[1]):\n    time.sleep(0.005)\n"
            "os.unlink(sys.argv[1])\nblock = b'x' * (96 << 20)\nopen(sys.argv[2], 'w').close()\ntime.sleep(1000000)"
        )
        argv = [PYTHON, "-IS", "-c", program, str(self.directory / "swell"), str(self.directory / "swollen")]
        self.run("bloat", argv, limits=Limits(memory_max=64 << 20))

    def swell(self) -> None:
        (self.directory / "swell").touch()
        until = really() + PATIENCE
        while not (self.directory / "swollen").exists():
            if really() > until:
                raise SystemExit("it does not swell")
        self.counted.marks["swollen"] = self.clock.passed

    def measure(self) -> None:
        keeper = self.daemon._keeper
        assert keeper is not None
        files = [path for path in self.home.root.rglob("*") if path.is_file()]
        self.counted.at.append({
            "private": _private(os.getpid()),
            "keeper": _private(keeper.pid),
            "descriptors": len(os.listdir("/proc/self/fd")),
            "keeper descriptors": len(os.listdir(f"/proc/{keeper.pid}/fd")),
            "files": len(files),
            "threads": len(os.listdir("/proc/self/task")),
        })  # fmt: skip


def _private(pid: int) -> int:
    """Memory of its own, in kB."""
    text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return sum(int(found) for found in re.findall(r"^Private_(?:Clean|Dirty):\s+(\d+)", text, re.MULTILINE))


def main(home: str, directory: str, hours: str, long: str) -> None:
    day = Day(Home(home), Path(directory), int(hours), long == "long")
    day.begin()
    with _only_one(day.home):  # as every daemon is
        day.daemon.open()
        try:
            day.daemon.loop()
        finally:
            day.daemon.close()
    counted = day.counted
    told = {"waits": counted.waits, "told": counted.told, "at": counted.at, "marks": counted.marks}
    told |= {"began": day.clock.began, "passed": day.clock.passed, "lines": day.lines}
    Path(directory, "result.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
