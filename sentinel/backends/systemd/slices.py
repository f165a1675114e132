"""Groups as slices: made with their limits, and again when systemd forgot them."""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from sentinel.backends.systemd import naming
from sentinel.backends.systemd.bus import EXISTS, Value
from sentinel.backends.systemd.manager import Manager, Unit
from sentinel.backends.systemd.readback import processes
from sentinel.backends.systemd.unit import INFINITY, Properties
from sentinel.errors import BackendError
from sentinel.model import Group
from sentinel.paths import Home

_CGROUPS = Path("/sys/fs/cgroup")
_ROOT = """\
[Unit]
Description=sentinel: all processes
Documentation=man:sentinel(1)
StopWhenUnneeded=yes
"""
_LEFT = ".left"  # of the file that says: its group is no more
_CONTROLLERS = {"memory_max": "memory", "cpu_quota": "cpu", "tasks_max": "pids"}
_WORDS = {"memory_max": "the memory limit", "cpu_quota": "the cpu quota", "tasks_max": "the limit of tasks"}


class Slices:
    """The slices of one home. Limits are kept in a file each: a stopped slice loses them."""

    def __init__(self, home: Home, manager: Manager) -> None:
        self._home = home
        self._manager = manager
        self._directory = home.run / "slices"

    def apply(self, group: Group) -> list[str]:
        """Make it, or change it to what is wanted now. Sentences about what is not in force."""
        self._describe_root()
        limits = _limits(group)
        self._remember(self.of(group.name), limits)
        with self._manager.watching():
            self._make(group.name, limits)
        return self._not_in_force(limits)

    def ensure(self, groups: Iterable[str]) -> None:
        """Make again what systemd forgot, before something starts in it. Jobs have to be watched."""
        self._describe_root()
        wanted = {self.of(group): group for group in groups}
        for name in wanted:
            self._left(name).unlink(missing_ok=True)
        active = {name for name, unit in self._manager.units(list(wanted)).items() if _active(unit)} if wanted else ()
        for name, group in wanted.items():
            if name not in active:
                self._make(group, self._recall(name))

    def _make(self, group: str, limits: dict[str, int]) -> None:
        name = self.of(group)
        made = self._manager.start_transient([(name, [*_common(group), *_properties(limits)])])[0]
        if isinstance(made, str):
            self._manager.wait([made])
        elif made.kind == EXISTS:
            self._manager.set_properties(name, _properties(limits))
        else:
            raise BackendError(f"cannot make the group {group}: {made.message}", made.hint) from made

    def _describe_root(self) -> None:
        """A file, since systemd makes that slice by itself whenever it is needed: it goes with its last unit."""
        reach = self._manager.reach
        top = Path("/run/systemd/system" if reach.scope == "system" else f"/run/user/{reach.uid}/systemd/user")
        path = top / naming.ROOT_SLICE
        if path.exists():
            return
        try:
            top.mkdir(mode=0o755, parents=True, exist_ok=True)
            fresh = path.with_name(f".{path.name}.{os.getpid()}")
            fresh.write_text(_ROOT, encoding="ascii")
            fresh.replace(path)
        except OSError:
            pass  # then it stays when it is empty

    def remove(self, group: str) -> None:
        """Stop the slice; one in which something still runs goes with that (see `sweep`)."""
        name = naming.slice_name(group, self._home)
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._file(name).unlink(missing_ok=True)
        self._left(name).touch(mode=0o600)
        self.sweep()

    def sweep(self) -> None:
        """Stop the slices of groups that are no more, once they are empty."""
        try:
            left = [each for each in os.listdir(self._directory) if each.endswith(_LEFT)]
        except FileNotFoundError:
            return
        for name in (each.removesuffix(_LEFT) for each in left):
            if members(self._manager, name, "Slice"):
                continue
            with self._manager.watching():
                job = self._manager.stop([name])[0]
                if isinstance(job, str):
                    self._manager.wait([job])
            self._left(name).unlink(missing_ok=True)

    def of(self, group: str | None) -> str:
        return naming.slice_name(group, self._home) if group else naming.ROOT_SLICE

    def _left(self, name: str) -> Path:
        return self._directory / (name + _LEFT)

    def _file(self, name: str) -> Path:
        return self._directory / f"{name}.json"

    def _remember(self, name: str, limits: dict[str, int]) -> None:
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._left(name).unlink(missing_ok=True)
        fresh = self._file(name).with_suffix(".new")
        fresh.write_text(json.dumps(limits), encoding="utf-8")
        fresh.replace(self._file(name))

    def _recall(self, name: str) -> dict[str, int]:
        try:
            found = json.loads(self._file(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return {key: value for key, value in found.items() if key in _CONTROLLERS and isinstance(value, int)}

    def _not_in_force(self, limits: dict[str, int]) -> list[str]:
        if not limits:
            return []
        top = str(self._manager.property("ControlGroup"))
        try:
            there = (_CGROUPS / top.lstrip("/") / "cgroup.controllers").read_text().split()
        except OSError:
            return []  # an older hierarchy: nothing can be said
        return [
            f"{_WORDS[key]} is not in force: this service manager has no {_CONTROLLERS[key]} controller"
            for key in limits
            if _CONTROLLERS[key] not in there
        ]


def members(manager: Manager, unit: str, kind: str = "Service") -> list[int]:
    """All processes in the control group of a unit, whichever hierarchy systemd uses."""
    found = manager.read([unit], ["ControlGroup"], f"org.freedesktop.systemd1.{kind}")[0][0]
    if not found:
        return []
    path = str(found).lstrip("/")
    return sorted({pid for top in ("", "unified", "systemd") for pid in processes(str(_CGROUPS / top / path))})


def _active(unit: Unit) -> bool:
    return unit.active in ("active", "activating") and unit.job_type != "stop"


def _limits(group: Group) -> dict[str, int]:
    wanted = {
        "memory_max": group.memory_max,
        "cpu_quota": None if group.cpu_quota is None else max(1, round(group.cpu_quota * 10_000)),
        "tasks_max": group.tasks_max,
    }
    return {key: value for key, value in wanted.items() if value is not None}


def _common(group: str) -> Properties:
    name = "".join(char if char.isprintable() else "?" for char in group)
    return [
        ("Description", Value("s", f"sentinel: group {name}")),
        ("Documentation", Value("as", ["man:sentinel(1)"])),
    ]


def _properties(limits: dict[str, int]) -> Properties:
    return [
        ("MemoryMax", Value("t", limits.get("memory_max", INFINITY))),
        ("CPUQuotaPerSecUSec", Value("t", limits.get("cpu_quota", INFINITY))),
        ("TasksMax", Value("t", limits.get("tasks_max", INFINITY))),
    ]
