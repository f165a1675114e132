"""Ports that were allocated for a process and are used by somebody else."""

from collections.abc import Iterator
from pathlib import Path

from sentinel import identity, ports
from sentinel.model import Lease, Record
from sentinel.names import printable
from sentinel.supervisor.doctor.check import Check, Subject, command, ok, problem, skipped


def leases(subject: Subject) -> Iterator[Check]:
    """Only those of processes: who uses a port that was handed out alone can't be known."""
    owned = [lease for lease in subject.state.ports if lease.process in subject.state.processes]
    if not owned:
        yield skipped("ports", "no process has an allocated port")
        return
    taken = [lease for lease in owned if ports.is_taken(lease.port)]
    listeners = _listeners() if taken else {}
    strange = 0
    for lease in taken:
        if lease.port not in listeners:
            continue  # a connection that has ended keeps it for a minute
        record = subject.state.processes[lease.process or 0]
        found = _stranger(subject, lease, record, listeners[lease.port])
        if found is not None:
            strange += 1
            yield found
    if not strange:
        yield ok("ports", f"{len(owned)} allocated, none taken by others")


def _stranger(subject: Subject, lease: Lease, record: Record, pids: list[int]) -> Check | None:
    runs = identity.alive(record.runtime.pid, record.runtime.start_time)
    if not pids:
        if runs:
            return None  # most likely its own, and we may not see whose sockets are whose
        repair = f"{subject.sudo}{command('ss', '-ltnp', f'sport = :{lease.port}')}"
        return problem("ports", f"port {lease.port} of {record.name} is taken, and {record.name} does not run", repair)
    for pid in pids:
        if runs and _descends(pid, record.runtime.pid or 0):
            return None
        if _marked(subject, pid, record.id) or _in_unit(pid, record.unit):
            return None
    what = f"port {lease.port} of {record.name} is taken by {_name(pids[0])}"
    return problem("ports", what, command("kill", pids[0]))


def _in_unit(pid: int, unit: str | None) -> bool:
    """systemd may have restarted it since state.json was saved."""
    try:
        return unit is not None and f"/{unit}" in Path(f"/proc/{pid}/cgroup").read_text()
    except OSError:
        return False


def _listeners() -> dict[int, list[int]]:
    """port -> pids, as far as we may see; empty where whose it is may not be seen."""
    import psutil

    found: dict[int, list[int]] = {}
    try:
        connections = psutil.net_connections(kind="tcp")
    except (psutil.Error, OSError, RuntimeError):
        return {}
    for each in connections:
        if each.status == psutil.CONN_LISTEN and each.laddr:
            found.setdefault(each.laddr.port, []).extend([each.pid] if each.pid else [])
    return found


def _descends(pid: int, ancestor: int) -> bool:
    for _ in range(64):
        if pid == ancestor:
            return True
        found = identity.read_stat(pid)
        if found is None or found.parent <= 1:
            return False
        pid = found.parent
    return False


def _marked(subject: Subject, pid: int, id: int) -> bool:
    from sentinel.backends.native.keeper.system import marker_of

    return marker_of(pid).startswith(f"{subject.home.key}:{id}:")


def _name(pid: int) -> str:
    import psutil

    try:
        return f"{printable(psutil.Process(pid).name())} (pid {pid})"
    except psutil.Error:
        return f"pid {pid}"
