"""Become a program: by a fork, whose child sets itself up, or by posix_spawn where that can do all that is asked.

Limits and priorities are set while there are still the rights to, before the credentials are dropped, and so
hold from the program's first instruction for all that it starts. Nothing of the keeper's is left to the program:
every descriptor of the keeper is closed by exec.

posix_spawn takes a third of the time, since no memory is copied for a child that is about to drop it. But the
keeper waits in it until the program is executed, which a dead network file system may put off for ever.
"""

from __future__ import annotations

import os
import stat

from . import system
from .system import signals

RESET = ("SIGCHLD", "SIGHUP", "SIGINT", "SIGPIPE", "SIGTERM", "SIGXFSZ")  # what Python or the keeper set
DEFAULTED = [getattr(signals, name) for name in RESET if hasattr(signals, name)]
BY_FORK = ("uid", "gid", "groups", "nice", "ionice", "nofile")  # what posix_spawn can't set
ENOENT, EACCES, EINVAL, EMFILE = 2, 13, 22, 24
MARKER = "SENTINEL_PROCESS"


class Failed(Exception):
    """A step of a spawn failed."""

    def __init__(self, step: str, number: int) -> None:
        self.step = step
        self.number = number


def can_go_directly(order: Message) -> bool:
    """Whether posix_spawn can do it, and will not be held up."""
    if system.PORTABLE or any(order.get(name) is not None for name in BY_FORK):
        return False
    return not system.on_network(order["program"], order["cwd"], order["stdout"], order["stderr"])


def spawn_directly(order: Message, env: dict[str, str], home_umask: int) -> int:
    """Start it, return its pid.

    Raises:
        Failed: it does not run.
    """
    step = ["log"]
    opened: list[int] = []
    try:
        for name in ("stdout", "stderr"):
            opened.append(_open_log(order[name]))
        if not system.spare(opened[-1]):
            raise Failed("fork", EMFILE)
        step[0] = "cwd"
        os.chdir(order["cwd"])
        os.umask(_umask(order))
        step[0] = "exec"
        actions = [
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, opened[0], 1),
            (os.POSIX_SPAWN_DUP2, opened[1], 2),
        ]
        return os.posix_spawn(
            order["program"], order["argv"], env,
            file_actions=actions, setsid=True, setsigmask=(), setsigdef=DEFAULTED,
        )  # fmt: skip
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise Failed(*_failure(order, step[0], error)) from error
    finally:
        os.umask(home_umask)
        os.chdir("/")
        for fd in opened:
            os.close(fd)


def _failure(order: Message, step: str, error: BaseException) -> tuple[str, int]:
    """The step and errno to tell."""
    number = error.errno if isinstance(error, OSError) and error.errno else EINVAL
    return _why_not(order["program"], number) if step == "exec" else (step, number)


def _umask(order: Message) -> int:
    umask = order.get("umask")
    return 0o022 if umask is None else int(umask)


def run_child(
    order: Message, env: dict[str, str], report: int, journal: Callable[[], None], parent: int
) -> None:
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
        journal()
        if os.getppid() != parent:
            os._exit(127)  # the keeper was killed, and the next may have read its journal already
        step[0] = "exec"
        os.execve(order["program"], order["argv"], env)
    except BaseException as error:
        failed, number = _failure(order, step[0], error)
        os.write(report, f"{failed} {number}".encode())
    finally:
        os._exit(127)


def _default_signals() -> None:
    for number in DEFAULTED:
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
    os.umask(_umask(order))


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
    except ValueError:
        return "program", EINVAL
    if stat.S_ISDIR(found.st_mode) or not os.access(program, os.X_OK):
        return "program", EACCES
    return "exec", number


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from .wire import Message
