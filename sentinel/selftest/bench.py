"""A temporary home, the command line over it as a subprocess, and an end that leaves nothing behind."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")
WITHIN = 180.0  # seconds: against waiting for ever, never a measurement
LINGER = 20.0  # seconds until what is left at the end is killed
_PARENT = str(Path(__file__).resolve().parent.parent.parent)
_CODE = f"import sys; sys.path.append({_PARENT!r}); from sentinel.__main__ import main; main()"
_KEPT = ("SENTINEL_DBUS", "SENTINEL_SYSTEMD_SCOPE", "SENTINEL_PORTABLE")


class Broken(Exception):
    """A promise that was not kept: what was found instead."""


class Bench:
    """One backend in a home of its own."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self.root = Path(os.path.realpath(tempfile.mkdtemp(prefix="sentinel-selftest-")))
        self.home = self.root / "home"
        self._commands: list[subprocess.Popen[bytes]] = []

    # the command line

    def environment(self, extra: Mapping[str, str] | None = None) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("SENTINEL_") or key in _KEPT}
        ours = {"SENTINEL_HOME": str(self.home), "SENTINEL_BACKEND": self.backend, "NO_COLOR": "1"}
        return {**kept, **ours, **(extra or {})}

    def begin(self, *words: str, env: Mapping[str, str] | None = None) -> "subprocess.Popen[bytes]":
        """A command that is not waited for yet."""
        argv = [sys.executable, "-P", "-c", _CODE, *words]
        command = subprocess.Popen(
            argv,
            env=self.environment(env),
            cwd=self.root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._commands.append(command)
        return command

    def end(self, command: "subprocess.Popen[bytes]", what: str) -> bytes:
        """What it printed.

        Raises:
            Broken: it failed, or did not end.
        """
        try:
            out, err = command.communicate(timeout=2 * WITHIN)
        except subprocess.TimeoutExpired:
            raise Broken(f"'sentinel {what}' does not end") from None
        finally:
            if command.poll() is None:
                command.kill()
                command.communicate()
            self._commands.remove(command)
        if command.returncode != 0:
            said = " ".join(err.decode(errors="replace").split())
            raise Broken(f"'sentinel {what}' ended with {command.returncode}: {said}")
        return out

    def sentinel(self, *words: str, env: Mapping[str, str] | None = None) -> bytes:
        return self.end(self.begin(*words, env=env), " ".join(words[:2]))

    def json(self, command: str, *words: str) -> Any:
        return json.loads(self.sentinel(*command.split(), "--json", *words))

    def run(self, name: str, *words: str) -> int:
        """Start a process; its pid."""
        pid: int = self.json("run", "--name", name, *words)[0]["pid"]
        return pid

    def pid(self, name: str) -> int:
        """Of a process that has to run."""
        pid = self.status(name)["pid"]
        if not isinstance(pid, int):
            raise Broken(f"{name} does not run")
        return pid

    def daemon(self) -> int:
        pid = self.json("daemon status")["pid"]
        if not isinstance(pid, int):
            raise Broken("no daemon runs")
        return pid

    def keeper(self) -> int:
        """The keeper is the parent of what it keeps."""
        import psutil

        parent = psutil.Process(self.pid("steady")).parent()
        if parent is None or str(self.home) not in parent.cmdline():
            raise Broken("no keeper is there")
        return parent.pid

    def status(self, name: str) -> dict[str, Any]:
        found: dict[str, Any] = self.json("status", name)
        return found

    def path(self, name: str) -> str:
        return str(self.root / name)

    def actor(self, *words: str) -> list[str]:
        return [sys.executable, "-I", "-S", str(Path(__file__).with_name("actor.py")), *words]

    # waiting

    def until(
        self, what: str, check: Callable[[], T | None], *, every: float = 0.02, within: float = WITHIN
    ) -> T:
        """What `check` returns, once that is something."""
        deadline = time.monotonic() + within
        while True:
            found = check()
            if found:
                return found
            if time.monotonic() > deadline:
                raise Broken(f"{what}: not within {within:g} s")
            time.sleep(every)

    def read(self, name: str) -> Any:
        """The JSON that a program writes there when it is ready."""
        path = self.root / name
        self.until(f"the program did not write {name}", path.exists)
        return json.loads(path.read_text())

    def touch(self, name: str) -> None:
        (self.root / name).touch()

    # the end

    def close(self) -> list[str]:
        """Stop and remove all of it; what did not end by itself, a sentence each."""
        for command in list(self._commands):
            command.kill()
            command.communicate()
        problems: list[str] = []
        if self.home.is_dir():
            self._tidy(problems)
        problems += self._end_leftovers()
        shutil.rmtree(self.root, ignore_errors=True)
        if self.root.exists():
            problems.append(f"cannot remove {self.root}")
        return problems

    def _tidy(self, problems: list[str]) -> None:
        for words in (("daemon", "stop"), ("stopall", "--force"), ("clean",)):
            try:
                self.sentinel(*words)
            except Broken as broken:
                problems.append(str(broken))

    def _end_leftovers(self) -> list[str]:
        try:
            self.until("leftovers", lambda: not self._leftovers(), within=LINGER)
        except Broken:
            left = self._leftovers()
            for pid in left:
                try:
                    os.kill(pid, signal.SIGKILL)
                except OSError:
                    pass
            return [f"process {pid} is still there: {what}" for pid, what in left.items()]
        return []

    def _leftovers(self) -> dict[int, str]:
        """Processes with our home in their environment or arguments."""
        import psutil

        found = {}
        for process in psutil.process_iter():
            try:
                words = process.cmdline()
                ours = process.environ().get("SENTINEL_HOME") == str(self.home)
                if (ours or any(str(self.root) in word for word in words)) and process.status() != "zombie":
                    found[process.pid] = " ".join(words)
            except (psutil.Error, OSError):
                continue
        return found


def alive(pid: int) -> bool:
    """There is such a process, and it is no zombie."""
    import psutil

    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False
