"""Which processes belong to which of ours.

Everything that our processes start is known by its ancestors. What outlived its parent comes back to the
keeper as its child where the keeper is the sub-reaper (Linux), and is told apart by its session, its
process group or the marker in its environment. Otherwise (portable; a process adopted from a former keeper)
the process table is looked through.

What the portable way can't see: a process that left both session and group, whose parents ended before the keeper
first looked (it looks at an end, a stop and at `pids`), and that runs without the marker in its environment, or as
somebody else.
"""

from __future__ import annotations

import os

from sentinel import identity

from . import system


class Forest:
    """The trees of the keeper's processes."""

    def __init__(
        self, key: str, processes: dict[int, Process], launching: Container[int], reaper: bool
    ) -> None:
        self.key = key
        self.reaper = reaper
        self._processes = processes
        self._launching = launching  # pids of children on their way to exec
        self._owners: dict[int, tuple[float, int | None]] = {}  # our stray children: start, id
        self._table: dict[int, identity.Stat] | None = None
        self._strays: list[int] | None = None
        self._markers: dict[int, str] = {}
        self._told: dict[int, str] | None = None  # all markers, as ps tells them

    def new_turn(self) -> None:
        """Believe nothing that was seen before."""
        self._table = None
        self._strays = None
        self._markers.clear()
        self._told = None

    def seen_directly(self, process: Process) -> bool:
        """Whether the kernel tells (SIGCHLD) whenever something changes that matters for its end."""
        return self.reaper and not process.adopted

    def members(self, process: Process) -> dict[int, float]:
        """All processes of the tree that run, with their start times; the main one first."""
        roots = {process.pid: process.start} if process.ended is None else {}
        if self.seen_directly(process):
            return self._descend(roots | self._strays_of(process))
        return self._search(process, roots)

    def groups(self, process: Process) -> set[int]:
        """The process groups of a tree that is seen directly, by those not yet reaped as well.

        They hold nobody else: each was made in the session of the main process, or in a later one of the tree.
        """
        if not self.seen_directly(process):
            return set()
        pids = self.members(process) | self._strays_of(process, ended=True)
        return {stat.group for pid in pids if (stat := identity.read_stat(pid))} - {0, 1, os.getpgid(0)}

    def is_empty(self, process: Process) -> bool:
        """Whether nothing is left, its main process having ended. Cheap where it can be."""
        if self.seen_directly(process):
            return not self._strays_of(process, ended=True)
        process.extra = {
            pid: start for pid, start in process.extra.items() if identity.start_time(pid) == start
        }
        if process.extra:
            return False
        return not self.members(process)

    def reaped(self, pid: int) -> int | None:
        """A stray child has ended: whose it was."""
        return self._owners.pop(pid, (0.0, None))[1]

    def strays(self) -> list[int]:
        """Our children that are no main process."""
        if not self.reaper:
            return []
        if self._strays is None:
            mains = {process.pid for process in self._processes.values() if process.ended is None}
            self._strays = [
                pid for pid in self._children() if pid not in mains and pid not in self._launching
            ]
        return self._strays

    def find_main(self, id: int, run: int) -> tuple[int, float] | None:
        """The leader of a session that has this very marker."""
        for pid, stat in self._look().items():
            if stat.session == pid and not stat.zombie and self._marker(pid) == f"{self.key}:{id}:{run}":
                return pid, stat.start
        return None

    def holds(self, process: Process, pid: int) -> bool:
        """Whether `pid` is in the tree."""
        return pid == process.pid or pid in self.members(process)

    def _children(self) -> list[int]:
        me = os.getpid()
        found = system.children_of(me)
        if found is None:
            found = [pid for pid, stat in self._look().items() if stat.parent == me]
        return found

    def _strays_of(self, process: Process, ended: bool = False) -> dict[int, float]:
        """`ended`: also those not yet reaped, for they may have forked since the list was made."""
        found = {}
        for pid in self.strays():
            stat = identity.read_stat(pid)
            if stat is None or (stat.zombie and not ended):
                continue
            known = self._owners.get(pid)
            if known is None or known[0] != stat.start or known[1] is None:
                self._owners[pid] = known = (stat.start, self._owner(pid, stat))
            if known[1] == process.id:
                found[pid] = stat.start
        return found

    def _owner(self, pid: int, stat: identity.Stat) -> int | None:
        """Whose stray child it is: by session, group, marker, or because there is only one it can be of."""
        for process in self._processes.values():
            if process.pid in (stat.session, stat.group):
                return process.id
        key, _, rest = self._marker(pid).partition(":")
        id = rest.partition(":")[0]
        if key == self.key and id.isdecimal():
            return int(id)
        older = [process.id for process in self._processes.values() if process.start <= stat.start]
        return older[0] if len(older) == 1 and len(self._processes) == 1 else None

    def _descend(self, roots: dict[int, float]) -> dict[int, float]:
        """The roots and all that descends from them."""
        found = dict(roots)
        todo = list(roots)
        while todo:
            parent = todo.pop()
            children = system.children_of(parent)
            if children is None:
                children = [pid for pid, stat in self._look().items() if stat.parent == parent]
            for pid in children:
                start = identity.start_time(pid)
                if pid not in found and start is not None:
                    found[pid] = start
                    todo.append(pid)
        return found

    def _look(self) -> dict[int, identity.Stat]:
        if self._table is None:
            self._table = system.process_table()
        return self._table

    def _search(self, process: Process, roots: dict[int, float]) -> dict[int, float]:
        """Look through the process table; remember what was found: its ties may be gone at the next look."""
        table = self._look()
        pids = {pid for pid, start in process.extra.items() if identity.start_time(pid) == start}
        main = table.get(process.pid)
        taken = main is not None and identity.start_time(process.pid) not in (process.start, None)
        if process.ended is not None and not system.PORTABLE:
            taken = True  # the number may have been another's meanwhile; the marker is proof
        for pid, stat in table.items():
            if (not taken and process.pid in (stat.session, stat.group)) or self._marked(process, pid, stat):
                pids.add(pid)
        pids |= roots.keys()
        _add_descendants(pids, table)
        pids -= {os.getpid(), process.pid, 1}
        process.extra = {pid: start for pid in pids if (start := identity.start_time(pid)) is not None}
        return roots | process.extra

    def _marker(self, pid: int) -> str:
        if not system.PORTABLE:
            return system.marker_of(pid)
        if self._told is None:
            self._told = system.markers_of_ps()
        return self._told.get(pid, "")

    def _marked(self, process: Process, pid: int, stat: identity.Stat) -> bool:
        if stat.zombie or (not system.PORTABLE and stat.start < process.start):
            return False
        if pid not in self._markers:
            self._markers[pid] = self._marker(pid)
        return self._markers[pid].startswith(f"{self.key}:{process.id}:")


def _add_descendants(pids: set[int], table: dict[int, identity.Stat]) -> None:
    children: dict[int, list[int]] = {}
    for pid, stat in table.items():
        children.setdefault(stat.parent, []).append(pid)
    todo = list(pids)
    while todo:
        for pid in children.get(todo.pop(), ()):
            if pid not in pids:
                pids.add(pid)
                todo.append(pid)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from .process import Process
