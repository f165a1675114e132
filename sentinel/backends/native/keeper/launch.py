"""Spawns on their way, from the request until the program is known to be executed.

Several forked ones are under way at once, each with a pipe that exec closes: the keeper never waits for a child
that hangs on a dead file system.
"""

from __future__ import annotations

import os
import time

from sentinel import identity

from . import system
from .notify import Notify
from .process import Process
from .records import began_line
from .spawn import EINVAL, EMFILE, MARKER, Failed, can_go_directly, run_child, spawn_directly

UMASK = 0o077  # the keeper's own
AT_ONCE = 8  # more would only compete for the processors, and for descriptors


class Launch:
    """One spawn from its request until its outcome is known."""

    __slots__ = ("connection", "joined", "order", "process", "report", "seq")

    def __init__(self, connection: Connection, seq: object, order: Message) -> None:
        self.connection = connection
        self.seq = seq
        self.order = order
        self.process: Process | None = None
        self.report = -1
        self.joined: list[
            tuple[Handler, Connection, Message]
        ] = []  # requests for the same id that wait for it


class Launcher:
    """All launches of a keeper. `done` is called with each that succeeded, before it is answered."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self._queue: list[Launch] = []
        self.by_pid: dict[int, Launch] = {}
        self.by_id: dict[int, Launch] = {}

    def ready(self) -> bool:
        """Whether there is one to start now."""
        return bool(self._queue) and len(self.by_pid) < AT_ONCE

    def idle(self) -> bool:
        return not self.by_id

    def add(self, connection: Connection, seq: object, order: Message) -> None:
        launch = Launch(connection, seq, order)
        self.by_id[order["id"]] = launch
        self._queue.append(launch)

    def work(self) -> None:
        """Start as many as may be under way; the rest when others had their turn."""
        for _ in range(AT_ONCE):
            if not self.ready():
                return
            launch = self._queue.pop(0)
            try:
                self._start(launch)
            except Failed as error:
                self._fail(launch, error.step, error.number)
            except OSError as error:
                self._fail(launch, "fork", error.errno or EINVAL)
            except (KeyError, TypeError, ValueError):  # an order that makes no sense
                self._fail(launch, "fork", EINVAL)

    def _start(self, launch: Launch) -> None:
        order = launch.order
        env = dict(order["env"])
        env[MARKER] = f"{self._keeper.key}:{order['id']}:{order['run']}"
        notify = Notify(self._keeper.key, order.get("uid")) if order.get("notify") else None
        if notify is not None:
            env["NOTIFY_SOCKET"] = notify.address
        try:
            process = self._spawn(order, env) if can_go_directly(order) else self._fork(launch, env)
        except BaseException:
            if notify is not None:
                notify.close()
            raise
        process.notify = notify
        if launch.report < 0:
            self._succeed(launch, process)

    def _spawn(self, order: Message, env: dict[str, str]) -> Process:
        """It runs when this returns."""
        id, run, started_at = order["id"], order["run"], time.time()
        self._keeper.journal.trying(id, run, started_at, order.get("stop_timeout", 10.0))
        try:
            pid = spawn_directly(order, env, UMASK)
        except BaseException:
            self._keeper.journal.ended(id, run)
            raise
        process = self._describe(order, pid, started_at)
        self._keeper.journal.began(line_of(process))
        return process

    def _fork(self, launch: Launch, env: dict[str, str]) -> Process:
        """It is on its way when this returns."""
        order, started_at, keeper = launch.order, time.time(), os.getpid()
        report, tell = os.pipe()
        try:
            if not system.spare(tell):
                raise OSError(EMFILE, os.strerror(EMFILE))
            pid = os.fork()
        except OSError:
            os.close(report)
            os.close(tell)
            raise
        if pid == 0:
            run_child(order, env, tell, lambda: self._note(order, os.getpid(), started_at), keeper)
        os.close(tell)
        os.set_blocking(report, False)
        launch.report = report
        launch.process = process = self._describe(order, pid, started_at)
        self.by_pid[pid] = launch
        self._keeper.watch(report, lambda _: self.finish(launch))
        return process

    def _describe(self, order: Message, pid: int, started_at: float) -> Process:
        stat = identity.read_stat(pid)
        start = (
            started_at if stat is None else stat.start
        )  # None: it has ended, on a system that hides zombies
        return Process(order["id"], order["run"], pid, start, started_at, order.get("stop_timeout", 10.0))

    def _note(self, order: Message, pid: int, started_at: float) -> None:
        """In the child: enter it into the journal."""
        process = self._describe(order, pid, started_at)
        self._keeper.journal.began(line_of(process))

    def finish(self, launch: Launch, reaped: bool = False) -> None:
        """The pipe is closed (it has executed its program) or tells what failed."""
        process = launch.process
        assert process is not None
        try:
            told = os.read(launch.report, 4096)
        except BlockingIOError:
            return
        self._keeper.unwatch(launch.report)
        os.close(launch.report)
        del self.by_pid[process.pid]
        if told:
            if not reaped:
                os.waitpid(process.pid, 0)
            if process.notify is not None:
                process.notify.close()
            self._keeper.journal.ended(process.id, process.run)
            step, _, number = told.decode("ascii").partition(" ")
            self._fail(launch, step, int(number))
            return
        self._succeed(launch, process)

    def _succeed(self, launch: Launch, process: Process) -> None:
        del self.by_id[process.id]
        self._keeper.began(process)
        answer = {"pid": process.pid, "start": process.start, "started_at": process.started_at}
        launch.connection.reply(launch.seq, {**answer, "run": process.run})
        self._join(launch)

    def _fail(self, launch: Launch, step: str, number: int) -> None:
        del self.by_id[launch.order["id"]]
        launch.connection.reply(launch.seq, {"failed": step, "errno": number})
        self._join(launch)

    def _join(self, launch: Launch) -> None:
        for handler, connection, request in launch.joined:
            handler(self._keeper, connection, request)


def line_of(process: Process) -> str:
    return began_line(
        process.id, process.run, process.pid, process.start, process.started_at, process.stop_timeout
    )


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .serve import Keeper
    from .wire import Connection, Message

    Handler = Callable[[Keeper, Connection, Message], None]
