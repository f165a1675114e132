"""The keeper, as the commands and the daemon see it: many requests at once, replies, events, exit records."""

import json
import os
import select
import socket
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import sentinel
from sentinel.backends.native.keeper import sockets
from sentinel.backends.native.keeper.messages import (
    AdoptReply,
    AdoptRequest,
    Event,
    SpawnReply,
    SpawnRequest,
    StopReply,
    StopRequest,
    Told,
)
from sentinel.backends.native.keeper.starter import KEEPER, start_keeper
from sentinel.errors import BackendError
from sentinel.model import Exit
from sentinel.paths import Home
from sentinel.plain import dataclass

__all__ = [
    "AdoptReply",
    "AdoptRequest",
    "Ended",
    "Event",
    "Keeper",
    "KeeperGone",
    "SpawnReply",
    "SpawnRequest",
    "StopReply",
    "StopRequest",
    "Told",
    "pid_of_keeper",
    "read_exits",
    "remove_exits",
]

ANSWER_WITHIN = 60.0  # seconds without a word until the keeper counts as stuck; a stop may take longer
SPAWNS = 64  # that the keeper is asked for at a time


class KeeperGone(BackendError):
    """The connection to the keeper ended: it was killed, or dropped us. What it ran goes on running.

    `Keeper.connect(home, start=True)` again gets a new one, which has adopted what still runs.
    """

    code = "keeper_gone"


@dataclass(slots=True)
class Ended:
    """An exit record: how one run of the process `id` ended."""

    id: int
    pid: int | None
    start: float | None
    exit: Exit


