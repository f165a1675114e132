"""FileLog: the output of a process kept in a pair of files that are rotated."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from sentinel.backends.base import LogLine
from sentinel.logs.follow import Follower, follow
from sentinel.logs.marks import offset_since
from sentinel.logs.rotate import clear
from sentinel.logs.stream import Stream, line_start, parts


class FileLog:
    """LogSource over the stdout and the stderr file of a process; their backups lie beside them.

    The files may be missing, be written, rotated, cleared or made anew at any time. Lines have no time of
    their own: `since` goes by marks (see sentinel.logs.marks) and the files' times, and may show a few
    older lines.
    """

    def __init__(self, stdout: Path, stderr: Path) -> None:
        self._stdout = stdout
        self._paths = {"stdout": stdout, "stderr": stderr}

    def tail(self, lines: int, streams: Sequence[str], since: float | None = None) -> Iterator[LogLine]:
        """The last lines of each stream, one stream after the other. Negative: all lines."""
        for name in streams:
            with Stream(self._paths[name]) as stream:
                end = stream.end()
                yield from self._lines(name, stream, self._begin(name, stream, end, lines, since), end)

    def follow(self, streams: Sequence[str]) -> Iterator[LogLine | None]:
        """What is written after this call."""
        return self.tail_and_follow(0, streams)

    def tail_and_follow(
        self, lines: int, streams: Sequence[str], since: float | None = None
    ) -> Iterator[LogLine | None]:
        """What `tail` gives now, then what comes, each line once. An incomplete line waits for its rest."""
        followers, opened = [], []
        for name in streams:
            stream = Stream(self._paths[name])
            opened.append(stream)
            begin = self._begin(name, stream, stream.end(), lines, since)
            followers.append(Follower(name, stream, begin))
        return follow(followers, opened)

    def clear(self) -> None:
        for path in self._paths.values():
            clear(path)

    def _begin(self, name: str, stream: Stream, end: int, lines: int, since: float | None) -> int:
        first = stream.first() if since is None else self._first(name, stream, end, since)
        return first if lines < 0 else line_start(stream, lines, end, first)

    def _first(self, name: str, stream: Stream, end: int, since: float) -> int:
        """Where the first line begins that may have been written at `since` or later."""
        oldest = stream.first()
        first = max(oldest, offset_since(self._stdout, name, since))
        if first > end:  # somebody else has emptied the file
            first = stream.base
        for segment in stream.segments():
            if segment.written < since:
                first = max(first, segment.end)
        if first >= end:
            return end
        return first if _begins_line(stream, first, oldest) else line_start(stream, 1, first, oldest)

    @staticmethod
    def _lines(name: str, stream: Stream, begin: int, end: int) -> Iterator[LogLine]:
        pending: list[bytes] = []
        for data in parts(stream, begin, end):
            *whole, rest = data.split(b"\n")
            for line in whole:
                if pending:
                    line = b"".join((*pending, line))
                    pending = []
                yield LogLine(name, line)
            if rest:
                pending.append(rest)
        if pending:
            yield LogLine(name, b"".join(pending))


def _begins_line(stream: Stream, at: int, oldest: int) -> bool:
    """Whether a line begins at the offset: what is before it ends with a newline, or isn't there."""
    if at <= oldest:
        return True
    before, data = stream.read(at - 1, 1)
    return before != at - 1 or data == b"\n"
