"""The logs of sentinel's own processes stay short."""

import os
from pathlib import Path

from sentinel.own_logs import LARGEST, keep_short


def test_a_short_one_is_left_alone_and_a_missing_one_too(tmp_path: Path) -> None:
    log = tmp_path / "log"
    keep_short(log)
    log.write_bytes(b"x" * LARGEST)
    keep_short(log)
    assert os.listdir(tmp_path) == ["log"]


def test_a_large_one_is_the_one_before_and_the_writer_goes_on_in_a_new_one(tmp_path: Path) -> None:
    log, before = tmp_path / "log", tmp_path / "log.1"
    before.write_bytes(b"older")
    log.write_bytes(b"x" * LARGEST)
    fd, other = (os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT) for path in (log, tmp_path / "other"))
    os.write(fd, b"last")
    keep_short(log, fd, other)
    os.write(fd, b"first")
    os.write(other, b"mine")
    os.close(fd)
    os.close(other)
    assert before.read_bytes() == b"x" * LARGEST + b"last"
    assert log.read_bytes() == b"first"
    assert log.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "other").read_bytes() == b"mine"


def test_what_is_no_regular_file_is_left_alone(tmp_path: Path) -> None:
    target, log = tmp_path / "target", tmp_path / "log"
    target.write_bytes(b"x" * (LARGEST + 1))
    log.symlink_to(target)
    keep_short(log)
    assert log.is_symlink()
    assert target.stat().st_size == LARGEST + 1
