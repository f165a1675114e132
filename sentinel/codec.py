"""State to the bytes of state.json and back, every field checked."""

from sentinel.model import State

SCHEMA = 1


def encode(state: State, *, durable: bool = True) -> bytes:
    raise NotImplementedError


def decode(data: bytes) -> State:
    """Raises StateError naming the field that is wrong."""
    raise NotImplementedError
