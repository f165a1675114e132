"""What tests work with: real programs, the command line as a subprocess, one way to wait."""

from __future__ import annotations

import itertools
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import pytest

from sentinel.logs.blocks import can_collapse

T = TypeVar("T")
WITHIN = 240.0  # seconds: a deadline against hanging for ever, never a measurement


def eventually(check: Callable[[], T], within: float = WITHIN) -> T:
    """What `check` returns once it returns something true without an AssertionError or OSError.

    The one place in the tests that sleeps, for what happens in another process.
    """
    deadline = time.monotonic() + within
    while True:
        problem: Exception | None = None
        try:
            found = check()
            if found or found is None:
                return found
        except (AssertionError, OSError, ValueError, LookupError) as error:
            problem = error
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within:g} s: {problem or check}") from problem
        time.sleep(0.02)


def skip(reason: str) -> NoReturn:
    """Skip the test; where nothing may be skipped (SENTINEL_CI=1), fail it."""
    if os.environ.get("SENTINEL_CI") == "1":
        pytest.fail(f"may not be skipped here: {reason}")
    pytest.skip(reason)


def systemd_missing() -> str:
    """Why no service manager of ours can be reached here; empty where one can."""
    if not Path("/run/systemd/system").is_dir():
        return "systemd is not process 1 here; contrib/testbed/run-tests boots one"
    if os.geteuid() == 0:
        return "" if Path("/run/dbus/system_bus_socket").exists() else "the system bus is not running"
    runtime = Path(os.environ.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}")
    if (runtime / "bus").exists() and (runtime / "systemd/private").exists():
        return ""
    return f"no user service manager is running for uid {os.geteuid()}"


def alive(pid: int) -> bool:
    """There is such a process, and it is no zombie."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return Path("/proc/self").exists() is False
    except ProcessLookupError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def gone(*pids: int) -> bool:
    return not any(alive(pid) for pid in pids)


# --- the command line -------------------------------------------------------------------------------------


@dataclass(slots=True)
class Result:
    """What one command said."""

    args: tuple[str, ...]
    code: int
    stdout: bytes
    stderr: bytes

    @property
    def out(self) -> str:
        return self.stdout.decode()

    @property
    def err(self) -> str:
        return self.stderr.decode()

    def json(self) -> Any:
        return json.loads(self.stdout)

    def error(self) -> dict[str, Any]:
        """The one JSON error on stderr."""
        found: dict[str, Any] = json.loads(self.stderr)["error"]
        return found

    def __str__(self) -> str:
        return f"sentinel {' '.join(self.args)}: exit {self.code}\n--- out\n{self.out}\n--- err\n{self.err}"


@dataclass
class Sentinel:
    """The command line over one home."""

    home: Path
    backend: str
    cwd: Path
    env: dict[str, str] = field(default_factory=dict)
    background: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def environment(self, extra: Mapping[str, str | None] | None = None) -> dict[str, str]:
        env: dict[str, str | None] = {
            **os.environ,
            "SENTINEL_HOME": str(self.home),
            "SENTINEL_BACKEND": self.backend,
            "NO_COLOR": "1",
            "COLUMNS": "200",
            **self.env,
            **(extra or {}),
        }
        return {key: value for key, value in env.items() if value is not None}

    @staticmethod
    def command(*args: str) -> list[str]:
        return [sys.executable, "-m", "sentinel", *args]

    def __call__(
        self,
        *args: str | os.PathLike[str],
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        input: bytes = b"",
        within: float = WITHIN,
    ) -> Result:
        words = tuple(os.fspath(arg) for arg in args)
        done = subprocess.run(
            self.command(*words),
            input=input,
            capture_output=True,
            env=self.environment(env),
            cwd=cwd or self.cwd,
            timeout=within,
            check=False,
        )
        return Result(words, done.returncode, done.stdout, done.stderr)

    def ok(self, *args: str | os.PathLike[str], **options: Any) -> Result:
        """The same, for what has to succeed."""
        result = self(*args, **options)
        assert result.code == 0, str(result)
        return result

    def fails(self, code: int, *args: str | os.PathLike[str], **options: Any) -> Result:
        """The same, for what has to be refused: one line on stderr, no traceback."""
        result = self(*args, **options)
        assert result.code == code, str(result)
        assert "Traceback" not in result.err, str(result)
        assert result.err.strip(), str(result)
        return result

    def spawn(
        self, *args: str, env: Mapping[str, str | None] | None = None, **options: Any
    ) -> subprocess.Popen[bytes]:
        """Run a command that stays, such as `logs --follow`; it is ended with the test."""
        options = {
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.PIPE,
            **options,
        }
        process = subprocess.Popen(self.command(*args), env=self.environment(env), cwd=self.cwd, **options)
        self.background.append(process)
        return process

    def run(self, name: str, *args: str | os.PathLike[str], **options: Any) -> dict[str, Any]:
        """`run --name NAME ARGS`; its status."""
        self.ok("run", "--name", name, *args, **options)
        return self.status(name)

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.ok("status", name, "--json").json()
        return found

    def list(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ok("list", "--json").json()
        return found

    def names(self) -> list[str]:
        return [each["name"] for each in self.list()]

    def until(self, name: str, **wanted: Any) -> dict[str, Any]:
        """The status of NAME once it has all of `wanted`."""

        def check() -> dict[str, Any]:
            seen = self.status(name)
            assert {key: seen[key] for key in wanted} == wanted, seen
            return seen

        return eventually(check)

    def daemon_pid(self) -> int | None:
        found: int | None = self.ok("daemon", "status", "--json").json()["pid"]
        return found

    def close(self) -> list[str]:
        """End everything of this home; a sentence for each thing that did not go the proper way."""
        problems: list[str] = []
        for process in self.background:
            if process.poll() is None:
                process.kill()
            process.communicate()
        saved = self._saved()
        if (self.home / "run/daemon.pid").exists() or (saved is not None and self.backend == "systemd"):
            self._tidy(problems, "daemon", "stop")
        if saved is None:
            return problems
        names = [record["name"] for record in saved.get("processes", {}).values()]
        if names:
            self._tidy(problems, "delete", "--force", *names)
        for group in saved.get("groups", {}):
            self._tidy(problems, "group", "delete", group)
        return problems

    def _tidy(self, problems: list[str], *args: str) -> None:
        try:
            result = self(*args)
        except subprocess.TimeoutExpired as error:
            problems.append(str(error))
            return
        if result.code != 0:
            problems.append(str(result))

    def _saved(self) -> dict[str, Any] | None:
        for name in ("state.json", "state.json.bak"):
            try:
                found = json.loads((self.home / name).read_text())
            except (OSError, ValueError):
                continue
            if isinstance(found, dict):
                return found
        return None


# --- what may not be left ---------------------------------------------------------------------------------


def processes_naming(path: Path) -> dict[int, str]:
    """{pid: what it is} of all whose arguments or environment name something below `path`."""
    mark = re.compile(re.escape(os.fsencode(path)) + rb"(?![\w-])")
    found: dict[int, str] = {}
    for directory in Path("/proc").glob("[0-9]*"):
        pid = int(directory.name)
        try:
            text = (directory / "cmdline").read_bytes()
            names_it = mark.search(text + b"\0" + (directory / "environ").read_bytes())
            if names_it and pid != os.getpid() and alive(pid):
                found[pid] = text.replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
    return found


def systemctl(*args: str) -> str:
    scope = [] if os.geteuid() == 0 else ["--user"]
    return subprocess.run(
        ["systemctl", *scope, "--no-pager", *args],
        capture_output=True,
        text=True,
        timeout=WITHIN,
        check=False,
    ).stdout


def units() -> set[str]:
    """sentinel's units and slices that the service manager has loaded."""
    if systemd_missing():
        return set()
    lines = systemctl("list-units", "--all", "--plain", "--no-legend", "sentinel*").splitlines()
    return {line.split()[0] for line in lines if line.split()}


