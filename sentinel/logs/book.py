"""The bookkeeping of one rotated log: what every byte's absolute offset is, whoever moved it.

Beside `web.stdout.log` lies `.web.stdout.log.rot`: how many bytes were ever cut off the live file's head,
where each backup ends, and how far a rotation has come that is under way. Offsets counted over all
rotations ("absolute") are what readers and marks go by: they never change meaning. Its flock keeps
rotations apart. Readers take no lock: they read the book, the data and the book again, and believe the
data if the book is still the same.
"""

import contextlib
import errno
import fcntl
import json
import os
import stat
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

from sentinel.errors import SentinelError
from sentinel.plain import asdict, dataclass, field

SIZE = 4096  # written at once within one page: never seen half, save for a moment by a reader without lock
MAX_ENDS = 64
IDLE = "idle"
# A copy-truncate can lose the race with a writer, and a reader may have seen those last bytes. What follows a
# truncation is numbered from here on, so that no offset ever stands for two different bytes.
GAP = 1 << 32


@dataclass(slots=True)
class Book:
    """Absolute offsets: the live file begins with `base`; what is below `base + start` was moved already."""

    base: int = 0
    start: int = 0  # bytes at the live file's head that are in a backup already (a hole in the file)
    ends: list[int] = field(default_factory=list)  # absolute ends of .1, .2, ...
    phase: str = IDLE  # what a rotation is about to do: see rotate.py
    cut: int = 0  # bytes that the rotation under way takes off the live file
    backups: int = 0  # how many of them it keeps
    truncate: bool = False  # it truncates, since the file system can't collapse
    inode: int = 0  # of the live file it is about
    seq: int = 0


def book_path(path: Path) -> Path:
    return path.with_name(f".{path.name}.rot")


def backup_path(path: Path, number: int) -> Path:
    return path.with_name(f"{path.name}.{number}")


def encode(book: Book) -> bytes:
    text = json.dumps(asdict(book), separators=(",", ":")).encode()
    return (b"%08x " % zlib.crc32(text) + text).ljust(SIZE - 1) + b"\n"


def decode(data: bytes) -> Book | None:
    """None: damaged, or read while it was written."""
    text = data[9:].rstrip()
    try:
        if int(data[:8], 16) != zlib.crc32(text):
            return None
        return Book(**json.loads(text))
    except (ValueError, TypeError):
        return None


def read_book(path: Path, within: float = 1.0) -> Book:
    """The book as it is, without a lock; a log that was never rotated has an empty one."""
    deadline = time.monotonic() + within
    while True:
        data = _read_sidecar(path)
        book = Book() if not data else decode(data)
        if book is not None:
            return book
        if time.monotonic() > deadline:
            return Book()
        time.sleep(0.001)


def _read_sidecar(path: Path) -> bytes:
    try:
        fd = os.open(book_path(path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return b""
    try:
        return os.pread(fd, SIZE, 0)
    finally:
        os.close(fd)


class OpenBook:
    """The book while it is locked: only its holder moves bytes."""

    def __init__(self, fd: int, book: Book) -> None:
        self._fd = fd
        self.book = book

    def write(self, *, durable: bool = False) -> None:
        """`durable`: on disk before anything else happens, for what destroys data next."""
        self.book.seq += 1
        os.pwrite(self._fd, encode(self.book), 0)
        if durable:
            os.fsync(self._fd)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[OpenBook]:
    """Hold the log's lock; the book is as the last holder left it, maybe in the middle of a rotation."""
    fd = _lock(book_path(path))
    try:
        data = os.pread(fd, SIZE, 0)
        yield OpenBook(fd, (decode(data) if data else None) or Book())
    finally:
        os.close(fd)


def _lock(sidecar: Path) -> int:
    while True:
        fd = os.open(sidecar, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(fd), os.stat(sidecar, follow_symlinks=False)):
                    return fd
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)  # it was removed while we waited for it: what we hold is the lock of nothing


def open_regular(path: Path, flags: int) -> int | None:
    """Open a log file; None: there is none. Never follows a link, nor hangs on a pipe.

    Raises:
        SentinelError: it is something else than a file.
    """
    try:
        fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        link = error.errno == errno.ELOOP
        why = "it is a symbolic link" if link else os.strerror(error.errno or 0).lower()
        raise not_a_file(path, why) from error
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise not_a_file(path, "it is not a regular file")
    return fd


def not_a_file(path: Path, why: str) -> SentinelError:
    return SentinelError(f"cannot use the log {path}: {why}", "move it away and check its permissions")
