"""The daemon on real processes: crashes are events, and nothing is lost when it is killed."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import lab
import pytest
from lab import Programs, Sentinel, alive, eventually, gone


def start_daemon(native: Sentinel) -> int:
    native.ok("daemon", "start")
    pid = native.daemon_pid()
    assert pid is not None
    return pid


def kill_daemon(native: Sentinel) -> None:
    pid = native.daemon_pid()
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: gone(pid))


def test_a_crash_is_restarted_without_anybody_looking(native: Sentinel, programs: Programs) -> None:
    start_daemon(native)
    native.run("web", "--restart", "--", *programs.crashes("3"))
    programs.starts(1)
    programs.pull()
    first, second = programs.starts(2)[:2]
    seen = native.until("web", status="running", restarts=1, pid=second)
    assert (seen["exit_code"], first != second) == (3, True) or seen["exit_code"] is None


def test_the_daemon_can_be_killed_at_any_time_and_nothing_is_lost(native: Sentinel, programs: Programs) -> None:
    start_daemon(native)
    native.run("web", "--restart", "--", *programs.crashes("7"))
    programs.starts(1)
    kill_daemon(native)
    assert native.status("web")["status"] == "running"
    programs.pull()
    # nobody is there: whoever looks next restarts it, once
    eventually(lambda: native.status("web")["restarts"] == 1)
    assert len(programs.starts(2)) == 2
    start_daemon(native)
    programs.pull()
    assert len(programs.starts(3)) == 3
    assert native.until("web", status="running", restarts=2)["exit_code"] in (7, None)


def test_exits_during_a_dead_daemon_are_known_afterwards(native: Sentinel, programs: Programs) -> None:
    start_daemon(native)
    native.run("once", "--", *programs.crashes("9"))
    native.run("killed", "--", *programs.steady("victim"))
    kill_daemon(native)
    programs.pull()
    os.kill(programs.pid("victim"), signal.SIGKILL)
    assert native.until("once", status="failed")["exit_code"] == 9
    assert native.until("killed", status="failed")["exit_signal"] == 9


def test_two_daemons_cannot_run_on_one_home(native: Sentinel) -> None:
    first = start_daemon(native)
    native.ok("daemon", "start")
    assert native.daemon_pid() == first
    refused = native.fails(1, "daemon", "run")
    assert "a daemon is running" in refused.err


@pytest.mark.parametrize("content", [b"", b"-1", b"99999999999999999999", b"\xff\x00garbage", b"1"])
def test_garbage_in_the_pid_file_is_not_believed(native: Sentinel, content: bytes) -> None:
    (native.home / "run").mkdir(parents=True)
    native.home.chmod(0o700)
    (native.home / "run/daemon.pid").write_bytes(content)
    assert native.daemon_pid() is None
    native.ok("daemon", "stop")
    assert alive(start_daemon(native))


def test_stopping_the_daemon_leaves_processes_running(native: Sentinel, programs: Programs) -> None:
    daemon = start_daemon(native)
    native.run("web", "--restart", "--", *programs.steady())
    native.ok("daemon", "stop")
    assert gone(daemon)
    assert alive(programs.pid())


def test_a_signal_that_comes_with_its_first_sign_of_life_is_heeded(native: Sentinel) -> None:
    code = (
        "import os, signal\nfrom sentinel.supervisor.daemon import main\nintroduce = main._introduce\n"
        "def then_end(*words):\n    introduce(*words)\n    os.kill(os.getpid(), signal.SIGTERM)\n"
        "main._introduce = then_end\nmain.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], env=native.environment(), timeout=lab.WITHIN, check=False)
    assert done.returncode == 0


@pytest.fixture
def told() -> Iterator[socket.socket]:
    """What a daemon says to its manager; the address is as short as it has to be."""
    with tempfile.TemporaryDirectory(dir="/tmp") as directory, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(f"{directory}/notify")
        made.settimeout(lab.WITHIN)
        yield made


def test_in_the_foreground_it_tells_readiness_and_ends_on_sigterm(native: Sentinel, told: socket.socket) -> None:
    daemon = native.spawn("daemon", "run", env={"NOTIFY_SOCKET": told.getsockname()})
    assert b"READY=1" in told.recv(1000)
    assert native.daemon_pid() == daemon.pid
    daemon.terminate()
    assert daemon.wait(lab.WITHIN) == 0


def test_the_watchdog_is_fed(native: Sentinel, told: socket.socket) -> None:
    native.spawn("daemon", "run", env={"NOTIFY_SOCKET": told.getsockname(), "WATCHDOG_USEC": "400000"})
    seen = [told.recv(1000) for _ in range(3)]
    assert b"READY=1" in seen[0]
    assert b"WATCHDOG=1" in seen[1] + seen[2]


def test_a_killed_keeper_costs_exit_statuses_and_nothing_else(native: Sentinel, programs: Programs) -> None:
    start_daemon(native)
    native.run("web", "--restart", "--", *programs.crashes("3"))
    pid = programs.starts(1)[0]
    keeper = _keeper(native)
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: gone(keeper))
    eventually(lambda: _keeper(native) != keeper)
    assert alive(pid)
    assert native.status("web")["pid"] == pid
    programs.pull()
    assert len(programs.starts(2)) == 2
    native.until("web", status="running", restarts=1)


def test_a_killed_keeper_without_a_daemon(native: Sentinel, programs: Programs) -> None:
    native.run("web", "--", *programs.steady())
    pid, keeper = programs.pid(), _keeper(native)
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: gone(keeper))
    assert native.status("web")["pid"] == pid
    native.ok("stop", "web")
    assert gone(pid)


def _keeper(native: Sentinel) -> int:
    """The pid of this home's keeper: a Python whose arguments name it."""


    def only_one() -> int:
        found = [p for p, what in lab.processes_naming(native.home).items() if "keeper/__main__.py" in what]
        assert len(found) == 1, found
        return found[0]

    return eventually(only_one)