def open_sockets(path: Path) -> list[str]:
    try:
        lines = Path("/proc/net/unix").read_text(errors="replace").splitlines()
    except OSError:
        return []
    return [line.split()[-1] for line in lines if str(path) + "/" in line]


def mounts(path: Path) -> list[str]:
    try:
        return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(path) in line]
    except OSError:
        return []


def leftovers(path: Path, units_before: set[str]) -> list[str]:
    """All that still stands for a test that has ended."""
    left = [f"process {pid}: {what}" for pid, what in processes_naming(path).items()]
    left += [f"unit {unit}" for unit in sorted(units() - units_before)]
    left += [f"socket {socket}" for socket in open_sockets(path)]
    return left + [f"mount {mount}" for mount in mounts(path)]


def end_everything(path: Path, units_before: set[str]) -> list[str]:
    """Wait until nothing is left, then end by force what is, and name it."""

    def nothing() -> None:
        left = leftovers(path, units_before)
        assert not left, left

    try:
        eventually(nothing)
    except AssertionError:
        left = leftovers(path, units_before)
        for unit in units() - units_before:
            systemctl("stop", unit)
            systemctl("reset-failed", unit)
        for _ in range(50):  # a supervisor that is still there would start another
            for pid in processes_naming(path):
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            if not processes_naming(path):
                break
            time.sleep(0.02)
        return left
    return []


# --- programs -----------------------------------------------------------------------------------------------

PYTHON = "/usr/bin/python3" if os.access("/usr/bin/python3", os.X_OK) else sys.executable

ACTOR = Path(__file__).with_name("actor.py")


def free_port() -> int:
    """A port that nobody has, nor is given by chance: below those for outgoing connections, beside sentinel's own."""
    ports = random.SystemRandom().sample(range(10_000, 30_000), 100)
    for port in ports:
        with socket.socket() as probe:
            try:
                probe.bind(("", port))
            except OSError:
                continue
            return port
    raise AssertionError("no port is free")


