"""The daemon's life, and what a kill -9 of anything leaves: nothing lost, nothing doubled."""

import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import lab
import pytest
from lab import Programs, Sentinel, alive, eventually, gone

only_native = pytest.mark.parametrize("backend", ["native"], indirect=True)
Maker = Callable[[Path, str], Sentinel]


def test_the_daemon_starts_once_tells_and_stops(sentinel: Sentinel, programs: Programs) -> None:
    assert sentinel.ok("daemon", "status", "--json").json()["running"] is False
    sentinel.ok("run", "--name", "w", "--", *programs.steady())
    sentinel.ok("daemon", "start")
    status = sentinel.ok("daemon", "status", "--json").json()
    assert set(status) >= {"running", "pid", "uptime_seconds"}
    assert status["running"] is True
    assert alive(status["pid"])
    sentinel("daemon", "start")  # whatever it says: there is still one
    assert sentinel.daemon_pid() == status["pid"]
    sentinel.ok("daemon", "stop")
    assert gone(status["pid"])
    assert sentinel.ok("daemon", "status", "--json").json()["running"] is False
    assert alive(programs.pid())
    sentinel.ok("daemon", "stop")


@only_native
def test_the_daemon_in_the_foreground_ends_at_a_signal(sentinel: Sentinel) -> None:
    daemon = sentinel.spawn("daemon", "run")
    eventually(lambda: sentinel.daemon_pid() == daemon.pid)
    assert sentinel("daemon", "run").code == 1
    daemon.send_signal(signal.SIGTERM)
    _, err = daemon.communicate(timeout=lab.WITHIN)
    assert daemon.returncode == 0, err
    assert b"Traceback" not in err


@only_native
def test_killing_the_daemon_loses_nothing(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("daemon", "start")
    sentinel.ok("run", "--name", "stays", "--", *programs.steady())
    sentinel.ok("run", "--name", "ends", "--", *programs.crashes("9", "ended", "end"))
    sentinel.ok("run", "--name", "again", "--restart", "--", *programs.crashes("1"))
    programs.starts(1, "ended")
    programs.starts(1)
    daemon = sentinel.daemon_pid()
    assert daemon
    os.kill(daemon, signal.SIGKILL)
    eventually(lambda: gone(daemon))
    programs.pull("end")
    programs.pull()
    sentinel.until("ends", status="failed", exit_code=9)
    sentinel.until("again", status="running", restarts=1)  # whoever looks after its back-off restarts it
    programs.starts(2)
    sentinel.ok("daemon", "start")
    assert sentinel.daemon_pid() != daemon
    assert sentinel.status("stays")["pid"] == programs.pid()
    programs.pull()
    programs.starts(3)
    assert len(programs.starts(1, "ended")) == 1


@only_native
def test_killing_the_keeper_doubles_nothing(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "w", "--restart", "--", *programs.steady())
    pid = programs.pid()
    keeper = parent(pid)
    assert keeper != os.getpid()
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: gone(keeper))
    assert alive(pid)
    assert sentinel.status("w")["pid"] == pid
    assert sentinel.ok("run", "sleep 1000", "--name", "other").code == 0
    sentinel.ok("start", "w")
    assert sentinel.status("w")["pid"] == pid
    sentinel.ok("stop", "w")
    assert gone(pid)


def parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


@only_native
def test_a_command_that_is_killed_leaves_nothing_half_done(sentinel: Sentinel) -> None:
    for number in range(5):
        command = sentinel.spawn("run", "sleep 1000", "--name", f"w{number}")
        try:
            command.wait(timeout=0.05 * (number + 1))
        except subprocess.TimeoutExpired:
            command.kill()
            command.communicate()

    def nothing_but_what_is_listed() -> None:  # the keeper may be at it still, whoever asked is gone
        listed = sentinel.list()
        sleeping = [pid for pid, what in lab.processes_naming(sentinel.home).items() if what.startswith("sleep")]
        assert set(sleeping) == {each["pid"] for each in listed if each["pid"]}

    eventually(nothing_but_what_is_listed)


def test_parallel_runs_are_all_recorded(sentinel: Sentinel) -> None:
    runs = [sentinel.spawn("run", "sleep 1000", "--name", f"p{number}") for number in range(10)]
    outs = [run.communicate(timeout=lab.WITHIN) for run in runs]
    assert [run.returncode for run in runs] == [0] * 10, outs
    listed = sentinel.list()
    assert {each["name"] for each in listed} == {f"p{number}" for number in range(10)}
    assert {each["id"] for each in listed} == set(range(1, 11))
    assert all(alive(each["pid"]) for each in listed)