def test_what_a_killed_stop_left_is_stopped_by_the_daemon(native: Sentinel, programs: Programs) -> None:
    native.run("mule", "--stop-timeout", "0.2s", "--", *programs.stubborn())
    pid = programs.pid()
    _want(native.home, "mule", desired="stopped")
    start_daemon(native)
    eventually(lambda: gone(pid))
    native.until("mule", status="stopped")


def _want(home: Path, name: str, **wanted: str) -> None:
    """Change what is wanted, as a command does that is killed just then."""
    with open(home / "state.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        state = json.loads((home / "state.json").read_text())
        record = next(r for r in state["processes"].values() if r["name"] == name)
        record["wanted"].update(wanted)
        (home / "state.json").write_text(json.dumps(state))


def test_memory_over_its_limit_restarts_the_process(native: Sentinel, programs: Programs) -> None:
    start_daemon(native)
    hog = programs._actor("hog", programs.path("ready"), 80_000_000)
    native.run("hog", "--restart", "--memory-max", "40M", "--", *hog)
    first = programs.pid()
    eventually(lambda: programs.pid() != first)
    eventually(lambda: native.status("hog")["restarts"] >= 1)  # it is written down after the start


def test_full_logs_are_rotated_and_no_line_is_lost(native: Sentinel, programs: Programs) -> None:
    start_daemon(native)
    count = 20_000
    native.run("noisy", "--log-max-size", "100K", "--log-backups", "50", "--", *programs.lines(count, "done"))
    programs.pid("done")
    log = native.home / "logs/noisy.stdout.log"
    eventually(lambda: log.with_name(log.name + ".1").exists())
    shown = native.ok("logs", "noisy", "--lines", str(count + 10), "--stream", "stdout").out.splitlines()
    lab.check_rotated(shown, range(count), log)


def test_thirty_parallel_runs_are_thirty_records(native: Sentinel) -> None:
    commands = [
        subprocess.Popen(
            native.command("run", "--name", f"p{n}", "--", "/bin/sleep", "1000"),
            env=native.environment(),
            cwd=native.cwd,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        for n in range(30)
    ]
    for command in commands:
        _, err = command.communicate(timeout=lab.WITHIN)
        assert command.returncode == 0, err
    listed = native.list()
    assert sorted(p["name"] for p in listed) == sorted(f"p{n}" for n in range(30))
    assert sorted(p["id"] for p in listed) == list(range(1, 31))
    assert len({p["pid"] for p in listed}) == 30


def test_parallel_restarts_leave_one_copy(native: Sentinel, programs: Programs) -> None:
    native.run("web", "--", *programs.steady("first"))
    programs.pid("first")
    commands = [native.spawn("restart", "web") for _ in range(6)]
    for command in commands:
        assert command.wait(lab.WITHIN) == 0
    copies = [p for p, what in lab.processes_naming(programs.directory).items() if "steady" in what]
    assert copies == [native.status("web")["pid"]]


def test_a_recycled_pid_is_neither_alive_nor_signalled(native: Sentinel, programs: Programs) -> None:
    native.run("web", "--", *programs.steady())
    pid = programs.pid()
    os.kill(pid, signal.SIGKILL)
    native.until("web", status="failed")
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as stranger:
        _see(native.home, "web", pid=stranger.pid, start_time=1.0)
        assert native.status("web")["status"] != "running"
        native.ok("stop", "web")
        native.ok("delete", "--force", "web")
        assert stranger.poll() is None
        assert stranger.stdin is not None
        stranger.stdin.close()
        assert stranger.wait(lab.WITHIN) == 0


@pytest.mark.parametrize("pid", [-1, 0, 1, 2**40, "x", True, None])
def test_garbage_for_a_pid_in_the_state_harms_nothing(native: Sentinel, programs: Programs, pid: object) -> None:
    native.run("web", "--", *programs.steady())
    native.ok("stop", "web")
    _see(native.home, "web", pid=pid, start_time=1.0)
    assert native.status("web")["pid"] is None
    native.ok("stop", "--force", "web")


def _see(home: Path, name: str, **seen: object) -> None:
    state = json.loads((home / "state.json").read_text())
    record = next(r for r in state["processes"].values() if r["name"] == name)
    record["seen"].update(seen)
    (home / "state.json").write_text(json.dumps(state))


def test_after_a_reboot_nothing_stale_is_believed(native: Sentinel, programs: Programs) -> None:
    native.run("web", "--", *programs.steady())
    native.run("kept", "--restart", "--", *programs.crashes("1"))
    programs.starts(1)
    native.ok("stopall")
    me = os.getpid()
    start = float(Path(f"/proc/{me}/stat").read_text().rpartition(")")[2].split()[19])
    for name in ("web", "kept"):
        _see(native.home, name, pid=me, start_time=start, boot_id="another boot")
        _want(native.home, name, desired="running")
    assert native.status("web")["status"] == "exited"
    eventually(lambda: native.status("kept")["status"] == "running")
    assert len(programs.starts(2)) == 2


def test_a_home_of_any_path_length(
    sentinel_at: Callable[[Path, str], Sentinel], deep_home: Path, programs: Programs
) -> None:
    deep = sentinel_at(deep_home, "native")
    start_daemon(deep)
    deep.run("web", "--restart", "--", *programs.crashes("3"))
    programs.starts(1)
    programs.pull()
    assert len(programs.starts(2)) == 2


def test_a_clean_exit_runs_no_hook(native: Sentinel, programs: Programs, tmp_path: Path) -> None:
    told = tmp_path / "told"
    native.run("web", "--on-failure", f"touch {told}", "--", *programs.crashes("0"))
    programs.starts(1)
    programs.pull()
    native.until("web", status="exited")
    assert [e["event"] for e in _events(native)] == ["created", "started", "exited"]
    assert not told.exists()


def _events(native: Sentinel) -> list[dict[str, object]]:
    return [json.loads(line) for line in native.ok("events", "--json").out.splitlines()]


def test_without_a_daemon_commands_rotate(native: Sentinel, programs: Programs) -> None:
    count = 10_000
    native.run("noisy", "--log-max-size", "50K", "--", *programs.lines(count, "done"))
    programs.pid("done")
    log = native.home / "logs/noisy.stdout.log"
    native.ok("list")
    assert log.with_name(log.name + ".1").exists()
    assert log.stat().st_size < 50 * 1024
    shown = native.ok("logs", "noisy", "--lines", str(count + 10), "--stream", "stdout").out.splitlines()
    lab.check_rotated(shown, range(count), log)  # `run` itself may have rotated, while it wrote