class Keeper:
    """A connection to the keeper of a home. Not for several threads."""

    def __init__(self, home: Home, sock: socket.socket) -> None:
        self.home = home
        self.pid = 0  # the keeper's own
        self.version = ""  # what it was when we came
        self._sock = sock
        self._sock.setblocking(False)
        self._received = bytearray()
        self._unsent = bytearray()
        self._replies: dict[int, dict[str, Any]] = {}
        self._events: deque[Event] = deque()
        self._seq = 0

    @classmethod
    def connect(cls, home: Home, start: bool) -> "Keeper | None":
        """The keeper of `home`; where none runs, a new one if `start`, else None.

        Raises:
            BackendError: one can't be started or reached, or the one there isn't ours.
        """
        deadline = time.monotonic() + ANSWER_WITHIN
        while True:
            sock = _reach(home)
            if sock is None:
                if not start:
                    return None
                start_keeper(home, deadline)
                continue
            keeper = cls(home, sock)
            try:
                keeper._greet()
                return keeper
            except KeeperGone:  # it ended just then, having nothing left to keep
                keeper.close()
                if time.monotonic() > deadline:
                    raise
            except BaseException:
                keeper.close()
                raise

    def _greet(self) -> None:
        """Say which version we are: an older keeper becomes it, keeping what it runs."""
        hello = {"version": sentinel.__version__, "python": sys.executable, "path": KEEPER}
        answer = self._ask("hello", [hello])[0]
        self.pid, self.version = answer["pid"], answer["version"]

    def close(self) -> None:
        """End the connection. What runs goes on running."""
        self._sock.close()

    def __enter__(self) -> "Keeper":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # the operations

    def spawn_many(self, requests: Sequence[SpawnRequest]) -> list[SpawnReply]:
        """Start each; the replies are in the order of the requests, and say which failed.

        Many at a time, and not all: each brings its whole environment, and others want a turn too.
        """
        replies: list[dict[str, Any]] = []
        for begin in range(0, len(requests), SPAWNS):
            replies += self._ask("spawn", requests[begin : begin + SPAWNS])
        return cast(list[SpawnReply], replies)

    def stop_many(
        self, requests: Sequence[StopRequest], on_reply: Callable[[StopReply], None] | None = None
    ) -> list[StopReply]:
        """Stop each tree, all beside each other; returns when the last is done, however long that takes.

        `on_reply` is called for each as soon as it is done. Replies are in the order of the requests.
        """
        replies = self._ask("stop", requests, on_reply=cast(Any, on_reply), patient=True)
        return cast(list[StopReply], replies)

    def tell(self, ids: Sequence[int] | None = None) -> dict[int, Told]:
        """The processes the keeper has, by id: all, or of these ids."""
        return self.tell_all(ids)[0]

    def unsaved_exits(self) -> list[Ended]:
        """Exit records that the keeper could not write yet (a full disk) and holds in memory."""
        return self.tell_all()[1]

    def tell_all(self, ids: Sequence[int] | None = None) -> tuple[dict[int, Told], list[Ended]]:
        """`tell` and `unsaved_exits` at once."""
        answer = self._ask("tell", [{} if ids is None else {"ids": list(ids)}])[0]
        unsaved = [ended for one in answer["unsaved"] if (ended := _ended(one)) is not None]
        return {int(id): told for id, told in answer["processes"].items()}, unsaved

    def pids(self, ids: Iterable[int]) -> dict[int, list[int]]:
        """All processes of each tree, the main one first (if it lives). Ids that do not run are left out."""
        found = self._ask("pids", [{"ids": list(ids)}])[0]["pids"]
        return {int(id): pids for id, pids in found.items()}

    def adopt(self, requests: Sequence[AdoptRequest]) -> list[AdoptReply]:
        """Watch processes that a former keeper started.

        Seldom needed: a new keeper adopts what it finds in the journal of the former one.
        """
        return cast(list[AdoptReply], self._ask("adopt", requests))

    def listen(self) -> None:
        """From now on this connection gets the events. Whoever does not read them is dropped (KeeperGone)."""
        self._ask("listen", [{}])

    # events

    def fileno(self) -> int:
        """For a selector: readable when there may be events. Call `events` once after `listen` too."""
        return self._sock.fileno()

    def events(self) -> list[Event]:
        """The events that have arrived, without waiting.

        Raises:
            KeeperGone: the keeper went, and there are no events left to give.
        """
        try:
            self._receive()
        except KeeperGone:
            if not self._events:
                raise
        events = list(self._events)
        self._events.clear()
        return events

    def wait_event(self, timeout: float | None) -> Event | None:
        """The next event; None: nothing came within `timeout` seconds (None: wait for ever)."""
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self._events:
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left < 0 and not self._wait(0.0):
                return None
            if left is None or left >= 0:
                self._wait(left)
            self._receive()
        return self._events.popleft()

    # the wire

    def _ask(
        self,
        op: str,
        requests: Sequence[Mapping[str, Any]],
        on_reply: Callable[[dict[str, Any]], None] | None = None,
        patient: bool = False,
    ) -> list[dict[str, Any]]:
        """Send all requests, then gather all replies."""
        seqs = range(self._seq, self._seq + len(requests))
        self._seq += len(requests)
        for seq, request in zip(seqs, requests, strict=True):
            self._unsent += json.dumps({"op": op, "seq": seq, **request}).encode() + b"\n"
        missing = set(seqs)
        replies: dict[int, dict[str, Any]] = {}
        heard = time.monotonic()
        while missing or self._unsent:
            self._send()
            if not self._wait(
                None if patient and not self._unsent else ANSWER_WITHIN - (time.monotonic() - heard)
            ):
                raise BackendError("the keeper does not answer", f"see {self.home.keeper_log}")
            self._receive(missing)
            for seq in missing & self._replies.keys():
                heard = time.monotonic()
                missing.discard(seq)
                replies[seq] = reply = _checked(self._replies.pop(seq), self.home)
                if on_reply is not None:
                    on_reply(reply)
        return [replies[seq] for seq in seqs]

    def _send(self) -> None:
        try:
            while self._unsent:
                del self._unsent[: self._sock.send(self._unsent)]
        except BlockingIOError:
            pass
        except OSError as error:
            raise _gone(self.home) from error

    def _wait(self, timeout: float | None) -> bool:
        """Until the socket can be used. False: it took too long."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN | (select.POLLOUT if self._unsent else 0))
        return bool(poll.poll(None if timeout is None else max(0.0, timeout) * 1000))

    def _receive(self, missing: Iterable[int] = ()) -> None:
        """Take in all that has arrived."""
        gone: Exception | None = None
        try:
            while data := self._sock.recv(1 << 18):
                self._received += data
            gone = EOFError("end of stream")
        except BlockingIOError:
            pass
        except OSError as error:
            gone = error
        *lines, rest = self._received.split(b"\n")
        self._received = rest
        for line in lines:
            message = json.loads(line)
            if "event" in message:
                self._events.append(message)
            else:
                self._replies[message["seq"]] = message
        if gone is not None and not (missing and set(missing) <= self._replies.keys()):
            raise _gone(self.home) from gone


def read_exits(home: Home, ids: set[int] | None = None) -> list[Ended]:
    """The exit records of these processes (None: of all), by id and run; other files are passed over."""
    found = []
    for id, run, name in _exit_files(home):
        if ids is None or id in ids:
            try:
                ended = _ended(json.loads((home.exits / name).read_bytes()))
            except (OSError, ValueError):
                continue
            if ended is not None and (ended.id, ended.exit.run) == (id, run):
                found.append(ended)
    return sorted(found, key=lambda ended: (ended.id, ended.exit.run))


def remove_exits(home: Home, runs: Mapping[int, int]) -> None:
    """Remove the records of {id: up to and including this run}."""
    for id, run, name in _exit_files(home):
        if id in runs and run <= runs[id]:
            try:
                os.unlink(home.exits / name)
            except OSError:
                pass  # it was removed by somebody else, or stays until it can be


def _exit_files(home: Home) -> list[tuple[int, int, str]]:
    try:
        names = os.listdir(home.exits)
    except OSError:
        return []
    found = []
    for name in names:
        id, _, rest = name.partition(".")
        run, _, suffix = rest.partition(".")
        if suffix == "json" and id.isdecimal() and run.isdecimal():
            found.append((int(id), int(run), name))
    return found


def _ended(record: Any) -> Ended | None:
    """An exit record as read, or None where it is none."""
    if (
        not isinstance(record, dict)
        or type(record.get("id")) is not int
        or type(record.get("run")) is not int
    ):
        return None
    code, signal, at = record.get("code"), record.get("signal"), record.get("at")
    exit = Exit(
        run=record["run"],
        code=code if type(code) is int else None,
        signal=signal if type(signal) is int else None,
        at=float(at) if isinstance(at, int | float) else None,
        reason=str(record.get("reason") or ""),
    )
    pid, start = record.get("pid"), record.get("start")
    return Ended(
        record["id"],
        pid if type(pid) is int else None,
        float(start) if isinstance(start, int | float) else None,
        exit,
    )


def pid_of_keeper(home: Home) -> int | None:
    """Without a word with it, since it may be stopped. None: none listens, or this system does not tell."""
    sock = _reach(home)
    if sock is None:
        return None
    with sock:
        if not hasattr(socket, "SO_PEERCRED"):
            return None
        return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)[:4], sys.byteorder)


def _reach(home: Home) -> socket.socket | None:
    """A connected socket, or None where no keeper listens."""
    try:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    except OSError as error:
        raise _unreachable(home, error, "close some of what is open, or raise the limit (ulimit -n)") from error
    try:
        sock.settimeout(ANSWER_WITHIN)
        sockets.connect(sock, os.fspath(home.keeper_socket))
        if sockets.trusted(sockets.peer_uid(sock)):
            return sock
        sock.close()
        raise BackendError(
            f"the keeper of {home.root} is not yours", "set SENTINEL_HOME to a directory of your own"
        )
    except (FileNotFoundError, ConnectionRefusedError, ConnectionResetError):
        sock.close()
        return None
    except OSError as error:
        sock.close()
        raise _unreachable(home, error, f"check {home.run} and its permissions") from error


def _unreachable(home: Home, error: OSError, hint: str) -> BackendError:
    return BackendError(f"cannot reach the keeper of {home.root}: {os.strerror(error.errno or 0).lower()}", hint)


def _checked(reply: dict[str, Any], home: Home) -> dict[str, Any]:
    reply.pop("seq", None)
    if "error" in reply:
        raise BackendError(f"the keeper refused: {reply['error']}", f"see {home.keeper_log}")
    return reply


def _gone(home: Home) -> KeeperGone:
    return KeeperGone("the keeper went away", f"try again; if it happens again see {home.keeper_log}")
