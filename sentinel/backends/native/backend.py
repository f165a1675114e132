"""The native engine: the Backend interface over the keeper."""

import errno
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from sentinel import identity
from sentinel.backends.base import Launch, LogSource, Results, Seen, Started
from sentinel.backends.native.client import (
    Keeper,
    KeeperGone,
    SpawnReply,
    SpawnRequest,
    StopRequest,
    Told,
    read_exits,
    remove_exits,
)
from sentinel.errors import LaunchError, SentinelError, StopError, Unsupported
from sentinel.model import Group, Record, Spec, Status
from sentinel.paths import Home

T = TypeVar("T")


class NativeBackend:
    """Processes that the keeper of this home forks and waits for."""

    name = "native"
    restarts_by_itself = False

    def __init__(self, home: Home) -> None:
        self.home = home
        self._keeper: Keeper | None = None

    # what the engine promises

    def refuse(self, spec: Spec, group: Group | None) -> None:
        """See Backend.refuse."""
        if spec.logs.kind == "journal":
            raise Unsupported("the native engine writes log files, not the journal", "leave --logs out")
        if group is not None and (group.memory_max, group.cpu_quota, group.tasks_max) != (None, None, None):
            raise Unsupported(
                f"group {group.name} has limits, which need systemd", "choose another group, or --backend systemd"
            )
        _refuse_limits(spec)

    def start(self, launches: Sequence[Launch]) -> Results:
        """See Backend.start."""
        for launch in launches:
            os.makedirs(os.path.dirname(launch.stdout), mode=0o700, exist_ok=True)
        requests = [_request(launch) for launch in launches]
        try:
            replies = self._with_keeper(lambda keeper: keeper.spawn_many(requests))
        except SentinelError as error:
            return {launch.record.id: error for launch in launches}
        results: Results = {}
        for launch, reply in zip(launches, replies, strict=True):
            results[launch.record.id] = _started(launch, reply)
        return results

    def stop(
        self,
        records: Sequence[Record],
        *,
        force: bool = False,
        reason: str = "stop",
        told: Callable[[], None] | None = None,
    ) -> Mapping[int, SentinelError | None]:
        """See Backend.stop."""
        results: dict[int, SentinelError | None] = {record.id: None for record in records}
        if not self._wanted(records):
            return results
        requests: list[StopRequest] = [
            {
                "id": r.id,
                "signal": int(getattr(signal, f"SIG{r.spec.stop_signal}", signal.SIGTERM)),
                "timeout": r.spec.stop_timeout,
                "force": force,
                "reason": reason,
            }
            for r in records
        ]
        names = {r.id: r.name for r in records}
        for reply in self._with_keeper(lambda keeper: keeper.stop_many(requests, lambda _: told() if told else None)):
            if left := reply.get("left"):
                pids = ", ".join(map(str, left))
                results[reply["id"]] = StopError(
                    f"cannot stop {names[reply['id']]}: pid {pids} is still there after SIGKILL",
                    "it may hang in the kernel (state D in ps): try again later",
                )
        return results

    def see(self, records: Sequence[Record]) -> Mapping[int, Seen]:
        """See Backend.see."""
        told = self._tell(records)
        seen = {record.id: _seen(told.get(record.id)) for record in records}
        for ended in read_exits(self.home, {record.id for record in records}):
            seen[ended.id].exits.append(ended.exit)
        return seen

    def forget_exits(self, records: Mapping[int, int]) -> None:
        """See Backend.forget_exits."""
        remove_exits(self.home, records)

    def forget(self, records: Sequence[Record]) -> None:
        """See Backend.forget."""
        remove_exits(self.home, {record.id: 2**62 for record in records})

    def wait_ready(self, records: Sequence[Record], timeout: float) -> Mapping[int, SentinelError | None]:
        """See Backend.wait_ready."""
        import time

        deadline = time.monotonic() + timeout
        keeper = Keeper.connect(self.home, start=True)
        assert keeper is not None
        waiting = {record.id: record for record in records}
        results: dict[int, SentinelError | None] = {}
        with keeper:
            keeper.listen()
            told = keeper.tell()
            for id in list(waiting):
                if id not in told or told[id]["ended"]:
                    results[id] = LaunchError(f"{waiting.pop(id).name} ended before it was ready")
                elif told[id]["ready"]:
                    results[waiting.pop(id).id] = None
            while waiting:
                event = keeper.wait_event(max(0.0, deadline - time.monotonic()))
                if event is None:
                    break
                record = waiting.get(event.get("id", -1))
                if record is not None and event["event"] in ("ready", "exit"):
                    ended = LaunchError(f"{record.name} ended before it was ready")
                    results[waiting.pop(record.id).id] = None if event["event"] == "ready" else ended
        for record in waiting.values():
            results[record.id] = LaunchError(f"{record.name} was not ready within {timeout:g} s")
        return results

    def pids(self, records: Sequence[Record]) -> Mapping[int, list[int]]:
        """See Backend.pids."""
        if not self._wanted(records):
            return {}
        return self._with_keeper(lambda keeper: keeper.pids([record.id for record in records]))

    def logs(self, record: Record) -> LogSource:
        """See Backend.logs."""
        from sentinel.logs.read import FileLog

        return FileLog(self.home.log(record.name, "stdout"), self.home.log(record.name, "stderr"))

    def apply_group(self, group: Group) -> list[str]:
        """Groups are names here: nothing to make."""
        return []

    def remove_group(self, name: str) -> None:
        """Groups are names here: nothing to remove."""

    # for the daemon

    def listen(self) -> Keeper:
        """A connection of its own that gets the keeper's events; a keeper is started where none runs."""
        keeper = Keeper.connect(self.home, start=True)
        assert keeper is not None
        keeper.listen()
        return keeper

    def release(self) -> None:
        """End our own connection: a keeper that nobody talks to and that has nothing to keep goes."""
        if self._keeper is not None:
            self._keeper.close()
            self._keeper = None

    # the keeper

    def _with_keeper(self, work: Callable[[Keeper], T]) -> T:
        """Do it with the keeper; once more with a new one if that was killed just then."""
        for attempt in (1, 2, 3):
            if self._keeper is None:
                self._keeper = Keeper.connect(self.home, start=True)
            assert self._keeper is not None
            try:
                return work(self._keeper)
            except KeeperGone:
                self._keeper.close()
                self._keeper = None
                if attempt == 3:
                    raise
        raise AssertionError("unreachable")

    def _wanted(self, records: Sequence[Record]) -> bool:
        """Whether a keeper is worth starting: one runs, or something that a killed one left may be alive."""
        if self._keeper is None:
            self._keeper = Keeper.connect(self.home, start=False)
        return self._keeper is not None or any(_may_live(record) for record in records)

    def _tell(self, records: Sequence[Record]) -> dict[int, Told]:
        if not records or not self._wanted(records):
            return {}
        ids = [record.id for record in records]
        told = self._with_keeper(lambda keeper: keeper.tell(ids))
        lost = [r for r in records if r.id not in told and _may_live(r)]
        if lost:  # what a killed keeper left and its journal did not name
            self._with_keeper(
                lambda keeper: keeper.adopt(
                    [
                        {
                            "id": r.id,
                            "run": r.runtime.run,
                            "pid": r.runtime.pid or 0,
                            "start": r.runtime.start_time or 0.0,
                            "started_at": r.runtime.started_at or 0.0,
                            "ready": r.runtime.ready,
                            "stop_timeout": r.spec.stop_timeout,
                        }
                        for r in lost
                    ]
                )
            )
            told = self._with_keeper(lambda keeper: keeper.tell(ids))
        return told



