"""What is measured, one function each; every one goes round all tools in turn, so that noise meets all."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from install import say
from lab import BenchError, Effort, Lab, Stamp, alive, effort, end, on_terminal, pss, wait_for
from tools import Tool


@dataclass(slots=True)
class Results:
    """Samples by what was measured and whom; a key that is missing was not measured."""

    samples: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    facts: dict[str, dict[str, str]] = field(default_factory=dict)  # what can't be a number
    problems: list[str] = field(default_factory=list)

    def add(self, key: str, tool: str, value: float) -> None:
        self.samples.setdefault(key, {}).setdefault(tool, []).append(value)

    def say(self, key: str, tool: str, text: str) -> None:
        self.facts.setdefault(key, {})[tool] = text


@dataclass(slots=True)
class Bench:
    """One run: the tools that take part, how often each thing is done, and what came out."""

    lab: Lab
    tools: list[Tool]
    count: int
    rounds: int
    idle_seconds: float
    log_bytes: int
    results: Results = field(default_factory=Results)
    members: dict[str, list[int]] = field(default_factory=dict)  # pids of member(1..count), in no order

    def each_round(self, rounds: int, what: str) -> Iterator[list[Tool]]:
        say(f"  {what}: {rounds} rounds of {', '.join(tool.name for tool in self.tools)}")
        for _ in range(rounds):
            yield random.sample(self.tools, len(self.tools))

    @contextlib.contextmanager
    def problem(self, tool: Tool, what: str) -> Iterator[None]:
        """A tool that fails at one thing is left out there, and the page says so."""
        try:
            yield
        except (BenchError, OSError, NotImplementedError, subprocess.SubprocessError, ValueError) as error:
            text = f"{tool.name}: {what}: {type(error).__name__}: {error}"
            say(f"    {text}")
            self.results.problems.append(text.splitlines()[0])
            tool.stamps.forget()


def timed(action: Callable[..., object], *arguments: object) -> float:
    """Milliseconds."""
    begin = time.perf_counter()
    action(*arguments)
    return (time.perf_counter() - begin) * 1000


# --- one process ----------------------------------------------------------------------------------


def crash(bench: Bench, rounds: int) -> None:
    """From SIGKILL to the first line of the next run, of a process that was up for more than a second."""
    running: dict[str, Stamp] = {}
    for tool in bench.tools:
        with bench.problem(tool, "run"):
            tool.run("crash", tool.stamped())
            running[tool.name] = tool.stamps.next()
    for order in bench.each_round(rounds, "crash to running again"):
        for tool in order:
            with bench.problem(tool, "crash"):
                time.sleep(max(0.0, running[tool.name].at + 1.3 - time.monotonic()))
                begin = time.monotonic()
                end_one(running[tool.name].pid)
                running[tool.name] = tool.stamps.next()
                bench.results.add("crash", tool.name, (running[tool.name].at - begin) * 1000)
    for tool in bench.tools:
        with bench.problem(tool, "memory"):
            bench.results.add("memory-1", tool.name, pss(tool.own_pids([running[tool.name].pid])) / 2**20)
    for tool in bench.tools:
        with bench.problem(tool, "delete"):
            tool.delete("crash")
    shell_loop(bench, min(rounds, 15))


def end_one(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def shell_loop(bench: Bench, rounds: int) -> None:
    """The floor: a shell that does nothing but start it again."""
    tool = bench.tools[0]
    tool.stamps.forget()
    script = 'while :; do "$@"; done 2>/dev/null'
    loop = subprocess.Popen(["/bin/sh", "-c", script, "sh", *tool.stamped("loop")], stderr=subprocess.DEVNULL)
    try:
        for _ in range(rounds):
            stamp = tool.stamps.next()
            begin = time.monotonic()
            end_one(stamp.pid)
            again = tool.stamps.next()
            bench.results.add("crash", "shell loop", (again.at - begin) * 1000)
            end_one(again.pid)
    finally:
        loop.kill()
        loop.wait()
        with contextlib.suppress(BenchError):
            end([tool.stamps.next(timeout=1.0).pid])
        tool.stamps.forget()


def one_more(bench: Bench, rounds: int) -> None:
    """Add one process: until the command has returned and the process runs."""
    for number, order in enumerate(bench.each_round(rounds, "run of one")):
        for tool in order:
            with bench.problem(tool, "run"):
                name = f"one-{number}"
                bench.results.add("run", tool.name, timed(run_one, tool, name))
                tool.delete(name)


def run_one(tool: Tool, name: str) -> None:
    tool.run(name, tool.stamped())
    tool.stamps.next()


# --- many -----------------------------------------------------------------------------------------


def many_up(bench: Bench, rounds: int) -> None:
    """All at once; the last round leaves them running."""
    for number, order in enumerate(bench.each_round(rounds, f"{bench.count} up")):
        for tool in order:
            with bench.problem(tool, "many up"):
                if number:
                    tool.delete_many(bench.count)
                    wait_for(partial(gone, bench, tool), "the end of all")
                bench.results.add("up", tool.name, timed(run_all, bench, tool))


def run_all(bench: Bench, tool: Tool) -> None:
    tool.run_many(bench.count, tool.stamped())
    bench.members[tool.name] = [stamp.pid for stamp in tool.stamps.take(bench.count)]


def gone(bench: Bench, tool: Tool) -> bool:
    return not any(alive(pid) for pid in bench.members.get(tool.name, []))


def looks(bench: Bench, rounds: int) -> None:
    """Commands that change nothing, with all running."""
    for verb in ("list", "json", "terminal", "status"):
        for number, order in enumerate(bench.each_round(rounds + 1, verb)):
            for tool in order:
                with bench.problem(tool, verb):
                    argv = tool.command("list" if verb == "terminal" else verb, tool.member(bench.count // 2))
                    if not argv:
                        continue
                    if verb == "terminal":
                        spent = timed(on_terminal, argv, tool.env, tool.home)
                    else:
                        spent = timed(tool.call, argv)
                    if number:  # the first warms the caches
                        bench.results.add(verb, tool.name, spent)


def stop_and_start_one(bench: Bench, rounds: int) -> None:
    """`stop` until the command has returned and the process is gone; `start` until it runs."""
    for order in bench.each_round(rounds, "stop and start of one"):
        for tool in order:
            with bench.problem(tool, "stop and start"):
                bench.results.add("stop", tool.name, timed(stop_one, bench, tool, running(bench, tool)))
                bench.results.add("start", tool.name, timed(start_one, bench, tool))


def stop_one(bench: Bench, tool: Tool, before: list[int]) -> None:
    tool.call(tool.command("stop", tool.member(bench.count // 2)))
    wait_for(lambda: sum(alive(pid) for pid in before) == len(before) - 1, "the end of one")


def start_one(bench: Bench, tool: Tool) -> None:
    tool.call(tool.command("start", tool.member(bench.count // 2)))
    bench.members[tool.name].append(tool.stamps.next().pid)


def stop_and_start_all(bench: Bench, rounds: int) -> None:
    for order in bench.each_round(rounds, "stop and start of all"):
        for tool in order:
            with bench.problem(tool, "stop and start of all"):
                bench.results.add("stopall", tool.name, timed(stop_all, bench, tool))
                bench.results.add("startall", tool.name, timed(start_all, bench, tool))


def stop_all(bench: Bench, tool: Tool) -> None:
    tool.call(tool.command("stopall"))
    wait_for(partial(gone, bench, tool), "the end of all")


def start_all(bench: Bench, tool: Tool) -> None:
    tool.call(tool.command("startall"))
    bench.members[tool.name] = [stamp.pid for stamp in tool.stamps.take(bench.count)]


def idle(bench: Bench, windows: int) -> None:
    """Memory, CPU time and wake-ups of the supervisors' own processes while nothing happens."""
    own = {tool.name: tool.own_pids(running(bench, tool)) for tool in bench.tools}
    for tool in bench.tools:
        with bench.problem(tool, "memory"):
            bench.results.add("memory", tool.name, pss(own[tool.name]) / 2**20)
            bench.results.say("processes", tool.name, str(len(own[tool.name])))
    say(f"  idle for {windows} × {bench.idle_seconds:.0f} s")
    time.sleep(2.0)  # until what was begun before is over
    for _ in range(windows):
        before: dict[str, Effort] = {name: effort(pids) for name, pids in own.items()}
        begin = time.monotonic()
        time.sleep(bench.idle_seconds)
        for tool in bench.tools:
            spent = effort(own[tool.name]) - before[tool.name]
            seconds = time.monotonic() - begin
            bench.results.add("idle-cpu", tool.name, spent.cpu * 1000 / seconds)
            bench.results.add("idle-wakeups", tool.name, spent.wakeups / seconds)


