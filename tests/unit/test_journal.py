"""JournalLog on what a real journalctl printed, replayed by a small one of our own."""

import json
import os
import stat
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sentinel.backends.base import LogLine
from sentinel.backends.systemd.journal import Joiner, JournalLog, newest_cursor, parse, position
from sentinel.errors import BackendError

DEADLINE = 240.0
BOTH = ("stdout", "stderr")
BOOT = "64c7d18ce1b449cc9d5a72a7b1b02e22"
SOURCE = "3f38960c9c224cb9b4fe68c333b72fe2"
ERRORS = "05268a318f2c4f2dbca106e97f2a63a1"  # _STREAM_ID of stderr
OUTPUT = "7dd9c3cbf660439981d8004e7806b2a8"
START = 1795983317076423

# journalctl of systemd 252, cut to the options, matches and entries that are used here
JOURNALCTL = """#!{python}
import json, sys, time
arguments = sys.argv[1:]
with open({log!r}, "a") as log:
    log.write(json.dumps(arguments) + "\\n")
named = dict(a[2:].split("=", 1) for a in arguments if a.startswith("--") and "=" in a)
low, high = (named.get("priority") or "0..7").split("..")
number = lambda entry: int(entry["__CURSOR"].split("i=")[1].split(";")[0], 16)
first = int(named["cursor"].split("i=")[1].split(";")[0], 16) if "cursor" in named else 0
since = float(named.get("since", "@0")[1:]) * 1e6
shown = 0
while True:
    with open({journal!r}) as file:
        entries = [json.loads(line) for line in file if line.endswith("\\n")]
    wanted = [
        e for e in entries if int(low) <= int(e["PRIORITY"]) <= int(high)
        and number(e) >= first and int(e["__REALTIME_TIMESTAMP"]) >= since
    ]
    wanted = wanted[-1:] if "-n" in arguments else wanted
    for entry in wanted[::-1] if "--reverse" in arguments else wanted[shown:]:
        print(json.dumps(entry), flush=True)
    shown = len(wanted)
    if "--follow" not in arguments:
        break
    time.sleep(0.02)
"""


