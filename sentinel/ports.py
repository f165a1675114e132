"""Ports handed out: really free, and never to two."""

from sentinel.model import Lease, State

FIRST, LAST = 8000, 9999


def allocate(state: State, port: int | None, name: str, process: int | None = None) -> Lease:
    """Add a lease to the state (inside Store.change). Conflict says who holds the port."""
    raise NotImplementedError


def free(state: State, port_or_name: str) -> Lease:
    """Take the lease out; a number is a port first, then a name. NotFound."""
    raise NotImplementedError


def free_of(state: State, process: int) -> list[Lease]:
    """Take out all leases of a process that is deleted."""
    raise NotImplementedError
