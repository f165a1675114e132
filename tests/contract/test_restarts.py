"""Restart policies, back-off and health checks, with and without the daemon."""

import signal

import pytest
from lab import Programs, Sentinel, alive, eventually, gone

only_native = pytest.mark.parametrize("backend", ["native"], indirect=True)


@pytest.fixture
def watched(sentinel: Sentinel) -> Sentinel:
    """Somebody restarts crashes: systemd by itself, on native the daemon."""
    if sentinel.backend == "native":
        sentinel.ok("daemon", "start")
    return sentinel


@pytest.mark.parametrize("how", ["5", "KILL", "0"])
def test_always_restarts_however_it_ended(watched: Sentinel, programs: Programs, how: str) -> None:
    watched.ok("run", "--name", "w", "--restart", "--", *programs.crashes(how))
    for number in (1, 2):
        programs.starts(number)
        programs.pull()
    pid = programs.starts(3)[2]
    seen = watched.until("w", status="running", pid=pid, restarts=2)
    assert seen["restart_policy"] == "always"


def test_on_failure_restarts_a_failure(watched: Sentinel, programs: Programs) -> None:
    watched.ok("run", "--name", "w", "--restart-policy", "on-failure", "--", *programs.crashes("5"))
    programs.starts(1)
    programs.pull()
    pid = programs.starts(2)[1]
    watched.until("w", status="running", pid=pid, restarts=1)


@pytest.mark.parametrize("how", ["0", "TERM"])
def test_on_failure_leaves_a_clean_exit(watched: Sentinel, programs: Programs, how: str) -> None:
    watched.ok("run", "--name", "w", "--restart-policy", "on-failure", "--", *programs.crashes(how))
    programs.starts(1)
    programs.pull()
    watched.until("w", status="exited")
    assert len(programs.starts()) == 1


def test_no_restarts_nothing(watched: Sentinel, programs: Programs) -> None:
    watched.ok("run", "--name", "w", "--", *programs.crashes("5"))
    programs.starts(1)
    programs.pull()
    watched.until("w", status="failed", exit_code=5)
    assert len(programs.starts()) == 1


def test_a_stopped_process_is_not_restarted(watched: Sentinel, programs: Programs) -> None:
    watched.ok("run", "--name", "w", "--restart", "--", *programs.crashes("5"))
    programs.starts(1)
    watched.ok("stop", "w")
    watched.ok("run", "--name", "other", "--", *programs.quick(0, "others"))
    watched.until("other", status="exited")  # the daemon has looked since
    assert watched.status("w")["status"] == "stopped"
    assert len(programs.starts()) == 1


def test_quick_deaths_back_off(watched: Sentinel, programs: Programs) -> None:
    watched.ok("run", "--name", "w", "--restart", "--restart-delay", "1000", "--", *programs.quick(3))
    seen = watched.until("w", status="backoff")
    assert seen["pid"] is None
    count = len(programs.starts())  # a second one where the machine took a second for the first
    watched.ok("run", "--name", "other", "--", *programs.quick(0, "others"))
    watched.until("other", status="exited")  # everybody has looked since
    assert watched.status("w")["status"] == "backoff"
    watched.ok("stop", "w")
    assert watched.status("w")["status"] == "stopped"
    assert len(programs.starts()) == count
    watched.ok("start", "w")
    programs.starts(count + 1)


def test_max_restarts_gives_up(watched: Sentinel, programs: Programs) -> None:
    watched.ok(
        "run",
        "--name",
        "w",
        "--restart",
        "--restart-delay",
        "0.01",
        "--max-restarts",
        "2",
        "--",
        *programs.quick(3),
    )
    seen = watched.until("w", status="failed", exit_code=3)
    assert seen["pid"] is None
    assert len(programs.starts()) == 3
    watched.ok("start", "w")
    programs.starts(4)


def test_children_of_the_old_run_are_gone_before_the_new_one_runs(
    watched: Sentinel, programs: Programs
) -> None:
    watched.ok(
        "run", "--name", "w", "--restart", "--stop-timeout", "0.5", "--", *programs.family("ready", "deaf")
    )
    first = programs.pids()
    programs.path("ready").unlink()
    signal_pid(first[0])
    second = programs.pids()
    assert gone(*first)
    assert all(alive(pid) for pid in second)


