"""Who a process is: its pid together with the time it started, within one boot.

A pid alone names nobody: the kernel hands it out again. Standard library only, and little of it, since the
keeper imports this. On Linux /proc answers; elsewhere the kernel is asked through ctypes.
SENTINEL_PORTABLE=1 changes nothing here: a Linux kernel has no other way to tell when a process started.
"""

import os
import sys

PID_MAX = 1 << 22  # the most that any kernel we run on hands out
_BSD_INFO_SIZE = 136  # struct proc_bsdinfo of <sys/proc_info.h>
_BSD_INFO = 3  # PROC_PIDTBSDINFO
_ZOMBIE = 5  # SZOMB
_boot = ""  # it never changes while we live


class Stat:
    """A line of the process table. `start` is the start time that identity is made of."""

    __slots__ = ("group", "parent", "session", "start", "zombie")

    def __init__(self, zombie: bool, parent: int, group: int, session: int, start: float) -> None:
        self.zombie = zombie
        self.parent = parent
        self.group = group
        self.session = session
        self.start = start


def sane(pid: object) -> bool:
    """Whether it can be the pid of a process that may ever be signalled."""
    return type(pid) is int and 1 < pid <= PID_MAX


def read_stat(pid: int) -> Stat | None:
    """What the process table says of `pid`, zombies included (macOS hides them); None: no such process."""
    if not sane(pid):
        return None
    return _read_proc(pid) if sys.platform == "linux" else _read_bsd(pid)


def start_time(pid: int) -> float | None:
    """When `pid` started, in units of its own; None: there is no such process, or it has ended (a zombie)."""
    found = read_stat(pid)
    return None if found is None or found.zombie else found.start


def alive(pid: int | None, start: float | None) -> bool:
    """Whether the process that had `pid` and started at `start` still runs."""
    return pid is not None and start is not None and start_time(pid) == start


def boot_id() -> str:
    """What tells this boot of the machine from all others; pids and start times end with it."""
    global _boot
    if not _boot:
        _boot = _boot_random() if sys.platform == "linux" else _boot_session()
    return _boot


def _boot_random() -> str:
    with open("/proc/sys/kernel/random/boot_id", "rb") as file:
        return file.read().decode("ascii").strip()


def _read_proc(pid: int) -> Stat | None:
    try:
        fd = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        line = os.read(fd, 4096)
    except OSError:  # ESRCH: it went while we looked
        return None
    finally:
        os.close(fd)
    fields = line[line.rfind(b")") + 2 :].split()  # the name in parentheses may hold anything
    if len(fields) < 20:
        return None
    return Stat(fields[0] in b"ZXx", int(fields[1]), int(fields[2]), int(fields[3]), float(fields[19]))


def _read_bsd(pid: int) -> Stat | None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    info = ctypes.create_string_buffer(_BSD_INFO_SIZE)
    if libc.proc_pidinfo(pid, _BSD_INFO, ctypes.c_uint64(0), info, _BSD_INFO_SIZE) != _BSD_INFO_SIZE:
        return None

    def number(at: int, size: int) -> int:
        return int.from_bytes(info.raw[at : at + size], sys.byteorder)

    try:
        session = os.getsid(pid)
    except OSError:
        session = 0
    start = number(120, 8) + number(128, 8) / 1e6
    return Stat(number(4, 4) == _ZOMBIE, number(16, 4), number(100, 4), session, start)


def _boot_session() -> str:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    value = ctypes.create_string_buffer(64)
    size = ctypes.c_size_t(len(value))
    if libc.sysctlbyname(b"kern.bootsessionuuid", value, ctypes.byref(size), None, ctypes.c_size_t(0)) != 0:
        return ""
    return value.value.decode("ascii", "replace")
