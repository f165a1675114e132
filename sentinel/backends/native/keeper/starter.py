"""Start the keeper of a home: the client's side of it.

Whoever holds the lock on `keeper.lock` is the keeper or starts it. The starter takes the lock and hands it
on, so of many clients that start at once, one starts and the others wait for its socket.
"""

import fcntl
import os
import select
import sys
import time

import sentinel
from sentinel import faultpoints
from sentinel.errors import BackendError
from sentinel.own_logs import keep_short
from sentinel.paths import Home

KEEPER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "__main__.py")
# all the environment that a keeper gets
PASSED_ON = ("SENTINEL_PORTABLE", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", *faultpoints.PASSED_ON)


def start_keeper(home: Home, deadline: float) -> None:
    """Start one, or give the one that somebody else is starting (or that is ending) a moment.

    Raises:
        BackendError: it can't be started, or `deadline` (monotonic) has passed.
        StateError: the home can't be made.
    """
    if time.monotonic() > deadline:
        raise BackendError("the keeper does not start", f"see {home.keeper_log}")
    home.prepare()
    try:
        lock = os.open(home.keeper_lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
        try:
            if _locked(lock):
                _launch(home, lock, deadline)
            else:
                time.sleep(0.003)
        finally:
            os.close(lock)
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise BackendError(
            f"cannot start the keeper: {reason}", f"check {home.run} and its permissions"
        ) from error


def _locked(lock: int) -> bool:
    """Not around the launch: that it is out of processes is EAGAIN too."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _launch(home: Home, lock: int, deadline: float) -> None:
    ready, tell = os.pipe()
    try:
        os.set_inheritable(lock, True)
        os.set_inheritable(tell, True)
        root = os.fspath(home.root)
        argv = [
            sys.executable,
            "-I",
            "-S",
            KEEPER,
            root,
            home.key,
            sentinel.__version__,
            str(lock),
            str(tell),
        ]
        env = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
        pid = os.posix_spawn(sys.executable, argv, env, file_actions=_stdio(home))
    except BaseException:
        os.close(tell)
        os.close(ready)
        raise
    os.close(tell)
    os.set_inheritable(lock, False)
    try:
        _await(home, ready, deadline)
    finally:
        os.close(ready)
        _reap(pid)


def _stdio(home: Home) -> list[tuple[int, int, str, int, int]]:
    keep_short(home.keeper_log)
    log = os.fspath(home.keeper_log)
    return [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, log, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600),
    ]


def _await(home: Home, ready: int, deadline: float) -> None:
    """Until the keeper says that it listens."""
    poll = select.poll()
    poll.register(ready, select.POLLIN | select.POLLHUP)
    if not poll.poll(max(0.0, deadline - time.monotonic()) * 1000):
        raise BackendError("the keeper does not start", f"see {home.keeper_log}")
    if os.read(ready, 16) != b"ready":
        raise BackendError("the keeper ended as it started", f"see {home.keeper_log}")


def _reap(pid: int) -> None:
    """What we started has put the keeper into a session of its own and ended."""
    try:
        os.waitpid(pid, 0)
    except ChildProcessError:
        pass  # the program that we are part of lets the kernel reap
