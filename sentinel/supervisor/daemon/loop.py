"""The daemon's loop: it waits in one place for exits, pokes, probes, signals and the nearest deadline.

It holds nothing that it cannot rebuild from state.json and the keeper.
"""

import os
import selectors
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress

from sentinel.backends.native.backend import NativeBackend
from sentinel.backends.native.client import Keeper, KeeperGone
from sentinel.errors import SentinelError
from sentinel.model import State
from sentinel.notify import notify, watchdog_interval
from sentinel.own_logs import keep_short
from sentinel.paths import Home
from sentinel.supervisor import helper, leftovers
from sentinel.supervisor.context import Context
from sentinel.supervisor.daemon.logwatch import LogWatch
from sentinel.supervisor.daemon.memory import MemoryWatch
from sentinel.supervisor.daemon.passing import Passing
from sentinel.supervisor.daemon.probes import HealthWatch
from sentinel.supervisor.reconcile import Report, after_exits, reconcile

TROUBLE = 5.0  # seconds until the next try after something failed (an unreadable state.json, a full disk)
FULL = 4096  # bytes that any pipe holds: with so many, others may have found no room
BUSY = 1.0  # seconds until the next look at a process that another command works on
LONGEST = 60.0  # seconds until the next look while a deadline is ahead: the clock that tells it may be stepped


