"""Unix sockets whose path may be of any length, and who is at their other end.

The keeper and its clients both import this; it needs `_socket` alone, as `socket` would cost the keeper 0.7
MB.
"""

import _socket
import os
import sys

PATH_MAX = 100  # the kernel's limit is 108 on Linux, 104 on macOS
PORTABLE = sys.platform != "linux" or os.environ.get("SENTINEL_PORTABLE") == "1"
_LOCAL_PEERCRED = 1  # <sys/un.h> of macOS; its level is 0


def _at(path: str, act: "Act") -> None:
    """Call `act` with an address for `path` that is short enough."""
    if len(os.fsencode(path)) <= PATH_MAX:
        act(path)
        return
    directory, name = os.path.split(path)
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        if not PORTABLE:
            act(f"/proc/self/fd/{fd}/{name}")
            return
        back = os.open(".", os.O_RDONLY)
        try:
            os.fchdir(fd)
            act(name)
        finally:
            os.fchdir(back)
            os.close(back)
    finally:
        os.close(fd)


def bind(sock: _socket.socket, path: str) -> None:
    """Bind to `path`, in the place of whatever socket was left there, with mode 0600."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
    before = os.umask(0o177)
    try:
        _at(path, sock.bind)
    finally:
        os.umask(before)


def connect(sock: _socket.socket, path: str) -> None:
    """Connect to `path`."""
    _at(path, sock.connect)


def peer_uid(sock: _socket.socket) -> int:
    """The effective uid of whoever is at the other end."""
    if sys.platform == "linux":
        credentials = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, 12)
        return int.from_bytes(credentials[4:8], sys.byteorder)
    credentials = sock.getsockopt(0, _LOCAL_PEERCRED, 76)  # struct xucred: version, uid, groups
    return int.from_bytes(credentials[4:8], sys.byteorder)


def trusted(uid: int) -> bool:
    """Whether somebody at the other end of a socket is us, or root."""
    return uid in (os.geteuid(), 0)


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    Act = Callable[[str], object]
