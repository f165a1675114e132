"""`metrics`: what monitoring wants to know of the daemon and each process. Only looks: nothing is started."""

import os
from collections.abc import Iterable, Mapping

from sentinel import metrics
from sentinel.backends.base import Seen
from sentinel.errors import SentinelError
from sentinel.metrics import Metric
from sentinel.model import Desired, Health, Record, Status
from sentinel.paths import Home
from sentinel.supervisor.absorb import absorb
from sentinel.supervisor.context import Context
from sentinel.supervisor.views import status_of

Usage = Mapping[int, tuple[float, int]]
Values = Mapping[str, float | None]

# fmt: off
_PROCESS = (
    ("wanted", "gauge", "1: it is meant to run; 0: it was stopped, or ended well and stays so."),
    ("up", "gauge", "1: its main process runs."),
    ("healthy", "gauge", "1: its health check passed, 0: it failed. Only where there is a check that has answered."),
    ("restarts", "counter", "Automatic restarts since it was last started by hand."),
    ("exit_code", "gauge", "How its last run ended, where that was an exit code."),
    ("exit_signal", "gauge", "How its last run ended, where that was a signal."),
    ("gave_up", "gauge", "1: it is not restarted any more, having failed too often."),
    ("start_time_seconds", "gauge", "When its current run began, in seconds since the epoch."),
    ("cpu_seconds", "counter", "CPU time used by its whole process tree."),
    ("resident_memory_bytes", "gauge", "Resident memory of its whole process tree."),
    ("tree_processes", "gauge", "Number of processes in its tree."),
)
# fmt: on


def measure(context: Context) -> str:
    """All of it as OpenMetrics text. Of a process whose backend can't be reached nothing is known but its logs.

    Raises:
        StateError: state.json can't be read.
    """
    records = list(context.store.read().processes.values())
    return metrics.render([*_sentinel(context.home), *_processes(context, records), _logs(context.home, records)])


def _sentinel(home: Home) -> list[Metric]:
    import sentinel
    from sentinel.supervisor.daemon_client import read_pid_file

    build = Metric("sentinel_build_info", "gauge", "The version of sentinel, in a label.")
    build.add(1, {"version": sentinel.__version__})
    up = Metric("sentinel_daemon_up", "gauge", "1: the daemon of this home runs.")
    up.add(read_pid_file(home) is not None, {})
    return [build, up]


def _processes(context: Context, records: list[Record]) -> list[Metric]:
    found = {key: Metric(f"sentinel_process_{key}", kind, help) for key, kind, help in _PROCESS}
    seen, unreachable = context.look(records)
    up = Metric("sentinel_backend_up", "gauge", "1: the backend of some process can be reached, 0: it can't be.")
    for name in sorted({record.backend for record in records}):
        up.add(all(name != engine for engine, _ in unreachable), {"backend": name})
    records = [record for record in records if record.id in seen]
    for record in records:
        absorb(record, seen[record.id], context.now())
    alive = [record for record in records if seen[record.id].alive]
    trees = _trees(context, alive)
    usage = _usage(trees)
    for record in records:
        values = _values(record, seen[record.id], context.now())
        if record.id in usage:
            values = {**values, **_used(usage[record.id], len(trees[record.id]))}
        for key, value in values.items():
            found[key].add(value, _labels(record))
    return [up, *found.values()]


def _labels(record: Record) -> dict[str, str]:
    return {"name": record.name, "group": record.spec.group or "", "backend": record.backend}


def _values(record: Record, seen: Seen, now: float) -> Values:
    runtime, last, alive = record.runtime, record.runtime.last_exit, seen.alive
    known = record.spec.health is not None and runtime.health is not Health.UNKNOWN
    return {
        "wanted": record.desired is Desired.RUNNING and status_of(record, seen, now) is not Status.EXITED,
        "up": alive,
        "healthy": runtime.health is Health.HEALTHY if known and alive else None,
        "restarts": runtime.restarts,
        "exit_code": last.code if last else None,
        "exit_signal": last.signal if last else None,
        "gave_up": runtime.gave_up,
        "start_time_seconds": runtime.started_at if alive else None,
    }


def _used(used: tuple[float, int], processes: int) -> Values:
    return {"cpu_seconds": round(used[0], 2), "resident_memory_bytes": used[1], "tree_processes": processes}


def _trees(context: Context, alive: Iterable[Record]) -> dict[int, list[int]]:
    trees: dict[int, list[int]] = {}
    for engine, group in context.by_engine(alive):
        try:
            trees.update(engine.pids(group))
        except SentinelError:
            continue  # an engine that went away meanwhile: the rest is still worth telling
    return trees


def _usage(trees: Mapping[int, list[int]]) -> Usage:
    if not trees:
        return {}
    from sentinel.usage import sample

    return sample(trees)


def _logs(home: Home, records: Iterable[Record]) -> Metric:
    found = Metric("sentinel_process_log_bytes", "gauge", "Size of its log files, rotated ones included.")
    for record in records:
        if record.backend != "native" and record.spec.logs.kind != "file":
            continue
        for stream in ("stdout", "stderr"):
            path = str(home.log(record.name, stream))
            files = [path, *(f"{path}.{number}" for number in range(1, record.spec.logs.backups + 1))]
            sizes = [size for file in files if (size := _size(file)) is not None]
            found.add(sum(sizes) if sizes else None, {**_labels(record), "stream": stream})
    return found


def _size(path: str) -> int | None:
    try:
        return os.lstat(path).st_size
    except OSError:
        return None
