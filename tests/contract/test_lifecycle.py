"""Stop, start, restart, delete, clean, and the commands for all: what is wanted, kept and shown."""

import os
import re

import pytest
from lab import Programs, Sentinel, alive, eventually, gone


def test_stop_keeps_the_record_and_start_brings_it_back(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "web", "--restart", "--", *programs.steady())
    first = programs.pid()
    sentinel.ok("stop", "web")
    assert gone(first)
    status = sentinel.status("web")
    assert (status["status"], status["pid"]) == ("stopped", None)
    sentinel.ok("stop", "web")  # stopping a stopped one is no error
    programs.path("ready").unlink()
    sentinel.ok("start", "web")
    second = programs.pid()
    assert second != first
    assert sentinel.status("web")["pid"] == second
    sentinel.ok("start", "web")  # neither is starting a running one
    assert sentinel.status("web")["pid"] == second


def test_restart_makes_a_new_process_and_keeps_the_id(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "web", "--", *programs.steady())
    first = programs.pid()
    programs.path("ready").unlink()
    sentinel.ok("restart", "web")
    second = programs.pid()
    assert second != first
    assert gone(first)
    status = sentinel.status("web")
    assert (status["id"], status["pid"], status["status"]) == (1, second, "running")


def test_restart_starts_what_was_stopped(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "web")
    sentinel.ok("stop", "web")
    sentinel.ok("restart", "web")
    assert sentinel.status("web")["status"] == "running"


def test_several_at_once_by_name_and_id(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "w", "--instances", "4")
    sentinel.ok("stop", "w-1", "2", "w-3")
    assert [each["status"] for each in sentinel.list()] == ["stopped", "stopped", "stopped", "running"]
    sentinel.ok("start", "1", "w-2")
    assert [each["status"] for each in sentinel.list()] == ["running", "running", "stopped", "running"]
    sentinel.ok("delete", "w-1", "w-2", "w-3", "w-4")
    assert sentinel.names() == []


def test_what_is_not_there_is_named(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "web")
    for command in ("start", "stop", "restart", "delete", "status", "logs"):
        assert "nobody" in sentinel.fails(1, command, "nobody").err
    assert "nobody" in sentinel.fails(1, "stop", "web", "nobody").err


def test_delete_stops_and_forgets(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "web", "--", *programs.steady())
    pid = programs.pid()
    sentinel.ok("rm", "web")
    assert gone(pid)
    assert sentinel.names() == []
    sentinel.fails(1, "status", "web")


def test_clean_removes_what_has_ended_and_is_not_wanted(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "runs")
    sentinel.ok("run", "sleep 1000", "--name", "stopped")
    sentinel.ok("stop", "stopped")
    sentinel.ok("run", "--name", "over", "--", *programs.quick(0))
    sentinel.until("over", status="exited")
    sentinel.ok("clean")
    assert sentinel.names() == ["runs"]


def test_the_commands_for_all(sentinel: Sentinel) -> None:
    def states() -> list[str]:
        return [each["status"] for each in sentinel.list()]

    sentinel.ok("run", "sleep 1000", "--name", "w", "--instances", "3")
    before = [each["pid"] for each in sentinel.list()]
    sentinel.ok("restartall")
    after = [each["pid"] for each in sentinel.list()]
    assert not set(before) & set(after)
    assert states() == ["running"] * 3
    sentinel.ok("stopall")
    assert states() == ["stopped"] * 3
    assert gone(*before, *after)
    sentinel.ok("startall")
    assert states() == ["running"] * 3
    sentinel.ok("stopall", "--force")
    assert states() == ["stopped"] * 3


@pytest.mark.parametrize(
    ("how", "status", "code", "signal"),
    [
        ("0", "exited", 0, None),
        ("3", "failed", 3, None),
        ("KILL", "failed", None, 9),
        ("TERM", "exited", None, 15),
    ],
)
def test_how_it_ended_is_seen(
    sentinel: Sentinel, programs: Programs, how: str, status: str, code: int | None, signal: int | None
) -> None:
    sentinel.ok("run", "--name", "ends", "--", *programs.crashes(how))
    programs.starts(1)
    programs.pull()
    seen = sentinel.until("ends", status=status)
    assert (seen["exit_code"], seen["exit_signal"], seen["pid"]) == (code, signal, None)


def test_what_ended_is_started_again_by_start(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "ends", "--", *programs.crashes("4"))
    programs.starts(1)
    programs.pull()
    sentinel.until("ends", status="failed", exit_code=4)
    sentinel.ok("start", "ends")
    programs.starts(2)
    assert sentinel.status("ends")["status"] == "running"


def test_the_stop_signal_is_the_one_asked_for(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "c", "--stop-signal", "USR1", "--", *programs.catches("USR1"))
    programs.pid()
    sentinel.ok("stop", "c")
    assert programs.path("seen").read_text() == "USR1"


# --- whole trees ------------------------------------------------------------------------------------------


def test_one_that_ignores_the_signal_is_killed_after_the_timeout(
    sentinel: Sentinel, programs: Programs
) -> None:
    sentinel.ok("run", "--name", "mule", "--stop-timeout", "0.3", "--", *programs.stubborn())
    pid = programs.pid()
    sentinel.ok("stop", "mule")
    assert gone(pid)
    assert sentinel.status("mule")["status"] == "stopped"


def test_force_does_not_wait(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "mule", "--stop-timeout", "3600", "--", *programs.stubborn())
    pid = programs.pid()
    sentinel.ok("stop", "--force", "mule")
    assert gone(pid)
    assert sentinel.status("mule")["status"] == "stopped"


# without /proc nobody can tell whose a process is that has left the session and cleared its environment
FAMILIES = [(), ("deaf",), *([] if os.environ.get("SENTINEL_PORTABLE") == "1" else [("deaf", "bare")])]


@pytest.mark.parametrize("how", FAMILIES, ids="-".join)
def test_stop_ends_children_that_left_the_session(
    sentinel: Sentinel, programs: Programs, how: tuple[str, ...]
) -> None:
    sentinel.ok("run", "--name", "clan", "--stop-timeout", "0.5", "--", *programs.family("ready", *how))
    pids = programs.pids()
    assert all(alive(pid) for pid in pids)
    sentinel.ok("stop", "clan")
    assert gone(*pids)


def test_what_a_main_process_leaves_behind_is_ended(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok(
        "run", "--name", "clan", "--stop-timeout", "0.5", "--", *programs.family("ready", "leave", "deaf")
    )
    pids = programs.pids()
    eventually(lambda: gone(*pids))
    sentinel.until("clan", status="exited", exit_code=0)


def test_several_are_stopped_together(sentinel: Sentinel, programs: Programs) -> None:
    """Each waits for the other to be told: one after the other would take for ever."""
    for number in (0, 1):
        sentinel.ok("run", "--name", f"m{number}", "--stop-timeout", "3000", "--", *programs.meets(number))
        programs.pid(f"ready-{number}")
    sentinel.ok("stop", "m0", "m1")
    assert gone(programs.pid("ready-0"), programs.pid("ready-1"))
    assert {each["status"] for each in sentinel.list()} == {"stopped"}


def test_stop_text_names_each(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "w", "--instances", "2")
    out = sentinel.ok("stop", "w-1", "w-2").out
    assert re.search(r"\bw-1\b", out)
    assert re.search(r"\bw-2\b", out)
