"""CPU and memory of whole process trees: read from /proc, or through psutil where there is none."""

import contextlib
import json
import os
import sys
import time
from collections import defaultdict
from collections.abc import Mapping

from sentinel.paths import Home
from sentinel.plain import dataclass

Sample = dict[int, tuple[float, int]]  # id -> CPU seconds of the tree up to now, resident bytes

_SHORT = 0.1  # seconds a sample takes when there is nothing to compare with
_FRESHEST, _OLDEST = 0.2, 3600.0  # how old a remembered sample may be
_YOUNG = 1.0  # up to this age, CPU since the start is as good as a sample
_TICK = 1 / os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def _uses_proc() -> bool:
    return sys.platform.startswith("linux") and os.environ.get("SENTINEL_PORTABLE") != "1"


def tree(pid: int) -> list[int]:
    """The process and all its descendants, itself first; empty if it is gone."""
    return trees({0: pid}).get(0, [])


def trees(pids: Mapping[int, int]) -> dict[int, list[int]]:
    """`tree` for many at once ({id: main pid}), in one look at the process table; the gone are missing."""
    parents = _parents_proc() if _uses_proc() else _parents_psutil()
    children = defaultdict(list)
    for pid, parent in parents.items():
        children[parent].append(pid)
    found = {}
    for id, pid in pids.items():
        if pid in parents:
            found[id] = [pid]
            for member in found[id]:  # grows while it is walked
                found[id] += [child for child in children[member] if child != pid]
    return found


def sample(pids_by_id: Mapping[int, list[int]]) -> Sample:
    """CPU seconds used and resident bytes now; ids of which nothing is left are missing.

    The seconds include children that ended and were waited for, so that a tree that works through short-lived
    children doesn't look idle.
    """
    return {id: (seen.cpu, seen.rss) for id, seen in _look(pids_by_id).items()}


def cpu_percent(before: float, after: float, seconds: float) -> float:
    """Percent of one CPU; never negative (a process that ended takes its seconds with it)."""
    return max(0.0, (after - before) / seconds * 100) if seconds > 0 else 0.0


class UsageMemory:
    """Keeps the last sample in the home, so that `list` shows the CPU used since the last look."""

    def __init__(self, home: Home) -> None:
        self._path = home.run / "usage.json"

    def measure(
        self, pids_by_id: Mapping[int, list[int]], *, wait: bool = True
    ) -> dict[int, tuple[float | None, int]]:
        """id -> (CPU percent, resident bytes).

        CPU is since the last look if that was 0.2 s to 1 h ago and the processes are the same. `wait`:
        otherwise a short sample is taken, 0.1 s for all together; without it CPU is None there.
        """
        now = time.time()
        current = _look(pids_by_id)
        saved_at, saved = self._load()
        usable = _FRESHEST <= now - saved_at <= _OLDEST
        found: dict[int, tuple[float | None, int]] = {}
        for id, seen in current.items():
            before = saved.get(str(id)) if usable else None
            found[id] = (_since(before, seen, now - saved_at), seen.rss)
        missing = [id for id, (percent, _) in found.items() if percent is None]
        if missing and wait:
            found |= _short_sample({id: pids_by_id[id] for id in missing}, current)
        if not 0 <= now - saved_at < _FRESHEST:
            self._save(now, current)
        return found

    def _load(self) -> tuple[float, dict[str, list[float]]]:
        try:
            with open(self._path, "rb") as file:
                saved = json.load(file)
            return float(saved["at"]), {str(id): [float(x) for x in one] for id, one in saved["seen"].items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return 0.0, {}

    def _save(self, now: float, current: "Mapping[int, _Seen]") -> None:
        """Atomic, not fsynced: lost, it costs a look of 0.1 s. A full disk is no reason to fail."""
        seen = {id: [one.pid, one.started, one.cpu] for id, one in current.items()}
        temporary = self._path.with_name(f".usage.{os.getpid()}.tmp")
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with contextlib.suppress(OSError):
            try:
                with os.fdopen(os.open(temporary, flags, 0o600), "w") as file:
                    json.dump({"at": now, "seen": seen}, file)
                os.replace(temporary, self._path)
            except OSError:
                os.unlink(temporary)


@dataclass(frozen=True, slots=True)
class _Seen:
    """A tree, or one process of it. `started` (of the main one) is on the clock of `_clock`."""

    pid: int
    started: float
    cpu: float
    rss: int


def _look(pids_by_id: Mapping[int, list[int]]) -> dict[int, _Seen]:
    read = _read_proc if _uses_proc() else _read_psutil
    found = {}
    for id, pids in pids_by_id.items():
        if seen := [one for one in map(read, pids) if one is not None]:
            cpu, rss = sum(one.cpu for one in seen), sum(one.rss for one in seen)
            found[id] = _Seen(seen[0].pid, seen[0].started, cpu, rss)
    return found


def _since(before: list[float] | None, seen: _Seen, seconds: float) -> float | None:
    """CPU since the last look if it saw the same process, or since a start that was a moment ago."""
    if before is not None and before[:2] == [seen.pid, seen.started] and before[2] <= seen.cpu + _TICK:
        return cpu_percent(before[2], seen.cpu, seconds)
    age = _clock() - seen.started
    return cpu_percent(0.0, seen.cpu, max(age, _TICK)) if age < _YOUNG else None


def _short_sample(
    pids_by_id: Mapping[int, list[int]], before: Mapping[int, _Seen]
) -> dict[int, tuple[float | None, int]]:
    began = time.monotonic()
    time.sleep(_SHORT)
    later = _look(pids_by_id)
    seconds = time.monotonic() - began
    return {id: (cpu_percent(before[id].cpu, seen.cpu, seconds), seen.rss) for id, seen in later.items()}


def _parents_proc() -> dict[int, int]:
    found = {}
    for name in os.listdir("/proc"):
        if name.isdecimal() and (fields := _stat(int(name))):
            found[int(name)] = int(fields[1])
    return found


def _stat(pid: int) -> list[bytes]:
    """The fields of /proc/PID/stat from the third (state) on; empty: it is gone."""
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return []
    try:
        return os.read(fd, 4096).rpartition(b")")[2].split()
    except OSError:
        return []
    finally:
        os.close(fd)


def _clock() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME) if _uses_proc() else time.time()


def _read_proc(pid: int) -> _Seen | None:
    fields = _stat(pid)
    if len(fields) < 22 or fields[0] == b"Z":
        return None
    cpu = sum(map(int, fields[11:15])) * _TICK
    return _Seen(pid, int(fields[19]) * _TICK, cpu, max(0, int(fields[21])) * _PAGE)


def _parents_psutil() -> dict[int, int]:
    import psutil

    return {process.pid: process.info["ppid"] or 0 for process in psutil.process_iter(["ppid"])}


def _read_psutil(pid: int) -> _Seen | None:
    import psutil

    try:
        process = psutil.Process(pid)
        with process.oneshot():
            if process.status() == psutil.STATUS_ZOMBIE:
                return None
            times = process.cpu_times()
            cpu = times.user + times.system + times.children_user + times.children_system
            return _Seen(pid, process.create_time(), cpu, process.memory_info().rss)
    except (psutil.Error, ValueError, OverflowError):
        return None
