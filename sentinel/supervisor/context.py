"""One home with its store and engines: what every use case works on."""

import time
from collections.abc import Iterable, Mapping

from sentinel import faultpoints
from sentinel.backends.base import Backend, Seen
from sentinel.errors import BackendError
from sentinel.events import Event
from sentinel.model import Record, State
from sentinel.paths import Home
from sentinel.state import Store

Engine = tuple[str, str | None]  # name and scope


class Context:
    """A home, its store, and the engines that its processes need, each made when first asked for."""

    def __init__(self, home: Home) -> None:
        self.home = home
        self.store = Store(home)
        self.store.listener = self._happened
        self.hooks: list[int] = []  # pids of hooks that were started
        self._engines: dict[Engine, Backend] = {}

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
        return [(self.engine(*key), group) for key, group in _parts(records).items()]

    def see(self, records: Iterable[Record]) -> dict[int, Seen]:
        """What the engines say of each."""
        seen: dict[int, Seen] = {}
        for engine, group in self.by_engine(records):
            seen.update(engine.see(group))
        return seen

    def look(self, records: Iterable[Record]) -> tuple[dict[int, Seen], dict[Engine, BackendError]]:
        """The same, from the engines that can be reached; and why the others can't be."""
        seen: dict[int, Seen] = {}
        unreachable: dict[Engine, BackendError] = {}
        for key, group in _parts(records).items():
            try:
                seen.update(self.see(group))
            except BackendError as error:
                unreachable[key] = error
        return seen, unreachable

    def forget_exits(self, records: Iterable[Record], exits: Mapping[int, int]) -> None:
        """Exits up to these runs are saved in state.json now."""
        faultpoints.reach("exits.saved")
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

        faultpoints.reach("daemon.poking")
        poke(self.home)


def _parts(records: Iterable[Record]) -> dict[Engine, list[Record]]:
    parts: dict[Engine, list[Record]] = {}
    for record in records:
        parts.setdefault((record.backend, record.scope), []).append(record)
    return parts
