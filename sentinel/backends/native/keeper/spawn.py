"""The child's side of a spawn: what happens between fork and exec.

Limits and priorities are set while there are still the rights to, before the credentials are dropped, and
so hold from the program's first instruction for all that it starts. Nothing of the keeper's is left to the
program: every descriptor of the keeper is closed by exec.
"""

from __future__ import annotations

import os
import stat

from sentinel import faultpoints

from . import system
from .system import signals

RESET = ("SIGCHLD", "SIGHUP", "SIGINT", "SIGPIPE", "SIGTERM", "SIGXFSZ")  # what Python or the keeper set
EINVAL, ENOENT, EACCES = 22, 2, 13
MARKER = "SENTINEL_PROCESS"


def run_child(order: Message, env: dict[str, str], report: int, journal: Callable[[], None]) -> None:
    """Become the program, or tell through `report` which step failed, and end. Never returns."""
    step = ["fork"]
    try:
        os.setsid()
        _default_signals()
        _limit(order, step)
        _open_files(order, step)
        _become_user(order, step)
        step[0] = "cwd"
        os.chdir(order["cwd"])
        faultpoints.reach("child.unnoted")
        journal()
        faultpoints.reach("child.noted")
        step[0] = "exec"
        os.execve(order["program"], order["argv"], env)
    except BaseException as error:
        number = error.errno if isinstance(error, OSError) and error.errno else EINVAL
        if step[0] == "exec":
            step[0], number = _why_not(order["program"], number)
        os.write(report, f"{step[0]} {number}".encode())
    finally:
        os._exit(127)


def _default_signals() -> None:
    for name in RESET:
        if (number := getattr(signals, name, None)) is not None:
            signals.signal(number, signals.SIG_DFL)
    signals.pthread_sigmask(signals.SIG_SETMASK, ())


def _limit(order: Message, step: list[str]) -> None:
    if (ionice := order.get("ionice")) is not None:
        step[0] = "ionice"
        system.set_io_priority(int(ionice[0]), int(ionice[1]))
    if (nice := order.get("nice")) is not None:
        step[0] = "nice"
        os.setpriority(os.PRIO_PROCESS, 0, nice)
    if (limit := order.get("nofile")) is not None:
        step[0] = "nofile"
        system.set_open_files(limit)


def _open_files(order: Message, step: list[str]) -> None:
    step[0] = "log"
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(_open_log(order["stdout"]), 1)
    os.dup2(_open_log(order["stderr"]), 2)
    umask = order.get("umask")
    os.umask(0o022 if umask is None else umask)


def _open_log(path: str) -> int:
    """For append, and nothing but a regular file of that very name: a log directory may be anybody's."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NOCTTY | os.O_NONBLOCK
    fd = os.open(path, flags, 0o600)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or (os.geteuid() == 0 and found.st_nlink > 1):
        raise OSError(EINVAL, os.strerror(EINVAL))
    os.set_blocking(fd, True)  # not blocking was for a FIFO, which would have made us wait for its reader
    return fd


def _become_user(order: Message, step: list[str]) -> None:
    step[0] = "user"
    uid, gid = order.get("uid"), order.get("gid")
    if order.get("groups") is not None and os.geteuid() == 0:
        os.setgroups(order["groups"])
    if gid is not None and gid != os.getegid():
        os.setgid(gid)
    if uid is not None and uid != os.geteuid():
        os.setuid(uid)


def _why_not(program: str, number: int) -> tuple[str, int]:
    """Whether it is the program itself that can't be executed, or something else (its interpreter)."""
    try:
        found = os.stat(program)
    except OSError as error:
        return "program", error.errno or ENOENT
    if stat.S_ISDIR(found.st_mode) or not os.access(program, os.X_OK):
        return "program", EACCES
    return "exec", number


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .wire import Message
