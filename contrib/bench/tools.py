"""What the benchmark asks of a process supervisor, and how sentinel, supervisord and pm2 are asked."""

import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import install
from lab import BenchError, Lab, Stamps, alive, call, parent, wait_for


class Tool:
    """One supervisor in a directory of its own. The commands are what a user would type."""

    name = ""
    keeps = ""  # what is set up differently from the defaults, for the page
    keeps_logs = True  # by itself, in a file
    runs_once = True  # can be told not to restart

    def __init__(self, lab: Lab) -> None:
        self.lab = lab
        self.home = lab.root / self.name
        self.home.mkdir()
        self.stamps = Stamps(self.home / "fifo")
        self.env: Mapping[str, str] = self.environment()
        self.install()

    def environment(self) -> dict[str, str]:
        kept = {
            key: os.environ[key] for key in ("PATH", "LANG", "LC_ALL", "USER", "LOGNAME") if key in os.environ
        }
        # A home of its own too: nothing of the user's is read or written.
        return {**kept, "HOME": str(self.home), "BENCH": str(self.lab.root)}

    def install(self) -> None:
        """Find or install the program."""

    def version(self) -> str:
        raise NotImplementedError

    # --- the supervisor itself

    def up(self) -> None:
        """Start it; return when it answers."""
        raise NotImplementedError

    def down(self) -> None:
        """End it and all that it runs."""
        raise NotImplementedError

    def main_pid(self) -> int:
        """The process that restarts what crashes."""
        raise NotImplementedError

    def own_pids(self, supervised: Sequence[int]) -> list[int]:
        """All of its own processes: the main one, and the parents of what it runs."""
        parents = {parent(pid) for pid in supervised} - {None, 1}
        return sorted({self.main_pid()} | {pid for pid in parents if pid is not None})

    # --- processes

    def run(self, name: str, argv: Sequence[str]) -> None:
        """Add and start one process that is kept running."""
        raise NotImplementedError

    def run_once(self, name: str, argv: Sequence[str]) -> None:
        """The same for one that is not restarted when it ends."""
        raise NotImplementedError

    def run_many(self, count: int, argv: Sequence[str]) -> None:
        """Add and start many of one kind, called member(1) to member(count)."""
        raise NotImplementedError

    def prepare_log(self, name: str, argv: Sequence[str]) -> None:
        """Add one process whose output is kept in one file without rotation, and start it."""
        self.run_once(name, argv)

    def member(self, number: int) -> str:
        return f"many-{number}"

    def delete(self, name: str) -> None:
        raise NotImplementedError

    def delete_many(self, count: int) -> None:
        raise NotImplementedError

    def log(self, name: str) -> Path:
        raise NotImplementedError

    def exit_code(self, name: str) -> int | None:
        """What it knows of how a process ended."""
        return None

    # --- commands that are timed as they are

    def command(self, verb: str, name: str = "") -> list[str]:
        """The command line for list, json, status, stop, start, stopall or startall; empty: there is none."""
        raise NotImplementedError

    def call(self, argv: Sequence[str], *, check: bool = True) -> str:
        return call(argv, self.env, self.home, check=check)

    def stamped(self, word: str = "up") -> list[str]:
        """A process that tells when it runs."""
        return [str(self.lab.stamp), str(self.stamps.path), word]

    def close(self) -> None:
        self.stamps.close()


