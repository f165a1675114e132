"""The promises: each a function over a bench that returns what it measured, or raises Broken."""

import json
import os
import signal
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from sentinel.environment import CONTROL
from sentinel.logs import book
from sentinel.plain import dataclass
from sentinel.selftest.bench import Bench, Broken, alive

Measured = dict[str, float]  # the end of a key is its unit: _ms, _s, _bytes, _per_second, _count
CRASHES = 3
AT_ONCE = 20
COMMANDS = 5
IDLE = 2.0  # seconds
LINES = 2000
NASTY = {
    "SELFTEST_QUOTES": "a 'single' and a \"double\"",
    "SELFTEST_DOLLAR": "$HOME ${PATH} $$ `id` %h %% \\n",
    "SELFTEST_LINES": "one\ntwo\n\tthree ",
    "SELFTEST_UNICODE": "grüße, 你好",
    "SELFTEST_EMPTY": "",
}
NOT_KEPT = CONTROL | {"_", "SHLVL", "PWD"}  # a shell's own, and what tells a process about its supervisor


@dataclass(frozen=True, slots=True)
class Promise:
    """`key` is its stable name in JSON, `backend` the one it is about, if only one."""

    key: str
    text: str
    check: Callable[[Bench], Measured]
    backend: str = ""


def starts(bench: Bench) -> Measured:
    began = time.monotonic()
    pid = bench.run("steady", "--", "sleep", "100000")
    took = time.monotonic() - began
    found = bench.json("list")
    if [(one["name"], one["pid"], one["status"]) for one in found] != [("steady", pid, "running")]:
        raise Broken(f"the list shows {found}")
    return {"run_ms": took * 1000}


def private(bench: Bench) -> Measured:
    for directory, _, files in os.walk(bench.home):
        for path in (directory, *(os.path.join(directory, file) for file in files)):
            with suppress(FileNotFoundError):  # a temporary file of somebody at work
                if os.lstat(path).st_mode & 0o077:
                    raise Broken(f"others may use {path}")
    return {}


def exit_codes(bench: Bench) -> Measured:
    bench.touch("now")
    bench.run("seven", "--", *bench.actor("ends", bench.path("now"), "7"))
    bench.until("exit code 7", lambda: bench.status("seven")["exit_code"] == 7)
    return {}


def environment(bench: Bench) -> Measured:
    words = ["run", "--name", "environment", "--", *bench.actor("environment", bench.path("environment"))]
    bench.sentinel(*words, env=NASTY)
    found, given = bench.read("environment"), bench.environment(NASTY)
    kept = {key: value for key, value in given.items() if key not in NOT_KEPT and not key.startswith("SENTINEL_")}
    wrong = [key for key, value in kept.items() if found.get(key) != value]
    if wrong:
        raise Broken(f"arrived otherwise: {', '.join(sorted(wrong))}")
    return {"variables_count": len(kept)}


def crashes(bench: Bench) -> Measured:
    starts, script = bench.path("starts"), 'echo $$ >> "$0"; exec sleep 100000'
    bench.run("crasher", "--restart", "--", "/bin/sh", "-c", script, starts)
    seconds = []
    for number in range(1, CRASHES + 1):
        pid = _nth_start(bench, number, 0.02)
        time.sleep(1.2)  # one that was up for a second is restarted at once, without back-off
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        _nth_start(bench, number + 1, 0.0005)
        seconds.append(time.monotonic() - began)
    bench.until("restarts counted", lambda: bench.status("crasher")["restarts"] == CRASHES)
    return {"median_ms": statistics.median(seconds) * 1000, "worst_ms": max(seconds) * 1000}


def _nth_start(bench: Bench, number: int, every: float) -> int:
    def pid() -> int | None:
        try:
            with open(bench.path("starts")) as file:
                found = file.read().splitlines(keepends=True)
        except FileNotFoundError:
            return None
        return int(found[number - 1]) if len(found) >= number and found[number - 1].endswith("\n") else None

    return bench.until(f"start number {number}", pid, every=every)