def signal_pid(pid: int) -> None:
    import os

    os.kill(pid, signal.SIGKILL)


# --- native without the daemon ------------------------------------------------------------------------------


@only_native
def test_list_restarts_what_died_meanwhile_and_says_so(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "worker", "--restart", "--", *programs.crashes("5"))
    (old,) = programs.starts(1)
    programs.pull()
    eventually(lambda: gone(old))

    def restarted() -> str:
        result = sentinel.ok("list")
        assert "Auto-restarted" in result.err, str(result)
        return result.err

    text = eventually(restarted)
    new = programs.starts(2)[1]
    assert f"Auto-restarted worker (old_pid: {old}, new_pid: {new})" in text
    assert sentinel.status("worker")["restarts"] == 1


@only_native
def test_commands_for_others_do_not_hide_a_crash(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "worker", "--", *programs.crashes("6"))
    (old,) = programs.starts(1)
    programs.pull()
    eventually(lambda: gone(old))
    sentinel.ok("run", "sleep 1000", "--name", "other")
    sentinel.until("worker", status="failed", exit_code=6)


# --- health -------------------------------------------------------------------------------------------------


@pytest.fixture
def checked(sentinel: Sentinel) -> Sentinel:
    """The daemon runs: health checks need it everywhere."""
    sentinel.ok("daemon", "start")
    return sentinel


OFTEN = ("--health-interval", "0.2", "--health-failures", "2", "--health-timeout", "30")


def test_a_failing_command_restarts_the_process(checked: Sentinel, programs: Programs) -> None:
    sick = programs.path("sick")
    checked.ok(
        "run",
        "--name",
        "h",
        "--restart",
        *OFTEN,
        "--health-cmd",
        f"test ! -e {sick}",
        "--",
        *programs.steady(),
    )
    first = programs.pid()
    checked.until("h", health="healthy", status="running")
    programs.path("ready").unlink()
    sick.touch()
    second = programs.pid()
    sick.unlink()
    assert second != first
    assert gone(first)
    checked.until("h", health="healthy", status="running")


def test_without_a_restart_policy_it_is_shown_as_unhealthy(checked: Sentinel, programs: Programs) -> None:
    checked.ok("run", "--name", "h", *OFTEN, "--health-cmd", "false", "--", *programs.steady())
    checked.until("h", health="unhealthy", pid=programs.pid())


def test_http_answers_count(checked: Sentinel, programs: Programs) -> None:
    port = checked.ok("port", "allocate", "--name", "h", "--json").json()["port"]
    checked.ok(
        "run",
        "--name",
        "h",
        "--restart",
        *OFTEN,
        "--health-http",
        f"http://127.0.0.1:{port}/",
        "--startup-timeout",
        "50",
        "--",
        *programs.web(port),
    )
    checked.until("h", health="healthy")
    programs.path("sick").touch()
    programs.starts(2)
    programs.path("sick").unlink()
    checked.until("h", health="healthy")


def test_a_port_that_is_open_is_healthy(checked: Sentinel, programs: Programs) -> None:
    port = checked.ok("port", "allocate", "--name", "h", "--json").json()["port"]
    checked.ok("run", "--name", "up", *OFTEN, "--health-tcp", f"127.0.0.1:{port}", "--", *programs.web(port))
    checked.until("up", health="healthy")
    checked.ok("stop", "up")
    checked.ok("run", "--name", "down", *OFTEN, "--health-tcp", f"127.0.0.1:{port}", "--", *programs.steady())
    checked.until("down", health="unhealthy")


def test_a_check_that_hangs_delays_nobody(checked: Sentinel, programs: Programs) -> None:
    checked.ok(
        "run",
        "--name",
        "hangs",
        "--health-interval",
        "0.2",
        "--health-timeout",
        "1000",
        "--health-cmd",
        "sleep 999",
        "--",
        *programs.steady("one"),
    )
    checked.ok("run", "--name", "fine", *OFTEN, "--health-cmd", "true", "--", *programs.steady("two"))
    checked.until("fine", health="healthy")


def test_a_health_check_without_the_daemon_is_warned_about(sentinel: Sentinel) -> None:
    result = sentinel.ok("run", "sleep 1000", "--name", "h", "--health-cmd", "true")
    assert "sentinel daemon start" in result.out + result.err
