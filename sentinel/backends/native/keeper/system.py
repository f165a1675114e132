"""What the keeper asks of the kernel beyond plain POSIX, in small functions with a portable answer each."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import os
import sys

from sentinel import identity

from .sockets import PORTABLE as PORTABLE

signals = _signal  # for the keeper's other files: `signal` itself would import `enum`, 0.5 MB

_SET_CHILD_SUBREAPER = 36  # PR_SET_CHILD_SUBREAPER of <linux/prctl.h>
_IOPRIO_SET = {"x86_64": 251, "i686": 289, "i386": 289, "ppc64le": 273, "s390x": 282, "armv7l": 314}
_IOPRIO_SET_GENERIC = 30  # aarch64, riscv64, loongarch64
_ENOSYS = 38
NETWORKED = ("nfs", "cifs", "smb", "fuse", "ceph", "9p", "afs", "autofs", "glusterfs", "lustre")
RESERVE = 16  # descriptors that clients and spawns may not take: the keeper needs some to see anything


def become_subreaper() -> bool:
    """Make orphaned descendants our children. False: this system can't, or must not (portable).

    `_ctypes` without `ctypes`: the keeper's memory counts, and this is one call with whole numbers.
    """
    if PORTABLE:
        return False
    try:
        import _ctypes

        libc = _ctypes.dlopen(None, 0)  # type: ignore[arg-type]
        prctl = _ctypes.dlsym(libc, "prctl")
        return bool(_ctypes.call_function(prctl, (_SET_CHILD_SUBREAPER, 1, 0, 0, 0)) == 0)
    except (ImportError, AttributeError, OSError):
        return False


def set_io_priority(kind: int, level: int) -> None:
    """Of the calling process and what it starts. Called between fork and exec: its imports cost nothing."""
    if sys.platform != "linux":
        raise OSError(_ENOSYS, os.strerror(_ENOSYS))
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    number = _IOPRIO_SET.get(os.uname().machine, _IOPRIO_SET_GENERIC)
    if libc.syscall(number, 1, 0, kind << 13 | level) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def set_open_files(limit: int) -> None:
    """Of the calling process and what it starts. Called between fork and exec."""
    import resource

    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def on_network(*paths: str) -> bool:
    """Whether one of them lies on a file system that may hang: of another machine, or of a program (FUSE).

    From the table of mounts alone: to look at the path itself is what may hang. A link is not seen through.
    """
    try:
        lines = _read("/proc/self/mounts").decode("utf-8", "surrogateescape").splitlines()
    except OSError:
        return True
    slow = [fields[1] for line in lines if (fields := line.split(" "))[2].startswith(NETWORKED)]
    return any(path == mount or path.startswith(mount.rstrip("/") + "/") for mount in slow for path in paths)


def spare(fd: int) -> bool:
    """Whether there are descriptors left for the keeper itself beyond this newest one (the lowest free is taken)."""
    return fd < os.sysconf("SC_OPEN_MAX") - RESERVE


def watch(pid: int) -> int | None:
    """A descriptor that is readable once `pid`, no child of ours, has ended. None: look again and again."""
    if PORTABLE or not hasattr(os, "pidfd_open") or not identity.sane(pid):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def signal_pid(pid: int, start: float | None, number: int) -> bool:
    """Signal just the process that had `pid` and started at `start` (None: a child of ours, not yet reaped).

    False: it can't be signalled by us. That it has gone is no failure.
    """
    if not identity.sane(pid):
        return True
    try:
        if start is None:
            os.kill(pid, number)
        elif (handle := watch(pid)) is not None:
            _signal_handle(handle, pid, start, number)
        elif identity.start_time(pid) == start:
            os.kill(pid, number)
    except ProcessLookupError:
        pass
    except PermissionError:
        return False
    return True


def _signal_handle(handle: int, pid: int, start: float, number: int) -> None:
    """The handle is of whoever had the pid when it was opened: none can come between check and signal."""
    try:
        if identity.start_time(pid) == start:
            _signal.pidfd_send_signal(handle, number)
    finally:
        os.close(handle)


def process_table() -> dict[int, identity.Stat]:
    """All processes there are. Start times are left 0 where they cost extra (see identity.start_time)."""
    if PORTABLE and (found := _table_of_ps()):
        return found
    return _table_of_proc() if sys.platform == "linux" else {}  # a Linux without ps


def children_of(pid: int) -> list[int] | None:
    """The children of a process, from the kernel's own list; None: it shows none, or the process went."""
    found: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            found += map(int, _read(f"/proc/{pid}/task/{task}/children").split())
    except OSError:
        return None
    return found


def marker_of(pid: int) -> str:
    """SENTINEL_PROCESS as `pid` (or who it was forked from) got it with its program; "": not to be seen.

    Where there is no /proc, ask `markers_of_ps` for all at once.
    """
    try:
        for variable in _read(f"/proc/{pid}/environ").split(b"\0"):
            if variable.startswith(b"SENTINEL_PROCESS="):
                return variable[17:].decode("ascii", "replace")
    except OSError:
        pass
    return ""


def markers_of_ps() -> dict[int, str]:
    """The portable twin of `marker_of`, for all processes whose environment we may see."""
    how = ["-axwwE", "-o", "pid=,command="] if sys.platform == "darwin" else ["axwwe", "-o", "pid=,args="]
    found = {}
    for line in _output_of(["ps", *how]).splitlines():
        pid, _, words = line.strip().partition(b" ")
        before, mark, after = words.rpartition(b"SENTINEL_PROCESS=")
        if mark and pid.isdigit() and (not before or before.endswith(b" ")):
            found[int(pid)] = after.split(b" ", 1)[0].decode("ascii", "replace")
    return found


def _read(path: str) -> bytes:
    fd = os.open(path, os.O_RDONLY)
    try:
        data = b""
        while more := os.read(fd, 65536):
            data += more
        return data
    finally:
        os.close(fd)


def _table_of_proc() -> dict[int, identity.Stat]:
    found = {}
    for name in os.listdir("/proc"):
        if name.isdecimal() and (stat := identity.read_stat(int(name))) is not None:
            found[int(name)] = stat
    return found


def _table_of_ps() -> dict[int, identity.Stat]:
    """Without /proc: what ps prints. Sessions are asked for one by one: macOS prints addresses for them."""
    found = {}
    for line in _output_of(["ps", "-A", "-o", "pid=,ppid=,pgid=,stat="]).splitlines():
        fields = line.split()
        if len(fields) == 4 and all(field.isdigit() for field in fields[:3]):
            pid = int(fields[0])
            try:
                session = os.getsid(pid)
            except OSError:
                session = 0
            found[pid] = identity.Stat(fields[3][:1] in b"ZX", int(fields[1]), int(fields[2]), session, 0.0)
    return found


def _output_of(argv: list[str]) -> bytes:
    """What ps prints."""
    program = "/bin/ps" if os.path.exists("/bin/ps") else "/usr/bin/ps"
    take, give = os.pipe()
    try:
        pid = os.posix_spawn(program, argv, {}, file_actions=[(os.POSIX_SPAWN_DUP2, give, 1)])
    except OSError:
        os.close(take)
        os.close(give)
        return b""
    os.close(give)
    data = b""
    while more := os.read(take, 65536):
        data += more
    os.close(take)
    os.waitpid(pid, 0)
    return data
