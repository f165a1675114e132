"""What a process is now: judged from the unit, the note of its start and the record of its ends."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from sentinel import identity
from sentinel.backends.base import Seen
from sentinel.backends.systemd import exits
from sentinel.backends.systemd.manager import Manager, Unit
from sentinel.backends.systemd.notebook import Note, Notebook
from sentinel.model import Exit, Record, Status

# Sub-states in which a unit waits to run again, or gets ready for it.
WAITING = ("auto-restart", "auto-restart-queued", "condition", "start-pre")
_LOOKS = 5
_PENDING_FOR = 120.0  # seconds that a start may take before we think that whoever did it was killed
_NOT_BY_HAND = ("resources", "start-limit-hit", "protocol")  # results of failures that nobody asked for


class _Main(NamedTuple):
    pid: int | None
    start_time: float | None
    started_at: float | None


class Seeing:
    """One look at many processes: the manager is asked once for all, then only for what it alone knows."""

    def __init__(self, manager: Manager, notebook: Notebook) -> None:
        self._manager = manager
        self._notebook = notebook
        self.ends: dict[int, tuple[int, int]] = {}  # run and ends as last told, for the acknowledgement

    def see(self, records: Sequence[Record]) -> dict[int, Seen]:
        out: dict[int, Seen] = {}
        if not records:
            return out
        left = list(records)
        look = _Look(self._manager, identity.boot_id())
        for _ in range(_LOOKS):
            asked_at = time.time()
            units = self._manager.units()
            mains, stale = self._mains(left, units), []
            for record in left:
                unit, note = units.get(self._notebook.unit(record)), self._notebook.read(record.id)
                if unit is None and note is not None and not note.pending and note.at >= asked_at:
                    stale.append(record)  # started since we asked: that it is not there says nothing
                out[record.id] = self._one(record, unit, note, look)
                if unit is not None and not unit.ended:
                    _put(out[record.id], unit, mains.get(record.id), note)
            if not stale:
                break
            left = stale
        return out

    def _one(self, record: Record, unit: Unit | None, note: Note | None, look: "_Look") -> Seen:
        ends = exits.read(self._notebook.hooks(record)) if note else None
        if unit is not None and not unit.ended:
            return self._running(record, unit, note, ends)
        if note is None:
            return Seen()
        if note.pending and not (ends and ends.ends):
            return Seen(status=Status.STARTING) if abs(time.time() - note.at) < _PENDING_FOR else Seen()
        return self._ended(record, unit, note, ends, look)

    def _running(self, record: Record, unit: Unit, note: Note | None, ends: exits.Ends | None) -> Seen:
        seen = Seen(run=note.run if note else record.runtime.run, restarts=ends.ends if ends else None)
        seen.ready = bool(note and note.notify) and unit.active == "active"
        seen.passing = unit.active != "active"
        again = bool(ends and ends.ends)
        if unit.active == "activating":
            seen.status = Status.BACKOFF if unit.sub in WAITING and again else Status.STARTING
        elif unit.active == "deactivating":
            crashed = unit.sub == "stop-post" and not unit.job and bool(note and note.mode != "no")
            seen.status = Status.BACKOFF if crashed else Status.STOPPING
            again = again and not unit.job  # why it was stopped is known when it has ended
        if note and ends and again:
            self._tell(record.id, seen, note, ends, ends.exit(note.run, ""))
        return seen

    def _ended(self, record: Record, unit: Unit | None, note: Note, ends: exits.Ends | None, look: "_Look") -> Seen:
        seen = Seen()
        if ends is None or not ends.ends:
            end = self._unrecorded(unit, note)
        else:
            end = ends.exit(note.run, note.stop)
            seen.restarts = ends.ends - 1
            if self._gave_up(record, note, ends, end):
                seen.status = Status.FAILED
            elif not note.stop and self._asked_to_stop(record, unit, note, ends, end):
                if look.going_down():  # not meant for this process either; told at the next boot
                    return Seen(status=Status.STOPPING)
                if look.lost(note):  # with the machine or the manager: nobody meant this process
                    end = Exit(note.run, at=ends.at, number=ends.ends)
                elif end.reason != "oom":
                    end.reason = seen.stopped_by = "systemd"
        self._tell(record.id, seen, note, ends, end)
        return seen

    def _gave_up(self, record: Record, note: Note, ends: exits.Ends, end: Exit) -> bool:
        """It failed once more than it may be restarted, and nobody stopped it."""
        if note.max_restarts is None or ends.fails <= note.max_restarts or not _restarts(note, end):
            return False
        return not note.stop and not exits.was_asked(self._notebook.hooks(record), ends)

    def _asked_to_stop(self, record: Record, unit: Unit | None, note: Note, ends: exits.Ends, end: Exit) -> bool:
        """Somebody stopped it who is not sentinel: else it would be running again."""
        if exits.was_asked(self._notebook.hooks(record), ends):
            return True
        if not _restarts(note, end):
            return False
        if unit is None:
            return True
        return self._manager.read([unit.name], ["Result"])[0][0] not in _NOT_BY_HAND

    def _unrecorded(self, unit: Unit | None, note: Note) -> Exit:
        """The hook could not write: a failed unit itself still knows."""
        if unit is not None:
            code, status, at = self._manager.read(
                [unit.name], ["ExecMainCode", "ExecMainStatus", "ExecMainExitTimestamp"]
            )[0]
            when = at / 1e6 if at else note.at
            if code == os.CLD_EXITED:
                return Exit(note.run, code=status, at=when, reason=note.stop)
            if code in (os.CLD_KILLED, os.CLD_DUMPED):
                return Exit(note.run, signal=status, at=when, reason=note.stop)
        return Exit(note.run, at=note.at, reason=note.stop)

    def _tell(self, id: int, seen: Seen, note: Note, ends: exits.Ends | None, end: Exit) -> None:
        told = (note.run, ends.ends if ends else 0)
        self.ends[id] = told
        if told > self._notebook.acknowledged(id) or (told[1] == 0 and told[0] > self._notebook.acknowledged(id)[0]):
            seen.exits = [end]

    def _mains(self, records: Sequence[Record], units: Mapping[str, Unit]) -> dict[int, _Main]:
        """The main process of each that should have one. The record's is proof enough while it lives."""
        mains: dict[int, _Main] = {}
        asked = []
        for record in records:
            unit, runtime = units.get(self._notebook.unit(record)), record.runtime
            if unit is None or unit.ended or unit.sub in WAITING:
                continue
            if runtime.pid is not None and identity.alive(runtime.pid, runtime.start_time):
                mains[record.id] = _Main(runtime.pid, runtime.start_time, runtime.started_at)
            else:
                asked.append((record.id, unit.name))
        answers = self._manager.read([name for _, name in asked], ["MainPID", "ExecMainStartTimestamp"])
        for (id, _), (pid, at) in zip(asked, answers, strict=True):
            mains[id] = _Main(pid or None, identity.start_time(pid) if pid else None, at / 1e6 if at else None)
        return mains


