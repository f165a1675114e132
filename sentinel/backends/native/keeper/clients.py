"""The clients of the keeper: who is connected, what they ask, what they are told."""

from __future__ import annotations

import _socket
import os
import select
import time

from . import sockets, system
from .operations import HANDLERS
from .wire import Connection, decode

REST = 0.05  # seconds without new clients when descriptors have run out


class Clients:
    """All connections, and the socket that they come in by."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper
        self.listener = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
        self.connections: dict[int, Connection] = {}
        self.accept_at = 0.0  # when to accept again; 0: we do

    def listen(self, path: str) -> None:
        sockets.bind(self.listener, path)
        self.listener.listen(512)

    def accept_new(self) -> None:
        self.listener.setblocking(False)
        self._keeper.watch(self.listener.fileno(), self._accept)

    def do_due(self, now: float) -> None:
        if self.accept_at and now >= self.accept_at:
            self.accept_at = 0.0
            self.accept_new()

    def _accept(self, _: int) -> None:
        while True:
            try:
                fd, _address = self.listener._accept()  # type: ignore[attr-defined]
            except BlockingIOError:
                return
            except OSError:
                self._rest()
                return
            if not system.spare(fd):
                os.close(fd)
                self._rest()
                return
            self.add(Connection(_socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)))

    def _rest(self) -> None:
        """Out of descriptors, most likely: let some become free."""
        self._keeper.unwatch(self.listener.fileno())
        self.accept_at = time.monotonic() + REST

    def add(self, connection: Connection) -> None:
        if not sockets.trusted(sockets.peer_uid(connection.sock)):
            connection.sock.close()
            return
        self._keeper.idle_until = 0.0
        self.connections[connection.fd] = connection
        connection.wanted = select.POLLIN
        self._keeper.poll.register(connection.fd, connection.wanted)

    def serve(self, ready: list[tuple[int, int]]) -> None:
        for fd, events in ready:
            if (connection := self.connections.get(fd)) is not None:
                self._keeper.guard(self._serve, connection, events)

    def _serve(self, connection: Connection, events: int) -> None:
        if events & select.POLLOUT:
            connection.flush()
        if events & ~select.POLLOUT:
            for line in connection.read():
                self._answer(connection, line)

    def _answer(self, connection: Connection, line: bytes) -> None:
        request: Any = None
        connection.busy += 1
        try:
            request = decode(line.decode("utf-8"))
            if type(request.get("id", 0)) is not int:
                raise TypeError("id is no number")
            HANDLERS[request["op"]](self._keeper, connection, request)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            seq = request.get("seq") if isinstance(request, dict) else None
            connection.reply(seq, {"error": f"{type(error).__name__}: {error}"})

    def drop_gone(self) -> None:
        """Forget who went, and wait for what the others can take."""
        for fd, connection in list(self.connections.items()):
            if connection.gone:
                self._keeper.poll.unregister(fd)
                del self.connections[fd]
                connection.sock.close()
                continue
            wanted = select.POLLIN | (select.POLLOUT if connection.unsent else 0)
            if wanted != connection.wanted:
                connection.wanted = wanted
                self._keeper.poll.modify(fd, wanted)

    def tell_listeners(self, event: str, message: Message) -> None:
        for connection in self.connections.values():
            if connection.listening:
                connection.write({"event": event, **message})


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .serve import Keeper
    from .wire import Message
