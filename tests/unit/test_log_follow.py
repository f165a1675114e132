"""Following logs: each line once, across rotation, clearing, and files that come and go."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel.backends.base import LogLine
from sentinel.logs.read import FileLog
from sentinel.logs.rotate import clear, rotate

DEADLINE = 240.0


@pytest.fixture(params=["", "1"], ids=["native", "portable"])
def path(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SENTINEL_PORTABLE", request.param)
    return tmp_path / "web.stdout.log"


@pytest.fixture
def log(path: Path) -> FileLog:
    return FileLog(path, path.with_name("web.stderr.log"))


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def take(following: Iterator[LogLine | None], count: int) -> list[bytes]:
    """The next lines, and that they come."""
    deadline = time.monotonic() + DEADLINE
    found: list[bytes] = []
    while len(found) < count:
        line = next(following)
        if line is not None:
            found.append(line.data)
        assert time.monotonic() < deadline, f"only {found} came"
    return found


def quiet(following: Iterator[LogLine | None]) -> None:
    assert next(following) is None


def test_only_what_is_written_after_the_call(log: FileLog, path: Path) -> None:
    append(path, b"old\n")
    following = log.follow(["stdout", "stderr"])
    append(path, b"new\n")
    append(path.with_name("web.stderr.log"), b"oops\n")
    assert sorted(take(following, 2)) == [b"new", b"oops"]
    quiet(following)


def test_the_tail_and_then_what_comes(log: FileLog, path: Path) -> None:
    append(path, b"one\ntwo\nthree\nfour begins ")
    following = log.tail_and_follow(3, ["stdout"])
    append(path, b"and ends\nfive\n")
    assert take(following, 4) == [b"two", b"three", b"four begins and ends", b"five"]


def test_a_file_that_comes_later(log: FileLog, path: Path) -> None:
    following = log.follow(["stdout"])
    quiet(following)
    append(path, b"first\n")
    assert take(following, 1) == [b"first"]


def test_rotations_between_looks(log: FileLog, path: Path) -> None:
    append(path, b"%05d\n" % 0)
    following = log.tail_and_follow(-1, ["stdout"])
    assert take(following, 1) == [b"00000"]
    for turn in range(4):
        for number in range(3000):
            append(path, b"%05d\n" % (1 + turn * 3000 + number))
        assert rotate(path, 1000, 9)
    assert take(following, 12_000) == [b"%05d" % number for number in range(1, 12_001)]
    quiet(following)


def test_a_line_that_a_rotation_cuts_in_two(log: FileLog, path: Path) -> None:
    following = log.follow(["stdout"])
    append(path, b"x" * 9000)
    quiet(following)
    assert rotate(path, 1000, 3)
    append(path, b"y\n")
    assert take(following, 1) == [b"x" * 9000 + b"y"]


def test_clearing_does_not_end_it(log: FileLog, path: Path) -> None:
    following = log.follow(["stdout"])
    append(path, b"one\n" * 5000)
    take(following, 5000)
    rotate(path, 1000, 3)
    clear(path)
    append(path, b"two\n")
    assert take(following, 1) == [b"two"]
    quiet(following)


def test_a_file_removed_and_made_anew(log: FileLog, path: Path) -> None:
    following = log.follow(["stdout"])
    append(path, b"one\n")
    assert take(following, 1) == [b"one"]
    with path.open("ab") as old:
        path.unlink()
        quiet(following)
        old.write(b"two\nrest")
    append(path, b"three, longer than all before\n")
    assert take(following, 3) == [b"two", b"rest", b"three, longer than all before"]


def test_a_file_emptied_by_a_stranger(log: FileLog, path: Path) -> None:
    following = log.follow(["stdout"])
    append(path, b"a rather long line\n")
    take(following, 1)
    os.truncate(path, 0)
    quiet(following)
    append(path, b"new\n")
    assert take(following, 1) == [b"new"]


def test_an_incomplete_line_is_shown_once_nothing_more_comes(log: FileLog, path: Path) -> None:
    following = log.follow(["stdout"])
    append(path, b"password: ")
    assert take(following, 1) == [b"password: "]
    append(path, b"secret\n")
    assert take(following, 1) == [b"secret"]


def test_a_program_that_is_restarted_goes_on_in_the_same_log(log: FileLog, path: Path) -> None:
    following = log.follow(["stdout"])
    for turn in range(3):
        with path.open("ab") as file:
            program = [sys.executable, "-c", f"print('run', {turn})"]
            subprocess.run(program, stdout=file, check=True, timeout=DEADLINE)
    assert take(following, 3) == [b"run 0", b"run 1", b"run 2"]


def test_closing_it_closes_the_files(log: FileLog, path: Path) -> None:
    append(path, b"one\n")
    before = len(os.listdir("/dev/fd"))
    following = log.tail_and_follow(1, ["stdout", "stderr"])
    take(following, 1)
    following.close()  # type: ignore[attr-defined]
    assert len(os.listdir("/dev/fd")) == before
