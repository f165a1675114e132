"""The systemd engine: each process a transient unit, each group a slice, the output in the journal."""

import os
import time
from collections.abc import Callable, Mapping, Sequence

from sentinel import identity
from sentinel.backends import refusal
from sentinel.backends.base import Launch, LogSource, Results, Seen
from sentinel.backends.systemd import naming, readback
from sentinel.backends.systemd.manager import Manager
from sentinel.backends.systemd.notebook import Notebook
from sentinel.backends.systemd.reach import reach
from sentinel.backends.systemd.seeing import WAITING, Seeing, main_first
from sentinel.backends.systemd.slices import Slices
from sentinel.backends.systemd.starting import Starting
from sentinel.backends.systemd.stopping import Stopping
from sentinel.backends.systemd.unit import to_file
from sentinel.errors import LaunchError, SentinelError
from sentinel.model import Group, Record, Spec
from sentinel.paths import Home


class SystemdBackend:
    """The Backend over one service manager. The bus is connected when the first method needs it."""

    name = "systemd"
    restarts_by_itself = True

    def __init__(self, home: Home, scope: str | None = None) -> None:
        """Raises BackendError where that manager can't be reached."""
        self.reach = reach(scope)
        self.scope = self.reach.scope
        self._home = home
        self._manager = Manager(self.reach)
        self._notebook = Notebook(home)
        self._slices = Slices(home, self._manager)
        self._seeing = Seeing(self._manager, self._notebook)

    def unit_of(self, name: str) -> str:
        """The unit that a process of that name gets; the record keeps it."""
        return naming.unit_name(name, self._home)

    def close(self) -> None:
        """Drop the connection; the next method makes a new one."""
        self._manager.close()

    def refuse(self, spec: Spec, group: Group | None) -> None:
        refusal.refuse(f"systemd-{self.scope}", spec, group)

    def start(self, launches: Sequence[Launch]) -> Results:
        return Starting(self._manager, self._notebook, self._slices, self._seeing).start(launches)

    def stop(
        self,
        records: Sequence[Record],
        *,
        force: bool = False,
        reason: str = "stop",
        told: Callable[[], None] | None = None,
    ) -> Mapping[int, SentinelError | None]:
        results = Stopping(self._manager, self._notebook, told).stop(records, force=force, reason=reason)
        self._slices.sweep()
        return results

    def see(self, records: Sequence[Record]) -> Mapping[int, Seen]:
        return self._seeing.see(records)

    def forget_exits(self, records: Mapping[int, int]) -> None:
        for id, run in records.items():
            told = self._seeing.ends.get(id)
            if told is not None and told[0] <= run:
                self._notebook.acknowledge(id, *told)

    def forget(self, records: Sequence[Record]) -> None:
        loaded = self._manager.units()
        names = [self._notebook.unit(record) for record in records]
        self._manager.reset_failed([name for name in names if name in loaded and loaded[name].ended])
        for record in records:
            self._notebook.remove(record)

    def wait_ready(self, records: Sequence[Record], timeout: float) -> Mapping[int, SentinelError | None]:
        with self._manager.watching():
            return self._wait_ready(records, time.monotonic() + timeout, timeout)

    def _wait_ready(
        self, records: Sequence[Record], deadline: float, timeout: float
    ) -> dict[int, SentinelError | None]:
        results: dict[int, SentinelError | None] = {}
        left = list(records)
        while left:
            units = self._manager.units()
            late = time.monotonic() >= deadline
            for record in list(left):
                unit = units.get(self._notebook.unit(record))
                if unit is not None and unit.active == "active":
                    results[record.id] = None
                elif unit is None or unit.ended or unit.active == "deactivating" or unit.sub in WAITING:
                    results[record.id] = LaunchError(
                        f"{record.name} ended before it was ready", f"see 'sentinel logs {record.name}'"
                    )
                elif late:
                    results[record.id] = LaunchError(
                        f"{record.name} did not say within {timeout:g} s that it is ready",
                        f"see 'sentinel logs {record.name}', or allow it more time with --startup-timeout",
                    )
                else:
                    continue
                left.remove(record)
            jobs = [units[self._notebook.unit(record)].job for record in left]
            pause = min(
                0.25, max(0.0, deadline - time.monotonic())
            )  # its job may have ended before we listened
            self._manager.wait([job for job in jobs if job], pause)
        return results

    def pids(self, records: Sequence[Record]) -> Mapping[int, list[int]]:
        out: dict[int, list[int]] = {}
        mains = {r.id: r.runtime.pid for r in records if identity.alive(r.runtime.pid, r.runtime.start_time)}
        for id, seen in self._seeing.see([r for r in records if r.id not in mains]).items():
            mains[id] = seen.pid
        for id, pid in mains.items():
            directory = readback.cgroup(pid) if pid is not None else None
            if pid is not None and directory is not None:
                out[id] = main_first(pid, readback.processes(directory))
        return out

    def logs(self, record: Record) -> LogSource:
        if to_file(record.spec):
            from sentinel.logs.read import FileLog

            return FileLog(self._home.log(record.name, "stdout"), self._home.log(record.name, "stderr"))
        from sentinel.backends.systemd.journal import JournalLog

        return JournalLog(
            naming.identifier(record.name, self._home),
            _uid(record.spec),
            self.scope,
            self._notebook.unit(record),
            record.cursor,
            record.cleared_at,
        )

    def apply_group(self, group: Group) -> list[str]:
        return self._slices.apply(group)

    def remove_group(self, name: str) -> None:
        self._slices.remove(name)


def _uid(spec: Spec) -> int:
    import pwd

    if spec.user is None:
        return os.geteuid()
    if spec.user.isdigit():
        return int(spec.user)
    try:
        return pwd.getpwnam(spec.user).pw_uid
    except KeyError:
        return os.geteuid()
