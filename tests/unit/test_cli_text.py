"""Text and tables: made harmless, measured, fitted."""

import io
import os

import pytest
from fake_supervisor import view

from sentinel.backends.base import LogLine
from sentinel.cli import events, logs, look, text, watch
from sentinel.cli.columns import Column, Table
from sentinel.cli.output import Output, Progress
from sentinel.events import Event
from sentinel.supervisor.api import Listing

NAMES = [
    "web",
    "a-rather-long-name-for-a-process-that-nobody-would-type-twice",
    "データベース",
    "e\u0301te\u0301",
]


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal, and keeps what is written."""

    def __init__(self) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")

    def isatty(self) -> bool:
        return True

    def fileno(self) -> int:
        raise OSError("no number")

    @property
    def text(self) -> str:
        self.flush()
        raw = self.buffer
        assert isinstance(raw, io.BytesIO)
        return raw.getvalue().decode()


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    return Terminal()


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain text", "plain text"),
        ("é日本", "é日本"),
        ("a\nb\tc", "a\\nb\\tc"),
        ("\x1b[2J", "\\x1b[2J"),
        ("\x9b", "\\x9b"),
        ("\u202e", "\\u202e"),
        ("\udcff", "\\xff"),
        ("\u2028", "\\u2028"),
        ("\x00", "\\x00"),
    ],
)
def test_what_cannot_be_seen_is_spelled_out(given: str, shown: str) -> None:
    assert text.escape(given) == shown


def test_width_counts_columns() -> None:
    assert [text.width(one) for one in ("web", "日本", "e\u0301", "")] == [3, 4, 1, 0]


@pytest.mark.parametrize(
    ("given", "columns", "cut"),
    [
        ("web", 3, "web"),
        ("webs", 3, "we…"),
        ("日本語", 5, "日本…"),
        ("日本語", 4, "日…"),
        ("web", 1, "…"),
        ("web", 0, ""),
    ],
)
def test_what_does_not_fit_is_cut(given: str, columns: int, cut: str) -> None:
    assert text.fit(given, columns) == cut


def many() -> Listing:
    return Listing(
        [
            view(
                id,
                name,
                group=name,
                command="python3 -m http.server 8000 --bind 0.0.0.0 --directory /srv/www/html",
                restarts=1234,
                status="backoff",
                restart_policy="on-failure",
                pid=4194304,
            )
            for id, name in enumerate(NAMES, 1)
        ]
    )


@pytest.mark.parametrize("columns", [20, 60, *range(78, 201, 3), 400])
def test_a_table_fits_every_terminal(columns: int) -> None:
    processes = many().processes
    lines = Table(look.COLUMNS, [look.row(one) for one in processes], {}).lines(columns)
    assert len(lines) == 1 + len(processes)
    assert max(text.width(line) for line in lines) <= columns


def test_at_80_columns_every_title_is_still_there() -> None:
    head, first, *_ = Table(look.COLUMNS, [look.row(view())], {}).lines(80)
    assert head.split() == [column.title for column in look.COLUMNS]
    assert first.split()[:4] == ["1", "web", "12345", "running"]


def test_without_a_terminal_nothing_is_cut() -> None:
    processes = many().processes
    lines = Table(look.COLUMNS, [look.row(one) for one in processes], {}).lines(None)
    for line, one in zip(lines[1:], processes, strict=True):
        assert one.command in line
        assert one.name in line


def test_columns_of_wide_characters_are_aligned() -> None:
    table = Table([Column("NAME"), Column("X")], [["日本", "1"], ["ab", "2"]], {})
    assert table.lines() == ["NAME  X", "日本  1", "ab    2"]


def test_colours_are_for_terminals_that_want_them(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert text.has_colour(terminal)
    assert not text.has_colour(io.StringIO())
    monkeypatch.setenv("TERM", "dumb")
    assert not text.has_colour(terminal)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("NO_COLOR", "1")
    assert not text.has_colour(terminal)


def test_a_table_on_a_terminal_is_coloured_and_as_wide_as_it(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "90")
    lines = look.table_lines(Output(out=terminal), [view(status="failed", command="x" * 500)])
    assert "\x1b[31mfailed" in lines[1]
    assert lines[1].endswith("x…")
    monkeypatch.setenv("NO_COLOR", "1")
    lines = look.table_lines(Output(out=terminal), [view(status="failed", command="x" * 500)])
    assert "\x1b" not in "".join(lines)
    assert text.width(lines[1]) == 90


def test_logs_in_a_pipe_are_the_bytes_themselves() -> None:
    raw = io.BytesIO()
    out = Output(out=io.TextIOWrapper(raw))
    logs.write(out, [LogLine("stdout", b"\xff\x00\x1b[2J\r"), None, LogLine("stderr", b"[bold]")])
    assert raw.getvalue() == b"\xff\x00\x1b[2J\r\n[bold]\n"


def test_logs_on_a_terminal_are_harmless_and_stderr_is_red(terminal: Terminal) -> None:
    logs.write(Output(out=terminal), [LogLine("stdout", b"a\x1b[2J"), LogLine("stderr", b"[bold]b")])
    first, second = terminal.text.splitlines()
    assert "\x1b[2J" not in first
    assert second == "\x1b[31m[bold]b\x1b[0m"


def test_a_frame_of_watch_fits_the_screen(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("LINES", "10")
    monkeypatch.setenv("NO_COLOR", "1")
    listing = Listing([view(id) for id in range(1, 41)], [("web", 1, 2)], ["w" * 200])
    lines = watch.frame(Output(out=terminal), listing)
    assert len(lines) <= 10
    assert any("more" in line for line in lines)
    assert all(text.width(line.split("\x1b")[0]) <= 80 for line in lines)


@pytest.mark.parametrize(
    ("word", "details", "told"),
    [
        ("exited", {"run": 1, "exit_code": 0, "clean": True}, "exited web (exit code 0)"),
        ("exited", {"run": 1, "clean": None}, "exited web (how is not known)"),
        ("stopped", {"run": 1, "by": "systemctl"}, "stopped web (by systemctl)"),
        ("healthy", {}, "healthy web"),
        ("unhealthy", {"answer": "\x1b[31m"}, "unhealthy web (answer \\x1b[31m)"),
    ],
)
def test_an_event_is_a_sentence(word: str, details: dict[str, object], told: str) -> None:
    sentence = events.sentence(Event(0.0, word, 1, "web", details))
    assert sentence.split("  ", 1)[1] == told


def test_progress_is_shown_after_a_second_and_cleared(terminal: Terminal) -> None:
    now = 0.0
    progress = Progress("stopping", terminal, lambda: now)
    progress(1, 50)
    assert terminal.text == ""
    now = 1.5
    progress(12, 50)
    progress.clear()
    assert terminal.text == "\rstopping 12/50 …\x1b[K\r\x1b[K"


def test_a_full_disk_is_an_error_of_one_line() -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    from sentinel.errors import SentinelError

    with open("/dev/full", "w") as full:
        out = Output(out=full)
        out.line("lost")
        with pytest.raises(SentinelError, match="cannot write the output"):
            out.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), full.fileno())


@pytest.mark.parametrize("columns", [40, 78, 120])
def test_long_examples_are_folded_as_a_shell_takes_them(columns: int) -> None:
    import shlex

    from sentinel.cli.commands import RUN
    from sentinel.cli.typer_app import folded

    for example in RUN.examples:
        shown = folded(example, columns)
        assert shlex.split(shown.replace("\\\n", "")) == shlex.split(example)
        assert columns < 78 or max(len(line) for line in shown.splitlines()) <= columns
