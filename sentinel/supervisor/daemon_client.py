"""The daemon from outside: is there one, start it, stop it, tell it that something changed."""

import errno
import fcntl
import json
import os
import signal
import time
from contextlib import suppress

from sentinel import identity
from sentinel.errors import BackendError, Conflict
from sentinel.files import read_private, write_atomic
from sentinel.paths import Home
from sentinel.supervisor.api import DaemonView

START_LIMIT = 20.0  # seconds
STOP_LIMIT = 20.0


def poke(home: Home) -> None:
    """Tell the daemon that state.json has changed. Nobody there, or its pipe full of pokes: nothing to do."""
    try:
        fd = os.open(home.daemon_fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        os.write(fd, b"!")
    except OSError:
        pass
    finally:
        os.close(fd)


def read_pid_file(home: Home) -> dict[str, object] | None:
    """What the daemon says of itself, where one holds the lock. The lock is the truth, never the number."""
    try:
        fd = os.open(home.daemon_pid, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
            return None
    else:
        return None  # nobody holds it
    finally:
        content = os.read(fd, 4096)
        os.close(fd)
    try:
        found = json.loads(content)
    except ValueError:
        return {}  # it has the lock and is about to write
    return found if isinstance(found, dict) else {}


def running_pid(home: Home) -> int | None:
    """The daemon's pid, or None where none runs."""
    found = read_pid_file(home)
    if found is None:
        return None
    pid = found.get("pid")
    return pid if isinstance(pid, int) and not isinstance(pid, bool) and pid > 1 else None


def status(home: Home) -> DaemonView:
    found = read_pid_file(home)
    if found is None:
        return DaemonView(False)
    since = found.get("started_at")
    uptime = max(0.0, time.time() - since) if isinstance(since, int | float) else None
    metrics = found.get("metrics")
    view = DaemonView(True, running_pid(home), uptime, "systemd" if found.get("unit") else "native")
    view.metrics = metrics if isinstance(metrics, str) else None
    return view


def start(home: Home, backend: str | None = None, metrics: str | None = None) -> DaemonView:
    """Start the daemon, as a unit where systemd is the engine. One that runs already is left alone.

    Raises:
        Conflict: one runs that does not serve its metrics where it is asked to.
        BackendError: it did not come up; its log says why.
    """
    from sentinel.backends.resolve import resolve

    home.prepare()
    if read_pid_file(home) is not None:
        return _already(home, metrics)
    if metrics is not None:
        _check_free(home, metrics)
    choice = resolve(home, flag=backend)
    if choice.name == "systemd":
        from sentinel.backends.systemd.daemon_unit import DaemonUnit

        DaemonUnit(home, choice.scope).start(metrics)
    else:
        _start_detached(home, metrics)
    return status(home)


def wanted_metrics(home: Home) -> str | None:
    """Where the daemon is to serve its metrics, also after a reboot."""
    with suppress(OSError, ValueError):
        return read_private(home.daemon_metrics).decode() or None
    return None


def want_metrics(home: Home, metrics: str | None) -> None:
    with suppress(OSError):
        if metrics is None:
            home.daemon_metrics.unlink(missing_ok=True)
        else:
            write_atomic(home.daemon_metrics, metrics.encode())


def _already(home: Home, metrics: str | None) -> DaemonView:
    view = status(home)
    view.already = True
    if metrics is not None:
        from sentinel.metrics import listen_address

        if view.metrics is None or listen_address(view.metrics) != listen_address(metrics):
            serves = f"serves its metrics on {view.metrics}" if view.metrics else "serves no metrics"
            raise Conflict(f"a daemon runs already and {serves}", "run 'sentinel daemon stop' first")
    return view


def _check_free(home: Home, metrics: str) -> None:
    """Say here what the daemon itself would say in its log."""
    from sentinel.supervisor.daemon.metrics import MetricsServer

    MetricsServer(home, metrics).server_close()


def _start_detached(home: Home, metrics: str | None) -> None:
    """Start it in a session of its own; it says through a pipe when it is up, or what went wrong."""
    from sentinel.supervisor.python import command_line, spawn_detached

    reader, writer = os.pipe()
    try:
        argv = command_line("sentinel.supervisor.daemon.main", "3", metrics or "")
        spawn_detached(argv, str(home.root), str(home.daemon_log), report=writer)
    except OSError as error:
        os.close(reader)
        raise BackendError(
            f"cannot start the daemon: {(os.strerror(error.errno) if error.errno else str(error)).lower()}",
            "free some resources and try again",
        ) from error
    finally:
        os.close(writer)
    said = _read_report(reader)
    if said != "ready":
        raise BackendError(f"the daemon did not start: {said or 'it ended'}", f"see {home.daemon_log}")


def _read_report(fd: int) -> str:
    import select

    os.set_blocking(fd, False)
    deadline = time.monotonic() + START_LIMIT
    said = b""
    try:
        while (left := deadline - time.monotonic()) > 0:
            if not select.select([fd], [], [], left)[0]:
                break
            part = os.read(fd, 1000)
            if not part:
                return said.decode(errors="replace").strip()
            said += part
    finally:
        os.close(fd)
    return f"not ready after {START_LIMIT:g} s"


def stop(home: Home) -> DaemonView:
    """Stop the daemon and return when it has ended. Processes stay.

    Raises:
        BackendError: it does not end.
    """
    found = read_pid_file(home)
    if found is None:
        return DaemonView(False)
    view = status(home)
    unit = found.get("unit")
    pid, began = view.pid, found.get("start")
    start = float(began) if isinstance(began, int | float) else None
    if isinstance(unit, str) and unit:
        from sentinel.backends.systemd.daemon_unit import DaemonUnit

        scope = found.get("scope")
        DaemonUnit(home, scope if isinstance(scope, str) else None).stop()
    elif pid is not None and identity.alive(pid, start):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_LIMIT
    while read_pid_file(home) is not None or identity.alive(pid, start):
        if time.monotonic() > deadline:
            raise BackendError(f"the daemon (pid {view.pid}) does not end", f"see {home.daemon_log}")
        time.sleep(0.005)
    return view
