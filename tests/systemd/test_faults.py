"""What can happen to a machine with systemd: commands killed half-way, manager and journal started anew, no bus."""

from __future__ import annotations

import itertools
import json
import os
import pwd
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from faultlab import House
from lab import WITHIN, Programs, Sentinel, alive, eventually, gone, systemctl, systemd_missing


@pytest.fixture
def there(sentinel_at: Callable[[Path, str], Sentinel], home: Path) -> Sentinel:
    """The command line on the service manager."""
    return sentinel_at(home, "systemd")


def needs_root(function: Callable[..., None]) -> Callable[..., None]:
    function.sentinel_needs_root = True  # type: ignore[attr-defined]
    return function


def one_copy(there: Sentinel, programs: Programs, name: str = "w") -> int:
    """It runs once, and is what `status` shows."""

    def check() -> int:
        seen = there.status(name)
        living = [pid for pid in programs.starts() if alive(pid)]
        assert (seen["status"], living) == ("running", [seen["pid"]]), (seen, living)
        return living[0]

    return eventually(check)


def killed(there: Sentinel, at: str, *args: str) -> None:
    result = there(*args, env={"SENTINEL_TEST_STOP_AT": at})
    assert result.code == -signal.SIGKILL, f"{at} was not reached: {result}"


@pytest.mark.parametrize("point", ["run.created", "launch.starting", "launch.started", "state.saved:2"])
def test_a_start_that_is_killed_on_its_way(there: Sentinel, programs: Programs, point: str) -> None:
    killed(there, point, "run", "--name", "w", "--restart", "--", *programs.crashes("1"))
    there.ok("list")
    one_copy(there, programs)
    killed(there, point.replace("run.created", "state.saved"), "restart", "w")
    there.ok("list")
    pid = one_copy(there, programs)
    os.kill(pid, signal.SIGKILL)
    assert eventually(lambda: one_copy(there, programs) != pid)


@pytest.mark.parametrize("point", ["stop.wanted", "stop.done"])
def test_a_stop_that_is_killed_on_its_way(there: Sentinel, programs: Programs, point: str) -> None:
    there.ok("run", "--name", "w", "--restart", "--", *programs.crashes("1"))
    pid = programs.starts(1)[0]
    killed(there, point, "stop", "w")
    there.ok("list")
    there.until("w", status="stopped")
    assert not alive(pid)
    killed(there, point, "delete", "w")
    there.ok("delete", "w")
    assert there.names() == []


def test_the_manager_executes_itself_anew(there: Sentinel, programs: Programs) -> None:
    there.ok("run", "--name", "w", "--restart", "--", *programs.crashes("1"))
    programs.starts(1)
    pid = one_copy(there, programs)
    systemctl("daemon-reexec")
    assert one_copy(there, programs) == pid
    os.kill(pid, signal.SIGKILL)
    new = eventually(lambda: [each for each in programs.starts() if alive(each) and each != pid])[0]
    systemctl("daemon-reload")
    assert one_copy(there, programs) == new
    there.ok("restart", "w")
    assert one_copy(there, programs) != new


@pytest.mark.parametrize("address", ["unix:path=/nowhere/bus", "nonsense", "unix:abstract=nobody-listens-here"])
def test_a_bus_that_is_not_there(there: Sentinel, programs: Programs, address: str) -> None:
    """Another way is found, or it is refused in a sentence; what runs is left alone."""
    there.ok("run", "--name", "w", "--", *programs.crashes("1"))
    pid = programs.starts(1)[0]
    env = {"DBUS_SESSION_BUS_ADDRESS": address, "DBUS_SYSTEM_BUS_ADDRESS": address, "XDG_RUNTIME_DIR": "/nowhere"}
    for command in (["list"], ["status", "w"], ["restart", "w"], ["run", "true"], ["daemon", "status"]):
        result = there(*command, env=env)
        assert "Traceback" not in result.err, str(result)
        assert "has a bug" not in result.err, str(result)
        if result.code:
            assert result.err.startswith("error: "), str(result)
            assert alive(pid)
        pid = eventually(lambda: [each for each in programs.starts() if alive(each)])[0]
    one_copy(there, programs)


