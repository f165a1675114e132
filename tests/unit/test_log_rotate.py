"""Rotation: every byte once, under writers, under kills, whatever the file system can do."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sentinel.errors import SentinelError
from sentinel.logs import blocks
from sentinel.logs.book import backup_path, book_path, read_book
from sentinel.logs.marks import mark
from sentinel.logs.read import FileLog
from sentinel.logs.rotate import clear, remove_logs, rename_logs, rotate, settle
from sentinel.paths import Home

PLENTY = 240.0


@pytest.fixture(params=["native", "portable"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Once with what this file system can do, once by copy and truncate."""
    if request.param == "portable":
        monkeypatch.setenv("SENTINEL_PORTABLE", "1")
    return str(request.param)


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "web.stdout.log"


def numbered(first: int, last: int) -> bytes:
    return b"".join(b"%07d %s\n" % (number, b"x" * 56) for number in range(first, last))


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def kept(path: Path) -> bytes:
    """All that a reader finds, oldest first."""
    log = FileLog(path, path.with_name("web.stderr.log"))
    return b"".join(line.data + b"\n" for line in log.tail(-1, ["stdout"]))


@pytest.mark.usefixtures("engine")
def test_the_head_moves_to_the_first_backup(log: Path) -> None:
    whole = numbered(0, 1000)
    append(log, whole)
    assert rotate(log, 10_000, 3)
    first = backup_path(log, 1)
    assert first.read_bytes() + log.read_bytes() == whole
    assert log.stat().st_size <= 4096
    assert first.stat().st_mode & 0o777 == 0o600
    assert kept(log) == whole


@pytest.mark.usefixtures("engine")
def test_backups_are_shifted_and_the_oldest_dropped(log: Path) -> None:
    for turn in range(5):
        append(log, numbered(turn * 1000, turn * 1000 + 1000))
        assert rotate(log, 10_000, 2)
    names = {path.name for path in log.parent.iterdir() if not path.name.startswith(".")}
    assert names == {"web.stdout.log", "web.stdout.log.1", "web.stdout.log.2"}
    assert numbered(0, 5000).endswith(kept(log))
    assert len(kept(log)) >= 2 * 1000 * 65


@pytest.mark.usefixtures("engine")
def test_a_hole_among_the_backups_is_filled_and_fewer_backups_take_effect(log: Path) -> None:
    for turn in range(3):
        append(log, numbered(turn * 1000, turn * 1000 + 1000))
        assert rotate(log, 10_000, 3)
    backup_path(log, 1).unlink()
    oldest = backup_path(log, 3).read_bytes()
    append(log, numbered(3000, 4000))
    assert rotate(log, 10_000, 3)
    assert backup_path(log, 3).read_bytes() == oldest
    append(log, numbered(4000, 5000))
    assert rotate(log, 10_000, 1)
    assert not backup_path(log, 2).exists()
    assert not backup_path(log, 3).exists()


@pytest.mark.usefixtures("engine")
def test_what_is_not_due_stays(log: Path) -> None:
    assert not rotate(log, 100, 3)  # there is none
    append(log, numbered(0, 1000))
    assert not rotate(log, 0, 3)  # never
    assert not rotate(log, 1 << 20, 3)
    assert {path.name for path in log.parent.iterdir()} == {log.name}


@pytest.mark.usefixtures("engine")
def test_without_backups_the_log_is_only_cut(log: Path) -> None:
    append(log, numbered(0, 1000))
    assert rotate(log, 10_000, 0)
    assert numbered(0, 1000).endswith(log.read_bytes())
    assert log.stat().st_size <= 4096
    assert not backup_path(log, 1).exists()


@pytest.mark.usefixtures("engine")
def test_what_is_no_regular_file_is_refused_and_untouched(log: Path) -> None:
    victim = log.with_name("victim")
    victim.write_bytes(numbered(0, 1000))
    log.symlink_to(victim)
    with pytest.raises(SentinelError):
        clear(log)
    with pytest.raises(SentinelError, match="symbolic link"):
        rotate(log, 1, 3)
    assert victim.read_bytes() == numbered(0, 1000)


def test_a_pipe_is_refused_without_waiting(log: Path) -> None:
    os.mkfifo(log)
    with pytest.raises(SentinelError, match="not a regular file"):
        clear(log)


@pytest.mark.usefixtures("engine")
def test_a_planted_link_in_place_of_the_next_backup_is_not_written_through(log: Path) -> None:
    victim = log.with_name("victim")
    victim.write_bytes(b"precious")
    backup_path(log, 1).symlink_to(victim)
    log.with_name(log.name + ".1.tmp").symlink_to(victim)
    append(log, numbered(0, 1000))
    assert rotate(log, 10_000, 1)
    assert victim.read_bytes() == b"precious"


WRITER = """
import os, sys
log = os.open(sys.argv[1], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
number = 0
while number < int(sys.argv[2]):
    os.write(log, b"".join(b"%07d %s\\n" % (i, b"x" * 56) for i in range(number, number + 100)))
    number += 100
"""


def in_child(work: Callable[[], None]) -> int:
    """Run it in a process of its own; its pid."""
    pid = os.fork()
    if pid:
        return pid
    try:
        work()
        os._exit(0)
    except BaseException:
        import traceback

        traceback.print_exc()
    os._exit(1)


def ended_well(pid: int) -> None:
    deadline = time.monotonic() + PLENTY
    while (found := os.waitpid(pid, os.WNOHANG))[0] == 0:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            pytest.fail("a child did not end in time")
        time.sleep(0.01)
    assert os.waitstatus_to_exitcode(found[1]) == 0