def test_parallel_restarts_leave_one_copy(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok(
        "run", "--name", "w", "--", "/bin/sh", "-c", f"echo $$ >> {programs.path('starts')}; exec sleep 1000"
    )
    programs.starts(1)
    restarts = [sentinel.spawn("restart", "w") for _ in range(4)]
    for restart in restarts:
        restart.communicate(timeout=lab.WITHIN)
    status = sentinel.status("w")
    assert status["status"] == "running"
    running = eventually(lambda: [pid for pid in programs.starts() if alive(pid)])
    assert running == [status["pid"]]


def test_two_homes_know_nothing_of_each_other(sentinel_at: Maker, tmp_path: Path, backend: str) -> None:
    one, two = sentinel_at(tmp_path / "one", backend), sentinel_at(tmp_path / "two", backend)
    for each in (one, two):
        each.ok("group", "create", "g")
        each.ok("run", "sleep 1000", "--name", "same", "--group", "g")
    assert one.status("same")["pid"] != two.status("same")["pid"]
    one.ok("group", "stop", "g")
    assert two.status("same")["status"] == "running"
    one.ok("delete", "same")
    assert two.status("same")["status"] == "running"


def test_a_home_of_any_length(sentinel_at: Maker, deep_home: Path, backend: str, programs: Programs) -> None:
    deep = sentinel_at(deep_home, backend)
    deep.ok("run", "--name", "w", "--restart", "--", *programs.crashes("2"))
    deep.ok("daemon", "start")
    programs.starts(1)
    programs.pull()
    programs.starts(2)
    deep.ok("stop", "w")
    deep.ok("daemon", "stop")


ODD = [
    "007",
    "42",
    "a-b",
    "a.b",
    "a_b",
    "x@y",
    "c++",
    "größe",
    "日本",
    "n" * 128,
    "\N{GREEK SMALL LETTER ALPHA}" * 128,
]


def test_odd_names_are_names(sentinel: Sentinel) -> None:
    for name in ODD:
        sentinel.ok("run", "--name", name, "--", "/bin/sh", "-c", "echo from $0; exec sleep 1000", name[:20])
    assert sentinel.names() == ODD
    assert sentinel.status("42")["name"] == "42"
    assert sentinel.status("1")["name"] == ODD[0]
    for name in ODD:
        eventually(lambda name=name: sentinel.ok("logs", name).out == f"from {name[:20]}\n")
    sentinel.ok("stop", *ODD)
    assert {each["status"] for each in sentinel.list()} == {"stopped"}
    sentinel.ok("start", "42", "größe")
    sentinel.ok("delete", *ODD)
    assert sentinel.names() == []


@only_native
def test_a_reader_that_goes_away_is_no_error(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "w", "--instances", "3")
    for args in (["list"], ["list", "--json"], ["status", "w-1"], ["--help"]):
        read_end, write_end = os.pipe()
        os.close(read_end)
        done = subprocess.run(
            sentinel.command(*args),
            stdout=write_end,
            stderr=subprocess.PIPE,
            env=sentinel.environment(),
            timeout=lab.WITHIN,
            check=False,
        )
        os.close(write_end)
        assert b"Traceback" not in done.stderr
        assert b"BrokenPipe" not in done.stderr


@only_native
def test_no_color_means_no_colour_on_a_terminal(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "w")
    master, slave = pty.openpty()
    done = subprocess.run(
        sentinel.command("list"),
        stdin=slave,
        stdout=slave,
        stderr=subprocess.PIPE,
        timeout=lab.WITHIN,
        check=True,
        env=sentinel.environment({"TERM": "xterm-256color"}),
    )
    os.close(slave)
    text = read_terminal(master)
    assert b"w" in text
    assert not re.search(rb"\x1b\[[0-9;]*(3|4|9)[0-9]m", text)
    assert done.stderr == b""


def read_terminal(master: int) -> bytes:
    text = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:  # how Linux tells that the other side has closed
            break
        if not part:
            break
        text += part
    os.close(master)
    return text


@only_native
@pytest.mark.parametrize("content", [b"", b"{", b"null", b'{"schema": 99999}', b"\x00" * 64])
def test_a_damaged_state_is_never_taken_for_an_empty_one(sentinel: Sentinel, content: bytes) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "a")
    sentinel.ok("run", "sleep 1000", "--name", "b")
    state = sentinel.home / "state.json"
    good = state.read_bytes()
    state.write_bytes(content)
    try:
        result = sentinel("list", "--json")
        assert "Traceback" not in result.err
        if result.code == 0:  # from the backup, and it says so
            assert "a" in [each["name"] for each in result.json()]
            assert result.err.strip()
        else:
            assert result.code == 1
            assert state.read_bytes() == content
    finally:
        state.write_bytes(good)
