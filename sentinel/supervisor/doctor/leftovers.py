"""What runs and belongs to this home, but is in no record of state.json."""

import os
from collections.abc import Iterator

from sentinel.errors import BackendError
from sentinel.supervisor.doctor.check import Check, Subject, command, ok, problem, skipped
from sentinel.supervisor.doctor.daemon import stopped


def processes(subject: Subject) -> Iterator[Check]:
    """Native ones: those the keeper has, and those that carry our mark."""
    if not subject.readable:
        yield skipped("processes", "state.json cannot be read")
        return
    marked, kept = _marked(subject), _kept(subject)
    known = subject.state.processes
    unknown = {id: pids[0] for id, pids in marked.items() if id not in known}
    unknown |= {id: pids[0] for id, pids in (kept or {}).items() if id not in known and pids}
    for id, pid in sorted(unknown.items()):
        what = f"pid {pid} was started as process {id}, which state.json does not know"
        yield problem("processes", what, command("kill", pid))
    strays = _strays(subject, marked, kept)
    for pid in strays:
        what = f"pid {pid} was started by a sentinel of this home that knows nothing of it any more (was it removed?)"
        yield problem("processes", what, command("kill", pid))
    if not unknown and not strays:
        yield ok("processes", "every process that runs is known")


def _strays(subject: Subject, marked: dict[int, list[int]], kept: dict[int, list[int]] | None) -> list[int]:
    """Sessions that were begun as processes which state.json knows, of which the keeper has another: looked at twice,
    since what begins or ends meanwhile is none."""
    again = _kept(subject) if kept is not None else None
    if kept is None or again is None:
        return []
    mine = {pid for pids in (*kept.values(), *again.values()) for pid in pids}
    here = {id: pids for id, pids in marked.items() if kept.get(id) and kept.get(id) == again.get(id)}
    return sorted(pid for pids in here.values() for pid in pids if pid not in mine and _leads(pid))


def _leads(pid: int) -> bool:
    """Whether it is, still, the first of its session, as each main process is."""
    try:
        return os.getsid(pid) == pid
    except OSError:
        return False


def _kept(subject: Subject) -> dict[int, list[int]] | None:
    """What the keeper has: the trees by id. None: nobody can tell."""
    from sentinel.backends.native.client import Keeper, pid_of_keeper

    try:
        pid = pid_of_keeper(subject.home)
        if pid is not None and stopped(pid):
            return None
        keeper = Keeper.connect(subject.home, start=False)
        if keeper is None:
            return None
        with keeper:
            return keeper.pids(keeper.tell())
    except BackendError:
        return None  # told by the check of the keeper


def _marked(subject: Subject) -> dict[int, list[int]]:
    """From the environments of all processes: id -> its pids, the lowest first."""
    from sentinel.backends.native.keeper.system import marker_of

    found: dict[int, list[int]] = {}
    try:
        pids = sorted(int(name) for name in os.listdir("/proc") if name.isdecimal())
    except OSError:
        return {}  # no /proc: macOS
    for pid in pids:
        key, _, rest = marker_of(pid).partition(":")
        id = rest.partition(":")[0]
        if key == subject.home.key and id.isdecimal():
            found.setdefault(int(id), []).append(pid)
    return found


def units(subject: Subject) -> Iterator[Check]:
    """Transient units of this home."""
    from sentinel.backends.systemd import naming
    from sentinel.backends.systemd.bus import UNIT
    from sentinel.backends.systemd.manager import Manager
    from sentinel.backends.systemd.reach import available, reach

    if not available():
        yield skipped("units", "systemd cannot be reached")
        return
    if not subject.readable:
        yield skipped("units", "state.json cannot be read")
        return
    found = reach()
    manager = Manager(found)
    try:
        loaded = manager.units()
        known = {naming.unit_name(record.name, subject.home) for record in subject.records("systemd")}
        known |= {record.unit for record in subject.records("systemd") if record.unit}
        known.add(naming.daemon_unit(subject.home))
        strange = [name for name in loaded if name not in known and naming.is_of(name, subject.home)]
        transient = manager.read(strange, ["Transient"], UNIT)
    finally:
        manager.close()
    left = [name for name, (is_transient,) in zip(strange, transient, strict=True) if is_transient]
    systemctl = ["systemctl", "--user"] if found.scope == "user" else ["systemctl"]
    for name in sorted(left):
        verb = "reset-failed" if loaded[name].active == "failed" else "stop"
        yield problem("units", f"{name} belongs to no process of state.json", command(*systemctl, verb, name))
    if not left:
        yield ok("units", "every unit that is loaded is known")
