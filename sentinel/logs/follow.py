"""Follow the logs of a process across its rotations and restarts, with no line lost or seen twice."""

import time
from collections.abc import Iterator

from sentinel.backends.base import LogLine
from sentinel.logs.stream import Stream

_QUICK = 0.02
_SLOW = 0.25
_BLOCKS = 16  # read from one log before the other has its turn
_PATIENCE = 1.0  # an incomplete line is shown when nothing more came for so long


class Follower:
    """What is written to one log from an offset on, as lines."""

    def __init__(self, name: str, stream: Stream, at: int) -> None:
        self._name = name
        self._stream = stream
        self._at = at
        self._pending: list[bytes] = []  # pieces of the incomplete last line
        self._fresh = time.monotonic()  # when something came last

    def lines(self) -> Iterator[LogLine]:
        """What is there now (of a flood, a part); what comes next is for the next call."""
        for _ in range(_BLOCKS):
            self._at, data = self._stream.read(self._at)
            if not data:
                if not self._stream.restarted(self._at):
                    break
                self._at, data = self._stream.read(self._at)  # what the old file got until it was replaced
            if data:
                self._at += len(data)
                self._fresh = time.monotonic()
                yield from self._split(data)
            else:
                yield from self._rest()
                self._stream.look()
                self._at = self._stream.base
        else:
            return
        self._stream.forget(self._at)
        if self._pending and time.monotonic() - self._fresh >= _PATIENCE:
            yield from self._rest()

    def _split(self, data: bytes) -> Iterator[LogLine]:
        *whole, rest = data.split(b"\n")
        for line in whole:
            if self._pending:
                line = b"".join((*self._pending, line))
                self._pending = []
            yield LogLine(self._name, line)
        if rest:
            self._pending.append(rest)

    def _rest(self) -> Iterator[LogLine]:
        if self._pending:
            line = b"".join(self._pending)
            self._pending = []
            yield LogLine(self._name, line)


def follow(followers: list[Follower], streams: list[Stream]) -> Iterator[LogLine | None]:
    """Lines of all, for ever; None whenever nothing new came. Closes the streams when it is closed."""
    pause = _QUICK
    try:
        while True:
            quiet = True
            for follower in followers:
                for line in follower.lines():
                    quiet = False
                    yield line
            if not quiet:
                pause = _QUICK
                continue
            yield None
            time.sleep(pause)
            pause = min(_SLOW, pause * 1.5)
    finally:
        for stream in streams:
            stream.close()