def _may_live(record: Record) -> bool:
    """What state.json says runs does run: the same process, in this boot."""
    runtime = record.runtime
    if runtime.pid is None or runtime.boot_id != identity.boot_id():
        return False
    return identity.alive(runtime.pid, runtime.start_time)


def _seen(told: Told | None) -> Seen:
    if told is None:
        return Seen()
    if told["ended"]:
        return Seen(status=Status.STOPPING)  # its main process ended; what is left of its tree is being ended
    return Seen(
        alive=True,
        run=told["run"],
        pid=told["pid"],
        start_time=told["start"],
        started_at=told["started_at"],
        ready=told["ready"],
        status=Status.STOPPING if told["stopping"] else None,
    )


def _request(launch: Launch) -> SpawnRequest:
    limits = launch.record.spec.limits
    account = launch.account
    request: SpawnRequest = {
        "id": launch.record.id,
        "run": launch.run,
        "program": launch.program,
        "argv": launch.argv,
        "env": launch.env,
        "cwd": launch.cwd,
        "uid": account.uid if account else None,
        "gid": account.gid if account else None,
        "groups": list(account.groups) if account else None,
        "nice": limits.nice,
        "nofile": limits.nofile,
        "stdout": launch.stdout,
        "stderr": launch.stderr,
        "notify": launch.notify,
        "stop_timeout": launch.record.spec.stop_timeout,
    }
    if limits.ionice is not None:
        from sentinel.quantities import ionice_parts

        request["ionice"] = list(ionice_parts(limits.ionice))
    return request