class Daemon:
    """An event loop around `reconcile`."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.context = Context(home)
        self.health = HealthWatch(self.context, self._help)
        self.memory = MemoryWatch(self.context, self._help)
        self.logs = LogWatch(self.context)
        self.passing = Passing()
        self._selector = selectors.DefaultSelector()
        self._keeper: Keeper | None = None
        self._ending = False
        self._place: os.stat_result  # of the pid file, which is held open
        self._all = True  # look at every process
        self._ended: set[int] = set()  # the keeper, or a hook of its unit, told that these have ended
        self._own: set[int] = set()  # pids that this daemon has started itself
        self._unreachable: list[str] = []  # engines that were told to be
        self._due: float | None = None  # epoch: the next back-off, or look after trouble
        self._helpers: dict[int, list[int]] = {}  # pid -> ids it works on

    def end(self) -> None:
        """From a signal handler: leave the loop after this round."""
        self._ending = True

    def open(self) -> None:
        """Open what is waited for.

        Raises:
            SentinelError: the home can't be used.
        """
        leftovers.sweep(self.home, self.context.store.read())
        self._place = os.stat(self.home.daemon_pid)
        self._open_wakeup()
        self._open_fifo()
        self._selector.register(self.health.fileno(), selectors.EVENT_READ, self._probed)

    def close(self) -> None:
        """Processes and their keeper go on; the next daemon takes over."""
        signal.set_wakeup_fd(-1)
        self.health.close()
        if self._keeper is not None:
            self._keeper.close()
        self._selector.close()
        with suppress(OSError):
            if self._is_at_home():
                os.unlink(self.home.daemon_fifo)

    def _is_at_home(self) -> bool:
        """Whether the home is still the one that this daemon began in, whose lock it holds."""
        try:
            return os.path.samestat(os.stat(self.home.daemon_pid), self._place)
        except OSError:
            return False

    def loop(self) -> None:
        """Until a signal asks for the end."""
        while not self._ending:
            self._round()
            timeout = self._timeout()
            for key, _ in self._selector.select(timeout):
                self._guard(key.data)
            if not self._is_at_home():
                say(f"{self.home.root} was removed: ending")
                return
            self._ping()

    # one round

    def _round(self) -> None:
        now = time.time()
        if self._due is not None and not now < self._due <= now + LONGEST + 1.0:  # further off: stepped back
            self._all, self._due = True, None
        self._ended |= self.passing.due()
        self._guard(self._work)
        keep_short(self.home.daemon_log, 1, 2)

    def _work(self) -> None:
        self._listen()
        if self._all or self._ended:
            self._reconcile()
        self.health.round()
        self.memory.round()
        self.logs.round()

    def _guard(self, work: Callable[[], None]) -> None:
        """The daemon must outlive what goes wrong, a bug of ours too: it is logged, and all is tried again later."""
        try:
            work()
        except SentinelError as error:
            say(str(error))
            self._retry(TROUBLE)
        except Exception as error:
            say(_traceback(error))
            self._retry(TROUBLE)

    def _reconcile(self) -> None:
        everything, ended = self._all, self._ended
        self._all, self._ended = False, set()
        try:
            report = reconcile(self.context) if everything else after_exits(self.context, ended)
        except BaseException:
            self._all = True
            raise
        for name, old, new in report.restarted:
            say(f"restarted {name}: pid {old} ended, now {new}")
            self._own.add(new)
        for name, error in report.failed:
            say(f"{name}: {error}")
        if everything:
            self._tell_unreachable([str(error) for error in report.unreachable.values()])
        for pid in report.helpers:
            self._helpers[pid] = list(report.to_stop)
        if report.wake_at is not None:
            self._wake(report.wake_at)
        if report.busy:
            self._retry(BUSY)
        self._changed(report)

    def _tell_unreachable(self, errors: list[str]) -> None:
        """Once, not at each of the tries that follow."""
        for error in errors:
            if error not in self._unreachable:
                say(error)
        self._unreachable = errors
        if errors:
            self._retry(TROUBLE)

    def _changed(self, report: Report) -> None:
        """The watches look at what is there now."""
        state: State = report.state
        self.passing.saw(report.seen, state.processes)
        self.health.update(state)
        self.memory.update(state)
        self.logs.update(state)

    def _help(self, verb: str, ids: list[int]) -> None:
        """Give slow work to a helper, unless one works on these already."""
        working = {i for part in self._helpers.values() for i in part}
        fresh = [i for i in ids if i not in working]
        if fresh:
            self._helpers[helper.spawn(self.home, verb, fresh)] = fresh

    # deadlines

    def _wake(self, at: float) -> None:
        at = min(at, time.time() + LONGEST)
        self._due = at if self._due is None else min(self._due, at)

    def _retry(self, seconds: float) -> None:
        self._wake(time.time() + seconds)

    def _timeout(self) -> float | None:
        """Seconds until the nearest deadline; None: only events."""
        if self._all or self._ended:
            return 0.0 if self._due is None else max(0.0, min(self._due - time.time(), TROUBLE))
        watches = (self.health, self.memory, self.logs, self.passing)
        waits = [w for w in (watch.wait() for watch in watches) if w is not None]
        if self._due is not None:
            waits.append(min(max(0.0, self._due - time.time()), LONGEST))
        if (interval := watchdog_interval()) is not None:
            waits.append(interval)
        return min(waits) if waits else None

    @staticmethod
    def _ping() -> None:
        if watchdog_interval() is not None:
            notify("WATCHDOG=1")

    # events

    def _listen(self) -> None:
        """Keep a connection to the keeper while there are native processes; after a killed one all is looked at."""
        state = self.context.store.read(cached=True)
        if not any(record.backend == "native" for record in state.processes.values()):
            self._let_go()
            return
        if self._keeper is not None:
            return
        self._keeper = self._native().listen()
        self._selector.register(self._keeper.fileno(), selectors.EVENT_READ, self._told)
        self._all = True

    def _told(self) -> None:
        assert self._keeper is not None
        try:
            for event in self._keeper.events():
                if event["event"] == "exit":
                    self._ended.add(event["id"])
                    self._own.discard(event["pid"])
                elif event["event"] == "spawned" and event["pid"] not in self._own:
                    self._retry(BUSY)  # a command's; it pokes when it is done, unless it is killed before
        except KeeperGone:
            self._let_go()
            self._all = True

    def _native(self) -> NativeBackend:
        engine = self.context.engine("native")
        assert isinstance(engine, NativeBackend)
        return engine

    def _let_go(self) -> None:
        if self._keeper is not None:
            self._selector.unregister(self._keeper.fileno())
            self._keeper.close()
            self._keeper = None
            self._native().release()

    def _open_wakeup(self) -> None:
        reader, writer = os.pipe()
        os.set_blocking(reader, False)
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._selector.register(reader, selectors.EVENT_READ, lambda: self._signalled(reader))

    def _signalled(self, fd: int) -> None:
        try:
            os.read(fd, 4096)
        except BlockingIOError:
            pass
        # by pid: a wait for any child would take the exit statuses that the probes' threads wait for
        self.context.hooks = [pid for pid in self.context.hooks if not _ended(pid)]
        for pid in [pid for pid in self._helpers if _ended(pid)]:
            del self._helpers[pid]
            self._all = True

    def _open_fifo(self) -> None:
        path = self.home.daemon_fifo
        try:
            os.unlink(path)
        except FileNotFoundError:
            pass
        os.mkfifo(path, 0o600)
        # opened for writing too, so that it never reads as ended when the last command has closed it
        fd = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        self._selector.register(fd, selectors.EVENT_READ, lambda: self._poked(fd))

    def _poked(self, fd: int) -> None:
        """A command pokes with "!"; a hook of a unit with the id, in a line."""
        with suppress(BlockingIOError):
            poke = os.read(fd, 65536)
            ids = {int(word) for word in poke.split() if word.isdigit()}
            self.passing.told(ids)
            self._ended |= ids
            self._all |= b"!" in poke or len(poke) >= FULL

    def _probed(self) -> None:
        self.health.take_results()


def _ended(pid: int) -> bool:
    try:
        return os.waitpid(pid, os.WNOHANG)[0] != 0
    except ChildProcessError:
        return True


def _traceback(error: Exception) -> str:
    """As much as can be told: what is out of descriptors can't import the module either."""
    try:
        import traceback

        return "".join(traceback.format_exception(error))
    except OSError:
        return f"{type(error).__name__}: {error}"


def say(text: str) -> None:
    """A line in the daemon's log. A full disk does not keep the daemon from its work."""
    stamp = time.strftime("%Y-%m-%d %H:%M:%S")
    with suppress(OSError):
        for line in text.rstrip().splitlines():
            print(f"{stamp} {line}", file=sys.stdout, flush=True)
