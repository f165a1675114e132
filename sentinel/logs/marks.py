"""Marks: how far each log of a process had come at some moments, so that `logs --since` knows where to begin.

Files keep no time for each line. A mark says: what lies below these absolute offsets was written before
this time. So `--since` shows every line written since then, and none that is older than the mark before
it; a few older ones may be shown. A line of the file is "TIME STDOUT STDERR". It is bounded: once large,
older marks are thinned out.
"""

import contextlib
import os
import sys
import time
from pathlib import Path

from sentinel.logs.book import IDLE, read_book
from sentinel.logs.rotate import marks_path, settle
from sentinel.paths import Home

_LARGE = 32 * 1024
_STREAMS = ("stdout", "stderr")


def mark(home: Home, name: str, now: float | None = None) -> None:
    """Remember how far both logs have come now. Never fails; nothing is written if nothing was logged."""
    with contextlib.suppress(OSError):
        stdout, stderr = (_end(home.log(name, stream)) for stream in _STREAMS)
        path = marks_path(home.log(name, "stdout"))
        flags = os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        if stdout or stderr:
            flags |= os.O_CREAT
        fd = os.open(path, flags, 0o600)
        try:
            _append(fd, path, time.time() if now is None else now, stdout, stderr)
        finally:
            os.close(fd)


def offset_since(stdout: Path, stream: str, since: float) -> int:
    """An absolute offset below which nothing was written at `since` or later; without marks, before all."""
    found = -sys.maxsize
    for at, *offsets in _load(marks_path(stdout)):
        if at > since:
            break
        found = int(offsets[_STREAMS.index(stream)])
    return found


def _append(fd: int, path: Path, now: float, stdout: int, stderr: int) -> None:
    size = os.fstat(fd).st_size
    tail = os.pread(fd, 200, max(0, size - 200)).splitlines()
    offsets = f" {stdout} {stderr}"
    if tail and tail[-1].decode(errors="replace").endswith(offsets):
        return
    os.write(fd, f"{now!r}{offsets}\n".encode())
    if size > _LARGE:
        _thin_out(path)


def _thin_out(path: Path) -> None:
    """Drop every second mark of the older half: the older, the coarser."""
    marks = _load(path)
    half = len(marks) // 2
    kept = marks[:half:2] + marks[half:]
    temporary = path.with_name(path.name + ".tmp")
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "w") as file:
        file.writelines(f"{at!r} {out} {err}\n" for at, out, err in kept)
    os.rename(temporary, path)


def _load(path: Path) -> list[tuple[float, int, int]]:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return []
    marks = []
    with os.fdopen(fd, "rb") as file:
        for line in file.read(4 * _LARGE).splitlines():
            with contextlib.suppress(ValueError):  # damaged: the others still hold
                at, out, err = line.split()
                marks.append((float(at), int(out), int(err)))
    return marks


def _end(path: Path) -> int:
    while True:
        book = read_book(path)
        try:
            size = os.stat(path, follow_symlinks=False).st_size
        except FileNotFoundError:
            size = 0
        if book.phase == IDLE and read_book(path) == book:
            return book.base + size
        settle(path)
