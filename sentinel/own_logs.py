"""What sentinel's own processes have to say: logs that never grow beyond two files of a megabyte each."""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

from sentinel.files import open_private

LARGEST = 1 << 20


def keep_short(path: Path, *mine: int) -> None:
    """Once it is large, it becomes PATH.1; our own descriptors of it (`mine`) go on in a new one.

    Trouble with it never stops anybody: it is tried again the next time.
    """
    with suppress(OSError):
        if os.lstat(path).st_size <= LARGEST:
            return
        fd = open_private(path)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # so that of two processes one does it
            if os.path.samestat(os.fstat(fd), os.lstat(path)):
                _begin_anew(path, [each for each in mine if os.path.samestat(os.fstat(each), os.fstat(fd))])
        finally:
            os.close(fd)


def _begin_anew(path: Path, mine: list[int]) -> None:
    before = path.with_name(path.name + ".1")
    os.replace(path, before)
    if not mine:
        return
    try:
        fd = open_private(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    except OSError:
        os.replace(before, path)
        raise
    for each in mine:
        os.dup2(fd, each)
    os.close(fd)
