"""What happened and why, in the same words on each backend; with the daemon it is known without any further command."""

import json
from pathlib import Path

import lab
import pytest
from lab import Programs, Sentinel, eventually

from sentinel.backends.systemd.naming import unit_name
from sentinel.paths import Home

Event = dict[str, object]


@pytest.fixture
def watched(sentinel: Sentinel) -> Sentinel:
    sentinel.ok("daemon", "start")
    return sentinel


def events(sentinel: Sentinel, *args: str) -> list[Event]:
    """They are read from the ledger: this command looks at no process."""
    return [json.loads(line) for line in sentinel.ok("events", "--json", *args).out.splitlines()]


def until(sentinel: Sentinel, *words: str) -> list[Event]:
    """The events, once these have happened, in this order."""

    def check() -> list[Event]:
        told = events(sentinel)
        assert [event["event"] for event in told] == list(words), told
        return told

    return eventually(check)


def hook(told: Path) -> str:
    return f"echo $SENTINEL_EVENT $SENTINEL_NAME $SENTINEL_EXIT_CODE $MINE >> {told}"


def test_a_crash_runs_the_hook_at_once(watched: Sentinel, programs: Programs, tmp_path: Path) -> None:
    told = tmp_path / "told"
    watched.run("web", "--env", "MINE=kept", "--on-failure", hook(told), "--", *programs.crashes("3"))
    programs.starts(1)
    programs.pull()
    assert eventually(told.read_text) == "exited web 3 kept\n"
    ended = until(watched, "created", "started", "exited")[-1]
    assert (ended["exit_code"], ended["clean"]) == (3, False)


def test_a_crash_and_its_restart_are_told(watched: Sentinel, programs: Programs) -> None:
    watched.run("web", "--restart", "--", *programs.crashes("3"))
    programs.starts(1)
    programs.pull()
    pid = programs.starts(2)[1]
    exited, restarted = until(watched, "created", "started", "exited", "restarted")[2:]
    assert (exited["exit_code"], exited["clean"]) == (3, False)
    assert (restarted["pid"], restarted["reason"], restarted["restarts"]) == (pid, "crash", 1)
    watched.ok("stop", "web")
    watched.ok("delete", "web")
    stopped, deleted = events(watched)[4:]
    assert (stopped["event"], stopped["by"]) == ("stopped", "sentinel stop")
    assert (deleted["event"], deleted["by"]) == ("deleted", "sentinel delete")
    assert watched.ok("events", "web", "--lines", "1").out.rstrip().endswith("(by sentinel delete)")


def test_giving_up_is_told_once_and_runs_the_hook(watched: Sentinel, programs: Programs, tmp_path: Path) -> None:
    told = tmp_path / "told"
    how = ("--restart", "--max-restarts", "1", "--restart-delay", "0.05", "--on-failure", hook(told))
    watched.ok("run", "--name", "web", *how, "--", *programs.quick(3))

    def given_up() -> Event:
        assert "gave-up web" in told.read_text().splitlines()
        last = events(watched)[-1]
        assert last["event"] == "gave-up"
        return last

    assert eventually(given_up)["restarts"] == 1
    labels = f'{{name="web",group="",backend="{watched.backend}"}}'
    assert f"sentinel_process_gave_up{labels} 1\n" in watched.ok("metrics").out
    assert watched.status("web")["status"] == "failed"
    watched.ok("stop", "web")
    assert [event["event"] for event in events(watched)].count("gave-up") == 1


def test_what_somebody_stopped_is_no_failure(watched: Sentinel, programs: Programs, tmp_path: Path) -> None:
    """Also where it has used up its restarts, and answers the signal with an exit code."""
    told = tmp_path / "told"
    how = ("--restart", "--max-restarts", "0", "--on-failure", hook(told))
    up = programs.path("up")
    watched.run("web", *how, "--", "/bin/sh", "-c", f"trap 'exit 3' TERM; echo >{up}; sleep 1000 & wait")
    eventually(up.exists)
    watched.ok("stop", "web")
    assert [event["event"] for event in events(watched)] == ["created", "started", "stopped"]
    if watched.backend == "systemd":
        up.unlink()
        watched.ok("start", "web")
        eventually(up.exists)
        lab.systemctl("stop", unit_name("web", Home(watched.home)))
        last = until(watched, "created", "started", "stopped", "started", "stopped")[-1]
        assert last["by"] == "systemctl"
    assert not told.exists()


def test_without_a_daemon_run_says_when_the_hook_runs(sentinel: Sentinel, programs: Programs, tmp_path: Path) -> None:
    told = tmp_path / "told"
    done = sentinel.ok("run", "--name", "web", "--on-failure", hook(told), "--", *programs.crashes("3"))
    assert "no daemon is running: --on-failure runs only when other sentinel commands run" in done.err
    assert "sentinel daemon start" in done.err
    programs.starts(1)
    programs.pull()
    sentinel.until("web", status="failed")
    assert eventually(told.read_text) == "exited web 3\n"