def test_no_line_is_lost_torn_or_repeated_under_a_busy_writer(log: Path) -> None:
    """A writer at full speed, two that rotate at once, and one that follows."""
    total = 300_000
    log.touch(mode=0o600)
    with log.open("r+b") as file:
        if not blocks.can_collapse(file.fileno()):
            pytest.skip("this file system can only copy and truncate")
    done = log.with_name("done")

    def rotating() -> None:
        while not done.exists():
            rotate(log, 1 << 20, 1000)

    def following() -> None:
        expected = 0
        for line in FileLog(log, log.with_name("web.stderr.log")).tail_and_follow(-1, ["stdout"]):
            if line is not None:
                assert line.data == b"%07d %s" % (expected, b"x" * 56)
                expected += 1
            elif expected == total:
                return

    children = [in_child(rotating), in_child(rotating), in_child(following)]
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(log), str(total)])
    try:
        assert writer.wait(PLENTY) == 0
    finally:
        writer.kill()
        writer.wait()
        done.touch()
        for child in children:
            ended_well(child)
    assert kept(log) == numbered(0, total)
    assert backup_path(log, 3).exists()


STEPS = ("pwrite", "write", "fsync", "rename", "unlink", "ftruncate")


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Do the work in a process that is killed before its step number `step`; False: it had fewer."""

    def dying() -> None:
        left = step

        def guard(call: Callable[..., object]) -> Callable[..., object]:
            def guarded(*arguments: object, **named: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **named)

            return guarded

        for name in STEPS:
            setattr(os, name, guard(getattr(os, name)))
        blocks._fallocate = guard(blocks._fallocate)  # type: ignore[assignment]
        work()

    status = os.waitstatus_to_exitcode(os.waitpid(in_child(dying), 0)[1])
    assert status in (0, -signal.SIGKILL)
    return status != 0


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("backups", [9, 2])
def test_a_kill_at_any_step_loses_and_repeats_nothing(tmp_path: Path, backups: int) -> None:
    step = 0
    alive = True
    while alive:
        log = tmp_path / str(step) / "web.stdout.log"
        log.parent.mkdir()
        for turn in range(2):
            append(log, numbered(turn * 300, turn * 300 + 300))
            assert rotate(log, 10_000, backups)
        append(log, numbered(600, 900))
        before = kept(log)
        alive = killed_at(step, lambda log=log: rotate(log, 10_000, backups))  # type: ignore[misc]
        append(log, numbered(900, 910))
        whole = numbered(0, 910)
        assert whole.endswith(kept(log))
        assert len(kept(log)) >= (len(before) if backups == 9 else 300 * 65)
        append(log, numbered(910, 1200))
        assert rotate(log, 10_000, backups)
        assert numbered(0, 1200).endswith(kept(log))
        if backups == 9:
            assert kept(log) == numbered(0, 1200)
        assert not log.with_name(log.name + ".1.tmp").exists()
        step += 1
    assert step > 8


@pytest.mark.usefixtures("engine")
def test_a_kill_at_any_step_of_clear_is_made_good(tmp_path: Path) -> None:
    step = 0
    alive = True
    while alive:
        log = tmp_path / str(step) / "web.stdout.log"
        log.parent.mkdir()
        append(log, numbered(0, 300))
        rotate(log, 10_000, 3)
        append(log, numbered(300, 310))
        alive = killed_at(step, lambda log=log: clear(log))  # type: ignore[misc]
        settle(log)
        clear(log)
        append(log, b"after\n")
        assert kept(log) == b"after\n"
        step += 1


def test_a_file_system_that_refuses_in_the_end(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Then the head stays as a hole until the next rotation, and is in the backup only."""
    with monkeypatch.context() as patched:
        patched.setattr(blocks, "collapse", lambda fd, length: False)
        for turn in range(2):
            append(log, numbered(turn * 1000, turn * 1000 + 1000))
            assert rotate(log, 10_000, 9)
            assert not rotate(log, 10_000, 9)
            assert kept(log) == numbered(0, turn * 1000 + 1000)
    append(log, numbered(2000, 3000))
    assert rotate(log, 10_000, 9)
    assert log.stat().st_size <= 4096
    assert kept(log) == numbered(0, 3000)


def test_a_damaged_book_does_not_stop_anything(log: Path) -> None:
    append(log, numbered(0, 1000))
    rotate(log, 10_000, 3)
    book_path(log).write_bytes(b"\0" * 100)
    append(log, numbered(1000, 2000))
    assert rotate(log, 10_000, 3)
    assert kept(log) == numbered(0, 2000)
    assert read_book(log).phase == "idle"


@pytest.mark.usefixtures("engine")
def test_removed_logs_leave_nothing_and_renamed_ones_all(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.prepare()
    for stream in ("stdout", "stderr"):
        log = home.log("web", stream)
        append(log, numbered(0, 1000))
        rotate(log, 10_000, 3)
    mark(home, "web")
    rename_logs(home, "web", "shop")
    names = {path.name for path in home.logs.iterdir()}
    assert {name for name in names if "web" in name} <= {".web.stdout.log.rot", ".web.stderr.log.rot"}
    found = FileLog(home.log("shop", "stdout"), home.log("shop", "stderr")).tail(-1, ["stdout", "stderr"])
    assert b"".join(line.data + b"\n" for line in found) == numbered(0, 1000) * 2
    remove_logs(home, "web")
    remove_logs(home, "shop")
    remove_logs(home, "shop")
    assert list(home.logs.iterdir()) == []
