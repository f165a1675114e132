"""Reading logs: any bytes, any length, across backups, and since a time."""

import random
import time
from pathlib import Path

import pytest

from sentinel.logs.book import backup_path
from sentinel.logs.marks import mark
from sentinel.logs.printing import safe
from sentinel.logs.read import FileLog
from sentinel.logs.rotate import clear, marks_path, rotate
from sentinel.paths import Home

BOTH = ("stdout", "stderr")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path)
    home.prepare()
    return home


@pytest.fixture
def path(home: Home) -> Path:
    return home.log("web", "stdout")


@pytest.fixture
def log(home: Home) -> FileLog:
    return FileLog(home.log("web", "stdout"), home.log("web", "stderr"))


def append(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


def tail(log: FileLog, lines: int, since: float | None = None) -> list[bytes]:
    return [line.data for line in log.tail(lines, ["stdout"], since)]


def test_no_file_and_an_empty_file_have_no_lines(log: FileLog, path: Path) -> None:
    assert list(log.tail(50, BOTH)) == []
    path.touch()
    assert list(log.tail(50, BOTH)) == []


def test_the_last_lines_of_each_stream(home: Home, log: FileLog) -> None:
    append(home.log("web", "stdout"), b"one\ntwo\nthree\n")
    append(home.log("web", "stderr"), b"oops\n")
    found = [(line.stream, line.data) for line in log.tail(2, BOTH)]
    assert found == [("stdout", b"two"), ("stdout", b"three"), ("stderr", b"oops")]
    assert tail(log, 0) == []
    assert tail(log, 99) == tail(log, -1) == [b"one", b"two", b"three"]


def test_any_bytes_and_a_last_line_without_an_end(log: FileLog, path: Path) -> None:
    whole = b"\n\n\x00\xff\xfe[bold]\x1b[2J\r\n" + "\u2028ü".encode()[:-1] + b"\nno end"
    append(path, whole)
    assert tail(log, -1) == whole.split(b"\n")
    assert tail(log, 1) == [b"no end"]
    assert tail(log, 2) == whole.split(b"\n")[-2:]


def test_huge_lines(log: FileLog, path: Path) -> None:
    lines = [b"a" * 3_000_000, b"", b"b" * 700_001]
    append(path, b"\n".join(lines) + b"\n")
    assert tail(log, 1) == lines[2:]
    assert tail(log, 2) == lines[1:]
    assert tail(log, 3) == lines


@pytest.mark.parametrize("portable", ["", "1"])
def test_the_tail_crosses_into_backups(
    log: FileLog, path: Path, monkeypatch: pytest.MonkeyPatch, portable: str
) -> None:
    """Against a plain list, with lines of all lengths and rotations in between."""
    monkeypatch.setenv("SENTINEL_PORTABLE", portable)
    chance = random.Random(7)
    lines: list[bytes] = []
    for _ in range(300):
        lines.append(bytes(chance.choices(range(11, 256), k=chance.choice((0, 1, 70, 3000)))))
        append(path, lines[-1] + b"\n")
        rotate(path, 20_000, 99)
    assert backup_path(path, 5).exists()
    for wanted in (*range(1, 40), 150, 299, 300, 301):
        assert tail(log, wanted) == lines[-wanted:]


def test_backups_of_another_tool_are_read(log: FileLog, path: Path) -> None:
    append(backup_path(path, 2), b"one\ntw")
    append(backup_path(path, 1), b"o\nthree\n")
    append(path, b"four\n")
    assert tail(log, -1) == tail(log, 50) == [b"one", b"two", b"three", b"four"]


def test_a_rotation_amid_reading_loses_and_repeats_nothing(log: FileLog, path: Path) -> None:
    lines = [b"%06d" % number for number in range(100_000)]
    append(path, b"\n".join(lines) + b"\n")
    found = []
    for line in log.tail(-1, ["stdout"]):
        found.append(line.data)
        if len(found) in (10, 20_000, 60_000):
            append(path, b"later\n" * 2000)
            assert rotate(path, 1000, 2)  # the last one drops what is just being read
    assert found == lines


def test_cleared_lines_are_gone(log: FileLog, path: Path) -> None:
    append(path, b"old\n" * 5000)
    rotate(path, 1000, 3)
    log.clear()
    assert tail(log, -1) == []
    append(path, b"new\n")
    assert tail(log, 50) == [b"new"]


def test_since_goes_by_marks_across_rotation(home: Home, log: FileLog, path: Path) -> None:
    now = time.time()
    mark(home, "web", now - 500)
    append(path, b"one\n" * 3000)
    mark(home, "web", now - 400)
    append(path, b"two\n" * 3000)
    mark(home, "web", now - 300)
    append(path, b"three\n")
    rotate(path, 1000, 3)
    append(path, b"four\n")
    assert set(tail(log, -1, now - 450)) == {b"one", b"two", b"three", b"four"}
    assert set(tail(log, -1, now - 400)) == {b"two", b"three", b"four"}
    assert tail(log, -1, now - 300) == tail(log, 50, now - 250) == [b"three", b"four"]
    assert tail(log, 1, now - 300) == [b"four"]
    assert tail(log, 50, now + 1000) == []
    assert marks_path(path).stat().st_mode & 0o777 == 0o600


def test_since_shows_the_whole_line_that_a_mark_fell_into(home: Home, log: FileLog, path: Path) -> None:
    append(path, b"first\nhalf ")
    mark(home, "web", time.time() - 100)
    append(path, b"and half\n")
    assert tail(log, -1, time.time() - 50) == [b"half and half"]


def test_since_without_marks_shows_all_and_after_clear_the_new(home: Home, log: FileLog, path: Path) -> None:
    append(path, b"one\n")
    assert tail(log, -1, time.time() - 50) == [b"one"]
    mark(home, "web", time.time() - 40)
    clear(path)
    append(path, b"two\n")
    assert tail(log, -1, time.time() - 30) == [b"two"]


def test_marks_stay_bounded_and_unchanged_logs_add_none(home: Home, path: Path) -> None:
    mark(home, "web", 1.0)
    assert not marks_path(path).exists()
    for number in range(5000):
        append(path, b"x\n")
        mark(home, "web", 1000.0 + number)
    assert marks_path(path).stat().st_size < 64 * 1024
    size = marks_path(path).stat().st_size
    mark(home, "web", 9999.0)
    assert marks_path(path).stat().st_size == size


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        (b"plain [bold] text", "plain [bold] text"),
        (b"caf\xc3\xa9\ttab", "café\ttab"),
        (b"half \xc3", "half \\xc3"),
        (b"\xff\xfe", "\\xff\\xfe"),
        (b"\x1b[2J\x1b]0;title\x07", "\\x1b[2J\\x1b]0;title\\x07"),
        ("\x9b2J".encode(), "\\u009b2J"),
        ("\u202eevil".encode(), "\\u202eevil"),
        (b"progress\rdone\r", "progress\\x0ddone"),
        (b"\x00\x7f", "\\x00\\x7f"),
    ],
)
def test_a_terminal_gets_nothing_that_steers_it(data: bytes, shown: str) -> None:
    assert safe(data) == shown
    assert safe(data, colour=False) == shown


def test_colours_stay_if_wanted_and_end_with_the_line() -> None:
    assert safe(b"\x1b[31mred") == "\x1b[31mred\x1b[0m"
    assert safe(b"\x1b[31mred", colour=False) == "\\x1b[31mred"
