"""Ports handed out: really free, and never to two."""

import errno
import os
import socket
import time
from contextlib import ExitStack

from sentinel.errors import Conflict, NotFound
from sentinel.model import Lease, State
from sentinel.names import printable

FIRST, LAST = 8000, 9999
_NO_SUCH_FAMILY = (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL, errno.EPROTONOSUPPORT)


def allocate(state: State, port: int | None, name: str, process: int | None = None) -> Lease:
    """Add a lease to the state, inside Store.change, which makes it safe beside other callers.

    Raises:
        Conflict: the port is taken, and by whom where that can be known; or none is free.
    """
    if port is None:
        port = _any_free(state)
    else:
        _refuse_taken(state, port)
    lease = Lease(port=port, name=name, process=process, allocated_at=time.time())
    state.ports.append(lease)
    return lease


def free(state: State, port_or_name: str) -> Lease:
    """Take a lease out; a number is a port first, then a name.

    Raises:
        NotFound: there is none.
        Conflict: several have that name.
    """
    is_number = port_or_name.isascii() and port_or_name.isdigit() and len(port_or_name) <= 5
    found = [lease for lease in state.ports if is_number and lease.port == int(port_or_name)]
    found = found or [lease for lease in state.ports if lease.name == port_or_name]
    if not found:
        raise NotFound(
            f"no port {printable(port_or_name)} is allocated", "run 'sentinel port list' to see them"
        )
    if len(found) > 1:
        listed = ", ".join(str(lease.port) for lease in found)
        raise Conflict(f"several ports are called {printable(port_or_name)}: {listed}", "free them by number")
    state.ports.remove(found[0])
    return found[0]


def free_of(state: State, process: int) -> list[Lease]:
    """Take out all leases of a process that is deleted."""
    gone = [lease for lease in state.ports if lease.process == process]
    state.ports[:] = [lease for lease in state.ports if lease.process != process]
    return gone


def _any_free(state: State) -> int:
    """From a random start, so that two homes seldom try the same ones at the same time."""
    leased = {lease.port for lease in state.ports}
    count = LAST - FIRST + 1
    start = int.from_bytes(os.urandom(4), "big") % count
    for step in range(count):
        port = FIRST + (start + step) % count
        if port not in leased and _bind_error(port) is None:
            return port
    raise Conflict(
        f"no port from {FIRST} to {LAST} is free", "free one ('sentinel port list'), or name another"
    )


def _refuse_taken(state: State, port: int) -> None:
    for lease in state.ports:
        if lease.port == port:
            raise Conflict(
                f"port {port} is allocated to {lease.name} already",
                f"'sentinel port free {port}' gives it back",
            )
    error = _bind_error(port)
    if error is None:
        return
    if error.errno == errno.EADDRINUSE:
        raise Conflict(
            f"port {port} is in use{_holder(state, port)}", "stop what uses it, or choose another port"
        )
    raise Conflict(
        f"port {port} cannot be used: {os.strerror(error.errno or 0).lower()}", "choose one above 1023"
    )


def is_taken(port: int) -> bool:
    """Whether somebody listens there."""
    error = _bind_error(port)
    return error is not None and error.errno == errno.EADDRINUSE


def _bind_error(port: int) -> OSError | None:
    """Why nobody could listen there, on IPv4 and IPv6. SO_REUSEADDR would call busy ones free."""
    with ExitStack() as stack:
        for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
            try:
                probe = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
                if family == socket.AF_INET6:
                    probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                probe.bind((address, port))
            except OSError as error:
                if family == socket.AF_INET6 and error.errno in _NO_SUCH_FAMILY:
                    continue  # a system without IPv6
                return error
    return None


def _holder(state: State, port: int) -> str:
    """ " by web (pid 123)", or nothing where it can't be known."""
    import psutil

    try:
        pids = [
            found.pid
            for found in psutil.net_connections(kind="tcp")
            if found.pid and found.laddr and found.laddr.port == port and found.status == psutil.CONN_LISTEN
        ]
        if not pids:
            return ""
        process = psutil.Process(pids[0])
        ours = {r.runtime.pid: r.name for r in state.processes.values() if r.runtime.pid}
        for each in (process, *process.parents()):
            if each.pid in ours:
                return f" by the process {ours[each.pid]} (pid {process.pid})"
        return f" by {printable(process.name())} (pid {process.pid})"
    except (psutil.Error, OSError, RuntimeError):
        return ""
