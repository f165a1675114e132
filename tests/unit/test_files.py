"""Files are replaced whole, and opened only where they are really ours."""

import os
import stat
from pathlib import Path

import pytest

from sentinel.files import link_or_copy, open_private, read_private, write_atomic


@pytest.mark.parametrize("durable", [True, False])
def test_a_file_is_replaced_whole_and_private(tmp_path: Path, durable: bool) -> None:
    path = tmp_path / "f"
    write_atomic(path, b"old", durable=durable)
    before = path.stat().st_ino
    write_atomic(path, b"new" * 100_000, durable=durable)
    assert path.read_bytes() == b"new" * 100_000
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.stat().st_ino != before
    assert os.listdir(tmp_path) == ["f"]


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "inside").touch()
    with pytest.raises(OSError, match="directory"):
        write_atomic(tmp_path / "d", b"x")
    assert os.listdir(tmp_path) == ["d"]


def test_the_longest_file_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 255)
    write_atomic(path, b"x")
    assert path.read_bytes() == b"x"


def test_a_link_keeps_what_the_source_held(tmp_path: Path) -> None:
    source, target = tmp_path / "s", tmp_path / "t"
    write_atomic(source, b"1")
    link_or_copy(source, target)
    link_or_copy(source, target)  # the same file already
    write_atomic(source, b"2")
    assert target.read_bytes() == b"1"
    link_or_copy(source, target)
    assert target.read_bytes() == b"2"
    assert sorted(os.listdir(tmp_path)) == ["s", "t"]


def test_symlinks_fifos_and_directories_are_refused(tmp_path: Path) -> None:
    (tmp_path / "real").write_bytes(b"x")
    (tmp_path / "link").symlink_to("real")
    os.mkfifo(tmp_path / "fifo")
    assert read_private(tmp_path / "real") == b"x"
    for name in ("link", "fifo", "."):
        with pytest.raises(OSError):  # noqa: PT011 - one of several numbers
            open_private(tmp_path / name)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_root_opens_no_file_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"x")
    os.chown(path, 65534, 65534)
    with pytest.raises(PermissionError):
        read_private(path)
