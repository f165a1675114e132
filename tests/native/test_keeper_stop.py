"""The keeper ends processes: the whole tree, whoever asks, and nothing else."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
from contextlib import suppress
from pathlib import Path

import lab
import pytest
from keeperlab import kill, next_exit

from sentinel import identity
from sentinel.backends.native.keeper import stop, wire
from sentinel.backends.native.keeper.process import Death, Process

FOR_EVER = 100_000.0
FULL_SIGHT = "what left its session is seen by its marker and by its parent alone, which the portable way lacks"


def test_a_stop_ends_the_whole_tree(keep, programs):
    listener = keep.listener()
    reply = keep.spawn(listener, 1, programs.family())
    pids = programs.pids()
    assert listener.pids([1])[1][0] == reply["pid"]
    assert set(listener.pids([1])[1]) >= set(pids[:2])
    assert listener.stop_many([{"id": 1, "timeout": FOR_EVER}]) == [{"id": 1}]
    assert lab.gone(*pids[:2])
    ended = next_exit(listener, 1)
    assert (ended["signal"], ended["reason"]) == (15, "stop")
    gone_unless_portable(pids[2])


def gone_unless_portable(pid: int) -> None:
    """What left session and group, and lost its parent before anybody looked: without ps the portable way is blind."""
    if os.environ["SENTINEL_PORTABLE"] == "1":
        with suppress(ProcessLookupError):
            kill(pid)
    else:
        assert lab.gone(pid)


@pytest.mark.parametrize("mode", ["usual"], indirect=True)
@pytest.mark.parametrize("how", [(), ("bare",)])
def test_what_left_session_group_and_environment_is_ended_too(keep, programs, how):
    keeper = keep.connect()
    keep.spawn(keeper, 1, programs.family("ready", "deaf", *how))
    pids = programs.pids()
    assert set(keeper.pids([1])[1]) == set(pids)
    keeper.stop_many([{"id": 1, "timeout": 0.2}])
    assert lab.gone(*pids)


def test_what_does_not_heed_the_signal_is_killed(keep, programs):
    listener = keep.listener()
    keep.spawn(listener, 1, programs.stubborn())
    pid = programs.pid()
    listener.stop_many([{"id": 1, "timeout": 0.2, "reason": "health"}])
    assert lab.gone(pid)
    ended = next_exit(listener, 1)
    assert (ended["signal"], ended["code"], ended["reason"]) == (9, None, "health")


def test_the_stop_signal_is_the_one_asked_for(keep, programs):
    listener = keep.listener()
    keep.spawn(listener, 1, programs.catches("USR2"))
    programs.pid()
    listener.stop_many([{"id": 1, "signal": signal.SIGUSR2, "timeout": FOR_EVER}])
    assert programs.path("seen").read_text() == "USR2"
    assert next_exit(listener, 1)["code"] == 0


def test_a_stopped_process_is_continued_to_hear_it(keep, programs):
    listener = keep.listener()
    keep.spawn(listener, 1, programs.catches("TERM"))
    kill(programs.pid(), signal.SIGSTOP)
    listener.stop_many([{"id": 1, "timeout": FOR_EVER}])
    assert programs.path("seen").read_text() == "TERM"


def test_stops_run_beside_each_other(keep, programs):
    """Each waits for another one to be told: one after the other would take for ever."""
    keeper = keep.connect()
    keeper.spawn_many([keep.order(number + 1, programs.meets(number)) for number in (0, 1)])
    for number in (0, 1):
        programs.pid(f"ready-{number}")
    assert keeper.stop_many([{"id": id, "timeout": FOR_EVER} for id in (1, 2)]) == [{"id": 1}, {"id": 2}]
    assert keeper.tell() == {}
    assert [ended.exit.code for ended in keep.exits()] == [0, 0]


def test_force_hastens_a_stop_that_waits_and_both_are_answered(keep, programs):
    waiting, hasty = keep.connect(), keep.connect()
    keep.spawn(waiting, 1, programs.stubborn())
    programs.pid()
    replies = []
    patient = threading.Thread(target=lambda: replies.extend(waiting.stop_many([{"id": 1, "timeout": FOR_EVER}])))
    patient.start()
    lab.eventually(lambda: hasty.tell()[1]["stopping"])
    assert hasty.stop_many([{"id": 1, "force": True}]) == [{"id": 1}]
    patient.join(lab.WITHIN)
    assert replies == [{"id": 1}]


def test_a_stop_of_what_does_not_run_is_answered_at_once(keep):
    assert keep.connect().stop_many([{"id": 7}]) == [{"id": 7, "idle": True}]


def test_a_fork_bomb_is_ended(keep, programs):
    keeper = keep.connect()
    bomb = "import os, signal\nsignal.signal(15, signal.SIG_IGN)\nos.write(1, b'up')\n" \
           "while True:\n  if os.fork(): os._exit(0) if os.getpid() != os.getsid(0) else os.wait()\n"  # fmt: skip
    keep.spawn(keeper, 1, [sys.executable, "-ISc", bomb])
    lab.eventually(lambda: Path(keep.log(1)).read_text().startswith("up"))
    assert keeper.stop_many([{"id": 1, "timeout": 0.1}]) == [{"id": 1}]


@pytest.mark.parametrize("mode", ["usual"], indirect=True)
def test_what_forks_faster_than_anybody_looks_is_ended(keep):
    keeper = keep.connect()
    hopper = "import os, signal\nsignal.signal(15, signal.SIG_IGN)\n" \
             "if os.fork(): signal.pause()\nos.setsid()\nos.write(1, b'up')\n" \
             "while True:\n  if os.fork(): os._exit(0)\n"  # fmt: skip
    keep.spawn(keeper, 1, [sys.executable, "-ISc", hopper])
    lab.eventually(lambda: Path(keep.log(1)).read_text().startswith("up"))
    assert keeper.stop_many([{"id": 1, "timeout": 0.1}]) == [{"id": 1}]


def test_what_a_main_process_leaves_is_ended_before_its_end_is_told(keep, programs):
    listener = keep.listener()
    keep.spawn(listener, 1, programs.family("ready", "leave"), stop_timeout=0.2)
    pids = programs.pids()
    assert next_exit(listener, 1)["code"] == 0
    assert lab.gone(*pids[:2])
    gone_unless_portable(pids[2])


def test_a_new_run_waits_until_the_old_tree_has_ended(keep, programs):
    keeper, other = keep.connect(), keep.connect()
    ready = programs.path("ready")
    script = f'"$@" & until test -e {ready}; do sleep 0.05; done; exit 1'
    keep.spawn(keeper, 1, ["/bin/sh", "-c", script, "sh", *programs.stubborn()], stop_timeout=FOR_EVER)
    old = programs.pid()
    lab.eventually(lambda: keeper.tell()[1]["ended"])
    replies = []
    second = threading.Thread(target=lambda: replies.append(keep.spawn(keeper, 1, programs.steady("two"), run=2)))
    second.start()
    other.stop_many([{"id": 1, "force": True}])
    second.join(lab.WITHIN)
    assert lab.gone(old)
    assert replies[0]["pid"] == programs.pid("two")
    assert (replies[0]["run"], replies[0].get("already")) == (2, None)


@pytest.mark.parametrize("mode", ["usual"], indirect=True)
def test_helpers_of_a_living_process_outlive_the_end_of_another(keep, programs):
    listener = keep.listener()
    keep.spawn(listener, 1, programs.family("first"))
    keep.spawn(listener, 2, programs.family("second"))
    first, second = programs.pids("first"), programs.pids("second")
    kill(second[0])
    next_exit(listener, 2)
    assert lab.gone(*second)
    assert all(lab.alive(pid) for pid in first)
    listener.stop_many([{"id": 1}])
    assert lab.gone(*first)


@pytest.mark.parametrize("mode", ["usual"], indirect=True)
def test_what_cannot_be_attributed_is_ended_at_the_latest_when_nothing_else_runs(keep, programs):
    """Whether it can be is a matter of chance: it may be seen before it has cleared its environment."""
    keeper = keep.connect()
    keep.spawn(keeper, 1, programs.steady("other"))
    keep.spawn(keeper, 2, programs.family("ready", "bare"))
    bare = programs.pids()[2]
    keeper.stop_many([{"id": 2}])
    keeper.stop_many([{"id": 1}])
    lab.eventually(lambda: lab.gone(bare))


def test_what_survives_sigkill_is_named(programs, tmp_path, monkeypatch):
    """Nothing does here, so the tree is a made-up one that heeds no signal."""
    sent = []
    monkeypatch.setattr(stop.system, "signal_pid", lambda pid, start, number: sent.append((pid, number)))
    process = Process(1, 1, 4_000_000, 1.0, 1.0, 1.0)
    process.ended = Death(0, None, 1.0, "")
    ending = stop.Ending(process, Immortal(), "stop", signal.SIGTERM, 2.0, now=100.0)
    assert sent == [(4_000_001, signal.SIGTERM), (4_000_001, signal.SIGCONT)]
    assert not ending.step(101.0)
    assert ending.next_look() <= 102.0
    assert not ending.step(102.0)
    assert sent[-1] == (4_000_001, signal.SIGKILL)
    assert not ending.gave_up(106.9)
    assert not ending.step(107.1)
    assert ending.gave_up(107.1)
    assert ending.left() == [4_000_001]


class Immortal:
    """A tree of one process that nothing ends."""

    def members(self, process: Process) -> dict[int, float]:
        return {4_000_001: 1.0}

    def groups(self, process: Process) -> set[int]:
        return set()

    def is_empty(self, process: Process) -> bool:
        return False

    def seen_directly(self, process: Process) -> bool:
        return True


def test_a_client_that_reads_nothing_is_given_up():
    ours, theirs = socket.socketpair()
    connection = wire.Connection(ours)
    event = {"event": "exit", "text": "x" * 1000}
    for _ in range(10_000):
        connection.write(event)
        if connection.gone:
            break
    assert connection.gone
    assert len(connection.unsent) < wire.UNSENT_MAX + 2000
    ours.close()
    theirs.close()


def test_a_pid_that_is_somebody_elses_is_not_signalled(programs):
    from sentinel.backends.native.keeper import system

    process = os.spawnv(os.P_NOWAIT, sys.executable, [sys.executable, "-ISc", "import signal; signal.pause()"])
    start = identity.start_time(process)
    assert start is not None
    assert system.signal_pid(process, start + 1, signal.SIGKILL)
    for nobody in (-1, 0, 1, 2**40):
        assert system.signal_pid(nobody, None, signal.SIGKILL)
    assert lab.alive(process)
    assert system.signal_pid(process, start, signal.SIGKILL)
    assert os.waitpid(process, 0)[1] == signal.SIGKILL