@needs_root
def test_the_journal_is_started_anew(there: Sentinel, programs: Programs) -> None:
    there.ok("run", "--name", "w", "--", *programs.says())
    pid = programs.pid()
    programs.say(b"before\n")
    eventually(lambda: "before" in there.ok("logs", "w").out)
    subprocess.run(["systemctl", "restart", "systemd-journald"], check=True, timeout=WITHIN)
    programs.say(b"after\n")
    eventually(lambda: "after" in there.ok("logs", "w").out)
    assert "before" in there.ok("logs", "w").out
    assert there.status("w")["pid"] == pid


MOVES = ["state.saving", "state.saved", "exits.saved", "move.stopped", "move.placed", "launch.starting",
         "launch.started", "move.started", "daemon.poking"]  # fmt: skip


def move(house: House, target: str, point: str = "") -> int:
    """By a command of its own: a library of D-Bus does not outlive a fork. Its exit status."""
    env = {**os.environ, "SENTINEL_HOME": str(house.root), "SENTINEL_TEST_STOP_AT": point}
    argv = Sentinel.command("move", "w", "--to", target)
    return subprocess.run(argv, env=env, capture_output=True, timeout=WITHIN, check=False).returncode


def killed_moves(house: House, origin: str, target: str, long: bool) -> Iterator[str]:
    """Moved from `origin` and killed at each point (`long`: each time that it comes by); yields after each."""
    for point in MOVES:
        for times in itertools.count(1):
            house.supervisor.move(["w"], origin)
            code = move(house, target, f"{point}:{times}")
            assert code in (0, -signal.SIGKILL)
            assert times > 1 or code, f"{point} was not reached"
            yield f"{point}:{times}"
            if code == 0 or not long:
                break


@pytest.mark.parametrize(("origin", "target"), [("native", "systemd"), ("systemd", "native")])
def test_a_move_that_is_killed_on_its_way(house: House, long: bool, origin: str, target: str) -> None:
    """It runs once, here or there; each of its runs began once and ended once, and the next move works."""
    house.run("w", backend=origin)
    for point in killed_moves(house, origin, target, long):
        pid = house.only_copy("w")
        house.check_no_orphans()
        record = house.record("w")
        assert record is not None
        assert len(house.starts("w")) == record.runtime.run, point
        assert [each["run"] for each in house.exits("w")] == list(range(1, record.runtime.run)), point
        house.supervisor.move(["w"], target)
        assert house.view("w").backend == target
        assert (house.only_copy("w") == pid) is (record.backend == target), point
    house.supervisor.move(["w"], origin)
    assert move(house, target, "move.started")
    house.supervisor.delete(["w"])  # nor is anything left of the engine that it was moved from
    house.check_no_leaks()
    assert not [path.name for path in (house.root / "run/units").iterdir()]


def as_user(function: Callable[..., None]) -> Callable[..., None]:
    function.sentinel_needs_root = False  # type: ignore[attr-defined]
    return function


@pytest.fixture
def linger() -> Iterator[Callable[[bool], None]]:
    """Let the user manager go, as at the last logout of who does not linger, and come again."""
    name = pwd.getpwuid(os.geteuid()).pw_name

    def switch(on: bool) -> None:
        verb = "enable-linger" if on else "disable-linger"
        subprocess.run(["loginctl", verb, name], check=True, timeout=WITHIN)
        eventually(lambda: (systemd_missing() == "") is on and (not on or "running" in manager_says()))

    def manager_says() -> str:
        return systemctl("is-system-running").replace("degraded", "running")

    yield switch
    switch(True)


@as_user
def test_a_logout_without_linger(there: Sentinel, programs: Programs, linger: Callable[[bool], None]) -> None:
    """Every command says that the manager is gone, or does what needs none; with it comes back what is wanted."""
    there.ok("run", "--name", "w", "--restart", "--", *programs.crashes("1"))
    there.ok("run", "--name", "once", "--", *programs.steady("once"))
    there.ok("run", "--name", "down", "--restart", "--", *programs.steady("down"))
    there.ok("stop", "down")
    there.ok("run", "--name", "n", "--restart", "--backend", "native", "--", *programs.crashes("1", "natives", "pull"))
    there.ok("daemon", "start", "--backend", "native")
    first, once, native = programs.starts(1)[0], programs.pid("once"), programs.starts(1, "natives")[0]

    linger(False)
    assert gone(first, once)
    for command in (["list"], ["status", "w"], ["start", "w"], ["stop", "w"], ["restart", "w"], ["delete", "w"]):
        result = there.fails(1, *command)
        assert f"'loginctl enable-linger {pwd.getpwuid(os.geteuid()).pw_name}'" in result.err, str(result)
    assert there.status("n")["pid"] == native
    os.kill(native, signal.SIGKILL)  # the engine that is gone keeps nobody from looking after the other's
    new = eventually(lambda: [pid for pid in programs.starts(2, "natives") if alive(pid)])
    assert there.status("n")["pid"] == new[-1]
    assert programs.starts() == [first]

    linger(True)
    assert one_copy(there, programs) != first
    found = {each["name"]: each["status"] for each in there.list()}
    assert found == {"w": "running", "once": "exited", "down": "stopped", "n": "running"}
    assert len(programs.starts()) == 2
    told = [json.loads(line) for line in there.ok("events", "w", "--json").out.splitlines()]
    assert [each["event"] for each in told] == ["created", "started", "exited", "restarted"], told
    there.ok("start", "once")
    assert there.status("once")["pid"] != once


