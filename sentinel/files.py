"""Files in the home: written whole or not at all, opened only where they are really ours."""

import errno
import os
import stat
from contextlib import suppress

from sentinel import faultpoints

AnyPath = str | os.PathLike[str]


def write_atomic(path: AnyPath, data: bytes, *, durable: bool = True, mode: int = 0o600) -> None:
    """Replace `path` by `data`; a reader sees the old bytes or the new ones. `durable`: survives a power cut.

    Raises OSError; the temporary file is removed and `path` is as it was.
    """
    fd, temporary = _temporary(path, mode)
    try:
        try:
            _write_all(fd, data)
            os.fchmod(fd, mode)  # the umask took bits away at creation
            if durable:
                os.fsync(fd)
        finally:
            os.close(fd)
        faultpoints.reach("file.written")
        os.replace(temporary, path)
    except BaseException:
        with suppress(OSError):
            os.unlink(temporary)
        raise
    if durable:
        sync_directory(os.path.dirname(path))


def link_or_copy(source: AnyPath, target: AnyPath) -> None:
    """Make `target` (replaced atomically) hold what `source` holds now, even when `source` is replaced later.

    Only for sources that are replaced and never written in place: where it can, it is a hard link.
    """
    temporary = temporary_name(target)
    try:
        os.link(source, temporary, follow_symlinks=False)
    except OSError as error:
        if error.errno in (errno.ENOENT, errno.ENOSPC, errno.EROFS, errno.EACCES):
            raise
        write_atomic(target, read_private(source))  # no hard links on this file system
        return
    try:
        os.replace(temporary, target)
    finally:
        # rename(2) does nothing, and keeps both names, if they are links to the same file already.
        with suppress(OSError):
            os.unlink(temporary)


def open_private(path: AnyPath, flags: int = os.O_RDONLY, mode: int = 0o600) -> int:
    """A descriptor of a regular file that is ours (or root's); OSError for symlinks, FIFOs and others' files.

    Root must not be led out of a home by what somebody else has put there.
    """
    fd = os.open(path, flags | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK, mode)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "not a regular file", os.fspath(path))
        if found.st_uid not in (os.geteuid(), 0):
            raise OSError(errno.EPERM, f"it belongs to uid {found.st_uid}", os.fspath(path))
    except BaseException:
        os.close(fd)
        raise
    return fd


def read_private(path: AnyPath) -> bytes:
    """All bytes of a file, opened with `open_private`."""
    with open(open_private(path), "rb") as file:
        return file.read()


def sync_directory(path: str) -> None:
    """Make a rename in a directory survive a power cut, where directories can be synced."""
    fd = os.open(path or ".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network file systems
            raise
    finally:
        os.close(fd)


def reason(error: OSError) -> str:
    """What an OSError says, for a message: lower case, without number and path."""
    text = error.strerror or str(error) or type(error).__name__
    return text[:1].lower() + text[1:]


def temporary_name(path: AnyPath) -> str:
    """A name beside `path` that nobody uses: short whatever the length of the file's own name."""
    return os.path.join(os.path.dirname(path), f".tmp-{os.getpid()}-{os.urandom(6).hex()}")


def _temporary(path: AnyPath, mode: int) -> tuple[int, str]:
    while True:
        name = temporary_name(path)
        with suppress(FileExistsError):
            return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), name


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def read_small(path: str) -> bytes:
    """A file of a few kilobytes in three system calls; `list` reads hundreds. Raises OSError."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return os.read(fd, 1 << 16)
    finally:
        os.close(fd)
