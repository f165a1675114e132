"""The ledger of events: events.jsonl in the home, append-only, at most two files of a megabyte."""

import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress

from sentinel import faultpoints
from sentinel.events import Event
from sentinel.files import open_private
from sentinel.model import Exit
from sentinel.paths import Home

LARGEST = 1 << 20
POLL = 0.2  # seconds between two looks of `follow`


def append(home: Home, events: Iterable[Event]) -> None:
    """Write events down. Trouble with the ledger never stops what it tells about."""
    lines = b"".join(_line(event) for event in events)
    if not lines:
        return
    with suppress(OSError):
        fd = open_private(home.events, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            os.write(fd, lines)
            faultpoints.reach("ledger.written")
            if os.fstat(fd).st_size > LARGEST and os.path.samestat(os.fstat(fd), os.stat(home.events)):
                os.replace(home.events, home.events_before)
        finally:
            os.close(fd)


def _line(event: Event) -> bytes:
    facts = {"at": round(event.at, 6), "event": event.event, "id": event.id, "name": event.name, **event.details}
    return json.dumps(facts).encode() + b"\n"


def read(home: Home) -> Iterator[Event]:
    """All that is still there, oldest first. Lines that are none (a kill while writing) are left out."""
    for path in (home.events_before, home.events):
        with suppress(OSError), open(open_private(path), "rb") as file:
            yield from _parsed(file.read())


def tells_end(home: Home, id: int, end: Exit) -> bool:
    """Whether it is written down how this run ended."""
    at = round(end.at or 0.0, 6)
    return any(e.id == id and e.details.get("run") == end.run and e.at == at for e in read(home))


def follow(home: Home) -> Iterator[Event | None]:
    """What happens from now on, for ever; None: nothing for a moment."""
    file = None
    with suppress(OSError):
        file = open(open_private(home.events), "rb")  # noqa: SIM115 (it is replaced while we read)
        file.seek(0, os.SEEK_END)
    rest = b""
    while True:
        data = file.read() if file is not None else b""
        if data:
            *lines, rest = (rest + data).split(b"\n")
            yield from _parsed(b"\n".join(lines))
            continue
        with suppress(OSError):
            if file is None or not os.path.samestat(os.fstat(file.fileno()), os.stat(home.events)):
                file, rest = open(open_private(home.events), "rb"), b""  # noqa: SIM115
                continue
        yield None
        time.sleep(POLL)


def _parsed(data: bytes) -> Iterator[Event]:
    for line in data.splitlines():
        with suppress(ValueError, KeyError, TypeError):
            facts = json.loads(line)
            event = Event(
                float(facts.pop("at")), str(facts.pop("event")), int(facts.pop("id")), str(facts.pop("name"))
            )
            event.details = facts
            yield event
