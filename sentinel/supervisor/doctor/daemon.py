"""The daemon and the keeper: whether they run where they are needed, and are of this version."""

from collections.abc import Iterator
from pathlib import Path

import sentinel
from sentinel import identity
from sentinel.errors import BackendError
from sentinel.model import Record, Restart
from sentinel.supervisor import daemon_client
from sentinel.supervisor.doctor.check import Check, Subject, command, listed, ok, problem, skipped, warning


def daemon(subject: Subject) -> Iterator[Check]:
    """Restarts of native processes, all health checks and hooks are its work."""
    found = daemon_client.read_pid_file(subject.home)
    needy = [record.name for backend in ("native", "systemd") for record in subject.wanted(backend) if _needs(record)]
    if found is None:
        if needy:
            what = f"it does not run: between commands, nothing looks after {listed(needy)}"
            yield warning("daemon", what, "sentinel daemon start")
        else:
            yield skipped("daemon", "it does not run, and nothing needs it")
        return
    pid = daemon_client.running_pid(subject.home)
    version = found.get("version")
    again = "sentinel daemon stop && sentinel daemon start"
    if pid is not None and stopped(pid):
        yield problem("daemon", f"it is stopped (pid {pid}): somebody sent it SIGSTOP", command("kill", "-CONT", pid))
    elif version != sentinel.__version__:
        what = f"it is of version {version or 'unknown'}, and this is {sentinel.__version__}"
        yield warning("daemon", what, again)
    else:
        yield ok("daemon", f"it runs (pid {pid}) and is of this version")


def _needs(record: Record) -> bool:
    spec = record.spec
    restarts = record.backend == "native" and spec.restart.mode is not Restart.NO
    return restarts or spec.health is not None or spec.on_failure is not None


def stopped(pid: int) -> bool:
    """By SIGSTOP or a debugger."""
    try:
        return Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()[0] in (b"T", b"t")
    except (OSError, IndexError):
        return False


def keeper(subject: Subject) -> Iterator[Check]:
    """The parent of native processes: without it nobody learns how they end."""
    from sentinel.backends.native.client import Keeper, pid_of_keeper

    running = [
        record.name
        for record in subject.records("native")
        if identity.alive(record.runtime.pid, record.runtime.start_time)
    ]
    try:
        pid = pid_of_keeper(subject.home)
        if pid is not None and stopped(pid):
            what = f"it is stopped (pid {pid}): somebody sent it SIGSTOP"
            yield problem("keeper", what, command("kill", "-CONT", pid))
            return
        found = Keeper.connect(subject.home, start=False)
    except BackendError as error:
        yield problem("keeper", error.message, error.hint or command("cat", subject.home.keeper_log))
        return
    if found is not None:
        with found:
            yield ok("keeper", f"it runs (pid {found.pid}) and is of version {found.version}")
    elif running:
        what = f"it does not run: how {listed(running)} end is not noticed"
        yield problem("keeper", what, "sentinel list")
    else:
        yield skipped("keeper", "no native process runs")
