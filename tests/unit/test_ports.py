"""Ports handed out are free on both protocols, and never handed out twice."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sentinel.errors import Conflict, NotFound
from sentinel.model import Lease, Record, Runtime, Spec, State
from sentinel.ports import FIRST, LAST, allocate, free, free_of


@contextmanager
def listener(family: socket.AddressFamily, address: str) -> Iterator[int]:
    with socket.socket(family, socket.SOCK_STREAM) as server:
        server.bind((address, 0))
        server.listen()
        yield server.getsockname()[1]


def test_any_port_is_free_and_unique() -> None:
    state = State()
    ports = [allocate(state, None, "x").port for _ in range(20)]
    assert len(set(ports)) == 20
    assert all(FIRST <= port <= LAST for port in ports)


def test_a_port_that_was_asked_for() -> None:
    port = allocate(State(), None, "x").port
    state = State()
    lease = allocate(state, port, "web", process=3)
    assert (lease.port, lease.name, lease.process) == (port, "web", 3)
    assert state.ports == [lease]
    with pytest.raises(Conflict, match=f"port {port} is allocated to web"):
        allocate(state, port, "other")


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::1", "::"])
def test_a_port_in_use_is_refused_with_who_holds_it(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        server = listener(family, address)
        port = server.__enter__()
    except OSError:
        pytest.skip("no such address here")
    try:
        with pytest.raises(Conflict, match=f"port {port} is in use") as caught:
            allocate(State(), port, "web")
        assert str(os.getpid()) in caught.value.message
        record = Record(1, "shop", "native", Spec(["x"], "/"), runtime=Runtime(pid=os.getpid()))
        with pytest.raises(Conflict, match="in use by the process shop"):
            allocate(State(2, {1: record}), port, "web")
    finally:
        server.__exit__(None, None, None)


def test_free() -> None:
    leases = [Lease(8000, "web"), Lease(8001, "8000"), *(Lease(port, "x", 5) for port in (8002, 8003))]
    leases.append(Lease(8004, "y", 6))
    state = State(ports=leases[:])
    assert free(state, "8000") is leases[0]
    assert free(state, "8000") is leases[1]
    with pytest.raises(Conflict, match="8002, 8003"):
        free(state, "x")
    for token in ("nothing", "8000", "", "-1", "9" * 50, "a\n"):
        with pytest.raises(NotFound):
            free(state, token)
    assert free_of(state, 5) == leases[2:4]
    assert free_of(state, 5) == []
    assert state.ports == leases[4:]