class Journal:
    """What journald has, as a file of entries."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "journal"
        self.calls = directory / "calls"
        self.path.touch()
        self._number = 0x4A
        program = directory / "bin" / "journalctl"
        program.parent.mkdir()
        text = JOURNALCTL.format(python=sys.executable, log=str(self.calls), journal=str(self.path))
        program.write_text(text)
        program.chmod(program.stat().st_mode | stat.S_IXUSR)

    def write(self, message: object, stream: str = "stdout", **more: str) -> str:
        at = START + self._number * 1000
        cursor = f"s={SOURCE};i={self._number:x};b={BOOT};m=4a307c65;t={at:x};x=d58c455eff828a64"
        entry = {
            "__CURSOR": cursor, "__REALTIME_TIMESTAMP": str(at), "__MONOTONIC_TIMESTAMP": "1244691557",
            "_BOOT_ID": BOOT, "_TRANSPORT": "stdout", "PRIORITY": "4" if stream == "stderr" else "6",
            "_STREAM_ID": ERRORS if stream == "stderr" else OUTPUT, "MESSAGE": message, **more,
        }
        self._number += 1
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")
        return cursor

    def asked(self) -> list[str]:
        """The arguments of the latest call."""
        found: list[str] = json.loads(self.calls.read_text().splitlines()[-1])
        return found


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Journal:
    journal = Journal(tmp_path)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    return journal


def log(scope: str = "user", cursor: str | None = None, cleared_at: float | None = None) -> JournalLog:
    return JournalLog("sentinel-web", 1001, scope, "sentinel-web.service", cursor, cleared_at)


def shown(lines: Iterator[LogLine]) -> list[tuple[str, bytes]]:
    return [(line.stream, line.data) for line in lines]


def take(following: Iterator[LogLine | None], count: int) -> list[bytes]:
    deadline = time.monotonic() + DEADLINE
    found: list[bytes] = []
    while len(found) < count:
        line = next(following)
        if line is not None:
            found.append(line.data)
        assert time.monotonic() < deadline, f"only {found} came"
    return found


def test_an_entry_of_text() -> None:
    entry = parse(
        b'{"PRIORITY":"4","_TRANSPORT":"stdout","__CURSOR":"s=3f;i=4a;b=64;m=4a;t=6616ff3a309c7;x=d5",'
        b'"MESSAGE":"err","__REALTIME_TIMESTAMP":"1795983317076423"}'
    )
    assert entry is not None
    assert (entry.stream, entry.data, entry.at, entry.glue) == ("stderr", b"err", 1795983317.076423, None)


@pytest.mark.parametrize(
    ("raw", "data"),
    [
        ({"MESSAGE": [27, 91, 51, 49, 109]}, b"\x1b[31m"),
        ({"MESSAGE": [98, 97, 100, 32, 255, 254]}, b"bad \xff\xfe"),
        ({"MESSAGE": []}, b""),
        ({"MESSAGE": ["first", "second"]}, b"first"),
        ({"MESSAGE": [[102, 255], [1]]}, b"f\xff"),
        ({"MESSAGE": "caf\u00e9"}, "café".encode()),
    ],
)
def test_messages_of_any_bytes(raw: dict[str, object], data: bytes) -> None:
    entry = parse(json.dumps(raw).encode())
    assert entry is not None
    assert entry.data == data


@pytest.mark.parametrize(
    "line", [b"", b"{", b"{}", b'{"MESSAGE":null}', b'{"MESSAGE":"x","_TRANSPORT":"audit"}']
)
def test_what_is_no_output(line: bytes) -> None:
    assert parse(line) is None


def test_lines_that_journald_broke_are_joined(journal: Journal) -> None:
    journal.write("x" * 49152, _LINE_BREAK="line-max")
    journal.write("between", "stderr")
    journal.write("x" * 1696)
    journal.write("a", _LINE_BREAK="nul")
    journal.write("b")
    journal.write("no end", _LINE_BREAK="eof")
    lines = [b"x" * 50848, b"a\0b", b"no end"]
    assert [line.data for line in log().tail(-1, ["stdout"])] == lines
    for wanted in (1, 2, 3, 4):
        assert [line.data for line in log().tail(wanted, ["stdout"])] == lines[-wanted:]


def test_a_broken_line_without_its_rest_is_shown_in_the_end() -> None:
    joiner = Joiner()
    entry = parse(b'{"MESSAGE":"half","_LINE_BREAK":"line-max","_STREAM_ID":"1"}')
    assert entry is not None
    assert joiner.add(entry) is None
    assert [line.data for line in joiner.rest()] == [b"half"]
    assert joiner.rest() == []


def test_the_tail_of_both_streams_in_order(journal: Journal) -> None:
    for number in range(100):
        journal.write(f"out {number}")
    journal.write("oops", "stderr")
    journal.write("out 100")
    assert shown(log().tail(2, BOTH)) == [("stdout", b"out 99"), ("stderr", b"oops"), ("stdout", b"out 100")]
    assert shown(log().tail(5, ["stderr"])) == [("stderr", b"oops")]
    assert log().tail(1, BOTH).__next__().at == pytest.approx((START + (0x4A + 100) * 1000) / 1e6)
    assert shown(log().tail(0, BOTH)) == []
    assert len(shown(log().tail(-1, BOTH))) == 102


def test_lines_are_found_by_identifier_and_uid_or_by_unit(journal: Journal) -> None:
    shown(log("user").tail(1, ["stdout"]))
    identified = ["SYSLOG_IDENTIFIER=sentinel-web", "_UID=1001", "+"]
    assert journal.asked()[-5:] == [*identified, "_SYSTEMD_USER_UNIT=sentinel-web.service", "_UID=1001"]
    shown(log("system").tail(1, ["stdout"]))
    assert journal.asked()[-4:] == [*identified, "_SYSTEMD_UNIT=sentinel-web.service"]


def test_since(journal: Journal) -> None:
    journal.write("old")
    since = (START + 0x4B * 1000) / 1e6
    journal.write("new")
    for wanted in (5, -1):
        assert shown(log().tail(wanted, BOTH, since)) == [("stdout", b"new")]


def test_clear_remembers_the_end_and_hides_what_was_before(journal: Journal) -> None:
    journal.write("old")
    newest = journal.write("old too", "stderr")
    source = log()
    source.clear()
    assert source.cursor == newest == newest_cursor()
    assert source.cleared_at is not None
    again = log(cursor=source.cursor, cleared_at=source.cleared_at)
    assert shown(again.tail(5, BOTH)) == shown(again.tail(-1, BOTH)) == []
    journal.write("new")
    for since in (None, 1.0):
        for wanted in (5, -1):
            assert shown(again.tail(wanted, BOTH, since)) == [("stdout", b"new")]


def test_clear_of_an_empty_journal_goes_by_time(journal: Journal) -> None:
    source = log()
    source.clear()
    assert source.cursor is None
    journal.write("before that time")
    later = log(cleared_at=(START + 10**9) / 1e6)
    assert shown(later.tail(5, BOTH)) == []


def test_a_damaged_cursor_hides_nothing(journal: Journal) -> None:
    journal.write("line")
    assert position("bogus") is None
    assert shown(log(cursor="bogus").tail(5, BOTH)) == [("stdout", b"line")]
    assert shown(log(cursor="bogus").tail(-1, BOTH)) == [("stdout", b"line")]


def test_the_tail_and_then_what_comes_each_once(journal: Journal) -> None:
    for word in ("one", "two", "three"):
        journal.write(word)
    following = log().tail_and_follow(2, BOTH)
    journal.write("four")
    assert take(following, 3) == [b"two", b"three", b"four"]
    journal.write("x" * 10, _LINE_BREAK="line-max")
    journal.write("y")
    assert take(following, 1) == [b"x" * 10 + b"y"]
    assert next(following) is None
    following.close()  # type: ignore[attr-defined]


def test_follow_shows_what_comes_after_the_call(journal: Journal) -> None:
    journal.write("old")
    following = log().follow(["stderr"])
    journal.write("out")
    journal.write("new", "stderr")
    assert take(following, 1) == [b"new"]
    following.close()  # type: ignore[attr-defined]


def test_dropped_lines_are_counted(journal: Journal) -> None:
    journal.write("Suppressed 65051 messages from sentinel-web.service", N_DROPPED="65051")
    journal.write("Suppressed 965 messages from user@1001.service")
    journal.write("Suppressed 7 messages from other.service", N_DROPPED="7")
    assert log().suppressed() == 65051 + 965


def test_an_unreadable_journal_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = tmp_path / "journalctl"
    said = "No journal files were opened due to insufficient permissions."
    program.write_text(f"#!/bin/sh\necho '{said}' >&2; exit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    with pytest.raises(BackendError, match="insufficient permissions") as caught:
        list(log().tail(5, BOTH))
    assert "--logs file" in caught.value.hint
    with pytest.raises(BackendError, match="insufficient permissions"):
        newest_cursor()


def test_without_journalctl_there_is_a_hint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BackendError, match="journalctl is not installed"):
        list(log().tail(5, BOTH))