class Sentinel(Tool):
    name = "sentinel"
    keeps = "the native backend, its daemon running"

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "SENTINEL_HOME": str(self.home / "home"),
            "SENTINEL_BACKEND": "native",
        }

    def install(self) -> None:
        beside = Path(sys.executable).with_name("sentinel")
        found = str(beside) if beside.exists() else shutil.which("sentinel")
        if not found:
            raise BenchError("sentinel is not installed; run this with `uv run python`")
        self.program = found

    def version(self) -> str:
        return self.call([self.program, "--version"]).split()[-1]

    def up(self) -> None:
        self.call([self.program, "daemon", "start"])

    def down(self) -> None:
        self.call([self.program, "stopall", "--force"], check=False)
        self.call([self.program, "clean"], check=False)
        self.call([self.program, "daemon", "stop"], check=False)

    def main_pid(self) -> int:
        return int(json.loads(self.call([self.program, "daemon", "status", "--json"]))["pid"])

    def run(self, name: str, argv: Sequence[str]) -> None:
        self.call([self.program, "run", "--name", name, "--restart", "--", *argv])

    def run_once(self, name: str, argv: Sequence[str]) -> None:
        self.call([self.program, "run", "--name", name, "--", *argv])

    def run_many(self, count: int, argv: Sequence[str]) -> None:
        self.call(
            [self.program, "run", "--name", "many", "--restart", "--instances", str(count), "--", *argv]
        )

    def prepare_log(self, name: str, argv: Sequence[str]) -> None:
        self.call([self.program, "run", "--name", name, "--log-max-size", "10G", "--", *argv])

    def delete(self, name: str) -> None:
        self.call([self.program, "delete", name])

    def delete_many(self, count: int) -> None:
        self.call(
            [self.program, "delete", "--force", *(self.member(number) for number in range(1, count + 1))]
        )

    def log(self, name: str) -> Path:
        status = json.loads(self.call([self.program, "status", name, "--json"]))
        return Path(status["stdout_log"])

    def exit_code(self, name: str) -> int | None:
        code = json.loads(self.call([self.program, "status", name, "--json"]))["exit_code"]
        return code if isinstance(code, int) else None

    def command(self, verb: str, name: str = "") -> list[str]:
        words = {
            "list": ["list"],
            "json": ["list", "--json"],
            "stopall": ["stopall"],
            "startall": ["startall"],
        }
        return [self.program, *words.get(verb, [verb, name])]


CONFIGURATION = """\
[unix_http_server]
file={home}/s.sock
[supervisord]
logfile={home}/supervisord.log
pidfile={home}/supervisord.pid
childlogdir={home}/log
user={user}
minfds=8192
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface
[supervisorctl]
serverurl=unix://{home}/s.sock
[include]
files = {home}/conf.d/*.conf
"""


class Supervisord(Tool):
    name = "supervisord"
    keeps = "`startsecs=0`, so that its commands do not wait the second that they wait by default"

    def install(self) -> None:
        self.daemon = str(install.python_tool("supervisord", "supervisord"))
        self.control = str(install.python_tool("supervisord", "supervisorctl"))
        self.configuration = self.home / "supervisord.conf"
        (self.home / "conf.d").mkdir()
        (self.home / "log").mkdir()
        import getpass

        self.configuration.write_text(CONFIGURATION.format(home=self.home, user=getpass.getuser()))

    def version(self) -> str:
        return self.call([self.daemon, "--version"]).strip()

    def up(self) -> None:
        self.call([self.daemon, "-c", str(self.configuration)])
        wait_for(
            lambda: "refused" not in self._status() and "no such file" not in self._status(), "supervisord up"
        )

    def _status(self) -> str:
        return self.call([*self._ctl(), "status"], check=False)

    def _ctl(self) -> list[str]:
        return [self.control, "-c", str(self.configuration)]

    def down(self) -> None:
        pid = self.main_pid()
        self.call([*self._ctl(), "shutdown"], check=False)
        wait_for(lambda: not alive(pid), "the end of supervisord")

    def main_pid(self) -> int:
        return int((self.home / "supervisord.pid").read_text())

    def _section(self, name: str, argv: Sequence[str], *more: str) -> None:
        lines = [f"[program:{name}]", f"command={' '.join(argv)}", "startsecs=0", *more]
        (self.home / "conf.d" / f"{name}.conf").write_text("\n".join(lines) + "\n")
        self.call([*self._ctl(), "update", name])

    def run(self, name: str, argv: Sequence[str]) -> None:
        self._section(name, argv, "autorestart=true")

    def run_once(self, name: str, argv: Sequence[str]) -> None:
        self._section(name, argv, "autorestart=false")

    def run_many(self, count: int, argv: Sequence[str]) -> None:
        self._section(
            "many",
            argv,
            "autorestart=true",
            f"numprocs={count}",
            "process_name=%(program_name)s-%(process_num)d",
            "numprocs_start=1",
        )

    def prepare_log(self, name: str, argv: Sequence[str]) -> None:
        self._section(name, argv, "autorestart=false", "stdout_logfile_maxbytes=0")

    def member(self, number: int) -> str:
        return f"many:many-{number}"

    def delete(self, name: str) -> None:
        (self.home / "conf.d" / f"{name}.conf").unlink()
        self.call([*self._ctl(), "update", name])

    def delete_many(self, count: int) -> None:
        self.delete("many")

    def log(self, name: str) -> Path:
        return next((self.home / "log").glob(f"{name}-stdout*.log"))

    def exit_code(self, name: str) -> int | None:
        # supervisorctl does not print it; the XML-RPC interface has it.
        code = (
            "import sys,supervisor.xmlrpc as x,xmlrpc.client as c;"
            "t=x.SupervisorTransport(None,None,'unix://'+sys.argv[1]);"
            "i=c.ServerProxy('http://127.0.0.1',transport=t).supervisor.getProcessInfo(sys.argv[2]);"
            "print(i['exitstatus'] if i['statename']=='EXITED' else 'none')"
        )
        python = str(Path(self.daemon).with_name("python"))
        said = self.call([python, "-c", code, str(self.home / "s.sock"), name]).strip()
        return int(said) if said.lstrip("-").isdigit() else None

    def command(self, verb: str, name: str = "") -> list[str]:
        words = {
            "list": ["status"],
            "json": [],
            "stopall": ["stop", "all"],
            "startall": ["start", "all"],
        }
        chosen = words.get(verb, [verb, name])
        return [*self._ctl(), *chosen] if chosen else []


