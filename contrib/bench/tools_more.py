"""The supervisors that are measured when asked for: circus, runit and s6."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path

import install
from lab import alive, command_lines, parent, wait_for
from tools import Tool


class Circus(Tool):
    name = "circus"
    keeps = "a watcher for each process"

    def install(self) -> None:
        self.daemon = str(install.python_tool("circus", "circusd"))
        self.control = str(install.python_tool("circus", "circusctl"))
        self.configuration = self.home / "circus.ini"
        self.watchers: dict[str, str] = {}
        (self.home / "log").mkdir()

    def version(self) -> str:
        return self.call([self.daemon, "--version"]).split()[-1]

    def _write(self) -> None:
        head = (
            f"[circus]\nendpoint = ipc://{self.home}/c\npubsub_endpoint = ipc://{self.home}/p\n"
            "statsd = false\n"
            "check_delay = 1\n"
        )
        self.configuration.write_text(head + "".join(self.watchers.values()))

    def _watcher(self, name: str, argv: Sequence[str], *more: str) -> None:
        lines = [
            f"[watcher:{name}]",
            f"cmd = {argv[0]}",
            f"args = {' '.join(argv[1:])}",
            "copy_env = True",
            "warmup_delay = 0",
            "stdout_stream.class = FileStream",
            f"stdout_stream.filename = {self.log(name)}",
            *more,
        ]
        self.watchers[name] = "\n".join(lines) + "\n"

    def _ctl(self) -> list[str]:
        return [self.control, "--endpoint", f"ipc://{self.home}/c", "--timeout", "60"]

    def up(self) -> None:
        self._write()
        self.call(
            [
                self.daemon,
                "--daemon",
                "--pidfile",
                str(self.home / "pid"),
                "--log-output",
                str(self.home / "circus.log"),
                str(self.configuration),
            ]
        )
        wait_for(
            lambda: (
                "circusd-stats" in self.call([*self._ctl(), "status"], check=False)
                or subprocess.run([*self._ctl(), "status"], env=self.env, capture_output=True).returncode == 0
            ),
            "circus up",
        )

    def down(self) -> None:
        pid = self.main_pid()
        self.call([*self._ctl(), "quit"], check=False)
        wait_for(lambda: not alive(pid), "the end of circus")

    def main_pid(self) -> int:
        return int((self.home / "pid").read_text())

    def run(self, name: str, argv: Sequence[str]) -> None:
        self._watcher(name, argv)
        self._write()
        self.call([*self._ctl(), "reloadconfig"])

    def run_once(self, name: str, argv: Sequence[str]) -> None:
        self._watcher(name, argv, "respawn = False")
        self._write()
        self.call([*self._ctl(), "reloadconfig"])

    def run_many(self, count: int, argv: Sequence[str]) -> None:
        for number in range(1, count + 1):
            self._watcher(self.member(number), argv)
        self._write()
        self.call([*self._ctl(), "reloadconfig"])

    def delete(self, name: str) -> None:
        del self.watchers[name]
        self._write()
        self.call([*self._ctl(), "reloadconfig"])

    def delete_many(self, count: int) -> None:
        for number in range(1, count + 1):
            del self.watchers[self.member(number)]
        self._write()
        self.call([*self._ctl(), "reloadconfig"])

    def log(self, name: str) -> Path:
        return self.home / "log" / f"{name}.log"

    def command(self, verb: str, name: str = "") -> list[str]:
        words = {"list": ["status"], "json": [], "stopall": ["stop"], "startall": ["start"]}
        chosen = words.get(verb, [verb, name])
        return [*self._ctl(), *chosen] if chosen else []


class Directories(Tool):
    """What runit and s6 share: a directory for each service, watched by a scanner, a process for each."""

    scanner = ""
    serial = 0
    keeps_logs = False
    runs_once = False

    def up(self) -> None:
        (self.home / "service").mkdir(exist_ok=True)
        self.process = subprocess.Popen(
            [self.scanner, str(self.home / "service")],
            env=dict(self.env),
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def main_pid(self) -> int:
        return self.process.pid

    def rescan(self) -> None:
        """Make the scanner look for new directories."""

    def write(self, name: str, argv: Sequence[str]) -> None:
        # Never at the same place twice: the supervisor of the one before may not have ended yet.
        self.serial += 1
        place = self.home / "all" / f"{name}.{self.serial}"
        place.mkdir(parents=True)
        script = place / "run"
        script.write_text(f"#!/bin/sh\nexec {' '.join(argv)}\n")
        script.chmod(0o755)
        os.symlink(place, self.home / "service" / name)

    def service(self, name: str) -> str:
        return str(self.home / "service" / name)

    def run(self, name: str, argv: Sequence[str]) -> None:
        self.write(name, argv)
        self.rescan()

    def run_many(self, count: int, argv: Sequence[str]) -> None:
        for number in range(1, count + 1):
            self.write(self.member(number), argv)
        self.rescan()

    def delete_many(self, count: int) -> None:
        for number in range(1, count + 1):
            self.delete(self.member(number))

    def services(self) -> list[str]:
        return [
            str(entry)
            for entry in sorted((self.home / "service").iterdir())
            if not entry.name.startswith(".")
        ]

    def down(self) -> None:
        stop = self.command("stopall")
        self.call(stop, check=False)
        own = [pid for pid, words in command_lines() if parent(pid) == self.main_pid()]
        for pid in (*own, self.main_pid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()


class Runit(Directories):
    name = "runit"
    keeps = "a `runsv` for each process"

    def install(self) -> None:
        self.scanner = str(install.system_tool("runsvdir", "runit"))
        self.control = str(install.system_tool("sv", "runit"))

    def version(self) -> str:
        return package_version("runit")

    def delete(self, name: str) -> None:
        self.call([self.control, "exit", self.service(name)])
        (self.home / "service" / name).unlink()

    def command(self, verb: str, name: str = "") -> list[str]:
        words = {
            "list": ["status", *self.services()],
            "json": [],
            "status": ["status", self.service(name)],
            "stop": ["stop", self.service(name)],
            "start": ["start", self.service(name)],
            "stopall": ["stop", *self.services()],
            "startall": ["start", *self.services()],
        }
        return [self.control, *words[verb]] if words[verb] else []


class S6(Directories):
    name = "s6"
    keeps = "an `s6-supervise` for each process; it waits a second between two starts"

    def install(self) -> None:
        self.scanner = str(install.system_tool("s6-svscan", "s6"))
        self.control = str(install.system_tool("s6-svc", "s6"))
        self.stat = str(install.system_tool("s6-svstat", "s6"))
        self.scan_control = str(install.system_tool("s6-svscanctl", "s6"))

    def version(self) -> str:
        return package_version("s6")

    def rescan(self) -> None:
        wait_for((self.home / "service" / ".s6-svscan" / "control").exists, "s6-svscan up")
        self.call([self.scan_control, "-a", str(self.home / "service")])

    def delete(self, name: str) -> None:
        (self.home / "service" / name).unlink()
        self.call([self.scan_control, "-an", str(self.home / "service")])

    def command(self, verb: str, name: str = "") -> list[str]:
        each = 'for s in "$@"; do {}; done'
        if verb == "list":
            return ["/bin/sh", "-c", each.format(f'{self.stat} "$s"'), "sh", *self.services()]
        if verb in ("stopall", "startall"):
            how = "-dwD" if verb == "stopall" else "-u"
            return ["/bin/sh", "-c", each.format(f'{self.control} {how} "$s"'), "sh", *self.services()]
        words = {
            "status": [self.stat, self.service(name)],
            "stop": [self.control, "-dwD", self.service(name)],
            "start": [self.control, "-u", self.service(name)],
        }
        return words.get(verb, [])


def package_version(name: str) -> str:
    done = subprocess.run(["dpkg-query", "-W", "-f", "${Version}", name], capture_output=True, text=True)
    return done.stdout.strip().partition("-")[0] or "?"


MORE_TOOLS: dict[str, type[Tool]] = {tool.name: tool for tool in (Circus, Runit, S6)}
