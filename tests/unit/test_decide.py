"""`decide` over all combinations: a pure function, so every one of them is looked at."""

import itertools

import pytest

from sentinel.model import Desired, Exit, Record, Restart, RestartPolicy, Runtime, Spec
from sentinel.supervisor.decide import (
    LONGEST_DELAY,
    Action,
    GiveUp,
    Nothing,
    Start,
    Stop,
    WakeAt,
    back_off,
    decide,
    ends_in_restart,
)

NOW = 1000.0
ENDS = (
    None,
    Exit(1, code=0, at=NOW),
    Exit(1, code=3, at=NOW),
    Exit(1, signal=9, at=NOW),
    Exit(1, signal=15, at=NOW),
    Exit(1, at=NOW),
    Exit(1, signal=15, at=NOW, reason="health"),
    Exit(1, at=NOW, reason="launch: no such program"),
)


def record(
    *,
    desired: Desired = Desired.RUNNING,
    mode: Restart = Restart.NO,
    wanted_run: int = 1,
    end: Exit | None = None,
    quick: int = 0,
    failures: int = 0,
    limit: int | None = None,
    gave_up: bool = False,
) -> Record:
    spec = Spec(["x"], "/", restart=RestartPolicy(mode, None, limit))
    runtime = Runtime(run=1, last_exit=end, quick_deaths=quick, failures=failures, gave_up=gave_up)
    return Record(1, "x", "native", spec, desired=desired, wanted_run=wanted_run, runtime=runtime)


def expected(r: Record, alive: bool, engine: bool) -> type[Action]:
    """The same table as a list of cases."""
    if r.desired is Desired.STOPPED:
        return Stop if alive else Nothing
    if r.runtime.run < r.wanted_run:
        return Stop if alive else Start
    if alive or r.runtime.gave_up:
        return Nothing
    end, mode = r.runtime.last_exit, r.spec.restart.mode
    ours = end is not None and end.reason == "health"
    clean = not ours and end is not None and (end.code == 0 or end.signal == 15)
    if mode is Restart.NO or (mode is Restart.ON_FAILURE and clean):
        return Nothing
    if engine and not (end and end.reason.startswith("launch:")):  # what never began, no engine restarts
        lost = end is not None and end.code is None and end.signal is None
        return Start if ours or lost else Nothing
    if r.spec.restart.max_restarts is not None and r.runtime.failures >= r.spec.restart.max_restarts:
        return GiveUp
    return WakeAt if r.runtime.quick_deaths and end is not None else Start


def test_every_combination() -> None:
    seen: set[type[Action]] = set()
    for desired, mode, wanted, end, quick, failures, gave_up, alive, engine in itertools.product(
        Desired, Restart, (1, 2), ENDS, (0, 3), (0, 5), (False, True), (False, True), (False, True)
    ):
        r = record(
            desired=desired,
            mode=mode,
            wanted_run=wanted,
            end=end,
            quick=quick,
            failures=failures,
            gave_up=gave_up,
            limit=5,
        )
        action = decide(r, alive, NOW, engine_restarts=engine)
        assert type(action) is expected(r, alive, engine), (r, alive, engine)
        seen.add(type(action))
    assert seen == {Nothing, Start, Stop, WakeAt, GiveUp}


def test_a_restart_waits_for_its_back_off_and_no_longer() -> None:
    r = record(mode=Restart.ALWAYS, end=Exit(1, code=1, at=NOW), quick=1)
    assert decide(r, False, NOW) == WakeAt(NOW + 0.1)
    assert decide(r, False, NOW + 0.1) == Start(automatic=True)


@pytest.mark.parametrize(
    ("quick", "delay", "seconds"),
    [
        (0, None, 0.0),
        (1, None, 0.1),
        (2, None, 0.2),
        (3, 1.0, 4.0),
        (9, None, 25.6),
        (10, None, LONGEST_DELAY),
        (1000, None, LONGEST_DELAY),
        (5, 60.0, 60.0),
        (4, 0.0, 0.0),
    ],
)
def test_back_off_doubles_up_to_its_limit(quick: int, delay: float | None, seconds: float) -> None:
    assert back_off(quick, delay) == pytest.approx(seconds)


def test_no_limit_never_gives_up() -> None:
    r = record(mode=Restart.ALWAYS, end=Exit(1, code=1, at=NOW), failures=10**6, quick=10**6)
    assert decide(r, False, NOW + LONGEST_DELAY) == Start(automatic=True)


@pytest.mark.parametrize("reason", ["health", "memory"])
def test_what_was_stopped_for_its_health_or_memory_restarts_with_any_policy(reason: str) -> None:
    stopped = Exit(1, signal=15, at=NOW, reason=reason)
    assert ends_in_restart(record(mode=Restart.ON_FAILURE, end=stopped))
    assert ends_in_restart(record(mode=Restart.ALWAYS, end=stopped))
    assert not ends_in_restart(record(mode=Restart.NO, end=stopped))


def test_a_clock_that_is_stepped_back_delays_no_restart() -> None:
    one = record(mode=Restart.ALWAYS, end=Exit(1, code=1, at=NOW), quick=20)
    assert decide(one, False, NOW) == WakeAt(NOW + LONGEST_DELAY)
    assert decide(one, False, NOW - 3600.0) == Start(automatic=True)
    assert decide(one, False, NOW + 3600.0) == Start(automatic=True)
