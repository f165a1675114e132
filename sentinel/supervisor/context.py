"""One home with its store and engines: what every use case works on."""

import time
from collections.abc import Iterable, Mapping

from sentinel.backends.base import Backend, Seen
from sentinel.events import Event
from sentinel.model import Record, State
from sentinel.paths import Home
from sentinel.state import Store


class Context:
    """A home, its store, and the engines that its processes need, each made when first asked for."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.store = Store(home)
        self.store.listener = self._happened
        self.hooks: list[int] = []  # pids of hooks that were started
        self._engines: dict[tuple[str, str | None], Backend] = {}

    def engine(self, name: str, scope: str | None = None) -> Backend:
        """The engine of that name.

        Raises:
            BackendError: it can't be reached here.
        """
        key = (name, scope)
        if key not in self._engines:
            from sentinel.backends.resolve import open_backend

            self._engines[key] = open_backend(name, scope, self.home)
        return self._engines[key]

    def engine_of(self, record: Record) -> Backend:
        return self.engine(record.backend, record.scope)

    def by_engine(self, records: Iterable[Record]) -> list[tuple[Backend, list[Record]]]:
        """The records of each engine together: engines do many at once."""
        parts: dict[tuple[str, str | None], list[Record]] = {}
        for record in records:
            parts.setdefault((record.backend, record.scope), []).append(record)
        return [(self.engine(*key), group) for key, group in parts.items()]

    def see(self, records: Iterable[Record]) -> dict[int, Seen]:
        """What the engines say of each."""
        seen: dict[int, Seen] = {}
        for engine, group in self.by_engine(records):
            seen.update(engine.see(group))
        return seen

    def forget_exits(self, records: Iterable[Record], exits: Mapping[int, int]) -> None:
        """Exits up to these runs are saved in state.json now."""
        wanted = [record for record in records if record.id in exits]
        for engine, group in self.by_engine(wanted):
            engine.forget_exits({record.id: exits[record.id] for record in group})

    def _happened(self, state: State, events: list[Event]) -> None:
        if any(event.is_failure for event in events):
            from sentinel.supervisor.hooks import run_hooks

            self.hooks += run_hooks(self.home, state, events)

    @staticmethod
    def now() -> float:
        return time.time()

    def poke_daemon(self) -> None:
        """Tell the daemon, if one runs, that state.json has changed."""
        from sentinel.supervisor.daemon_client import poke

        poke(self.home)
