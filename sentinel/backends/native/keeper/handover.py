"""Become a newer version of the keeper without losing a child, a client or an exit status.

The process stays the same and executes the newer program, so its children stay its children; descriptors
are inherited, and what is known of them is read back from an unnamed file.
"""

from __future__ import annotations

import _socket
import os

from .notify import Notify
from .process import Process
from .system import signals
from .wire import Connection, decode, encode

RESUME = "resume"


def possible(keeper: Keeper) -> bool:
    """Nothing may be under way: no launch, no ending, no reply still to be sent."""
    if not keeper.launcher.idle():
        return False
    if any(process.ending is not None or process.ended is not None for process in keeper.processes.values()):
        return False
    return not any(client.busy or client.unsent for client in keeper.clients.connections.values())


def become_successor(keeper: Keeper) -> None:
    """Execute the successor's program. Returns (to go on as before) only where that fails."""
    assert keeper.successor is not None
    python, path, version = keeper.successor
    keeper.successor = None
    state, inherited = _describe(keeper)
    fd = _scratch(f"{keeper.root}/run")
    inherited.append(fd)
    try:
        _write(fd, encode(state).encode("ascii"))
        for number in (signals.SIGHUP, signals.SIGINT, signals.SIGTERM):
            signals.signal(number, signals.SIG_IGN)  # a handler would be gone with the program
        for one in inherited:
            os.set_inheritable(one, True)
        argv = [python, "-I", "-S", path, keeper.root, keeper.key, version, str(keeper.lock), RESUME, str(fd)]
        os.execv(python, argv)
    finally:
        for one in inherited:
            os.set_inheritable(one, False)
        os.close(fd)
        keeper.heed_signals()


def take_over(keeper: Keeper, fd: int) -> None:
    """The other side: go on with what the older version handed over."""
    os.lseek(fd, 0, os.SEEK_SET)
    with os.fdopen(fd, encoding="ascii") as file:
        state: Any = decode(file.read())
    os.set_inheritable(keeper.lock, False)
    keeper.clients.listener = _adopt_socket(state["listener"])
    keeper.unsaved = state["unsaved"]
    for number, received, listening in state["connections"]:
        connection = Connection(_adopt_socket(number))
        connection.received += received.encode("latin-1")
        connection.listening = listening
        keeper.clients.add(connection)
    for described in state["processes"]:
        keeper.resume(_process(described))
    keeper.rewrite_journal()


def _describe(keeper: Keeper) -> tuple[dict[str, object], list[int]]:
    """All that is known, and the descriptors it needs."""
    inherited = [keeper.lock, keeper.clients.listener.fileno()]
    connections = []
    for fd, client in keeper.clients.connections.items():
        inherited.append(fd)
        connections.append([fd, client.received.decode("latin-1"), client.listening])
    processes = []
    for process in keeper.processes.values():
        told: dict[str, object] = {"id": process.id, "stop_timeout": process.stop_timeout, **process.told()}
        if process.notify is not None:
            inherited.append(process.notify.sock.fileno())
            told["notify"] = process.notify.handover()
        processes.append(told)
    state: dict[str, object] = {
        "listener": keeper.clients.listener.fileno(),
        "connections": connections,
        "processes": processes,
        "unsaved": keeper.unsaved,
    }
    return state, inherited


def _process(told: Message) -> Process:
    process = Process(
        told["id"],
        told["run"],
        told["pid"],
        told["start"],
        told["started_at"],
        told.get("stop_timeout", 10.0),
    )
    process.ready = told["ready"]
    process.adopted = told["adopted"]
    if told.get("notify"):
        fd, uid, directory, address = told["notify"]
        os.set_inheritable(fd, False)
        process.notify = Notify.take_over(fd, uid, directory, address)
    return process


def _adopt_socket(fd: int) -> _socket.socket:
    os.set_inheritable(fd, False)
    return _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM, 0, fd)


def _scratch(directory: str) -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("sentinel")
    path = f"{directory}/.handover"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.unlink(path)
    return fd


def _write(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from .serve import Keeper
    from .wire import Message
