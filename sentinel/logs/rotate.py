"""Rotate log files under programs that go on appending to them, so that no byte is lost or there twice.

Where the file system can take whole blocks out of a file (ext4, xfs), the head of the log is copied to
`.1` and then collapsed: the writer never notices. The last bytes up to a block stay, so a line may begin
in `.1` and end in the live file; readers join them. Elsewhere (tmpfs, btrfs, macOS) the log is copied and
truncated: what the program writes in the few microseconds between the last read and the truncation is
lost.

A rotation killed anywhere is finished by whoever looks next (`settle`). The book tells how far it had come:
  chain     `.1.tmp` is complete; backups are being shifted to make room for it
  punch     `.1` is in place; the live file's head becomes a hole, which can be repeated
  collapse  the hole is being taken out. Still a hole there: not yet done
  final     (truncating) the rest is being appended to `.1`, then the live file is truncated
  clear     everything is being forgotten
"""

import os
from pathlib import Path

from sentinel.errors import SentinelError
from sentinel.logs import blocks
from sentinel.logs.book import (
    GAP,
    IDLE,
    MAX_ENDS,
    OpenBook,
    backup_path,
    book_path,
    locked,
    open_regular,
    read_book,
)
from sentinel.paths import Home

STREAMS = ("stdout", "stderr")


def rotate(path: Path, max_size: int, backups: int) -> bool:
    """Move what the log holds to its first backup if it has passed max_size; True: it was moved.

    max_size 0: never. backups 0: what passed is dropped. At least a block (4 KiB) has to be there.

    Raises:
        SentinelError: the log is no regular file, or the disk is full; nothing is lost.
    """
    if max_size <= 0 or _size(path) <= max_size:
        return False
    try:
        with locked(path) as open_book:
            _settle(path, open_book)
            fd = open_regular(path, os.O_RDWR)
            if fd is None:
                return False
            try:
                return _begin(path, fd, open_book, max_size, max(0, backups))
            finally:
                os.close(fd)
    except OSError as error:
        raise _failed("rotate", path, error) from error


def settle(path: Path) -> None:
    """Wait for a rotation that is moving bytes now, or finish one that was killed."""
    if read_book(path).phase == IDLE:
        return
    try:
        with locked(path) as open_book:
            _settle(path, open_book)
    except OSError as error:
        raise _failed("read", path, error) from error


def clear(path: Path) -> None:
    """Forget what was written up to now, backups as well. Writers and followers go on.

    Raises:
        SentinelError: the log is no regular file, or it can't be written.
    """
    if _size(path) < 0 and not os.path.lexists(backup_path(path, 1)):
        return
    try:
        with locked(path) as open_book:
            _settle(path, open_book)
            fd = open_regular(path, os.O_RDWR)  # refused before anything is begun
            if fd is not None:
                os.close(fd)
            open_book.book.phase = "clear"
            open_book.write()
            _settle(path, open_book)
    except OSError as error:
        raise _failed("clear", path, error) from error


def remove_logs(home: Home, name: str) -> None:
    """Remove both logs of a process with their backups and what belongs to them. None there is no error."""
    for stream in STREAMS:
        path = home.log(name, stream)
        if _size(path) < 0 and not book_path(path).exists() and not os.path.lexists(backup_path(path, 1)):
            continue
        try:
            with locked(path):
                _remove(path)
        except FileNotFoundError:
            continue  # the logs directory may be gone
        except OSError:  # no room for the lock
            _remove(path)
    _unlink(marks_path(home.log(name, "stdout")))


def _remove(path: Path) -> None:
    _unlink(path)
    _drop_backups(path, 0)
    _unlink(book_path(path))


def rename_logs(home: Home, old: str, new: str) -> None:
    """Give the logs of a process, and what belongs to them, the name `new`; its program goes on writing."""
    for stream in STREAMS:
        source, target = home.log(old, stream), home.log(new, stream)
        if not source.parent.is_dir():
            return
        with locked(source) as open_book:
            _settle(source, open_book)
            number = 1
            while _rename(backup_path(source, number), backup_path(target, number)):
                number += 1
            _rename(source, target)
            _rename(book_path(source), book_path(target))
    _rename(marks_path(home.log(old, "stdout")), marks_path(home.log(new, "stdout")))


def marks_path(stdout: Path) -> Path:
    return stdout.with_name(f".{stdout.name.removesuffix('.stdout.log')}.marks")


def _begin(path: Path, fd: int, open_book: OpenBook, max_size: int, backups: int) -> bool:
    book = open_book.book
    found = os.fstat(fd)
    book.start = min(book.start, found.st_size)
    if found.st_size - book.start <= max_size:
        return False
    book.truncate = not blocks.can_collapse(fd)
    cut = found.st_size if book.truncate else blocks.collapsible(fd, found.st_size)
    if cut <= book.start:
        return False
    if backups:
        _write_backup(path, fd, book.start, cut)
    _drop_backups(path, backups)
    book.ends = _shifted_ends(path, book.ends, book.base + cut, backups)
    book.cut, book.backups, book.inode, book.phase = cut, backups, found.st_ino, "chain"
    open_book.write(durable=True)
    _settle(path, open_book)
    return True


