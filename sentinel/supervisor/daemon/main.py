"""Begin and end of the daemon: one per home, by a lock; says when it is ready."""

import contextlib
import fcntl
import json
import os
import signal
import time
from collections.abc import Iterator

import sentinel
from sentinel import identity
from sentinel.errors import BackendError, Conflict, SentinelError
from sentinel.notify import notify
from sentinel.paths import Home, home_from_environment

PATIENCE = 1.0  # seconds for somebody who only looks whether the lock is held


def main(report: str = "", metrics: str = "") -> None:
    """Entry point of the process that `daemon start` makes; `report`: the descriptor to say "ready" to."""
    fd = int(report) if report else None
    os.chdir("/")
    try:
        run(home_from_environment(), fd, metrics or None)
    except SentinelError as error:
        print(f"{_stamp()} {error}", flush=True)
        _say(fd, str(error))
        raise SystemExit(1) from None


def run(home: Home, report: int | None = None, metrics: str | None = None) -> None:
    """Be the daemon of this home until SIGTERM or SIGINT; `metrics`: the address to serve them on.

    Raises:
        Conflict: another one runs.
        BackendError: the metrics can't be served there.
    """
    from sentinel.supervisor.daemon.loop import Daemon

    home.prepare()
    with _only_one(home) as fd, _metrics(home, metrics) as where:
        daemon = Daemon(home)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: daemon.end())
        signal.signal(signal.SIGHUP, signal.SIG_IGN if report is not None else lambda *_: daemon.end())
        _introduce(fd, where)  # who reads it may send a signal
        daemon.open()
        try:
            notify("READY=1")
            _say(report, "ready")
            _warm_up()
            daemon.loop()
        finally:
            notify("STOPPING=1")
            daemon.close()


def _warm_up() -> None:
    """Have at hand what a restart needs: the first crash shall not wait for imports."""
    from sentinel import accounts, command, environment
    from sentinel.supervisor import hooks

    del accounts, command, environment, hooks


def _say(fd: int | None, text: str) -> None:
    if fd is not None:
        with contextlib.suppress(OSError):
            os.write(fd, text.encode(errors="replace"))
            os.close(fd)


@contextlib.contextmanager
def _metrics(home: Home, address: str | None) -> Iterator[str | None]:
    """Serve the metrics meanwhile, if they are asked for; where."""
    if address is None:
        yield None
        return
    from sentinel.supervisor.daemon.metrics import MetricsServer

    server = MetricsServer(home, address)
    server.start()
    try:
        yield server.where
    finally:
        server.close()


@contextlib.contextmanager
def _only_one(home: Home) -> Iterator[int]:
    """Hold the lock of the pid file, which is yielded."""
    try:
        fd = os.open(home.daemon_pid, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise BackendError(f"cannot write {home.daemon_pid}: {error.strerror}", "check permissions") from error
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError:
            if time.monotonic() > deadline:
                os.close(fd)
                raise Conflict("a daemon is running for this home", "see 'sentinel daemon status'") from None
            time.sleep(0.01)
    os.ftruncate(fd, 0)
    try:
        yield fd
    finally:
        with contextlib.suppress(OSError):
            os.ftruncate(fd, 0)
        os.close(fd)


def _introduce(fd: int, metrics: str | None) -> None:
    """Write into the pid file who we are. The lock is the truth, this is for people and for `daemon stop`."""
    pid = os.getpid()
    about: dict[str, object] = {"pid": pid, "start": identity.start_time(pid), "started_at": time.time()}
    unit = os.environ.get("SENTINEL_DAEMON_UNIT", "")
    scope = os.environ.get("SENTINEL_DAEMON_SCOPE", "")
    about |= {"unit": unit, "scope": scope, "metrics": metrics, "version": sentinel.__version__}
    os.pwrite(fd, json.dumps(about).encode(), 0)


def _stamp() -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S")
