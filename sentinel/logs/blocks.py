"""Taking bytes off the head of a file that a program goes on appending to."""

import errno
import os
import sys

_COLLAPSE_RANGE = 0x08
_PUNCH_HOLE = 0x02 | 0x01  # with KEEP_SIZE
_BIG = 64 * 1024
_CHUNK = 1 << 20
_FAR = (1 << 40) + 1  # beyond any log's end and aligned to nothing


def _fallocate(fd: int, mode: int, offset: int, length: int) -> int:
    """0, or the errno."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    call = getattr(libc, "fallocate64", None) or libc.fallocate
    call.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    call.restype = ctypes.c_int
    while call(fd, mode, offset, length) != 0:
        if (error := ctypes.get_errno()) != errno.EINTR:
            return error
    return 0


def can_collapse(fd: int) -> bool:
    """Whether the file system can take whole blocks out of a file (ext4, xfs). Asking changes nothing."""
    if not sys.platform.startswith("linux") or os.environ.get("SENTINEL_PORTABLE") == "1":
        return False
    try:
        takes = _fallocate(fd, _COLLAPSE_RANGE, _FAR, 1) == errno.EINVAL
        return takes and _fallocate(fd, _PUNCH_HOLE, _FAR, 1) == 0
    except (AttributeError, OSError):
        return False


def collapsible(fd: int, size: int) -> int:
    """How many bytes of a file of that size can be taken off: whole blocks, and never all of it."""
    block = max(os.fstatvfs(fd).f_bsize, 4096)
    if size >= 16 * _BIG and _BIG % block == 0:
        block = _BIG  # also right where the allocation unit is larger than a block
    return max(0, (size - 1) // block * block)


def punch(fd: int, length: int) -> bool:
    """Make the head a hole: it can be done again and again, and seen (see `head_is_hole`)."""
    return _fallocate(fd, _PUNCH_HOLE, 0, length) == 0


def head_is_hole(fd: int, length: int) -> bool:
    try:
        return os.lseek(fd, 0, os.SEEK_DATA) >= length
    except OSError as error:
        return error.errno == errno.ENXIO and os.fstat(fd).st_size >= length


def collapse(fd: int, length: int) -> bool:
    return _fallocate(fd, _COLLAPSE_RANGE, 0, length) == 0


def copy(source: int, target: int, offset: int, end: int | None) -> int:
    """Append source[offset:end] (None: to its end) to the target; the number of bytes."""
    done = 0
    while end is None or offset + done < end:
        want = _CHUNK if end is None else min(_CHUNK, end - offset - done)
        data = os.pread(source, want, offset + done)
        if not data:
            break
        view = memoryview(data)
        while view:
            view = view[os.write(target, view):]
        done += len(data)
    return done


def same(one: int, other: int, offset: int, length: int) -> bool:
    """Whether one[offset:offset + length] is what `other` begins with."""
    at = 0
    while at < length:
        want = min(_CHUNK, length - at)
        data = os.pread(one, want, offset + at)
        if len(data) != want or data != os.pread(other, want, at):
            return False
        at += want
    return True
