"""Readiness as sd_notify tells it: a datagram socket for each process that wants to say READY=1.

On Linux it is an abstract socket, and the kernel tells who sent each datagram. Elsewhere it is a file in a
new directory that only the process's user can enter: that is the check there.
"""

from __future__ import annotations

import _socket
import os
import sys

from sentinel import identity

from .sockets import PORTABLE

DIRECTORY = "/tmp"  # a path that always fits a socket's address
MESSAGE_MAX = 4096


class Notify:
    """The socket of one process. `address` is its NOTIFY_SOCKET."""

    def __init__(self, key: str, uid: int | None) -> None:
        self.uid = os.geteuid() if uid is None else uid
        self._directory = ""
        self.sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM)
        self.sock.setblocking(False)
        try:
            self.address = self._bind_file(key) if PORTABLE else self._bind_abstract()
        except BaseException:
            self.close()
            raise

    def _bind_abstract(self) -> str:
        name = f"sentinel/{os.urandom(12).hex()}"
        self.sock.setsockopt(_socket.SOL_SOCKET, _socket.SO_PASSCRED, 1)
        self.sock.bind(b"\0" + name.encode())
        return "@" + name

    def _bind_file(self, key: str) -> str:
        directory = f"{DIRECTORY}/sentinel-{key}-{os.urandom(8).hex()}"
        os.mkdir(directory, 0o700)
        self._directory = directory
        path = f"{directory}/notify"
        self.sock.bind(path)
        os.chmod(path, 0o600)
        if self.uid != os.geteuid():
            os.chown(path, self.uid, -1)
            os.chown(directory, self.uid, -1)
        return path

    def ready(self, holds: Callable[[int], bool]) -> bool:
        """Take in what was sent: whether READY=1 was among it, sent by a process of the tree (`holds`)."""
        found = False
        while True:
            try:
                data, sender = self._receive()
            except OSError:
                return found
            if b"READY=1" in data.split(b"\n") and (sender is None or self._trusts(sender, holds)):
                found = True

    def _receive(self) -> tuple[bytes, tuple[int, int] | None]:
        """A datagram with pid and uid of its sender, where the system tells."""
        if PORTABLE:
            return self.sock.recv(MESSAGE_MAX), None
        data, extra, _, _ = self.sock.recvmsg(MESSAGE_MAX, _socket.CMSG_SPACE(12))
        for level, kind, value in extra:
            if level == _socket.SOL_SOCKET and kind == _socket.SCM_CREDENTIALS and len(value) >= 12:
                pid, uid = (int.from_bytes(value[at : at + 4], sys.byteorder) for at in (0, 4))
                return data, (pid, uid)
        return data, (0, -1)

    def _trusts(self, sender: tuple[int, int], holds: Callable[[int], bool]) -> bool:
        """A sender that has ended (systemd-notify does) can't be looked up: then its user has to do."""
        pid, uid = sender
        stat = identity.read_stat(pid)
        if stat is None or stat.zombie:
            return uid in (self.uid, 0)
        return holds(pid)

    def close(self) -> None:
        self.sock.close()
        if self._directory:
            _remove(self._directory)

    def handover(self) -> list[object]:
        return [self.sock.fileno(), self.uid, self._directory, self.address]

    @classmethod
    def take_over(cls, fd: int, uid: int, directory: str, address: str) -> Notify:
        self = cls.__new__(cls)
        self.sock = _socket.socket(_socket.AF_UNIX, _socket.SOCK_DGRAM, 0, fd)
        self.sock.setblocking(False)
        self.uid = uid
        self._directory = directory
        self.address = address
        return self


def remove_left(key: str) -> None:
    """Remove the directories that a killed keeper of this home left."""
    if not PORTABLE:
        return
    for name in os.listdir(DIRECTORY):
        if name.startswith(f"sentinel-{key}-"):
            _remove(f"{DIRECTORY}/{name}")


def _remove(directory: str) -> None:
    """Through a descriptor: anybody can put a link of that name there."""
    try:
        fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return
    try:
        os.unlink("notify", dir_fd=fd)
    except OSError:
        pass
    finally:
        os.close(fd)
    try:
        os.rmdir(directory)
    except OSError:
        pass


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
