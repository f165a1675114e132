"""What happens to processes when the keeper is killed, replaced by a newer one, or meets a damaged file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import lab
import pytest
from keeperlab import kill, kill_keeper, next_exit

import sentinel
from sentinel import identity
from sentinel.backends.native.client import Keeper
from sentinel.backends.native.keeper import records, wire


def test_signals_of_a_closing_terminal_end_no_keeper_that_has_something_to_keep(keep, programs):
    keeper = keep.connect()
    keep.spawn(keeper, 1, programs.steady())
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
        kill(keeper.pid, number)
    assert keeper.tell()[1]["pid"] == programs.pid()


def test_a_new_keeper_goes_on_where_a_killed_one_was(keep, programs):
    old = keep.connect()
    keep.spawn(old, 1, programs.family("one", "deaf"), run=4)
    keep.spawn(old, 2, programs.steady("two"))
    keep.spawn(old, 3, programs.steady("three"))
    pids, two, three = programs.pids("one"), programs.pid("two"), programs.pid("three")
    kill_keeper(old)
    assert all(lab.alive(pid) for pid in (*pids, two, three))
    kill(three)
    lab.eventually(lambda: lab.gone(three))

    new = keep.listener()
    told = new.tell()
    assert {id: (each["run"], each["pid"], each["adopted"]) for id, each in told.items()} == {
        1: (4, pids[0], True), 2: (1, two, True),
    }
    assert not keep.exit_of(3).exit.known
    assert keep.spawn(new, 1, programs.steady("never"))["pid"] == pids[0]

    assert new.stop_many([{"id": 1, "timeout": 0.2}]) == [{"id": 1}]
    assert lab.gone(*pids[:2])
    ended = next_exit(new, 1)
    assert (ended["run"], ended["known"], ended["reason"]) == (4, False, "stop")
    if os.environ["SENTINEL_PORTABLE"] == "1":
        with suppress(ProcessLookupError):  # with ps it is found
            kill(pids[2])
    lab.eventually(lambda: lab.gone(pids[2]))

    kill(two)
    ended = next_exit(new, 2)
    assert (ended["known"], ended["code"], ended["signal"]) == (False, None, None)
    assert not keep.exit_of(2).exit.known


@pytest.mark.parametrize("mode", ["usual"], indirect=True)
def test_what_an_ended_process_left_while_no_keeper_was_there_is_ended(keep, programs):
    old = keep.connect()
    keep.spawn(old, 1, programs.family())
    pids = programs.pids()
    kill_keeper(old)
    kill(pids[0])
    lab.eventually(lambda: lab.gone(pids[0]))
    assert lab.alive(pids[1])
    keep.connect()
    assert not keep.exit_of(1).exit.known
    assert lab.gone(*pids)


@pytest.mark.parametrize("mode", ["usual"], indirect=True)
def test_a_process_whose_spawn_was_the_last_act_of_a_keeper_is_found_by_its_marker(keep, programs):
    keep.home.prepare()
    journal = records.Journal(str(keep.home.run / "keeper.runs"))
    journal.open([])
    journal.trying(3, 8, 1234.5, 10.0)
    journal.trying(4, 1, 1234.5, 10.0)
    env = {"SENTINEL_PROCESS": f"{keep.home.key}:3:8"}
    orphan = subprocess.Popen(programs.steady(), env=env, start_new_session=True)
    programs.pid()
    keeper = keep.connect()
    told = keeper.tell()
    assert {id: (each["pid"], each["run"]) for id, each in told.items()} == {3: (orphan.pid, 8)}
    assert keep.spawn(keeper, 3, programs.steady("never"), run=9)["pid"] == orphan.pid
    keeper.stop_many([{"id": 3}])
    assert orphan.wait(lab.WITHIN) == -signal.SIGTERM


def test_a_process_from_elsewhere_is_adopted_by_pid_and_start(keep):
    listener = keep.listener()
    sleeper = subprocess.Popen([sys.executable, "-ISc", "import signal; signal.pause()"])
    start = identity.start_time(sleeper.pid)
    assert start is not None
    wrong = {"id": 5, "run": 2, "pid": sleeper.pid, "start": start + 1}
    nobody = {"id": 5, "run": 2, "pid": 2**22 - 1, "start": start}
    right = {"id": 5, "run": 2, "pid": sleeper.pid, "start": start, "ready": True}
    replies = listener.adopt([wrong, nobody, right, right])
    assert replies == [
        {"gone": True}, {"gone": True}, {"pid": sleeper.pid, "run": 2},
        {"already": True, "pid": sleeper.pid, "run": 2},
    ]
    told = listener.tell()[5]
    assert (told["adopted"], told["ready"]) == (True, True)
    sleeper.kill()
    sleeper.wait()
    ended = next_exit(listener, 5)
    assert (ended["run"], ended["known"]) == (2, False)


def test_a_newer_client_makes_it_newer_and_nothing_is_lost(keep, programs, monkeypatch):
    listener = keep.listener()
    keep.spawn(listener, 1, programs.crashes("7"))
    keep.spawn(listener, 2, programs.notify("go", "up"), notify=True)
    pid = programs.starts(1)[0]
    programs.pid("up")
    monkeypatch.setattr(sentinel, "__version__", "99.0")

    def upgraded() -> None:
        newer = Keeper.connect(keep.home, start=False)
        assert newer is not None
        with newer:
            assert (newer.version, newer.pid) == ("99.0", listener.pid)

    lab.eventually(upgraded)
    assert listener.tell()[1]["pid"] == pid
    listener.events()
    programs.pull()
    ended = next_exit(listener, 1)
    assert (ended["pid"], ended["code"]) == (pid, 7)
    programs.pull("go")
    event = listener.wait_event(lab.WITHIN)
    assert event is not None
    assert (event["event"], event["id"]) == ("ready", 2)
    keep.spawn(listener, 3, programs.steady("three"))
    assert set(listener.tell()) == {2, 3}


def test_an_older_client_changes_nothing(keep, monkeypatch):
    keeper = keep.connect()
    monkeypatch.setattr(sentinel, "__version__", "0.1")
    assert keep.connect().version == keeper.version


def test_a_damaged_journal_harms_nothing(keep, programs):
    old = keep.connect()
    keep.spawn(old, 1, programs.steady())
    kill_keeper(old)
    journal = keep.home.run / "keeper.runs"
    text = journal.read_text()
    journal.write_text(text + "run 5\nend x\nrun 6 1 -1 0.0 0.0 1.0\nrun 7 1 99999999999 1.0 1.0 1.0\n\0\xff\nrun 8 1")
    new = keep.connect()
    assert list(new.tell()) == [1]
    assert keep.exits() == []


def test_nothing_of_another_boot_is_believed(tmp_path):
    journal = records.Journal(str(tmp_path / "runs"))
    journal.open([records.began_line(1, 2, os.getpid(), 3.5, 4.25, 10.0), records.began_line(5, 6, 7, 8.0, 9.0, 1.0)])
    journal.ended(5, 6)
    assert records.read_journal(journal.path) == [(1, 2, os.getpid(), 3.5, 4.25, 10.0)]
    Path(journal.path).write_text(Path(journal.path).read_text().replace("boot ", "boot 0"))
    assert records.read_journal(journal.path) == []
    assert records.read_journal(str(tmp_path / "none")) == []


def test_the_journal_of_a_crash_loop_stays_short(keep):
    listener = keep.listener()
    journal = keep.home.run / "keeper.runs"
    for run in range(1, 2 * records.COMPACT // 200, 60):
        listener.spawn_many([keep.order(1000 + run + n, ["/bin/true"], run=run + n) for n in range(60)])
        listener.tell()
    lab.eventually(lambda: listener.tell() == {})
    assert journal.stat().st_size < 2 * records.COMPACT


def test_an_old_record_of_the_same_run_hides_nothing_from_the_next_keeper(keep, programs):
    old = keep.listener()
    keep.spawn(old, 1, ["/bin/sh", "-c", "exit 1"])
    next_exit(old, 1)
    keep.spawn(old, 1, programs.steady())
    kill_keeper(old)
    assert keep.connect().tell()[1]["pid"] == programs.pid()


@pytest.mark.parametrize("text", ["{", "", "1 2", "NaN", "[1,", '{"a" 1}'])
def test_what_is_not_json_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        wire.decode(text)


def test_json_goes_there_and_back():
    value = {"a": [1, -2.5, None, True, "\udcff\n\0é"], "b": {}, "c": "x" * 100_000}
    assert wire.decode(wire.encode(value)) == value


def test_the_keeper_loads_little():
    """What it must do without is what costs memory: it is there for as long as there are processes."""
    code = (
        "import sys; sys.argv = ['keeper']; sys.path += sys.argv[1:]\n"
        "import runpy; before = set(sys.modules)\n"
        f"sys.path += [{str(Path(sentinel.__file__).parent.parent)!r}, "
        f"{str(Path(sentinel.__file__).parent / 'backends/native')!r}]\n"
        "import keeper.serve; print(*sorted(set(sys.modules) - before))"
    )
    code = code.replace("import runpy; ", "")
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    heavy = {"json", "re", "enum", "socket", "selectors", "subprocess", "typing", "dataclasses", "logging", "tempfile"}
    assert "keeper.serve" in loaded
    assert not heavy & loaded
    ours = {name for name in loaded if name.startswith("sentinel")}
    assert ours == {"sentinel", "sentinel.faultpoints", "sentinel.identity"}