@as_user
def test_a_manager_that_is_restarted(there: Sentinel, programs: Programs, linger: Callable[[bool], None]) -> None:
    """Nobody looked in between: the next command, or the next daemon, brings back what is wanted, once."""
    there.ok("run", "--name", "w", "--restart", "--", *programs.crashes("1"))
    there.ok("run", "--name", "n", "--backend", "native", "--", *programs.steady())
    first = programs.starts(1)[0]
    for run in (1, 2):
        linger(False)
        linger(True)
        there.ok(*(["list"] if run == 1 else ["daemon", "start", "--backend", "native"]))
        programs.starts(run + 1)
        assert one_copy(there, programs) != first
        assert len(programs.starts()) == run + 1
    assert there.status("w")["restarts"] == 2


@as_user
def test_the_bus_is_started_anew(there: Sentinel, programs: Programs) -> None:
    """Under a daemon that has a connection: it goes on checking, and so do the commands."""
    sick = programs.path("sick")
    check = ["--health-cmd", f"test ! -e {sick}", "--health-interval", "1s", "--health-failures", "1"]
    there.ok("run", "--name", "w", "--restart", *check, "--", *programs.crashes("1"))
    there.ok("daemon", "start")
    daemon = there.daemon_pid()
    there.until("w", health="healthy")
    pid = one_copy(there, programs)
    systemctl("restart", "dbus.service")
    assert one_copy(there, programs) == pid
    sick.touch()
    programs.starts(2)
    sick.unlink()
    there.until("w", health="healthy")
    assert one_copy(there, programs) != pid
    assert there.daemon_pid() == daemon


@as_user
def test_what_could_not_be_started_at_boot_is_tried_again(
    there: Sentinel, programs: Programs, linger: Callable[[bool], None], tmp_path: Path
) -> None:
    """As on native: what systemd does not know, it does not restart."""
    place = tmp_path / "not-mounted-yet"
    place.mkdir()
    there.ok("run", "--name", "w", "--restart", "--cwd", str(place), "--", *programs.crashes("1"))
    there.ok("run", "--name", "once", "--cwd", str(place), "--", *programs.steady("once"))
    programs.starts(1)
    linger(False)
    place.rmdir()
    linger(True)
    assert "no such directory" in there.fails(1, "startup", "run").err
    assert there.daemon_pid() is not None
    there.until("w", status="backoff")  # but for the moments of the daemon's attempts
    there.until("once", status="failed")
    place.mkdir()
    programs.starts(2)  # by the daemon, whose turn it is
    one_copy(there, programs)
    assert there.status("once")["status"] == "failed"


def test_two_ends_of_one_run_while_the_clock_goes_back(there: Sentinel, programs: Programs) -> None:
    """systemd restarts it within a run; the second end is an hour before the first, by the clock."""
    there.ok("run", "--name", "w", "--restart", "--", *programs.crashes("3"))
    os.kill(programs.starts(1)[0], signal.SIGKILL)
    there.until("w", status="running", pid=programs.starts(2)[-1], restarts=1, exit_signal=9)
    programs.pull()
    pid = programs.starts(3)[-1]
    record = there.home / "exits/1.ends"
    then = record.stat().st_mtime - 3600
    os.utime(record, (then, then))
    there.until("w", status="running", pid=pid, restarts=2, exit_code=3)
    told = [json.loads(line) for line in there.ok("events", "w", "--json").out.splitlines()]
    ends = [(each.get("exit_signal"), each.get("exit_code")) for each in told if each["event"] == "exited"]
    assert ends == [(9, None), (None, 3)], told
