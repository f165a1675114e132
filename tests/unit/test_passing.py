"""What systemd is in the middle of is looked at again, ever less often, until it has come to something."""

import pytest

from sentinel.backends.base import Seen
from sentinel.supervisor.daemon import passing

ON_ITS_WAY, THERE = Seen(passing=True), Seen(alive=True)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [1000.0]
    monkeypatch.setattr(passing.time, "monotonic", lambda: now[0])
    return now


def test_it_is_looked_at_ever_less_often(clock: list[float]) -> None:
    watched = passing.Passing()
    assert watched.wait() is None
    watched.saw({1: ON_ITS_WAY, 2: THERE}, {1, 2})
    pauses = []
    for _ in range(12):
        pause = watched.wait()
        assert pause is not None
        pauses.append(pause)
        assert watched.due() == set()
        clock[0] += pause + 1e-6
        assert watched.due() == {1}
        watched.saw({1: ON_ITS_WAY}, {1, 2})
    assert pauses == sorted(pauses)
    assert (round(pauses[0], 3), pauses[-1]) == (passing.SOONEST, pytest.approx(passing.LATEST))
    watched.told([1])
    watched.saw({1: ON_ITS_WAY}, {1, 2})
    assert watched.wait() == pytest.approx(passing.SOONEST)
    watched.saw({1: THERE}, {1, 2})
    assert watched.wait() is None


def test_what_was_deleted_is_forgotten(clock: list[float]) -> None:
    watched = passing.Passing()
    watched.saw({1: ON_ITS_WAY}, {1})
    watched.saw({}, set())
    assert watched.wait() is None
    clock[0] += 100
    assert watched.due() == set()
