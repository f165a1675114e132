"""A clock that somebody else moves: what `time` tells in a process, read from a file that all of them share.

The wall clock stands still until it is moved. So does the monotonic one where `stands` is true; elsewhere it goes on
by itself too, for whoever waits a moment for a process to end.
"""

import mmap
import os
import struct
import time

_WHOLE = struct.Struct("ddd")  # seconds since the epoch when it was made, the monotonic clock then, seconds passed
_PASSED = struct.Struct("d")
really = time.monotonic


class Clock:
    def __init__(self, path: str) -> None:
        fd = os.open(path, os.O_RDWR)
        self._page = mmap.mmap(fd, _WHOLE.size)
        os.close(fd)
        self.began, self._monotonic, _ = _WHOLE.unpack(self._page[:])

    @staticmethod
    def make(path: str) -> None:
        with open(path, "wb") as file:
            file.write(_WHOLE.pack(time.time(), time.monotonic(), 0.0))

    @property
    def passed(self) -> float:
        """Seconds since it was made."""
        return _PASSED.unpack_from(self._page, 16)[0]  # type: ignore[no-any-return]

    @passed.setter
    def passed(self, seconds: float) -> None:
        _PASSED.pack_into(self._page, 16, seconds)

    def install(self, stands: bool) -> None:
        """It is what `time` tells from now on."""
        time.time = lambda: self.began + self.passed
        time.monotonic = lambda: (self._monotonic if stands else really()) + self.passed