def running(bench: Bench, tool: Tool) -> list[int]:
    return [pid for pid in bench.members.get(tool.name, []) if alive(pid)]


def no_more(bench: Bench) -> None:
    for tool in bench.tools:
        with bench.problem(tool, "delete"):
            tool.delete_many(bench.count)
            wait_for(partial(gone, bench, tool), "the end of all")


# --- logs -----------------------------------------------------------------------------------------


def logs(bench: Bench, rounds: int) -> None:
    """A process writes as fast as it can; what arrives is compared byte by byte."""
    source = bench.lab.lines(bench.log_bytes)
    for number, order in enumerate(bench.each_round(rounds + 1, f"logs, {bench.log_bytes / 1e6:.0f} MB")):
        direct(bench, number)
        for tool in (tool for tool in order if tool.keeps_logs):
            with bench.problem(tool, "logs"):
                name = f"log-{number}"
                argv = [sys.executable, "-I", "-S", str(bench.lab.writer), str(tool.stamps.path), str(source)]
                before = effort([tool.main_pid()])
                tool.prepare_log(name, argv)
                begin = tool.stamps.next()
                finish = tool.stamps.next()
                path = tool.log(name)
                with contextlib.suppress(BenchError):
                    wait_for(partial(complete, path, source), "the log", 10.0)
                spent = effort([tool.main_pid()]) - before
                if number:
                    bench.results.add("log", tool.name, finish.at - begin.at)
                    bench.results.add("log-cpu", tool.name, spent.cpu)
                    bench.results.add("log-lost", tool.name, float(not same(path, source)))
                tool.delete(name)
                path.unlink(missing_ok=True)


