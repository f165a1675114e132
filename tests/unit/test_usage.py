"""CPU and memory of real process trees, by /proc and by psutil."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel.paths import Home
from sentinel.usage import UsageMemory, cpu_percent, sample, tree, trees

DEADLINE = 240.0
Spawn = Callable[..., "subprocess.Popen[bytes]"]

BUSY = "print('ready', flush=True)\nwhile True: pass"
IDLE = "import time; block = bytearray(30_000_000); print('ready', flush=True); time.sleep(300)"
PARENT = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", sys.argv[1]], stdout=subprocess.PIPE)
child.stdout.readline()
print("ready", flush=True)
child.wait()
"""


@pytest.fixture(params=["", "1"], ids=["native", "portable"])
def spawn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Spawn]:
    """Start Python programs that say when they are ready; all are ended with their groups."""
    monkeypatch.setenv("SENTINEL_PORTABLE", request.param)
    started = []

    def start(program: str, *arguments: str) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(
            [sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE, start_new_session=True
        )
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


@pytest.fixture
def memory(tmp_path: Path) -> UsageMemory:
    home = Home(tmp_path)
    home.prepare()
    return UsageMemory(home)


def test_a_tree_is_the_process_and_its_descendants(spawn: Spawn) -> None:
    parent = spawn(PARENT, IDLE)
    found = tree(parent.pid)
    assert found[0] == parent.pid
    assert len(found) == 2
    assert trees({7: parent.pid, 8: found[1], 9: 2**22 + 1}) == {7: found, 8: found[1:]}


def test_memory_is_that_of_the_whole_tree(spawn: Spawn) -> None:
    parent = spawn(PARENT, IDLE)
    found = sample({1: [parent.pid], 2: tree(parent.pid)})
    assert found[2][1] > max(30_000_000, found[1][1])


def test_what_is_gone_is_missing(spawn: Spawn) -> None:
    process = spawn(IDLE)
    process.kill()
    process.wait()
    assert tree(process.pid) == []
    assert sample({1: [process.pid], 2: [], 3: [2**22 + 1]}) == {}


def test_percent() -> None:
    assert cpu_percent(1.0, 2.0, 2.0) == 50.0
    assert cpu_percent(2.0, 1.0, 2.0) == 0.0
    assert cpu_percent(1.0, 2.0, 0.0) == 0.0


def test_a_busy_process_shows_its_cpu_and_an_idle_one_none(spawn: Spawn, memory: UsageMemory) -> None:
    """Until it was seen once: a busy machine may give it no time during a single look."""
    busy, idle = spawn(BUSY), spawn(IDLE)
    deadline = time.monotonic() + DEADLINE
    while True:
        found = memory.measure({1: [busy.pid], 2: [idle.pid]})
        assert set(found) == {1, 2}
        percent, resident = found[1]
        assert percent is not None
        assert resident > 1_000_000
        if percent > (found[2][0] or 0.0):
            return
        assert time.monotonic() < deadline


def test_the_last_look_is_remembered_privately(spawn: Spawn, memory: UsageMemory, tmp_path: Path) -> None:
    idle = spawn(IDLE)
    memory.measure({1: [idle.pid]})
    saved = tmp_path / "run" / "usage.json"
    assert saved.stat().st_mode & 0o777 == 0o600
    deadline = time.monotonic() + DEADLINE
    while memory.measure({1: [idle.pid]}, wait=False)[1][0] is None:  # until the last look is old enough
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("content", ["", "[]", '{"at": 1}', '{"at": "x", "seen": 3}', "\0\0"])
def test_a_damaged_memory_is_forgotten(
    spawn: Spawn, memory: UsageMemory, tmp_path: Path, content: str
) -> None:
    (tmp_path / "run" / "usage.json").write_text(content)
    idle = spawn(IDLE)
    assert memory.measure({1: [idle.pid]})[1][0] is not None


def test_a_home_that_cannot_be_written_is_no_error(spawn: Spawn, tmp_path: Path) -> None:
    idle = spawn(IDLE)
    assert UsageMemory(Home(tmp_path / "missing")).measure({1: [idle.pid]})[1][0] is not None
