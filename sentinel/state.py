"""state.json: locked, saved atomically, backed up, and never replaced by an empty one."""

import fcntl
import itertools
import os
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager, suppress

from sentinel import claims, codec, events, faultpoints, ledger
from sentinel.errors import StateError
from sentinel.fields import parse
from sentinel.files import link_or_copy, open_private, read_private, reason, write_atomic
from sentinel.model import State
from sentinel.paths import Home
from sentinel.plain import dataclass

_SPACE_HINT = "check its permissions and free space, or set SENTINEL_HOME; nothing was changed"
Identity = tuple[int, int, int, int]


@dataclass(slots=True)
class _Kept:
    """A state.json as it was read or written. The records are shared with whoever looked: they are never changed."""

    fd: int
    identity: Identity
    state: State
    durable: bool
    lines: dict[int, str] | None = None  # each record as it is in the file, made when first needed

    def lines_of_all(self) -> dict[int, str]:
        if self.lines is None:
            self.lines = {id: codec.line(record) for id, record in self.state.processes.items()}
        return self.lines


@dataclass(slots=True)
class _Draft:
    """What a change works on: all that the file holds, or copies of a few of the records that are remembered."""

    state: State
    changing: State  # the part of it that may change
    raw: bytes | None = None  # the file; None: there is none, or it is remembered
    kept: _Kept | None = None


