"""systemd: bus, manager, linger and cgroup controllers."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sentinel.errors import BackendError
from sentinel.model import Group, Record
from sentinel.supervisor.doctor.check import Check, Finding, Subject, command, listed, ok, problem, skipped, warning

if TYPE_CHECKING:
    from sentinel.backends.systemd.manager import Manager

CGROUPS = (Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/unified"))
CONTROLLERS = ("cpu", "memory", "pids")
_DROP_IN = "/etc/systemd/system/user@.service.d/delegate.conf"


def all_of_it(subject: Subject) -> Iterator[Check]:
    """Bus and manager; what can only be asked of a manager that answers comes after them."""
    from sentinel.backends.systemd.manager import Manager
    from sentinel.backends.systemd.reach import reach

    used = subject.records("systemd")
    bad = Finding.PROBLEM if used else Finding.WARNING
    if not Path("/run/systemd/system").is_dir():
        if used:
            names = [record.name for record in used]
            what = f"systemd is not process 1 here, and {listed(names)} need it"
            yield problem("bus", what, command("sentinel", "move", *names, "--to", "native"))
        else:
            yield skipped("bus", "systemd is not process 1 here: the native engine is used")
        return
    try:
        found = reach()
    except BackendError as error:
        yield Check("bus", bad, error.message, _reachable(subject))
        return
    manager = Manager(found)
    try:
        version, state = manager.property("Version"), manager.property("SystemState")
        yield ok("bus", f"{found.address} answers")
        yield _manager(subject, found.scope, str(version), str(state))
        yield _linger(subject, found.scope)
        yield _controllers(subject, found.scope, manager)
    except BackendError as error:
        yield Check("bus", bad, f"{found.address}: {error.message}", _reachable(subject))
    finally:
        manager.close()


def _reachable(subject: Subject) -> str:
    if os.geteuid() == 0:
        return "systemctl restart dbus.socket dbus.service"
    return f"sudo loginctl enable-linger {command(subject.user)}"


def _manager(subject: Subject, scope: str, version: str, state: str) -> Check:
    told = f"systemd {version}, the {scope} manager is {state}"
    if state == "stopping":
        return problem("manager", told, f"{subject.sudo}loginctl enable-linger {command(subject.user)}")
    if state in ("maintenance", "offline"):
        return problem("manager", told, f"{subject.sudo}systemctl default")
    return ok("manager", told)


def _linger(subject: Subject, scope: str) -> Check:
    from sentinel.backends.systemd.reach import survives_logout

    if scope == "system":
        return skipped("linger", "units of the system need none")
    if survives_logout():
        return ok("linger", f"what runs as {subject.user} survives a logout")
    names = [record.name for record in subject.wanted("systemd")]
    repair = command("loginctl", "enable-linger", subject.user)
    if names:
        return problem("linger", f"{listed(names)} end when {subject.user} logs out", repair)
    return warning("linger", f"units of {subject.user} end with the last logout", repair)


def _controllers(subject: Subject, scope: str, manager: "Manager") -> Check:
    group = str(manager.property("ControlGroup"))
    there = _read(group)
    missing = [name for name in CONTROLLERS if name not in there]
    if not missing:
        return ok("cgroups", "cpu, memory and pids can be limited")
    needed = _needed(subject, missing)
    what = f"the {scope} manager has no controller for {listed(missing)}"
    repair = _delegate(subject, scope, missing)
    if needed:
        return problem("cgroups", f"{what}: limits of {listed(needed)} are not enforced", repair)
    return warning("cgroups", f"{what}: limits would not be enforced", repair)


def _read(group: str) -> list[str]:
    for root in CGROUPS:
        try:
            return (root / group.strip("/") / "cgroup.controllers").read_text().split()
        except OSError:
            continue
    return []


def _needed(subject: Subject, missing: list[str]) -> list[str]:
    """Processes and groups whose limits need one of these."""
    found = [record.name for record in subject.records("systemd") if "memory" in missing and _limited(record)]
    return found + [group.name for group in subject.state.groups.values() if _wants(group) & set(missing)]


def _limited(record: Record) -> bool:
    return record.spec.limits.memory_max is not None


def _wants(group: Group) -> set[str]:
    given = {"memory": group.memory_max, "cpu": group.cpu_quota, "pids": group.tasks_max}
    return {name for name, value in given.items() if value is not None}


def _delegate(subject: Subject, scope: str, missing: list[str]) -> str:
    of_the_kernel = _read("/")
    if scope == "user" and all(name in of_the_kernel for name in missing):
        text = "[Service]\\nDelegate=cpu cpuset io memory pids\\n"
        return (
            f"sudo mkdir -p {os.path.dirname(_DROP_IN)} && printf '{text}' | sudo tee {_DROP_IN} && "
            "sudo systemctl daemon-reload && sudo systemctl restart user@$(id -u).service"
        )
    return "boot with systemd.unified_cgroup_hierarchy=1 (and cgroup_enable=memory) on the kernel's command line"