class _Look:
    """What is needed at most once for a look at many."""

    def __init__(self, manager: Manager, boot: str) -> None:
        self._manager = manager
        self._boot = boot
        self._life: str | None = None
        self._going_down: bool | None = None

    def going_down(self) -> bool:
        """Whether the machine is shutting down, or the manager is being stopped."""
        if self._going_down is None:
            self._going_down = self._manager.property("SystemState") == "stopping"
        return self._going_down

    def lost(self, note: Note) -> bool:
        """Whether the machine or the manager ended in the meantime."""
        if note.boot != self._boot:
            return True
        if self._life is None:
            self._life = self._manager.incarnation()
        return note.manager != self._life


def _put(seen: Seen, unit: Unit, main: _Main | None, note: Note | None) -> None:
    """Looked at last, so that a process which is alive here has not added to the ends told with it."""
    if main is not None and main.pid is not None and identity.alive(main.pid, main.start_time):
        seen.alive, seen.pid, seen.start_time, seen.started_at = True, main.pid, main.start_time, main.started_at
        seen.passing = False
        if seen.status is Status.BACKOFF:
            seen.status = None  # it runs again since its unit was looked at
    elif unit.active == "deactivating" or seen.status is Status.BACKOFF:
        if seen.restarts:
            seen.restarts -= 1  # the last of the ends has had no restart yet
    elif seen.status is None:  # it ended while we looked
        seen.passing = True
        seen.status = Status.BACKOFF if note is not None and note.mode != "no" else Status.STOPPING


def _restarts(note: Note, end: Exit) -> bool:
    """Whether systemd starts it again after such an end."""
    return note.mode == "always" or (note.mode == "on-failure" and not end.clean)


def main_first(pid: int, pids: Sequence[int]) -> list[int]:
    return [pid, *(other for other in pids if other != pid)]
