"""Break sentinel at chosen moments: a forked child does what a command does, and is killed on its way."""

from __future__ import annotations

import gc
import os
import random
import signal
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

import lab

from sentinel import claims, codec, faultpoints, ledger
from sentinel.backends.native.client import Keeper
from sentinel.backends.native.keeper import system
from sentinel.errors import SentinelError
from sentinel.model import Record, Restart, RestartPolicy, State
from sentinel.paths import Home
from sentinel.state import Store
from sentinel.supervisor.api import RunRequest
from sentinel.supervisor.facade import Supervisor

KILLED = -signal.SIGKILL
REFUSED = 3  # by a SentinelError, as the command line would tell it
CRASHED = 1  # by anything else: a fault of ours
Work = Callable[[Supervisor], object]


@dataclass
class House:
    """A home worked on in this process, in forked children and by daemons; `close` asserts that nothing is left."""

    root: Path
    marks: Path  # where the programs note their starts
    before: Callable[[str], object] = lambda name: None
    daemons: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.home = Home(self.root)
        self.marks.mkdir(parents=True, exist_ok=True)

    @property
    def supervisor(self) -> Supervisor:
        """A new one, as each command has."""
        return Supervisor(self.home)

    # what commands do

    def request(self, name: str, argv: list[str] | None = None, **options: Any) -> RunRequest:
        policy = RestartPolicy(Restart.ALWAYS, delay=0.01)
        defaults = {"backend": "native", "restart": policy, "cwd": str(self.marks), "stop_timeout": lab.WITHIN}
        return RunRequest(argv or self.sleeper(name), name=name, **(defaults | options))

    def sleeper(self, name: str) -> list[str]:
        """A program that notes its pid, and then waits."""
        return ["/bin/sh", "-c", 'echo $$ >>"$0"; exec sleep 1000', str(self.marks / f"{name}.starts")]

    def run(self, name: str, argv: list[str] | None = None, **options: Any) -> int:
        """A new process; its pid."""
        done = self.supervisor.run(self.request(name, argv, **options)).done[0]
        assert done.pid is not None
        if argv is None:
            lab.eventually(lambda: done.pid in self.starts(name))
        return done.pid

    # kills

    def begin(self, work: Work, stop_at: str = "", once: bool = False, prepare: Callable[[], object] = int) -> int:
        """Do it as a command would, in a process of its own, which dies at a point; its pid."""
        flag = self.marks / "once"
        if once:
            flag.touch()
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if pid:
            return pid
        code = CRASHED
        try:
            faultpoints.STOP_AT = stop_at
            os.environ["SENTINEL_TEST_STOP_AT"] = stop_at
            if once:
                os.environ["SENTINEL_TEST_STOP_ONCE"] = str(flag)
            prepare()
            work(self.supervisor)
            code = 0
        except SentinelError as error:
            os.write(2, f"refused: {error}\n".encode())
            code = REFUSED
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def forked(self, work: Work, stop_at: str = "", once: bool = False, prepare: Callable[[], object] = int) -> int:
        """The same until it has ended, and how it did."""
        return ended(self.begin(work, stop_at, once, prepare))

    def killed_at(self, points: list[str], work: Callable[[Supervisor, str], object]) -> Iterator[tuple[str, str]]:
        """Do it once for each time that it comes by each point, killed there; yields (point, a new name) after each.

        The name is what `work` was given: for what can't be done twice to the same process.
        """
        for point in points:
            for times in count(1):
                name = f"{point.replace('.', '-')}-{times}"
                self.before(name)
                code = self.forked(lambda s, name=name: work(s, name), f"{point}:{times}")  # type: ignore[misc]
                assert code in (0, KILLED), f"{point}:{times} ended with {code}"
                assert times > 1 or code == KILLED, f"{point} was not reached"
                yield f"{point}:{times}", name
                if code == 0:
                    break

    def daemon(self, log: Path | None = None, **env: str) -> subprocess.Popen[bytes]:
        """A daemon in the foreground, with its home's lock taken."""
        argv = [sys.executable, "-m", "sentinel", "daemon", "run"]
        with open(log or self.marks / "daemon.log", "ab") as file:
            process = subprocess.Popen(
                argv,
                env={**os.environ, "SENTINEL_HOME": str(self.root), **env},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=file,
            )
        self.daemons.append(process)
        return process

    def daemon_up(self, log: Path | None = None, **env: str) -> subprocess.Popen[bytes]:
        """The same, once it has the lock."""
        process = self.daemon(log, **env)
        lab.eventually(lambda: self.supervisor.daemon_status().pid == process.pid)
        return process

    @staticmethod
    def kill(process: subprocess.Popen[bytes]) -> None:
        process.kill()
        process.wait(lab.WITHIN)

    def kill_keeper(self) -> None:
        keeper = Keeper.connect(self.home, start=False)
        if keeper is not None:
            with keeper:
                os.kill(keeper.pid, signal.SIGKILL)
            lab.eventually(lambda: lab.gone(keeper.pid))

    def keeper_pid(self) -> int:
        keeper = Keeper.connect(self.home, start=False)
        assert keeper is not None
        with keeper:
            return keeper.pid

    # what is

    def state(self) -> State:
        """state.json as it is in the file: it has to be whole at any moment."""
        return codec.decode(self.home.state.read_bytes())

    def record(self, name: str) -> Record | None:
        return next((r for r in self.supervisor_state().processes.values() if r.name == name), None)

    def supervisor_state(self) -> State:
        return self.supervisor._context.store.read()

    def view(self, name: str) -> Any:
        return next((p for p in self.supervisor.list().processes if p.name == name), None)

    def until(self, name: str, status: str) -> Any:
        """The view of a process once its status is this; looking is what brings it there."""

        def check() -> Any:
            seen = self.view(name)
            assert seen is not None, f"{name} is not listed"
            assert seen.status == status, seen
            return seen

        return lab.eventually(check)

    def starts(self, name: str) -> list[int]:
        try:
            return [int(line) for line in (self.marks / f"{name}.starts").read_text().split()]
        except FileNotFoundError:
            return []

    def copies(self, name: str) -> list[int]:
        """Those of its starts that live."""
        return [pid for pid in self.starts(name) if lab.alive(pid)]

    def exits(self, name: str) -> list[dict[str, Any]]:
        """The ends of its runs that the ledger tells, oldest first."""
        with Store(self.home)._locked():  # nobody is between saving the state and telling of it
            told = [event for event in ledger.read(self.home) if event.name == name]
        return [event.details for event in told if event.event in ("exited", "stopped") and "run" in event.details]

    def only_copy(self, name: str) -> int:
        """It runs once, the run that is wanted; it is what `list` shows, and no other process of it is about."""

        def check() -> int:
            seen = self.view(name)
            assert seen is not None, f"{name} is not listed"
            record = self.record(name)
            assert record is not None
            assert record.runtime.run >= record.wanted_run, record
            copies = self.copies(name)
            assert (seen.status, copies) == ("running", [seen.pid]), (seen, copies)
            return copies[0]

        return lab.eventually(check)

    def written_down(self, name: str, pid: int) -> None:
        """Wait until nothing is left to do for a daemon: this pid is in the state, and no exit is to be taken in."""

        def check() -> None:
            record = self.record(name)
            assert record is not None
            assert record.runtime.pid == pid
            assert not list(self.home.exits.glob("*.json"))

        lab.eventually(check)

    def restarted_by_the_daemon(self, name: str) -> int:
        """Kill it, and wait for the daemon, which works by then, to have started it again; its new pid."""
        pid = self.only_copy(name)
        os.kill(pid, signal.SIGKILL)
        lab.eventually(lambda: [copy for copy in self.copies(name) if copy != pid])
        new = self.only_copy(name)
        self.written_down(name, new)
        return new

    def all_settled(self, names: Sequence[str]) -> None:
        """Each runs once or not at all, as its record says; no process, port or file is left over."""
        self.state()
        for name in names:
            record = self.record(name)
            if record is not None and record.desired == "running":
                self.only_copy(name)
                continue
            if record is not None:
                self.until(name, "stopped")
            lab.eventually(lambda name=name: not self.copies(name))  # type: ignore[misc]
        self.check_no_orphans()
        self.check_no_leaks()

    def check_no_orphans(self) -> None:
        """Each process that carries this home's marker belongs to a tree that the keeper tells of a listed record."""
        state = self.supervisor_state()
        engine = self.supervisor._context.engine("native")

        def check() -> None:
            known = {pid for pids in engine.pids(list(state.processes.values())).values() for pid in pids}
            strays = {pid for pid in marked(self.home) if lab.alive(pid)} - known
            assert not strays, strays

        lab.eventually(check)

    def check_no_leaks(self) -> None:
        """Ports, environments, exit records and temporary files belong to what is listed."""
        self.supervisor.clean()
        state = self.state()
        ids = set(state.processes)
        assert {lease.process for lease in state.ports if lease.process is not None} <= ids
        assert {int(path.stem) for path in self.home.environments.glob("*.json")} <= ids
        assert {int(path.name.split(".")[0]) for path in self.home.exits.glob("*.json")} <= ids
        old = [path for path in self.root.rglob(".*tmp*") if path.is_file()]
        for path in old:  # only what nobody can be about to rename is taken
            with suppress(FileNotFoundError):
                os.utime(path, (1.0, 1.0))
        self.supervisor.clean()
        left = [path for path in old if path.exists()]
        assert not left, left

    # the end

    def close(self) -> None:
        for process in self.daemons:
            if process.poll() is None:
                process.terminate()
            process.wait(lab.WITHIN)
        if self.home.state.exists() or self.home.backup.exists():
            names = [record.name for record in self.supervisor_state().processes.values()]
            if names:
                outcome = self.supervisor.delete(names, force=True)
                assert not [done.error for done in outcome.done if done.error]
        if (held := claims._claims.pop(str(self.root), None)) is not None:
            held.close()
        gc.collect()  # supervisors that are held by cycles hold connections to the keeper


