"""The keeper's loop: one place that waits, for clients, children, launches and deadlines together."""

from __future__ import annotations

import os
import select
import time

from sentinel import faultpoints, identity

from . import handover, notify, system
from .clients import Clients
from .launch import Launcher, line_of
from .operations import spawn
from .place import Place
from .process import Death, Process, death, exit_record
from .records import Journal, has_exit, read_journal, write_exit
from .stop import Ending
from .system import signals
from .tree import Forest

GRACE = 10.0  # seconds that a keeper waits for its first client
LOOK = 0.5  # seconds between looks at adopted processes whose end the kernel does not tell
RETRY = 1.0  # seconds between attempts to write what could not be written
STRAY_TIMEOUT = 10.0  # seconds that what belongs to no process any more has to end


class Keeper:
    """All processes of one home, and the clients that ask for them."""

    def __init__(self, root: str, key: str, version: str, lock: int) -> None:
        self.key = key
        self.version = version
        self.lock = lock
        self.successor: tuple[str, str, str] | None = None  # python, path and version of a newer keeper
        self.root = root
        self.place = Place(root, lock)
        self.exits = f"{root}/exits"
        self.socket_path = f"{root}/run/keeper.sock"
        self.processes: dict[int, Process] = {}
        self.unsaved: list[dict[str, object]] = []
        self.journal = Journal(f"{root}/run/keeper.runs")
        self.launcher = Launcher(self)
        self.forest = Forest(key, self.processes, self.launcher.by_pid, system.become_subreaper())
        self._by_pid: dict[int, Process] = {}
        self.poll = select.poll()
        self.clients = Clients(self)
        self._handlers: dict[int, Callable[[int], object]] = {}
        self.idle_until = time.monotonic() + GRACE
        self._retry_at = self._look_at = self._strays_at = 0.0
        self._asked_to_end = False

    # beginning and end

    def open(self) -> None:
        """Listen, in the place of a keeper that was killed, and take over what it ran."""
        self.clients.listen(self.socket_path)
        notify.remove_left(self.key)
        found = read_journal(self.journal.path)
        for id, run, pid, start, started_at, stop_timeout in found:
            if pid == 0:
                pid, start = self.forest.find_main(id, run) or (0, 0.0)
                if pid == 0:
                    continue  # it came to nothing
            process = Process(id, run, pid, start, started_at, stop_timeout)
            if identity.alive(pid, start) or not has_exit(self.exits, id, run):
                self.guard(self.adopt, process)
        self.rewrite_journal()
        self.prepare()

    def prepare(self) -> None:
        """What has to be done in each program that the keeper becomes."""
        self.clients.accept_new()
        wake, alarm = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(alarm, False)
        signals.set_wakeup_fd(alarm, warn_on_full_buffer=False)
        self.watch(wake, lambda _: os.read(wake, 4096))
        signals.signal(signals.SIGCHLD, lambda *_: None)
        self.heed_signals()
        signals.pthread_sigmask(signals.SIG_SETMASK, ())

    def heed_signals(self) -> None:
        for number in (signals.SIGHUP, signals.SIGINT, signals.SIGTERM):
            signals.signal(number, self._on_signal)

    def _on_signal(self, *_: object) -> None:
        self._asked_to_end = True  # heeded when there is nothing to keep

    def run(self) -> None:
        """Until there is nothing to keep and nobody to serve."""
        while not self._finished():
            ready = self.poll.poll(self._timeout())
            self.forest.new_turn()
            self._handle(ready)
            self._reap()
            self.clients.serve(ready)
            self.launcher.work()
            self._do_due(time.monotonic())
            self.clients.drop_gone()
            if self.successor is not None and handover.possible(self):
                self.guard(handover.become_successor, self)
        self._close()

    def _handle(self, ready: list[tuple[int, int]]) -> None:
        for fd, events in ready:
            if (handler := self._handlers.get(fd)) is not None:
                self.guard(handler, events)

    def guard(self, function: Callable[..., object], *arguments: object) -> bool:
        """A fault of ours is written down, and costs what it happened to, not the keeper."""
        try:
            function(*arguments)
        except Exception as error:
            complain(_traceback(error))
            return False
        return True

    def _finished(self) -> bool:
        if self.processes or self.clients.connections or not self.launcher.idle():
            return False
        if self.unsaved and self.place.is_there():
            return False
        if self._strays_at:
            return False
        return self._asked_to_end or time.monotonic() >= self.idle_until

    def _close(self) -> None:
        """A client that comes just now finds the connection closed, and starts another keeper."""
        for path in (self.socket_path, self.journal.path) if self.place.is_ours() else ():
            try:
                os.unlink(path)
            except OSError:
                pass

    # what is waited for

    def watch(self, fd: int, handler: Callable[[int], object]) -> None:
        self._handlers[fd] = handler
        self.poll.register(fd, select.POLLIN)

    def unwatch(self, fd: int) -> None:
        if self._handlers.pop(fd, None) is not None:
            self.poll.unregister(fd)

    def _timeout(self) -> float | None:
        """Milliseconds until something is due. None: nothing is but what the kernel tells."""
        if self.launcher.ready():
            return 0.0
        due = [each.ending.next_look() for each in self.processes.values() if each.ending is not None]
        others = (self._retry_at, self._look_at, self._strays_at, self.clients.accept_at, self.idle_until)
        due += [at for at in others if at]
        return max(0.0, min(due) - time.monotonic()) * 1000 + 0.5 if due else None

    def _do_due(self, now: float) -> None:
        for process in list(self.processes.values()):
            if process.ending is not None and now >= process.ending.next_look():
                self.guard(self._step, process, now)
        if self._look_at and now >= self._look_at:
            self._look_at = 0.0
            self.guard(self._look_at_adopted, now)
        if self._retry_at and now >= self._retry_at:
            self._retry_at = 0.0
            self._save([])
            self._settle_all([each for each in self.processes.values() if each.ended and not each.ending], now)
        self.clients.do_due(now)
        self.guard(self._end_strays, now)

    # processes

    def began(self, process: Process) -> None:
        """It has executed its program."""
        self.processes[process.id] = process
        self._by_pid[process.pid] = process
        self._watch_notify(process)
        self.clients.tell_listeners(
            "spawned",
            {
                "id": process.id,
                "run": process.run,
                "pid": process.pid,
                "start": process.start,
                "started_at": process.started_at,
            },
        )

    def adopt(self, process: Process) -> None:
        """From now on as if it were our child, but for its exit status."""
        process.adopted = True
        self.processes[process.id] = process
        process.pidfd = system.watch(process.pid)
        self.journal.began(line_of(process))
        if process.pidfd is not None:
            self.watch(process.pidfd, lambda _: self._look_at_adopted(time.monotonic()))
        self._look_at_adopted(time.monotonic())

    def resume(self, process: Process) -> None:
        """Our child still, though we have become another program."""
        self.processes[process.id] = process
        if process.adopted:
            self.adopt(process)
        else:
            self._by_pid[process.pid] = process
        self._watch_notify(process)

    def _watch_notify(self, process: Process) -> None:
        if (heard := process.notify) is not None:
            self.watch(heard.sock.fileno(), lambda _: self._on_notify(process, heard))

    def _on_notify(self, process: Process, heard: notify.Notify) -> None:
        if heard.ready(lambda pid: self.forest.holds(process, pid)) and not process.ready:
            process.ready = True
            self.clients.tell_listeners("ready", {"id": process.id, "run": process.run})

    def _look_at_adopted(self, now: float) -> None:
        """Which of them have ended."""
        for process in list(self.processes.values()):
            if not process.adopted or process.ended is not None:
                continue
            if self._notice_end(process):
                self._settle(process, now)
            elif process.pidfd is None:
                self._look_at = now + LOOK

    def _notice_end(self, process: Process) -> bool:
        """Whether an adopted one has ended. Nobody tells us how."""
        if process.ended is not None or identity.alive(process.pid, process.start):
            return False
        if process.pidfd is not None:
            self.unwatch(process.pidfd)
            os.close(process.pidfd)
            process.pidfd = None
        process.ended = Death(None, None, time.time(), process.reason())
        return True

    def _reap(self) -> None:
        """Every child that has ended. First all are reaped, then what they left is looked at once for all."""
        ended: list[Process] = []
        owners: set[int | None] = set()
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if (launch := self.launcher.by_pid.get(pid)) is not None:
                self.guard(self.launcher.finish, launch, True)
            if (process := self._by_pid.pop(pid, None)) is not None:
                faultpoints.reach("keeper.reaped")
                process.ended = death(status, time.time(), process.reason())
                ended.append(process)
            else:
                owners.add(self.forest.reaped(pid))
            self.forest.new_turn()
        now = time.monotonic()
        if owners:
            ended += [
                process
                for process in self.processes.values()
                if process.ended is not None and process not in ended
            ]
        self._settle_all(ended, now)

    def _settle_all(self, processes: list[Process], now: float) -> None:
        for process in processes:
            if not self.guard(self._settle, process, now):
                self._retry_at = now + RETRY

    def _settle(self, process: Process, now: float) -> None:
        """Its main process has ended: end what is left, or be done with it."""
        if process.ending is not None:
            self._step(process, now)
        elif self.forest.is_empty(process):
            self._finish(process)
        else:
            self.end(process, "", signals.SIGTERM, process.stop_timeout)

    def end(self, process: Process, reason: str, number: int, timeout: float) -> Ending:
        """End its tree, or join whoever is at it."""
        now = time.monotonic()
        if process.ending is None:
            process.ending = Ending(process, self.forest, reason, number, timeout, now)
            faultpoints.reach("keeper.stopping")
        else:
            process.ending.hasten(now, timeout)
        return process.ending

    def _step(self, process: Process, now: float) -> None:
        ending = process.ending
        assert ending is not None
        if process.adopted:
            self._notice_end(process)
        if ending.step(now):
            self._finish(process)
        elif ending.gave_up(now):
            for connection, seq in ending.waiters:
                connection.reply(seq, {"id": process.id, "left": ending.left()})
            ending.waiters.clear()
            if process.ended is not None:
                self._finish(process)

    def _finish(self, process: Process) -> None:
        """Nothing is left of it: write down how it ended, tell, and start who waits for that."""
        del self.processes[process.id]
        if process.notify is not None:
            self.unwatch(process.notify.sock.fileno())
            process.notify.close()
        record = exit_record(process)
        self._save([record])
        self.journal.ended(process.id, process.run)
        faultpoints.reach("keeper.exit-noted")
        self.clients.tell_listeners("exit", record)
        for connection, seq in process.ending.waiters if process.ending is not None else ():
            connection.reply(seq, {"id": process.id})
        for connection, request in process.waiting:
            spawn(self, connection, request)
        if self.journal.is_long and self.launcher.idle():
            self.rewrite_journal()

    def rewrite_journal(self) -> None:
        """Without the runs that ended. Not while a child may be about to write into it."""
        if not self.place.is_ours():
            return
        try:
            self.journal.open([line_of(process) for process in self.processes.values()])
        except OSError as error:
            complain(f"cannot write {self.journal.path}: {error}")

    def _save(self, records: list[dict[str, object]]) -> None:
        """Write exit records; what can't be written now is kept, told and tried again."""
        records = self.unsaved + records
        if self.place.is_there():
            records = [record for record in records if not write_exit(self.exits, record)]
        self.unsaved = records
        if self.unsaved:
            self._retry_at = time.monotonic() + RETRY

    def _end_strays(self, now: float) -> None:
        """What is still our child when there is no process it could belong to."""
        if self.processes or not self.launcher.idle() or not self.forest.strays():
            self._strays_at = 0.0
            return
        if self._strays_at and now < self._strays_at:
            return
        numbers = (signals.SIGKILL,) if self._strays_at else (signals.SIGTERM, signals.SIGCONT)
        self._strays_at = now + STRAY_TIMEOUT
        for pid in self.forest.strays():
            for number in numbers:
                system.signal_pid(pid, None, number)


def complain(text: str) -> None:
    """A line in the keeper's log. A full disk must not end the keeper."""
    try:
        os.write(2, text.encode(errors="backslashreplace") + b"\n")
    except OSError:
        pass


def _traceback(error: Exception) -> str:
    """As much as can be told: who is out of descriptors can't import the module either."""
    try:
        import traceback

        return "".join(traceback.format_exception(error))
    except OSError:
        return f"{type(error).__name__}: {error}"


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

