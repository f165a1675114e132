"""state.json: locked, saved atomically, backed up, and never replaced by an empty one."""

import fcntl
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress

from sentinel import claims, codec, events, ledger
from sentinel.errors import StateError
from sentinel.fields import parse
from sentinel.files import link_or_copy, open_private, read_private, reason, write_atomic
from sentinel.model import State
from sentinel.paths import Home

_SPACE_HINT = "check its permissions and free space, or set SENTINEL_HOME; nothing was changed"
Identity = tuple[int, int, int, int]


class Store:
    """The state of one home. `warnings` are sentences the user should see (recovered from the backup, …)."""

    def __init__(self, home: Home, *, patience: float = 30.0) -> None:
        self.home = home
        self.patience = patience  # seconds to wait for another command's change
        self.warnings: list[str] = []
        self.command = "sentinel"  # which command changes the state: for the ledger of events
        self.listener: Callable[[State, list[events.Event]], None] | None = None
        self._cache: tuple[int, Identity, State] | None = None

    def read(self, *, cached: bool = False) -> State:
        """What is saved, without a lock.

        `cached` is for what lives long and only looks: the object of last time if the file is still the same.

        Raises:
            StateError: it can't be read, is damaged with no usable backup, or a newer version's.
        """
        if cached and (state := self._cached()):
            return state
        raw = self._bytes()
        if raw is None and not os.path.lexists(self.home.backup):
            return State()
        if raw is not None:
            with suppress(_Unusable):
                return self._decoded(raw)
        with self._locked():  # missing, damaged or of an earlier version: put right under the lock
            return self._load()[0]

    @contextmanager
    def change(self, *, durable: bool = True) -> Iterator[State]:
        """Under the lock: the state to change, saved at the end if it was; an exception inside saves nothing.

        `durable=False` is for what was only seen: no fsync.

        Raises:
            StateError: whatever goes wrong with the file; nothing is changed then.
        """
        happened: list[events.Event] = []
        with self._locked():
            state, raw = self._load()
            before = events.snapshot(state)
            yield state
            if self._save(state, raw, durable):
                happened = events.derive(before, state, time.time(), self.command)
                ledger.append(self.home, happened)
        if happened and self.listener is not None:
            self.listener(state, happened)

    @contextmanager
    def claim(
        self, ids: Iterable[int], *, block: bool = True, timeout: float | None = None
    ) -> Iterator[set[int]]:
        """Hold these records against other processes: see `sentinel.claims.claim`."""
        with claims.claim(self.home, ids, block=block, timeout=timeout) as held:
            yield held

    def close(self) -> None:
        """Let go of what `read(cached=True)` remembers."""
        if self._cache:
            os.close(self._cache[0])
            self._cache = None

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

    def _cached(self) -> State | None:
        """The state while the file is the same. It stays open, so that its inode number can't come again."""
        with suppress(OSError):
            if self._cache and _identity(os.stat(self.home.state)) == self._cache[1]:
                return self._cache[2]
        self.close()
        try:
            fd = open_private(self.home.state)
        except OSError:
            return None
        try:
            identity = _identity(os.fstat(fd))
            with open(fd, "rb", closefd=False) as file:
                state = codec.decode(file.read())
        except (OSError, StateError):
            os.close(fd)
            return None
        self._cache = (fd, identity, state)
        return state

    def _decoded(self, raw: bytes) -> State:
        try:
            return codec.decode(raw)
        except codec.NewerSchema:
            raise
        except StateError as error:
            raise _Unusable(error.message, error.hint) from None

    def _load(self) -> tuple[State, bytes | None]:
        """The state and the bytes of the file it is in; under the lock. Puts right what can be."""
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

    def _save(self, state: State, raw: bytes | None, durable: bool) -> bool:
        """Whether there was anything to save."""
        data = codec.encode(state, durable=durable)
        if raw is not None and codec.body(raw) == codec.body(data):
            return False
        with _saving(self.home):
            # What was never synced may be empty after a power cut, so it does not replace a backup that was.
            if raw is not None and (codec.is_durable(raw) or not self.home.backup.exists()):
                link_or_copy(self.home.state, self.home.backup)
            write_atomic(self.home.state, data, durable=durable)
            if raw is None:  # the first one: a copy, since a link would be damaged with it
                write_atomic(self.home.backup, data, durable=False)
        return True

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


def _identity(found: os.stat_result) -> Identity:
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size


@contextmanager
def _saving(home: Home) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StateError(f"cannot save {home.state}: {reason(error)}", _SPACE_HINT) from error