CLIENTS_NAMES = ["a", "b", "c", "d", "e", "f"]


def client(house: House, seed: int, steps: int, backend: str = "native") -> None:
    """One of many at once: refusals are fine (somebody else was first); anything else is a fault, and ends it."""
    chance = random.Random(seed)
    for _ in range(steps):
        name, what = chance.choice(CLIENTS_NAMES), chance.randrange(9)
        with suppress(SentinelError):
            supervisor = house.supervisor
            if what < 2:
                supervisor.run(house.request(name, ports=["PORT"], backend=backend))
            elif what == 2:
                for pid in house.copies(name):
                    with suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
            elif what == 3:
                supervisor.list()
            elif what == 4:
                supervisor.group_add("g", [name], restart=chance.random() < 0.5)
            elif what == 5:
                supervisor.restart(chance.sample(CLIENTS_NAMES, 2))
            else:
                getattr(supervisor, ("start", "stop", "delete")[what - 6])([name])


def ended(pid: int) -> int:
    """How a child ended: 0, REFUSED, CRASHED, or minus a signal."""

    def reaped() -> tuple[int]:
        found, status = os.waitpid(pid, os.WNOHANG)
        assert found, "it does not end"
        return (os.waitstatus_to_exitcode(status),)

    try:
        return lab.eventually(reaped, within=2 * lab.WITHIN)[0]
    except AssertionError:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
        raise


def marked(home: Home) -> list[int]:
    """Processes whose environment says that they were started for this home."""
    pids = [int(name) for name in os.listdir("/proc") if name.isdecimal()]
    return [pid for pid in pids if system.marker_of(pid).startswith(home.key + ":")]


@contextmanager
def descriptors_kept() -> Iterator[None]:
    """Nothing inside may leave this process with more descriptors than before."""
    before = len(os.listdir("/dev/fd"))
    yield
    assert len(os.listdir("/dev/fd")) <= before + 8  # what is cached: the claims, a keeper's connection
