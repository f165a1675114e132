"""One log as a single sequence of bytes: the backups and the live file behind absolute offsets."""

import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType

from sentinel.logs.book import IDLE, Book, backup_path, open_regular, read_book
from sentinel.logs.rotate import settle
from sentinel.plain import dataclass

BLOCK = 256 * 1024


@dataclass(slots=True)
class Segment:
    """Bytes [begin, end) of the log; `written` is when the last of them was."""

    fd: int
    begin: int
    end: int
    written: float


class Stream:
    """Reads by absolute offset while the log is written, rotated and cleared."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._live: int | None = None
        self._backups: list[Segment] = []  # oldest first
        self._book = Book()
        self.look()

    def __enter__(self) -> "Stream":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._close_live()
        self.forget(None)

    def _close_live(self) -> None:
        if self._live is not None:
            os.close(self._live)
            self._live = None

    def look(self) -> None:
        """Open what there is now, all of one moment. A backup that is gone stays open: see `forget`."""
        before = self._backups
        while True:
            self._close_live()
            settle(self.path)
            self._book = read_book(self.path)
            self._live = open_regular(self.path, os.O_RDONLY)
            self._backups = self._open_backups()
            if self._book.phase == IDLE and read_book(self.path) == self._book:
                break
            for segment in self._backups:
                os.close(segment.fd)
        first = self._backups[0].begin if self._backups else self.base
        self._backups[:0] = [segment for segment in before if segment.end <= first]
        for segment in before:
            if segment.end > first:
                os.close(segment.fd)

    def forget(self, at: int | None) -> None:
        """Close what ends at or before an offset (None: all): nobody will ask for it."""
        for segment in self._backups:
            if at is None or segment.end <= at:
                os.close(segment.fd)
        self._backups = [segment for segment in self._backups if at is not None and segment.end > at]

    def _open_backups(self) -> list[Segment]:
        found: list[Segment] = []
        end = self._book.base + self._book.start
        number = 1
        while (fd := open_regular(backup_path(self.path, number), os.O_RDONLY)) is not None:
            if number <= len(self._book.ends):
                end = self._book.ends[number - 1]
            status = os.fstat(fd)
            found.insert(0, Segment(fd, end - status.st_size, end, status.st_mtime))
            end -= status.st_size
            number += 1
        return found

    @property
    def base(self) -> int:
        """The offset of what the live file begins with."""
        return self._book.base + self._book.start

    def segments(self) -> list[Segment]:
        """All that there is, oldest first, the live file last."""
        while True:
            found = list(self._backups)
            if self._live is not None:
                live = os.fstat(self._live)
                end = max(self._book.base + live.st_size, self.base)
                found.append(Segment(self._live, self.base, end, live.st_mtime))
            if read_book(self.path) == self._book:
                return found
            self.look()

    def first(self) -> int:
        """The oldest offset there is. Negative for backups that were made without a book."""
        found = self.segments()
        return found[0].begin if found else self.base

    def end(self) -> int:
        found = self.segments()
        return found[-1].end if found and self._live is not None else self.base

    def read(self, at: int, limit: int = BLOCK) -> tuple[int, bytes]:
        """The bytes at `at`, or at the first offset after it that (still) holds any; none: it is the end."""
        while True:
            for segment in self._backups:
                if at < segment.end:
                    at = max(at, segment.begin)
                    data = os.pread(segment.fd, min(limit, segment.end - at), at - segment.begin)
                    if data:
                        return at, data
            wanted = max(at, self.base)
            data = b"" if self._live is None else os.pread(self._live, limit, wanted - self._book.base)
            if read_book(self.path) == self._book:
                return wanted, data
            self.look()

    def restarted(self, at: int) -> bool:
        """Whether the live file is not the one that was read up to `at`: made anew, or emptied by a stranger.

        To be asked when `read` has come to the end; `look` again if so, and go on at `base`.
        """
        try:
            found = os.stat(self.path)
        except OSError:
            return False
        if self._live is None:
            return True
        mine = os.fstat(self._live)
        if (found.st_ino, found.st_dev) != (mine.st_ino, mine.st_dev):
            return True
        return self._book.base + mine.st_size < at and read_book(self.path) == self._book


def parts(stream: Stream, begin: int, end: int) -> Iterator[bytes]:
    """All bytes of [begin, end) that there are, block by block."""
    while begin < end:
        begin, data = stream.read(begin, min(BLOCK, end - begin))
        if not data or begin >= end:
            return
        yield data[: end - begin]
        begin += len(data)


def line_start(stream: Stream, lines: int, end: int, first: int) -> int:
    """Where the last `lines` lines before `end` begin, not before `first`: read backwards, block by block.

    What follows the last newline counts as a line; with 0 lines that is `end`.
    """
    if lines <= 0:
        return end
    missing = lines
    last = True  # the newline that ends the last line doesn't begin another one
    oldest = end
    for segment in reversed(stream.segments()):
        at = min(end, segment.end)
        begin = max(segment.begin, first)
        while at > begin:
            low = max(begin, at - BLOCK)
            data = b"".join(parts(stream, low, at))
            stop = len(data)
            if last and data:
                last = False
                stop -= data.endswith(b"\n")
            count = data.count(b"\n", 0, stop)
            if count >= missing:
                for _ in range(missing):
                    stop = data.rindex(b"\n", 0, stop)
                return at - len(data) + stop + 1
            missing -= count
            at = oldest = low
    return oldest
