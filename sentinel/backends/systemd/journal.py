"""JournalLog: the output of a process as the journal keeps it, read through journalctl.

A line is found by its identifier and uid, since journald can't always tell the unit of a process that has
just ended, or by its unit, for what the program itself sends to the journal. What came through stderr has
a priority of warning or worse (systemd-cat gives it that); the rest is stdout. No `--user`: it would hide
what root's units write. No `--after-cursor`: where the entry there isn't one of ours, systemd 252 leaves
out the first that is.
"""

import contextlib
import json
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from sentinel.backends.base import LogLine
from sentinel.errors import BackendError
from sentinel.plain import dataclass

if TYPE_CHECKING:
    import subprocess

_FIELDS = "MESSAGE,PRIORITY,_LINE_BREAK,_STREAM_ID,_TRANSPORT,_PID"
_PRIORITIES = {"stderr": "0..4", "stdout": "5..7"}
_DROPPED = "a596d6fe7bfa4994828e72309e95d61e"  # SD_MESSAGE_JOURNAL_DROPPED
_CONTINUES = {"line-max": b"", "nul": b"\0"}  # why journald broke a line, and what was there
_IDLE = 0.25
_PATIENCE = 1.0  # for the rest of a line that journald broke


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the journal. Those of one source are ordered by number, others by time."""

    source: str
    number: int
    time: int  # microseconds

    def __lt__(self, other: "Position") -> bool:
        if self.source == other.source:
            return self.number < other.number
        return self.time < other.time


def position(cursor: str) -> Position | None:
    """What a cursor says; None: it is none (another version's, or damaged)."""
    try:
        parts = dict(part.split("=", 1) for part in cursor.split(";"))
        return Position(parts["s"], int(parts["i"], 16), int(parts["t"], 16))
    except (KeyError, ValueError):
        return None


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of the journal: a line, or a part of one."""

    stream: str
    data: bytes
    at: float
    cursor: str
    origin: str  # what wrote it: parts of a line have the same
    glue: bytes | None  # the line goes on after this; None: it ends here


def parse(line: bytes) -> Entry | None:
    """An entry from journalctl's JSON; None: no output of a program."""
    try:
        raw: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    message = raw.get("MESSAGE")
    if message is None or raw.get("_TRANSPORT") in ("audit", "kernel"):
        return None
    if isinstance(message, list) and message and isinstance(message[0], (str, list)):
        message = message[0]  # the field is there several times
    data = message.encode(errors="surrogatepass") if isinstance(message, str) else bytes(message)
    priority = str(raw.get("PRIORITY", "6"))
    return Entry(
        stream="stderr" if priority.isdecimal() and int(priority) <= 4 else "stdout",
        data=data,
        at=int(raw.get("__REALTIME_TIMESTAMP", 0)) / 1e6,
        cursor=raw.get("__CURSOR", ""),
        origin=str(raw.get("_STREAM_ID") or raw.get("_PID", "")),
        glue=_CONTINUES.get(str(raw.get("_LINE_BREAK", ""))),
    )


class Joiner:
    """Puts lines together again that journald broke."""

    def __init__(self) -> None:
        self._parts: dict[tuple[str, str], list[Entry]] = {}

    def add(self, entry: Entry) -> LogLine | None:
        key = (entry.origin, entry.stream)
        if entry.glue is not None:
            self._parts.setdefault(key, []).append(entry)
            return None
        return _joined([*self._parts.pop(key, ()), entry])

    def rest(self, before: float = float("inf")) -> list[LogLine]:
        """Lines whose rest didn't come; `before`: only those begun before that time."""
        keys = [key for key, parts in self._parts.items() if parts[0].at < before]
        return [_joined(self._parts.pop(key)) for key in keys]


def _joined(parts: list[Entry]) -> LogLine:
    data = b"".join(part.data + (part.glue or b"") for part in parts)
    return LogLine(parts[0].stream, data, parts[0].at)


def newest_cursor() -> str | None:
    """Where the journal ends now; None: it is empty.

    Raises:
        BackendError: it can't be read.
    """
    with _journalctl("-n", "1", "--output-fields=_PID") as lines:
        for line in lines:
            cursor = json.loads(line).get("__CURSOR")
            return str(cursor) if cursor else None
    return None


class JournalLog:
    """LogSource over the lines of one identifier and uid, and of the unit. Runs nothing before it is asked.

    `cursor` and `cleared_at` are what the record remembers of the last `clear`.
    """

    def __init__(
        self, identifier: str, uid: int, scope: str, unit: str, cursor: str | None = None,
        cleared_at: float | None = None,
    ) -> None:
        self.cursor = cursor
        self.cleared_at = cleared_at
        self._uid = uid
        self._unit = unit
        own = [f"_SYSTEMD_USER_UNIT={unit}", f"_UID={uid}"] if scope == "user" else [f"_SYSTEMD_UNIT={unit}"]
        self._matches = [f"SYSLOG_IDENTIFIER={identifier}", f"_UID={uid}", "+", *own]

    def tail(self, lines: int, streams: Sequence[str], since: float | None = None) -> Iterator[LogLine]:
        """The last lines of each stream, in the order of their times. Negative: all lines."""
        return self._tail(lines, streams, since, None)

    def follow(self, streams: Sequence[str]) -> Iterator[LogLine | None]:
        """What is written after this call."""
        return self._follow(streams, newest_cursor())

    def tail_and_follow(
        self, lines: int, streams: Sequence[str], since: float | None = None
    ) -> Iterator[LogLine | None]:
        """What `tail` gives now, and then what comes, each line once."""
        here = newest_cursor()
        return self._tail_then_follow(lines, streams, since, here)

    def clear(self) -> tuple[str | None, float]:
        """Remember where the journal ends in `cursor` and `cleared_at`; the caller keeps what is returned."""
        self.cursor = newest_cursor()
        self.cleared_at = time.time()
        return self.cursor, self.cleared_at

    def suppressed(self, since: float | None = None) -> int:
        """How many lines journald dropped, as far as we may know; of a user's units, of all together."""
        times = [at for at in (since, self.cleared_at) if at is not None]
        arguments = [f"--since=@{max(times):.6f}"] if times else []
        units = (self._unit, f"user@{self._uid}.service")
        total = 0
        with _journalctl(*arguments, "--output-fields=MESSAGE,N_DROPPED", f"MESSAGE_ID={_DROPPED}") as lines:
            for line in lines:
                raw = json.loads(line)
                words = str(raw.get("MESSAGE", "")).split()
                if words and words[-1] in units:
                    total += int(raw.get("N_DROPPED") or next(filter(str.isdecimal, words), 0))
        return total

    def _tail_then_follow(
        self, lines: int, streams: Sequence[str], since: float | None, here: str | None
    ) -> Iterator[LogLine | None]:
        if here is not None:
            yield from self._tail(lines, streams, since, position(here))
        yield from self._follow(streams, here)

    def _begin(self, since: float | None) -> float | None:
        times = [at for at in (since, self.cleared_at if self.cursor is None else None) if at is not None]
        return max(times, default=None)

    def _tail(
        self, lines: int, streams: Sequence[str], since: float | None, until: Position | None
    ) -> Iterator[LogLine]:
        if lines == 0:
            return
        wanted = [name for name in _PRIORITIES if name in streams]
        if lines < 0:
            yield from _lines(self._forward(wanted, since, until))
            return
        found = [line for name in wanted for line in self._last(lines, name, since, until)]
        yield from sorted(found, key=lambda line: line.at or 0.0)  # stable: each stream stays as it was

    def _last(
        self, lines: int, stream: str, since: float | None, until: Position | None
    ) -> list[LogLine]:
        """Read backwards, and stop as soon as there is enough: the journal may be huge."""
        entries: list[Entry] = []
        ends = 0
        with self._query([stream], since, "--reverse") as found:
            for entry in self._after_clear(found):
                if _beyond(entry, until):
                    continue
                ends += entry.glue is None
                if ends > lines:
                    break
                entries.append(entry)
        return list(_lines(reversed(entries)))[-lines:]

    def _forward(
        self, streams: Sequence[str], since: float | None, until: Position | None
    ) -> Iterator[Entry]:
        cleared = position(self.cursor) if self.cursor else None
        arguments = [f"--cursor={self.cursor}"] if cleared and since is None else []
        with self._query(streams, since, *arguments) as found:
            for entry in found:
                if _beyond(entry, until):
                    return
                if cleared is None or _beyond(entry, cleared):
                    yield entry

    def _after_clear(self, newest_first: Iterable[Entry]) -> Iterator[Entry]:
        cleared = position(self.cursor) if self.cursor else None
        for entry in newest_first:
            if cleared is not None and not _beyond(entry, cleared):
                return
            yield entry

    @contextlib.contextmanager
    def _query(
        self, streams: Sequence[str], since: float | None, *arguments: str
    ) -> Iterator[Iterator[Entry]]:
        begin = self._begin(since)
        options = [*arguments, *([f"--since=@{begin:.6f}"] if begin is not None else [])]
        with _journalctl(*options, *self._selection(streams)) as lines:
            yield (
                entry for entry in map(parse, lines)
                if entry and entry.stream in streams and (begin is None or entry.at >= begin)
            )

    def _selection(self, streams: Sequence[str]) -> list[str]:
        priority = [f"--priority={_PRIORITIES[streams[0]]}"] if len(streams) == 1 else []
        return [*priority, f"--output-fields={_FIELDS}", *self._matches]

    def _follow(self, streams: Sequence[str], cursor: str | None) -> Iterator[LogLine | None]:
        here = [f"--cursor={cursor}"] if cursor else []
        process = _start("--follow", "--no-tail", *here, *self._selection(list(dict.fromkeys(streams))))
        return _followed(process, streams, position(cursor) if cursor else None)


def _lines(entries: Iterable[Entry]) -> Iterator[LogLine]:
    joiner = Joiner()
    for entry in entries:
        if line := joiner.add(entry):
            yield line
    yield from joiner.rest()


def _beyond(entry: Entry, place: Position | None) -> bool:
    """Whether the entry is newer than that place."""
    here = position(entry.cursor) if place is not None else None
    return place is not None and here is not None and place < here


def _followed(
    process: "subprocess.Popen[bytes]", streams: Sequence[str], start: Position | None
) -> Iterator[LogLine | None]:
    import selectors

    assert process.stdout is not None
    joiner = Joiner()
    buffer = b""
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(process.stdout, selectors.EVENT_READ)
            while True:
                if not selector.select(_IDLE):
                    yield from joiner.rest(time.time() - _PATIENCE)
                    yield None
                    continue
                data = os.read(process.stdout.fileno(), 1 << 18)
                if not data:
                    raise _ended(process)
                *lines, buffer = (buffer + data).split(b"\n") if b"\n" in data else [buffer + data]
                for entry in map(parse, lines):
                    if not entry or entry.stream not in streams or (start and not _beyond(entry, start)):
                        continue
                    if line := joiner.add(entry):
                        yield line
    finally:
        _finish(process)


def _start(*arguments: str) -> "subprocess.Popen[bytes]":
    import subprocess

    command = ["journalctl", "--quiet", "--no-pager", "--all", "--output=json", *arguments]
    try:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            process_group=0,  # Ctrl-C is for us: we end it
        )
    except FileNotFoundError:
        raise BackendError("cannot read the journal: journalctl is not installed", _HINT) from None
    except OSError as error:
        why = os.strerror(error.errno or 0).lower()
        raise BackendError(f"cannot run journalctl: {why}", _HINT) from error


_HINT = "install systemd's journalctl, or run the process with --logs file"


@contextlib.contextmanager
def _journalctl(*arguments: str) -> Iterator[Iterator[bytes]]:
    """Its lines; leaving early ends it.

    Raises:
        BackendError: it is missing, or could not read the journal.
    """
    process = _start(*arguments)
    try:
        yield _whole_output(process)
    finally:
        _finish(process)


def _whole_output(process: "subprocess.Popen[bytes]") -> Iterator[bytes]:
    assert process.stdout is not None
    yield from process.stdout
    if process.wait() != 0:
        raise _ended(process)


def _ended(process: "subprocess.Popen[bytes]") -> BackendError:
    said = b""
    if process.stderr is not None:
        said = process.stderr.read(4096)
    status = process.wait()
    words = said.decode(errors="replace").strip().splitlines()
    return BackendError(
        f"cannot read the journal: {words[-1] if words else f'journalctl ended with status {status}'}",
        "check that you may read it (group systemd-journal) and that journald runs, or use --logs file",
    )


def _finish(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        process.kill()
    process.wait()
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


__all__ = ["Entry", "Joiner", "JournalLog", "newest_cursor", "parse", "position"]
