"""state.json cut off at every byte or with flipped bits: recovered or refused, never taken for an empty one."""

from __future__ import annotations

import random

import lab
import pytest
from faultlab import House

from sentinel import codec
from sentinel.errors import StateError
from sentinel.files import write_atomic
from sentinel.state import Store


def _house_with_two(house: House) -> tuple[bytes, bytes]:
    """state.json and its backup, both good."""
    house.supervisor.group_create("g", {"A": "b"}, None)
    for name in ("a", "b"):
        house.run(name, group="g", ports=["PORT"])
    return house.home.state.read_bytes(), house.home.backup.read_bytes()


def _replace(house: House, data: bytes) -> None:
    """Under the lock, so that nobody who is changing the state puts it right again at once."""
    with Store(house.home)._locked():
        write_atomic(house.home.state, data)


def _read(house: House, data: bytes) -> set[int] | None:
    """The ids that are found in it; None: refused."""
    house.home.state.write_bytes(data)
    try:
        return set(Store(house.home).read().processes)
    except StateError:
        return None


def test_cut_off_at_every_length(house: House, long: bool) -> None:
    good, backup = _house_with_two(house)
    for length in range(len(good) - 1):  # without the newline at its end it is whole
        with pytest.raises(StateError):
            codec.decode(good[:length])
        if length % 23 and not long:
            continue
        house.home.backup.write_bytes(backup)
        assert _read(house, good[:length]) in ({1}, {1, 2}), length
        for damaged in house.root.glob("state.json.damaged-*"):
            assert damaged.read_bytes() == good[:length]
            damaged.unlink()
        if length % 2 == 0:
            house.home.backup.unlink()
            assert _read(house, good[:length]) is None, length
            assert house.home.state.read_bytes() == good[:length]
    house.home.state.write_bytes(good)
    house.home.backup.write_bytes(backup)


def test_flipped_bits(house: House, long: bool, seed: int) -> None:
    chance = random.Random(seed)
    good, backup = _house_with_two(house)
    for place in range(0, len(good), 1 if long else 11):
        data = bytearray(good)
        data[place] ^= 1 << chance.randrange(8)
        house.home.backup.write_bytes(backup)
        found = _read(house, bytes(data))
        assert found is None or found, (place, bytes(data))
    for damaged in house.root.glob("state.json.damaged-*"):
        damaged.unlink()
    house.home.state.write_bytes(good)
    house.home.backup.write_bytes(backup)


def test_damage_while_it_runs(house: House) -> None:
    """Recovered by the next command, or refused; what runs is not touched, and the daemon goes on after."""
    good, _ = _house_with_two(house)
    pids = [house.only_copy("a"), house.only_copy("b")]
    daemon = house.daemon_up()
    for length in (0, 1, len(good) // 3, len(good) - 5):
        _replace(house, good[:length])
        assert house.forked(lambda s: s.list()) == 0
        assert "a" in house.supervisor.names()
    for damaged in house.root.glob("state.json.damaged-*"):
        damaged.unlink()
    _replace(house, good)
    assert [house.only_copy("a"), house.only_copy("b")] == pids
    house.supervisor.restart(["a"])
    lab.eventually(lambda: house.only_copy("a") != pids[0])
    assert daemon.poll() is None
    house.check_no_orphans()