class Pm2(Tool):
    name = "pm2"
    keeps = "fork mode, no interpreter"

    def environment(self) -> dict[str, str]:
        return {
            **super().environment(),
            "PM2_HOME": str(self.home / "pm2"),
            "PM2_DISABLE_VERSION_CHECK": "true",
        }

    def install(self) -> None:
        self.program = str(install.pm2())

    def version(self) -> str:
        manifest = Path(self.program).resolve().parents[1] / "package.json"
        return str(json.loads(manifest.read_text())["version"])

    def up(self) -> None:
        self.call([self.program, "ping"])

    def down(self) -> None:
        pid = self.main_pid()
        self.call([self.program, "kill"], check=False)
        wait_for(lambda: not alive(pid), "the end of pm2")

    def main_pid(self) -> int:
        return int((self.home / "pm2" / "pm2.pid").read_text())

    def _app(self, name: str, argv: Sequence[str], **more: object) -> dict[str, object]:
        return {
            "name": name,
            "script": argv[0],
            "args": list(argv[1:]),
            "interpreter": "none",
            "exec_mode": "fork",
            "cwd": str(self.home),
            **more,
        }

    def _start(self, apps: Sequence[dict[str, object]]) -> None:
        file = self.home / "apps.json"
        file.write_text(json.dumps({"apps": apps}))
        self.call([self.program, "start", str(file)])

    def run(self, name: str, argv: Sequence[str]) -> None:
        self.call([self.program, "start", argv[0], "--name", name, "--interpreter", "none", "--", *argv[1:]])

    def run_once(self, name: str, argv: Sequence[str]) -> None:
        self._start([self._app(name, argv, autorestart=False)])

    def run_many(self, count: int, argv: Sequence[str]) -> None:
        self._start([self._app(self.member(number), argv) for number in range(1, count + 1)])

    def delete(self, name: str) -> None:
        self.call([self.program, "delete", name])

    def delete_many(self, count: int) -> None:
        self.call([self.program, "delete", *(self.member(number) for number in range(1, count + 1))])

    def log(self, name: str) -> Path:
        return self.home / "pm2" / "logs" / f"{name}-out.log"

    def exit_code(self, name: str) -> int | None:
        for process in json.loads(self.call([self.program, "jlist"]).strip().splitlines()[-1]):
            if process["name"] == name and process["pm2_env"]["status"] == "stopped":
                code = process["pm2_env"].get("exit_code")
                return code if isinstance(code, int) else None
        return None

    def command(self, verb: str, name: str = "") -> list[str]:
        words = {
            "list": ["list"],
            "json": ["jlist"],
            "status": ["describe", name],
            "stopall": ["stop", "all"],
            "startall": ["restart", "all"],
        }
        return [self.program, *words.get(verb, [verb, name])]


TOOLS: dict[str, type[Tool]] = {tool.name: tool for tool in (Sentinel, Supervisord, Pm2)}