def daemon_killed(bench: Bench) -> Measured:
    steady = bench.pid("steady")
    job = bench.run("job", "--", *bench.actor("ends", bench.path("end job"), "5"))
    daemon = bench.daemon()
    os.kill(daemon, signal.SIGKILL)
    bench.until("the daemon's end", lambda: not alive(daemon))
    if not alive(job) or not alive(steady):
        raise Broken("a process ended with the daemon")
    bench.touch("end job")
    bench.until("exit code 5", lambda: bench.status("job")["exit_code"] == 5)
    if bench.backend == "native":
        _start_daemon(bench)
    bench.until("the next daemon", lambda: bench.json("daemon status")["running"])  # systemd's comes by itself
    if bench.pid("steady") != steady:
        raise Broken("the next daemon started a second copy")
    return {}


def _start_daemon(bench: Bench) -> None:
    bench.sentinel("daemon", "start", "--backend", bench.backend)


def keeper_killed(bench: Bench) -> Measured:
    steady, keeper = bench.pid("steady"), bench.keeper()
    os.kill(keeper, signal.SIGKILL)
    bench.until("the keeper's end", lambda: not alive(keeper))
    found = bench.status("steady")
    if (found["pid"], found["status"]) != (steady, "running"):
        raise Broken(f"what ran is now {found['status']} with pid {found['pid']}")
    bench.sentinel("stop", "steady")
    if alive(steady):
        raise Broken("an adopted process cannot be stopped")
    bench.sentinel("start", "steady")
    return {}


def stubborn(bench: Bench) -> Measured:
    bench.run("stubborn", "--stop-timeout", "500ms", "--", *bench.actor("deaf", bench.path("deaf")))
    pids = bench.read("deaf")
    began = time.monotonic()
    bench.sentinel("stop", "stubborn")
    took = time.monotonic() - began
    if any(map(alive, pids)):
        raise Broken("it is still there")
    return {"stop_s": took}


def trees(bench: Bench) -> Measured:
    # what left its session and lost its parents too can be found on Linux alone
    parents = "ends" if sys.platform == "linux" and os.environ.get("SENTINEL_PORTABLE") != "1" else "stays"
    bench.run("family", "--", *bench.actor("family", bench.path("family"), parents))
    pids = bench.read("family")
    bench.sentinel("stop", "family")
    left = [pid for pid in pids if alive(pid)]
    if left:
        raise Broken(f"{len(left)} of {len(pids)} are still there")
    return {"processes_count": len(pids)}


def logs(bench: Bench) -> Measured:
    """Half of the lines fill the file, which is rotated; then come the others."""
    options = ["--logs", "file", "--log-max-size", "32K", "--log-backups", "20"]
    program = bench.actor("lines", str(LINES), bench.path("more lines"))
    bench.run("writer", *options, "--", *program)
    log = bench.home / "logs/writer.stdout.log"
    bench.until("a rotation", lambda: log.with_suffix(".log.1").exists() and book.read_book(log).phase == book.IDLE)
    bench.touch("more lines")
    wanted = [f"line {number} {'.' * 40}" for number in range(LINES)]

    def written() -> list[str] | None:
        found = bench.sentinel("logs", "writer", "-n", str(2 * LINES)).decode().splitlines()
        return found if found and found[-1] == wanted[-1] else None

    found = bench.until("the last line", written)
    if found != wanted:
        raise Broken(f"{len(set(wanted) - set(found))} of {LINES} lines are missing, {len(found)} are there")
    return {"lines_count": len(found)}


def health(bench: Bench) -> Measured:
    sick = bench.path("sick")
    check = ["--health-cmd", f"test ! -e '{sick}'", "--health-interval", "200ms", "--health-failures", "2"]
    first = bench.run("patient", "--restart", *check, "--", "sleep", "100000")
    bench.until("a healthy process", lambda: bench.status("patient")["health"] == "healthy")
    bench.touch("sick")
    began = time.monotonic()
    bench.until("its end", lambda: not alive(first), every=0.005)
    took = time.monotonic() - began
    os.unlink(sick)

    def again() -> int | None:
        pid: int | None = bench.status("patient")["pid"]
        return pid if pid != first else None

    bench.until("a new one", again)
    return {"noticed_after_s": took}