class Store:
    """The state of one home. `warnings` are sentences the user should see (recovered from the backup, …)."""

    def __init__(self, home: Home, *, patience: float = 30.0) -> None:
        self.home = home
        self.patience = patience  # seconds to wait for another command's change
        self.warnings: list[str] = []
        self.command = "sentinel"  # which command changes the state: for the ledger of events
        self.listener: Callable[[State, list[events.Event]], None] | None = None
        self._missed: list[events.Event] = []
        self._kept: _Kept | None = None

    def read(self, *, cached: bool = False) -> State:
        """What is saved, without a lock.

        `cached` is for what lives long and only looks: the object of last time if the file is still the same.

        Raises:
            StateError: it can't be read, is damaged with no usable backup, or a newer version's.
        """
        if cached and (kept := self._remembered()):
            return kept.state
        raw = self._bytes()
        if raw is None and not os.path.lexists(self.home.backup):
            return State()
        if raw is not None:
            with suppress(_Unusable):
                return self._decoded(raw)
        with self._locked():  # missing, damaged or of an earlier version: put right under the lock
            return self._load().state

    @contextmanager
    def change(self, *, durable: bool = True, only: Collection[int] | None = None) -> Iterator[State]:
        """Under the lock: the state to change, saved at the end if it was; an exception inside saves nothing.

        `durable=False` is for what was only seen: no fsync. `only`: no more than these records will be changed, and
        not their specs; they are all that it costs who has seen the file before.

        Raises:
            StateError: whatever goes wrong with the file; nothing is changed then.
        """
        with self._locked():
            self._missed = []
            kept = None if only is None else self._remembered()
            draft = self._load() if kept is None else _few(kept, only or ())
            before = events.snapshot(draft.changing)
            yield draft.state
            happened = self._missed
            if self._save(draft, durable):
                faultpoints.reach("state.saved")
                happened = [*self._missed, *events.derive(before, draft.changing, time.time(), self.command)]
            ledger.append(self.home, happened)
        if happened and self.listener is not None:
            self.listener(draft.state, happened)

    def tell(self, missed: events.Event) -> None:
        """Inside `change`: what happened before, and the difference of the two states does not tell."""
        self._missed.append(missed)

    @contextmanager
    def claim(
        self, ids: Iterable[int], *, block: bool = True, timeout: float | None = None
    ) -> Iterator[set[int]]:
        """Hold these records against other processes: see `sentinel.claims.claim`."""
        with claims.claim(self.home, ids, block=block, timeout=timeout) as held:
            yield held

    def close(self) -> None:
        """Let go of the file that is remembered."""
        if self._kept:
            os.close(self._kept.fd)
            self._kept = None

    def __del__(self) -> None:
        self.close()

    # reading

    def _bytes(self) -> bytes | None:
        try:
            return read_private(self.home.state)
        except FileNotFoundError:
            return None
        except NotADirectoryError:
            raise StateError(f"{self.home.root} is not a directory", "set SENTINEL_HOME to one") from None
        except OSError as error:
            raise StateError(
                f"cannot read {self.home.state}: {reason(error)}", "check its permissions"
            ) from error

    def _remembered(self) -> _Kept | None:
        """The state while the file is the same. It stays open, so that its inode number can't come again."""
        with suppress(OSError):
            if self._kept and _identity(os.stat(self.home.state)) == self._kept.identity:
                return self._kept
        self.close()
        try:
            fd = open_private(self.home.state)
        except OSError:
            return None
        try:
            identity = _identity(os.fstat(fd))
            with open(fd, "rb", closefd=False) as file:
                raw = file.read()
            state = codec.decode(raw)
        except (OSError, StateError):
            os.close(fd)
            return None
        self._kept = _Kept(fd, identity, state, codec.is_durable(raw))
        return self._kept

    def _remember(self, state: State, durable: bool, lines: dict[int, str]) -> None:
        """What was just written, under the lock."""
        self.close()
        with suppress(OSError):
            fd = open_private(self.home.state)
            self._kept = _Kept(fd, _identity(os.fstat(fd)), state, durable, lines)

    def _decoded(self, raw: bytes) -> State:
        try:
            return codec.decode(raw)
        except codec.NewerSchema:
            raise
        except StateError as error:
            raise _Unusable(error.message, error.hint) from None

    def _load(self) -> _Draft:
        """All of the file; under the lock. Puts right what can be."""
        state, raw = self._loaded()
        return _Draft(state, state, raw)

    def _loaded(self) -> tuple[State, bytes | None]:
        raw = self._bytes()
        if raw is None:
            if not os.path.lexists(self.home.backup):
                return State(), None
            return self._recover("state.json is missing", None)
        try:
            document = parse(raw)
            if codec.is_earlier(document):
                return self._migrate(document, raw)
            return codec.from_document(document), raw
        except codec.NewerSchema:
            raise
        except StateError as error:
            return self._recover(error.message, raw)

    def _migrate(self, document: dict[str, object], raw: bytes) -> tuple[State, bytes]:
        from sentinel import migrations  # seldom needed, and every command would pay for it

        state, warnings = migrations.migrate(document, raw, self.home)
        data = codec.encode(state)
        with _saving(self.home):
            write_atomic(self.home.state, data)
        self.warnings.extend(warnings)
        return state, data

    def _recover(self, what: str, raw: bytes | None) -> tuple[State, bytes]:
        """The backup becomes the state again; the damaged file is kept beside it."""
        try:
            backup = read_private(self.home.backup)
            state = codec.decode(backup)
        except (OSError, StateError):
            hint = f"restore {self.home.state} from a copy, or move it away to start anew"
            raise StateError(f"{what}, and there is no usable backup", hint) from None
        state.next_id = max(state.next_id, self._highest_id() + 1)
        data = codec.encode(state)
        with _saving(self.home):
            kept = "" if raw is None else f"; the damaged file is kept as {self._keep(raw)}"
            write_atomic(self.home.state, data)
        self.warnings.append(f"{what}: recovered from its backup, so the latest change may be lost{kept}")
        return state, data

    def _keep(self, raw: bytes) -> str:
        for number in itertools.count(1):
            path = self.home.root / f"state.json.damaged-{number}"
            if not os.path.lexists(path):
                write_atomic(path, raw)
                break
        return path.name

    def _highest_id(self) -> int:
        """The highest id that left traces: a backup may not know the latest, and none is used twice."""
        with suppress(OSError):
            stems = (name.partition(".")[0] for name in os.listdir(self.home.environments))
            return max((int(stem) for stem in stems if stem.isdecimal() and len(stem) < 10), default=0)
        return 0

    # writing

    def _save(self, draft: _Draft, durable: bool) -> bool:
        """Whether there was anything to save."""
        if draft.kept is not None:
            return self._save_few(draft, draft.kept, durable)
        data, raw = codec.encode(draft.state, durable=durable), draft.raw
        if raw is not None and codec.body(raw) == codec.body(data):
            return False
        self._write(data, durable, old=raw is not None, old_durable=raw is not None and codec.is_durable(raw))
        return True

    def _save_few(self, draft: _Draft, kept: _Kept, durable: bool) -> bool:
        before = kept.lines_of_all()
        news = {id: codec.line(record) for id, record in draft.changing.processes.items()}
        if all(before[id] == line for id, line in news.items()):
            return False
        lines = before | news
        data = codec.encode(draft.state, durable=durable, lines_of=lines)
        self._write(data, durable, old=True, old_durable=kept.durable)
        self._remember(draft.state, durable, lines)
        return True

    def _write(self, data: bytes, durable: bool, *, old: bool, old_durable: bool) -> None:
        """`old`: there is a file that this one replaces, and whether that was synced."""
        faultpoints.reach("state.saving")
        with _saving(self.home):
            # What was never synced may be empty after a power cut, so it does not replace a backup that was.
            if old and (old_durable or not self.home.backup.exists()):
                link_or_copy(self.home.state, self.home.backup)
                faultpoints.reach("state.backed-up")
            write_atomic(self.home.state, data, durable=durable)
            if not old:  # the first one: a copy, since a link would be damaged with it
                write_atomic(self.home.backup, data, durable=False)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.home.prepare()
        try:
            fd = open_private(self.home.lock, os.O_RDWR | os.O_CREAT)
        except OSError as error:
            raise StateError(f"cannot use {self.home.lock}: {reason(error)}", _SPACE_HINT) from error
        try:
            self._wait_for_lock(fd)
            yield
        finally:
            os.close(fd)

    def _wait_for_lock(self, fd: int) -> None:
        deadline = time.monotonic() + self.patience
        pause = 0.0005
        while True:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise StateError(
                        f"state.json has been locked by another command for {self.patience:g} s",
                        "try again; if a sentinel command hangs, end it",
                    ) from None
            except OSError as error:
                raise StateError(f"cannot lock {self.home.lock}: {reason(error)}", _SPACE_HINT) from error
            time.sleep(pause)
            pause = min(2 * pause, 0.02)


class _Unusable(StateError):
    """Not to be used as it is: damaged, or of an earlier version."""


def _few(kept: _Kept, ids: Collection[int]) -> _Draft:
    """Copies of these records, among all others as they are."""
    mine = {id: kept.state.processes[id].copy() for id in sorted(ids) if id in kept.state.processes}
    whole = State(kept.state.next_id, kept.state.processes | mine, kept.state.groups, kept.state.ports)
    return _Draft(whole, State(processes=mine), kept=kept)


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def _saving(home: Home) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(f"cannot save {home.state}: {reason(error)}", _SPACE_HINT) from error