def rotates_whole(directory: Path) -> bool:
    """Whether rotation under a writer can't lose a byte there; by truncation it may, as documented."""
    with tempfile.TemporaryFile(dir=directory) as probe:
        return can_collapse(probe.fileno())


def check_rotated(shown: Sequence[str], numbers: range, log: Path) -> None:
    """These are the lines `line N` of a log that was rotated: in order, none torn or twice, and none missing.

    A rotation by truncation may have lost some, one after the other: how many depends on who is given the processor.
    """
    rotations = 0 if rotates_whole(log.parent) else len(list(log.parent.glob(f"{log.name}.[0-9]*")))
    whole = [line for line in shown if re.fullmatch(r"line \d+", line)]
    assert len(shown) - len(whole) <= rotations, [line for line in shown if line not in whole][:10]
    told = [int(line.removeprefix("line ")) for line in whole]
    assert all(a < b for a, b in itertools.pairwise(told))
    assert set(told) <= set(numbers)
    gaps = [(a, b) for a, b in itertools.pairwise([numbers.start - 1, *told, numbers.stop]) if b - a > 1]
    assert len(gaps) <= rotations, gaps[:10]


@dataclass(slots=True)
class Programs:
    """Small real programs; each method gives an argument vector."""

    directory: Path

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        shutil.copy(ACTOR, self.directory / "actor.py")

    def path(self, name: str) -> Path:
        return self.directory / name

    def _actor(self, verb: str, *args: str | Path | int) -> list[str]:
        return [PYTHON, "-IS", str(self.path("actor.py")), verb, *map(str, args)]

    def steady(self, ready: str = "ready") -> list[str]:
        return self._actor("steady", self.path(ready))

    def stubborn(self, ready: str = "ready") -> list[str]:
        return self._actor("stubborn", self.path(ready))

    def catches(self, signal_name: str, ready: str = "ready", seen: str = "seen") -> list[str]:
        return self._actor("catches", signal_name, self.path(ready), self.path(seen))

    def meets(self, number: int) -> list[str]:
        """Number 0 and 1 end only when both are told to."""
        mine, other = self.path(f"told-{number}"), self.path(f"told-{1 - number}")
        return self._actor("meets", number, self.path(f"ready-{number}"), mine, other)

    def family(self, ready: str = "ready", *how: str) -> list[str]:
        return self._actor("family", self.path(ready), *how)

    def crashes(self, how: str, starts: str = "starts", trigger: str = "trigger") -> list[str]:
        return self._actor("crashes", self.path(starts), self.path(trigger), how)

    def quick(self, code: int, starts: str = "starts") -> list[str]:
        return self._actor("quick", self.path(starts), code)

    def lines(self, count: int, *ready: str, prefix: str = "line") -> list[str]:
        return self._actor("lines", count, *(self.path(each) for each in ready), *([prefix] if ready else []))

    def says(self, trigger: str = "words", ready: str = "ready") -> list[str]:
        return self._actor("says", self.path(trigger), self.path(ready))

    def report(self, where: str = "report", *args: str) -> list[str]:
        return self._actor("report", self.path(where), *args)

    def notify(self, trigger: str = "trigger", ready: str = "ready") -> list[str]:
        return self._actor("notify", self.path(trigger), self.path(ready))

    def web(self, port: int, sick: str = "sick", starts: str = "starts") -> list[str]:
        return self._actor("web", port, self.path(sick), self.path(starts))

    def say(self, text: bytes, trigger: str = "words") -> None:
        """Have a `says` print this; returns once it took it."""
        new = self.path(trigger + ".new")
        new.write_bytes(text)
        new.rename(self.path(trigger))
        eventually(lambda: not self.path(trigger).exists())

    def pull(self, trigger: str = "trigger") -> None:
        """Have a `crashes` end, a `notify` be ready; returns once it took it."""
        self.path(trigger).touch()
        eventually(lambda: not self.path(trigger).exists())

    def pid(self, ready: str = "ready") -> int:
        """The pid that a program told when it was ready."""
        return eventually(lambda: int(self.path(ready).read_text()))

    def pids(self, ready: str = "ready") -> list[int]:
        """Those of a `family`."""
        found: list[int] = eventually(lambda: json.loads(self.path(ready).read_text()))
        return found

    def starts(self, at_least: int = 0, starts: str = "starts") -> list[int]:
        """The pids of all starts so far, once there are that many."""

        def check() -> list[int]:
            text = self.path(starts).read_text() if self.path(starts).exists() else ""
            found = [int(line) for line in text.split()]
            assert len(found) >= at_least, found
            return found

        found = eventually(lambda: (check(),))
        return found[0]

    def reported(self, where: str = "report") -> dict[str, Any]:
        found: dict[str, Any] = eventually(lambda: json.loads(self.path(where).read_text()))
        return found


def follow_lines(process: subprocess.Popen[bytes]) -> Iterator[bytes]:
    """The lines of a background command as they come."""
    assert process.stdout is not None
    yield from iter(process.stdout.readline, b"")