def at_once(bench: Bench) -> Measured:
    began = time.monotonic()
    words = [("run", "--name", f"many-{number}", "--", "sleep", "100000") for number in range(AT_ONCE)]
    commands = [bench.begin(*each) for each in words]
    for command in commands:
        bench.end(command, "run")
    took = time.monotonic() - began
    many = [one for one in bench.json("list") if one["name"].startswith("many-")]
    running = {(one["id"], one["name"], one["pid"]) for one in many if one["status"] == "running"}
    if len({id for id, _, _ in running}) != AT_ONCE or len({pid for _, _, pid in running}) != AT_ONCE:
        raise Broken(f"{len(running)} run")
    return {"runs_count": AT_ONCE, "all_s": took}


def idle(bench: Bench) -> Measured:
    """Wake-ups and memory of what sentinel itself adds, with everything above still running."""
    import psutil

    bench.sentinel("delete", "--force", "patient", "writer", "crasher")  # a health check or a busy log is work
    found = {"daemon": psutil.Process(bench.daemon())}
    if bench.backend == "native":
        found["keeper"] = psutil.Process(bench.keeper())
    measured: Measured = {"processes_count": sum(1 for one in bench.json("list") if one["status"] == "running")}
    before = {name: process.num_ctx_switches().voluntary for name, process in found.items()}
    time.sleep(IDLE)
    for name, process in found.items():
        woken = process.num_ctx_switches().voluntary - before[name]
        measured[f"{name}_wakeups_per_second"] = woken / IDLE
        measured[f"{name}_bytes"] = process.memory_info().rss
    return measured


def latency(bench: Bench) -> Measured:
    measured: Measured = {}
    for words in (("list",), ("status", "steady"), ("restart", "steady")):
        seconds = []
        for _ in range(COMMANDS):
            began = time.monotonic()
            bench.sentinel(*words)
            seconds.append(time.monotonic() - began)
        measured[f"{words[0]}_ms"] = statistics.median(seconds) * 1000
    return measured


def daemon(bench: Bench) -> Measured:
    began = time.monotonic()
    _start_daemon(bench)
    took = time.monotonic() - began
    bench.daemon()
    return {"start_ms": took * 1000}


# fmt: off
PROMISES = (
    Promise("daemon", "the daemon starts, and says when it is ready", daemon),
    Promise("start", "run starts a process, list shows it", starts),
    Promise("environment", "the environment arrives exactly", environment),
    Promise("exit_code", "exit codes are recorded", exit_codes),
    Promise("crash", "a crash is followed by a restart", crashes),
    Promise("daemon_killed", "kill -9 of the daemon loses nothing", daemon_killed),
    Promise("keeper_killed", "kill -9 of the keeper: its processes are adopted", keeper_killed, "native"),
    Promise("stubborn", "a process that ignores SIGTERM is stopped", stubborn),
    Promise("tree", "the whole tree is stopped, escaped sessions too", trees),
    Promise("logs", "every log line is kept across a rotation", logs),
    Promise("health", "a failed health check restarts", health),
    Promise("at_once", "commands at the same time do not disturb each other", at_once),
    Promise("private", "nobody else may read the home", private),
    Promise("idle", "what it costs while nothing happens", idle),
    Promise("latency", "how long commands take", latency),
)
# fmt: on


def units(measured: Measured) -> list[str]:
    """`median 3.1 ms`, `daemon 21.3 MB`: each number as people read it."""
    return [_said(key, value) for key, value in measured.items()]


def _said(key: str, value: float) -> str:
    for unit, said in (
        ("_ms", f"{value:.1f} ms"),
        ("_per_second", f"{value:.1f}/s"),
        ("_s", f"{value:.2f} s"),
        ("_bytes", f"{value / 2**20:.1f} MB"),
        ("_count", f"{value:.0f}"),
    ):
        if key.endswith(unit):
            return f"{key.removesuffix(unit).replace('_', ' ')} {said}"
    return json.dumps({key: value})
