"""`change(only=…)`: what lives long pays for the records that it changes alone, and loses nothing of the others."""

from contextlib import suppress
from copy import deepcopy
from pathlib import Path

import pytest

from sentinel import ledger
from sentinel.codec import decode, encode
from sentinel.model import Exit, Record, Spec, State
from sentinel.paths import Home
from sentinel.state import Store


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    with Store(home).change() as state:
        for name in ("one", "two", "three"):
            state.processes[state.next_id] = Record(state.next_id, name, "native", Spec(["true"], "/"))
            state.next_id += 1
    return home


def test_it_writes_what_a_change_of_all_would(home: Home) -> None:
    store, expected = Store(home), Store(home).read()
    for run in (1, 2, 3):
        with store.change(durable=False, only=[2]) as state:
            state.processes[2].runtime.run = run
    expected.processes[2].runtime.run = 3
    assert home.state.read_bytes() == encode(expected, durable=False)
    assert store.read(cached=True) == expected


def test_what_was_read_before_stays_as_it_was(home: Home) -> None:
    store = Store(home)
    seen = store.read(cached=True)
    before = deepcopy(seen)
    with store.change(only=[2]) as state:
        state.processes[2].runtime.run = 7
    assert seen == before
    after = store.read(cached=True)
    assert after.processes[2].runtime.run == 7
    assert after.processes[1] is seen.processes[1]  # so that watchers see which have changed
    assert after.processes[2] is not seen.processes[2]


def test_what_others_have_changed_meanwhile_is_kept(home: Home) -> None:
    store, other = Store(home), Store(home)
    with store.change(only=[1]) as state:
        state.processes[1].runtime.run = 1
    with other.change() as state:
        state.processes[2].runtime.run = 2
        del state.processes[3]
        state.processes[4] = Record(4, "four", "native", Spec(["true"], "/"))
        state.next_id = 5
    with store.change(only=[1, 3]) as state:
        assert list(state.processes) == [1, 2, 4]
        state.processes[1].runtime.run = 3
    found = other.read()
    assert {id: record.runtime.run for id, record in found.processes.items()} == {1: 3, 2: 2, 4: 0}
    assert found.next_id == 5


def test_an_exception_or_no_change_leaves_the_file_and_what_is_remembered(home: Home) -> None:
    store, data = Store(home), home.state.read_bytes()
    with suppress(ZeroDivisionError), store.change(only=[1]) as state:
        state.processes[1].runtime.run = 1
        raise ZeroDivisionError
    with store.change(only=[1]) as state:
        state.processes[1].runtime.run = 0
    assert home.state.read_bytes() == data
    assert store.read(cached=True) == decode(data)


def test_its_events_are_told(home: Home) -> None:
    store = Store(home)
    heard: list[str] = []
    store.listener = lambda state, events: heard.extend(event.name for event in events)
    with store.change(durable=False, only=[3]) as state:
        state.processes[3].runtime.run = 1
        state.processes[3].runtime.last_exit = Exit(run=1, code=7, at=5.0)
    assert heard == ["three"]
    assert [(event.name, event.event) for event in ledger.read(home)][-1] == ("three", "exited")


def test_what_was_never_synced_does_not_become_the_backup(home: Home) -> None:
    store, synced = Store(home), home.state.read_bytes()
    for run in (1, 2):
        with store.change(durable=False, only=[1]) as state:
            state.processes[1].runtime.run = run
    assert home.backup.read_bytes() == synced


def test_damage_meanwhile_is_put_right_first(home: Home) -> None:
    store = Store(home)
    with store.change(only=[1]) as state:
        state.processes[1].runtime.run = 1
    home.state.write_bytes(b"{")
    with store.change(only=[1]) as state:
        assert state.processes[1].runtime.run == 0  # as the backup has it
        state.processes[1].runtime.run = 5
    assert store.warnings
    assert Store(home).read().processes[1].runtime.run == 5


def test_what_is_remembered_is_not_read_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(home)
    store.read(cached=True)
    monkeypatch.setattr("sentinel.codec.from_document", None)
    for run in (1, 2):
        with store.change(only=[1]) as state:
            state.processes[1].runtime.run = run
        assert store.read(cached=True).processes[1].runtime.run == run


def test_nothing_there_yet(tmp_path: Path) -> None:
    store = Store(Home(tmp_path / "none"))
    with store.change(only=[1]) as state:
        assert state == State()
