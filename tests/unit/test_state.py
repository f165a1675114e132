"""state.json is never lost: parallel changes, damage, full disks, locks, claims."""

import fcntl
import os
import select
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from sentinel.codec import encode
from sentinel.errors import Conflict, StateError
from sentinel.model import Group, Record, Spec, State
from sentinel.paths import Home
from sentinel.state import Store

DEADLINE = 240.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path / "home")


def add(state: State, name: str) -> None:
    state.processes[state.next_id] = Record(state.next_id, name, "native", Spec(["sleep 60"], "/"))
    state.next_id += 1


def names(store: Store) -> list[str]:
    return [record.name for record in store.read().processes.values()]


def filled(home: Home) -> Store:
    """A store with two saves: `one` alone is in the backup."""
    store = Store(home)
    for name in ("one", "two"):
        with store.change() as state:
            add(state, name)
    return store


@contextmanager
def python(home: Home, code: str) -> Iterator[subprocess.Popen[str]]:
    """A process with `store` at hand; what it prints can be waited for with `line`."""
    head = "import os, sys, time\nfrom sentinel.paths import Home\nfrom sentinel.state import Store\n"
    head += f"store = Store(Home({str(home.root)!r}))\n"
    child = subprocess.Popen(
        [sys.executable, "-c", head + code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def line(child: subprocess.Popen[str]) -> str:
    assert child.stdout is not None
    ready, _, _ = select.select([child.stdout], [], [], DEADLINE)
    assert ready, "the process said nothing"
    return child.stdout.readline().strip()


def test_nothing_there_is_an_empty_state_and_reading_makes_nothing(home: Home) -> None:
    assert Store(home).read() == State()
    assert not home.root.exists()


def test_a_change_is_saved_and_private(home: Home) -> None:
    store = filled(home)
    assert names(store) == ["one", "two"]
    assert {stat.S_IMODE(os.stat(path).st_mode) for path in (home.state, home.backup, home.lock)} == {0o600}
    assert stat.S_IMODE(home.root.stat().st_mode) == 0o700
    assert not [name for name in os.listdir(home.root) if name.startswith(".tmp")]


def test_an_exception_saves_nothing(home: Home) -> None:
    store = filled(home)

    def fail() -> None:
        with store.change() as state:
            add(state, "three")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert names(store) == ["one", "two"]


def test_no_change_writes_nothing(home: Home) -> None:
    store = filled(home)
    before = home.state.stat()
    with store.change(durable=False):
        pass
    with store.change():
        pass
    assert home.state.stat() == before


def test_a_cached_read_is_the_same_object_until_something_changes(home: Home) -> None:
    store = filled(home)
    first = store.read(cached=True)
    assert store.read(cached=True) is first
    with Store(home).change(durable=False) as state:
        state.groups["g"] = Group("g")
    assert "g" in store.read(cached=True).groups
    assert store.read() is not store.read()
    store.close()


def test_parallel_changes_are_all_kept(home: Home) -> None:
    code = """
from sentinel.model import Record, Spec
for number in range(5):
    with store.change(durable=False) as state:
        id = state.next_id
        state.processes[id] = Record(id, f"{os.getpid()}-{number}", "native", Spec(["x"], "/"))
        state.next_id += 1
print("done", flush=True)
"""
    with python(home, code) as a, python(home, code) as b, python(home, code) as c, python(home, code) as d:
        assert [line(child) for child in (a, b, c, d)] == ["done"] * 4
    state = Store(home).read()
    assert sorted(state.processes) == list(range(1, 21))
    assert state.next_id == 21


def damages(raw: bytes) -> list[bytes]:
    cut = [raw[:length] for length in range(0, len(raw) - 2, max(1, len(raw) // 12))]
    return [*cut, b"\0" * len(raw), b"[]", b"{}", b"null", b"\xff\xfe", b"[" * 5000, b'{"schema": 1}']


def test_a_damaged_file_is_recovered_from_the_backup_and_kept(home: Home) -> None:
    store = filled(home)
    raw = home.state.read_bytes()
    for number, damage in enumerate(damages(raw), 1):
        home.state.write_bytes(damage)
        store = Store(home)
        assert names(store) == ["one"]
        assert len(store.warnings) == 1
        assert f"state.json.damaged-{number}" in store.warnings[0]
        assert (home.root / f"state.json.damaged-{number}").read_bytes() == damage
        assert names(Store(home)) == ["one"]


def test_a_recovered_state_uses_no_id_twice(home: Home) -> None:
    filled(home)
    home.environment(2).write_bytes(b"{}")
    home.state.write_bytes(b"")
    with Store(home).change() as state:
        assert state.next_id == 3


def test_a_missing_file_is_recovered_from_the_backup(home: Home) -> None:
    filled(home)
    home.state.unlink()
    store = Store(home)
    with store.change() as state:
        add(state, "three")
    assert names(store) == ["one", "three"]
    assert "missing" in store.warnings[0]


def test_even_the_first_state_has_a_backup_of_its_own(home: Home) -> None:
    with Store(home).change() as state:
        add(state, "only")
    with open(home.state, "r+b") as file:
        file.truncate(0)
    assert names(Store(home)) == ["only"]


def test_without_a_usable_backup_damage_is_refused_and_kept(home: Home) -> None:
    filled(home)
    raw = home.state.read_bytes()
    for backup in (None, b"", b"{"):
        home.backup.unlink(missing_ok=True)
        if backup is not None:
            home.backup.write_bytes(backup)
        for damage in damages(raw):
            home.state.write_bytes(damage)
            for attempt in (Store(home).read, Store(home).change().__enter__):
                with pytest.raises(StateError, match="no usable backup"):
                    attempt()
            assert home.state.read_bytes() == damage
    home.state.unlink()
    with pytest.raises(StateError, match="missing"):
        Store(home).read()
    assert not home.state.exists()


def test_a_newer_schema_is_refused_and_kept(home: Home) -> None:
    filled(home)
    newer = home.state.read_bytes().replace(b'"schema": 1', b'"schema": 2')
    home.state.write_bytes(newer)
    for attempt in (Store(home).read, Store(home).change().__enter__):
        with pytest.raises(StateError, match="newer"):
            attempt()
    assert home.state.read_bytes() == newer


def test_what_was_never_synced_does_not_become_the_backup(home: Home) -> None:
    store = filled(home)
    synced = home.state.read_bytes()
    for number in range(3):
        with store.change(durable=False) as state:
            state.groups[f"g{number}"] = Group(f"g{number}")
    assert home.backup.read_bytes() == synced


def test_a_home_that_is_a_file_is_one_error(tmp_path: Path) -> None:
    (tmp_path / "home").write_bytes(b"")
    store = Store(Home(tmp_path / "home"))
    for attempt in (store.read, store.change().__enter__, store.claim([1]).__enter__):
        with pytest.raises(StateError, match="not a directory"):
            attempt()


def test_a_state_that_is_a_symlink_is_refused(home: Home, tmp_path: Path) -> None:
    home.prepare()
    (tmp_path / "elsewhere").write_bytes(encode(State()))
    home.state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateError, match="cannot read"):
        Store(home).read()


def test_a_disk_that_is_full_loses_nothing(home: Home) -> None:
    filled(home)
    code = """
import resource, signal
from sentinel.errors import StateError
from sentinel.model import Group
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (200, 200))
try:
    with store.change() as state:
        state.groups["g"] = Group("g")
except StateError as error:
    print(error, flush=True)
"""
    with python(home, code) as child:
        assert line(child).startswith("cannot save ")
    assert names(Store(home)) == ["one", "two"]
    assert not [name for name in os.listdir(home.root) if name.startswith(".tmp")]


def test_a_lock_that_is_held_is_waited_for_and_then_reported(home: Home) -> None:
    home.prepare()
    with open(home.lock, "wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(StateError, match="locked"):
            Store(home, patience=0.05).change().__enter__()
        threading.Timer(0.1, fcntl.flock, (file.fileno(), fcntl.LOCK_UN)).start()
        with Store(home).change() as state:
            add(state, "one")


HOLD = """
with store.claim([2, 3]) as held:
    print(sorted(held), flush=True)
    sys.stdin.readline()
print("released", flush=True)
sys.stdin.readline()
"""


def test_claims_exclude_other_processes(home: Home) -> None:
    store = Store(home)
    with python(home, HOLD) as child:
        assert line(child) == "[2, 3]"
        with store.claim([1, 2, 3, 4], block=False) as held:
            assert held == {1, 4}
        with pytest.raises(Conflict, match="process 3 is busy"), store.claim([1, 3], timeout=0.05):
            pass
        assert child.stdin is not None
        child.stdin.write("\n")
        child.stdin.flush()
        with store.claim([3, 2, 2]) as held:
            assert held == {2, 3}
        assert line(child) == "released"


def test_claims_end_with_their_process(home: Home) -> None:
    with python(home, HOLD) as child:
        assert line(child) == "[2, 3]"
        child.kill()
        with Store(home).claim([2, 3], timeout=DEADLINE) as held:
            assert held == {2, 3}


def test_claims_are_re_entrant_and_kept_by_other_stores(home: Home) -> None:
    probe = "with store.claim([5], block=False) as held: print(sorted(held), flush=True)"
    with Store(home).claim([5]):
        with Store(home).claim([5, 6]) as held:
            assert held == {5, 6}
        with python(home, probe) as child:
            assert line(child) == "[]"
    with python(home, probe) as child:
        assert line(child) == "[5]"


def test_claims_exclude_other_threads(home: Home) -> None:
    seen: list[set[int]] = []

    def look() -> None:
        with Store(home).claim([5, 6], block=False) as held:
            seen.append(held)

    with Store(home).claim([5]):
        thread = threading.Thread(target=look)
        thread.start()
        thread.join(DEADLINE)
    assert seen == [{6}]


@pytest.mark.skipif(not os.path.exists("/proc/locks"), reason="nothing else tells who waits for a lock")
def test_waiting_for_a_claim_can_be_interrupted(home: Home) -> None:
    code = """
try:
    with store.claim([7]):
        print("taken", flush=True)
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""
    with Store(home).claim([7]), python(home, code) as child:
        deadline = time.monotonic() + DEADLINE
        while not waits_for_lock(child.pid):
            assert time.monotonic() < deadline, "it never waited"
            time.sleep(0.01)
        child.send_signal(signal.SIGINT)
        assert line(child) == "interrupted"


def waits_for_lock(pid: int) -> bool:
    with open("/proc/locks") as file:
        return any(" -> " in row and f" {pid} " in row for row in file)


def test_a_home_that_was_removed_and_made_again(home: Home) -> None:
    import shutil

    with Store(home).claim([1]):
        pass
    shutil.rmtree(home.root)
    code = "with store.claim([1], block=False) as held: print(held, flush=True)"
    with Store(home).claim([1]), python(home, code) as child:
        assert line(child) == "set()"