def _write_backup(path: Path, fd: int, start: int, cut: int) -> None:
    """Make `.1.tmp` of the head, on disk before the head goes."""
    temporary = _temporary(path)
    _unlink(temporary)
    target = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        blocks.copy(fd, target, start, cut)
        os.fsync(target)
    except OSError:
        _unlink(temporary)
        raise
    finally:
        os.close(target)


def _settle(path: Path, open_book: OpenBook) -> None:
    """Bring a rotation from wherever it is to its end; each step can be repeated after a kill."""
    book = open_book.book
    if book.phase == "chain":
        if book.backups:
            _shift(path, book.backups)
        book.phase = "final" if book.truncate else "punch"
        open_book.write(durable=True)
    if book.phase == IDLE:
        return
    fd = open_regular(path, os.O_RDWR)
    try:
        if book.phase == "clear":
            _clear(path, fd, open_book)
        elif book.phase == "final":
            _truncate(path, fd, open_book)
        elif fd is None or os.fstat(fd).st_ino != book.inode or os.fstat(fd).st_size < book.cut:
            _done(open_book, book.base + book.cut)  # all is done, or somebody has removed or emptied it
        else:
            _collapse(fd, open_book)
    finally:
        if fd is not None:
            os.close(fd)


def _collapse(fd: int, open_book: OpenBook) -> None:
    book = open_book.book
    if book.phase == "punch":
        blocks.punch(fd, book.cut)
        book.phase = "collapse"
        open_book.write(durable=True)
    if blocks.head_is_hole(fd, book.cut) and not blocks.collapse(fd, book.cut):
        _done(open_book, book.base, start=book.cut)  # it takes no space, and goes with the next rotation
    else:
        _done(open_book, book.base + book.cut)


def _truncate(path: Path, fd: int | None, open_book: OpenBook) -> None:
    """Append to `.1` what was written since it was copied, and truncate at once."""
    book = open_book.book
    if fd is not None and os.fstat(fd).st_ino != book.inode:
        fd = None
    if not book.backups:
        if fd is not None:
            os.ftruncate(fd, 0)
        _done(open_book, book.base + book.cut + GAP)
        return
    length = book.cut - book.start
    target = os.open(backup_path(path, 1), os.O_RDWR | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        # Where it doesn't begin with what was copied it was truncated already, before we were killed.
        if fd is not None and blocks.same(fd, target, book.start, length):
            os.ftruncate(target, length)
            blocks.copy(fd, target, book.cut, None)
            os.ftruncate(fd, 0)
        book.ends[0] = book.base + book.start + os.fstat(target).st_size
        os.fsync(target)
    finally:
        os.close(target)
    _done(open_book, book.ends[0] + GAP)


def _clear(path: Path, fd: int | None, open_book: OpenBook) -> None:
    book = open_book.book
    _drop_backups(path, 0)
    size = 0
    if fd is not None:
        size = os.fstat(fd).st_size
        os.ftruncate(fd, 0)
    book.ends = []
    _done(open_book, book.base + size + GAP)


def _done(open_book: OpenBook, base: int, start: int = 0) -> None:
    book = open_book.book
    book.base, book.start, book.cut, book.phase = base, start, 0, IDLE
    open_book.write()


def _shift(path: Path, backups: int) -> None:
    """Move `.1.tmp` to `.1` and the others up into the first free place; no `.1.tmp`: it is done already."""
    if not os.path.lexists(_temporary(path)):
        return
    free = _first_free(path, backups)
    if free > backups:
        free = backups
        _unlink(backup_path(path, free))
    for number in range(free, 1, -1):
        os.rename(backup_path(path, number - 1), backup_path(path, number))
    os.rename(_temporary(path), backup_path(path, 1))


def _shifted_ends(path: Path, ends: list[int], newest: int, backups: int) -> list[int]:
    """What the ends of the backups are once `_shift` has moved them."""
    if not backups:
        return []
    free = min(_first_free(path, backups), backups)
    return ([newest, *ends[: free - 1], *ends[free:]])[: min(backups, MAX_ENDS)]


def _first_free(path: Path, backups: int) -> int:
    number = 1
    while number <= backups and os.path.lexists(backup_path(path, number)):
        number += 1
    return number


def _drop_backups(path: Path, keep: int) -> None:
    if keep == 0:
        _unlink(_temporary(path))
    number = keep + 1
    while _unlink(backup_path(path, number)):
        number += 1


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.1.tmp")


def _size(path: Path) -> int:
    """-1: there is no such file."""
    try:
        return os.lstat(path).st_size
    except OSError:
        return -1


def _unlink(path: Path) -> bool:
    try:
        os.unlink(path)
    except (FileNotFoundError, IsADirectoryError):  # a directory in the place of a log is none of ours
        return False
    return True


def _rename(source: Path, target: Path) -> bool:
    try:
        os.rename(source, target)
    except FileNotFoundError:
        return False
    return True


def _failed(what: str, path: Path, error: OSError) -> SentinelError:
    why = os.strerror(error.errno or 0).lower()
    hint = "check its permissions and the free space on the disk"
    return SentinelError(f"cannot {what} the log {path}: {why}", hint)
