"""Ports handed out on their own, beside those of processes."""

from sentinel import names, ports
from sentinel.model import Lease, State
from sentinel.supervisor.api import PortView
from sentinel.supervisor.context import Context


def allocate(context: Context, port: int | None, name: str | None) -> PortView:
    """Hand out a port. The name defaults to "default", made unique."""
    context.home.prepare()
    with context.store.change() as state:
        taken = [lease.name for lease in state.ports]
        if name is None:
            chosen = names.unique("default", taken)
        else:
            chosen = names.check_free("port", names.check_name("port", name), taken)
        return _view(state, ports.allocate(state, port, chosen))


def views(context: Context) -> list[PortView]:
    state = context.store.read()
    return [_view(state, lease) for lease in sorted(state.ports, key=lambda lease: lease.port)]


def free(context: Context, port_or_name: str) -> PortView:
    """Take a port back. One of a process is taken back too: it keeps its variable until it is deleted."""
    with context.store.change() as state:
        return _view(state, ports.free(state, port_or_name))


def _view(state: State, lease: Lease) -> PortView:
    owner = state.processes.get(lease.process) if lease.process is not None else None
    return PortView(lease.port, lease.name, owner.name if owner else None, lease.allocated_at)
