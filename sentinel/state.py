"""state.json: locked, saved atomically, backed up, and never replaced by an empty one."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from sentinel.model import State
from sentinel.paths import Home


class Store:
    """The state of one home. `warnings` are sentences the user should see (recovered from the backup, …)."""

    def __init__(self, home: Home, *, patience: float = 30.0) -> None:
        self.home = home
        self.patience = patience  # seconds to wait for another command's change
        self.warnings: list[str] = []

    def read(self, *, cached: bool = False) -> State:
        """What is saved, without a lock. `cached`: the object of last time if the file is the same (change nothing)."""
        raise NotImplementedError

    @contextmanager
    def change(self, *, durable: bool = True) -> Iterator[State]:
        """Under the lock: the state to change, saved at the end if it was; an exception inside saves nothing.

        `durable=False` for what is only seen: no fsync. StateError for whatever goes wrong with the file.
        """
        raise NotImplementedError
        yield State()

    @contextmanager
    def claim(
        self, ids: Iterable[int], *, block: bool = True, timeout: float | None = None
    ) -> Iterator[set[int]]:
        """Hold these records against other processes. `block=False`: those that could be had at once.

        With `timeout` (seconds) StateError names what is still held. Re-entrant within the process.
        """
        raise NotImplementedError
        yield set()