def direct(bench: Bench, number: int) -> None:
    tool = bench.tools[0]
    source, path = bench.lab.lines(bench.log_bytes), bench.lab.root / "direct.log"
    with path.open("ab") as file:
        writer = [sys.executable, "-I", "-S", str(bench.lab.writer), str(tool.stamps.path), str(source)]
        process = subprocess.Popen(writer, stdout=file)
        begin, finish = tool.stamps.take(2)
        process.wait()
    if number:
        bench.results.add("log", "direct file", finish.at - begin.at)
    path.unlink()


def complete(path: Path, source: Path) -> bool:
    return path.stat().st_size >= source.stat().st_size


def same(one: Path, other: Path) -> bool:
    return subprocess.run(["cmp", "-s", str(one), str(other)]).returncode == 0


def all_of(bench: Bench, wanted: Sequence[str]) -> None:
    """Every measurement, in an order in which each finds what it needs."""
    rounds = bench.rounds
    steps: dict[str, Callable[[], object]] = {
        "crash": lambda: crash(bench, rounds * 2),
        "run": lambda: one_more(bench, rounds),
        "many": lambda: many_up(bench, max(2, rounds // 4)),
        "looks": lambda: looks(bench, rounds),
        "one": lambda: stop_and_start_one(bench, rounds),
        "idle": lambda: idle(bench, 3 if rounds > 5 else 1),
        "all": lambda: stop_and_start_all(bench, max(2, rounds // 3)),
        "none": lambda: no_more(bench),
        "logs": lambda: logs(bench, max(2, rounds // 3)),
    }
    for name, step in steps.items():
        # What the others stand on is always done.
        if (
            not wanted
            or name in wanted
            or (name in ("many", "none") and set(wanted) & {"looks", "one", "idle", "all"})
        ):
            step()
