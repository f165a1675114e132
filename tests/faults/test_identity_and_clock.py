"""Pids that were handed out again, records from before a reboot, a clock that is stepped: no stranger is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator

import lab
import pytest
from faultlab import House

from sentinel import identity
from sentinel.backends.native.keeper.records import began_line
from sentinel.model import Restart, RestartPolicy
from sentinel.supervisor import absorb
from sentinel.supervisor.daemon.loop import Daemon
from sentinel.supervisor.reconcile import reconcile


@pytest.fixture
def stranger() -> Iterator[subprocess.Popen[bytes]]:
    """A process that has nothing to do with sentinel; it has to live through the test."""
    process = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True)
    yield process
    assert process.poll() is None, "a stranger was signalled"
    process.kill()
    process.wait()


def _lose(house: House, name: str) -> None:
    """Keeper and process are gone, and nobody saw it."""
    pid = house.only_copy(name)
    house.kill_keeper()
    os.kill(pid, signal.SIGKILL)
    lab.eventually(lambda: not lab.alive(pid))
    (house.home.run / "keeper.runs").unlink(missing_ok=True)


@pytest.mark.parametrize("case", ["recycled", "before a reboot", "init", "zero", "minus one", "huge", "ourselves"])
def test_a_pid_that_is_a_strangers(house: House, stranger: subprocess.Popen[bytes], case: str) -> None:
    start, boot = identity.start_time(stranger.pid), identity.boot_id()
    assert start is not None
    claims = {
        "recycled": (stranger.pid, start - 1, boot),
        "before a reboot": (stranger.pid, start, "00000000-0000-0000-0000-000000000000"),
        "init": (1, identity.start_time(1), boot),
        "zero": (0, 0.0, boot),
        "minus one": (-1, 0.0, boot),
        "huge": (1 << 40, start, boot),
        "ourselves": (os.getpid(), 1.0, boot),
    }
    for command in ("list", "stop", "restart", "delete"):
        house.run("w")
        _lose(house, "w")
        with house.supervisor._context.store.change() as state:
            runtime = next(iter(state.processes.values())).runtime
            runtime.pid, runtime.start_time, runtime.boot_id = claims[case]
        if command == "list":
            house.only_copy("w")
        else:
            getattr(house.supervisor, command)(["w"])
        assert stranger.poll() is None
        if command != "delete":
            house.supervisor.delete(["w"])
    house.check_no_leaks()


@pytest.mark.parametrize("case", ["recycled", "before a reboot", "nonsense"])
def test_a_journal_that_names_a_stranger(house: House, stranger: subprocess.Popen[bytes], case: str) -> None:
    start = identity.start_time(stranger.pid)
    assert start is not None
    house.run("w")
    _lose(house, "w")
    boot = "00000000-0000-0000-0000-000000000000" if case == "before a reboot" else identity.boot_id()
    line = began_line(1, 1, stranger.pid, start - (case == "recycled"), time.time(), 1.0)
    if case == "nonsense":
        line = "run 1 1 1 0 0 0\nrun 1 2 -5 x y z\nend\n\0\n"
    (house.home.run / "keeper.runs").write_text(f"boot {boot}\n{line}")
    house.only_copy("w")
    house.supervisor.restart(["w"])
    house.supervisor.delete(["w"])
    assert stranger.poll() is None


def test_a_clock_that_is_stepped(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """An hour back and forth, between an end and the restart, by whoever looks then."""
    monkeypatch.setattr(absorb, "QUICK", lab.WITHIN)  # a quick death, however slow the machine is
    policy = RestartPolicy(Restart.ALWAYS, delay=1000.0)
    quick = ["/bin/sh", "-c", 'echo $$ >>"$0"', str(house.marks / "w.starts")]
    house.run("w", quick, restart=policy)
    starts = 1
    for step in (0.0, -3600.0, 3600.0, -86400.0 * 400, 0.0):
        lab.eventually(lambda starts=starts: len(house.starts("w")) == starts and not house.copies("w"))
        context = house.supervisor._context

        def clock(step: float = step) -> float:
            return time.time() + step

        context.now = clock  # type: ignore[method-assign]

        def ended(starts: int = starts) -> None:
            house.supervisor.list()
            record = house.record("w")
            assert record is not None
            assert record.runtime.pid is None
            assert record.runtime.last_exit is not None
            assert record.runtime.last_exit.run == starts

        lab.eventually(ended)
        reconcile(context)
        starts += step != 0.0
    assert lab.eventually(lambda: len(house.starts("w")) == starts)
    assert [each["exit_code"] for each in house.exits("w")][: starts - 1] == [0] * (starts - 1)


@pytest.mark.parametrize("step", [-3600.0, 3600.0])
def test_a_clock_that_is_stepped_under_the_daemon(house: House, monkeypatch: pytest.MonkeyPatch, step: float) -> None:
    """The restart it waits for is neither forgotten nor an hour late: it looks again within a minute."""
    monkeypatch.setattr(absorb, "QUICK", lab.WITHIN)  # a quick death, however slow the machine is
    house.run("w", restart=RestartPolicy(Restart.ALWAYS, delay=1000.0))
    daemon = Daemon(house.home)
    os.kill(house.only_copy("w"), signal.SIGKILL)
    try:

        def waits() -> None:
            daemon._all = True
            daemon._round()
            assert house.view("w").status == "backoff"
            assert daemon._due is not None

        lab.eventually(waits)
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + step)
        assert (daemon._timeout() or 0.0) <= 60.0
        daemon._round()
        assert lab.eventually(lambda: len(house.copies("w"))) == 1
    finally:
        monkeypatch.undo()
        daemon._let_go()
        daemon._selector.close()
        daemon.health.close()