def _started(launch: Launch, reply: SpawnReply) -> Started | SentinelError:
    if "failed" in reply:
        return _failed(launch, reply["failed"], reply.get("errno", 0))
    if reply.get("already") and reply.get("stopping"):
        return LaunchError(f"cannot start {launch.record.name}: it is being stopped", "wait until it has ended")
    notes = []
    if launch.record.spec.limits.memory_max is not None:
        notes.append("--memory-max is watched by the daemon, which restarts a process that passes it")
    return Started(
        pid=reply["pid"],
        start_time=reply["start"],
        started_at=reply["started_at"],
        run=reply["run"],
        already=reply.get("already", False),
        notes=notes,
    )


def _failed(launch: Launch, step: str, number: int) -> LaunchError:
    name, why = launch.record.name, os.strerror(number).lower()
    limits = launch.record.spec.limits
    what = {
        "cwd": f"cannot change to {launch.cwd}: {why}",
        "user": f"cannot change to user {launch.account.name if launch.account else ''}: {why}",
        "nice": f"cannot set nice {limits.nice}: {why}",
        "ionice": f"cannot set I/O class {limits.ionice}: {why}",
        "nofile": f"cannot set the limit of open files to {limits.nofile}: {why}",
        "log": f"cannot open its log files: {why}",
        "fork": f"no new process can be made: {why}",
    }.get(step, f"cannot execute {launch.program}: {why}")
    hint = {
        "nice": "only root may lower it",
        "ionice": "realtime is for root only",
        "nofile": "only root may raise it above the hard limit (ulimit -Hn)",
        "log": f"check {os.path.dirname(launch.stdout)} and the free space there",
        "fork": "stop something first, or raise the limits (ulimit -u, ulimit -n)",
    }.get(step, "check the command, and its permissions")
    if step in ("program", "exec") and number == errno.ENOEXEC:
        what, hint = f"cannot execute {launch.program}: it has no '#!' line", "add one, or run it as 'sh FILE'"
    return LaunchError(f"cannot start {name}: {what}", hint)


def _refuse_limits(spec: Spec) -> None:
    import sys

    limits = spec.limits
    if limits.ionice is not None and sys.platform != "linux":
        raise Unsupported("--ionice needs Linux", "leave it out")
    if os.geteuid() == 0:
        return
    if limits.nice is not None and limits.nice < 0:
        raise Unsupported(f"--nice {limits.nice}: only root may go below 0", "use 0 to 19")
    if limits.ionice is not None and limits.ionice.startswith("realtime"):
        raise Unsupported("--ionice realtime: only root may use it", "use best-effort or idle")


