"""What an engine says is taken in once, in whatever order it comes."""

from sentinel.backends.base import Seen, Started
from sentinel.model import Desired, Exit, Record, Runtime, Spec, Status
from sentinel.supervisor.absorb import absorb, failed_start, took_start

NOW = 1000.0


def running(run: int = 1, since: float = NOW - 100) -> Record:
    runtime = Runtime(run=run, pid=50, start_time=5.0, boot_id="b", started_at=since)
    return Record(1, "x", "native", Spec(["x"], "/"), wanted_run=run, runtime=runtime)


def test_an_exit_is_counted_once() -> None:
    r = running()
    seen = Seen(exits=[Exit(1, code=3, at=NOW)])
    assert absorb(r, Seen(alive=True, run=1, pid=51, start_time=5.0), NOW)
    assert absorb(r, seen, NOW)
    assert r.runtime.last_pid == 51
    assert (r.runtime.pid, r.runtime.last_exit) == (None, Exit(1, code=3, at=NOW))
    assert not absorb(r, seen, NOW)


def test_quick_deaths_count_in_a_row_and_a_long_run_ends_the_row() -> None:
    r = running(since=NOW - 0.5)
    absorb(r, Seen(exits=[Exit(1, code=1, at=NOW)]), NOW)
    assert r.runtime.quick_deaths == 1
    took_start(r, Started(51, 6.0, NOW, 2), "b", automatic=True)
    absorb(r, Seen(exits=[Exit(2, code=1, at=NOW + 0.2)]), NOW + 1)
    assert (r.runtime.quick_deaths, r.runtime.failures, r.runtime.restarts) == (2, 1, 1)
    took_start(r, Started(52, 7.0, NOW, 3), "b", automatic=True)
    absorb(r, Seen(exits=[Exit(3, code=1, at=NOW + 11)]), NOW + 12)
    assert (r.runtime.quick_deaths, r.runtime.failures, r.runtime.restarts) == (0, 0, 2)


def test_a_start_by_the_user_counts_anew() -> None:
    r = running()
    r.runtime.restarts = r.runtime.failures = r.runtime.quick_deaths = 4
    r.runtime.gave_up = True
    took_start(r, Started(51, 6.0, NOW, 2), "b", automatic=False)
    assert (r.runtime.restarts, r.runtime.failures, r.runtime.quick_deaths, r.runtime.gave_up) == (0, 0, 0, False)


def test_an_engine_that_gave_up_is_believed_once_and_not_after_a_new_start() -> None:
    r = running()
    gave_up = Seen(status=Status.FAILED, exits=[Exit(1, code=1, at=NOW)])
    assert absorb(r, gave_up, NOW)
    assert r.runtime.gave_up
    assert not absorb(r, gave_up, NOW)
    r.wanted_run, r.runtime.gave_up = 2, False  # as `restart` wants it: the old end is still there
    absorb(r, gave_up, NOW)
    assert not r.runtime.gave_up


def test_a_run_that_a_killed_daemon_started_is_adopted_with_its_exits() -> None:
    r = running(run=7)
    seen = Seen(alive=True, run=8, pid=60, start_time=9.0, started_at=NOW, exits=[Exit(7, signal=9, at=NOW)])
    assert absorb(r, seen, NOW)
    assert (r.runtime.run, r.runtime.pid, r.runtime.restarts) == (8, 60, 1)
    assert r.runtime.last_exit == Exit(7, signal=9, at=NOW)


def test_the_exit_of_a_run_nobody_saved_is_not_lost() -> None:
    r = running(run=7)
    absorb(r, Seen(exits=[Exit(7, code=1, at=NOW), Exit(8, code=2, at=NOW + 1)]), NOW + 2)
    assert (r.runtime.run, r.runtime.pid, r.runtime.last_exit) == (8, None, Exit(8, code=2, at=NOW + 1))


def test_a_dead_pid_without_a_record_of_its_end_is_an_unknown_exit() -> None:
    r = running()
    assert absorb(r, Seen(), NOW)
    assert r.runtime.pid is None
    assert r.runtime.last_exit is not None
    assert not r.runtime.last_exit.known
    assert not absorb(r, Seen(), NOW + 1)


def test_nothing_changes_while_it_runs() -> None:
    assert not absorb(running(), Seen(alive=True, run=1, pid=50, start_time=5.0, started_at=NOW - 100), NOW)


def test_an_administrators_stop_is_what_is_wanted_now() -> None:
    r = running()
    absorb(r, Seen(stopped_by="systemd", exits=[Exit(1, signal=15, at=NOW, reason="systemd")]), NOW)
    assert r.desired is Desired.STOPPED
    assert r.runtime.last_exit is not None
    assert r.runtime.last_exit.reason == "systemd"


def test_restarts_that_the_engine_made_are_added_up() -> None:
    r = running()
    absorb(r, Seen(alive=True, pid=51, start_time=6.0, restarts=2), NOW)
    absorb(r, Seen(alive=True, pid=52, start_time=7.0, restarts=3), NOW)
    assert (r.runtime.restarts, r.runtime.engine_restarts) == (3, 3)


def test_ends_of_one_run_are_told_apart_by_their_number_whatever_the_clock_says() -> None:
    """The engine restarted it twice, and the clock was stepped back in between."""
    r = running()
    assert absorb(r, Seen(exits=[Exit(1, code=1, at=NOW, number=1)]), NOW)
    second = Exit(1, code=2, at=NOW - 3600, number=2)
    assert absorb(r, Seen(exits=[second]), NOW - 3600)
    assert r.runtime.last_exit == second
    assert not absorb(r, Seen(exits=[Exit(1, code=1, at=NOW, number=1)]), NOW - 3600)
    assert not absorb(r, Seen(exits=[second]), NOW - 3600)


def test_a_unit_that_waits_for_its_restart_has_no_unknown_exit() -> None:
    r = running()
    absorb(r, Seen(status=Status.BACKOFF, restarts=0), NOW)
    assert r.runtime.last_exit is None


def test_a_start_that_fails_backs_off_like_a_quick_death() -> None:
    r = running()
    failed_start(r, 2, "no such program: x", NOW, automatic=True)
    assert r.runtime.last_exit is not None
    assert r.runtime.last_exit.reason == "launch: no such program: x"
    assert (r.runtime.run, r.runtime.pid, r.runtime.quick_deaths, r.runtime.failures) == (2, None, 1, 1)
