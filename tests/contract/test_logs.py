"""`logs`: every byte of both streams, of running and ended processes, also while they come."""


import pytest
from lab import WITHIN, Programs, Sentinel, check_rotated, eventually


def shown(sentinel: Sentinel, *args: str) -> list[str]:
    return sentinel.ok("logs", *args).out.splitlines()


def until_shown(sentinel: Sentinel, wanted: str, *args: str) -> list[str]:
    """The lines, once the wanted one is among them: a journal takes a moment."""

    def check() -> list[str]:
        lines = shown(sentinel, *args)
        assert any(wanted in line for line in lines), lines
        return lines

    return eventually(check)


def test_the_last_lines_of_one_stream(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "l", "--", *programs.lines(100, "ready"))
    until_shown(sentinel, "line 99", "l", "--stream", "stdout")
    assert shown(sentinel, "l", "--stream", "stdout", "--lines", "3") == ["line 97", "line 98", "line 99"]
    until_shown(sentinel, "line error 99", "l", "--stream", "stderr")
    assert shown(sentinel, "l", "--stream", "stderr", "-n", "2") == ["line error 98", "line error 99"]
    assert len(shown(sentinel, "l", "--stream", "stdout")) == 50
    assert len(shown(sentinel, "l", "--stream", "stdout", "-n", "1000")) == 100


def test_both_streams(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "l", "--", *programs.lines(2, "ready"))
    until_shown(sentinel, "line 1", "l")
    text = "\n".join(until_shown(sentinel, "line error 1", "l"))
    assert "line 0" in text
    assert "line error 0" in text


def test_an_ended_and_a_stopped_process_keep_theirs(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "over", "--", *programs.lines(3))
    sentinel.until("over", status="exited")
    until_shown(sentinel, "line 2", "over", "--stream", "stdout")
    assert shown(sentinel, "over", "--stream", "stdout") == ["line 0", "line 1", "line 2"]
    sentinel.ok("run", "--name", "stopped", "--", *programs.lines(3, "ready"))
    programs.pid()
    sentinel.ok("stop", "stopped")
    until_shown(sentinel, "line 2", "stopped", "--stream", "stdout")


def test_clear_forgets_what_was(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "l", "--", *programs.says())
    programs.pid()
    programs.say(b"before\n")
    until_shown(sentinel, "before", "l")
    sentinel.ok("logs", "l", "--clear")
    assert shown(sentinel, "l") == []
    programs.say(b"after\n")
    until_shown(sentinel, "after", "l")
    assert not [line for line in shown(sentinel, "l") if "before" in line]


def test_follow_goes_on_across_restarts(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "l", "--", *programs.says())
    programs.pid()
    programs.say(b"one\n")
    until_shown(sentinel, "one", "l", "--stream", "stdout")
    path = programs.path("followed")
    with path.open("wb") as file:
        follow = sentinel.spawn("logs", "l", "--follow", "--stream", "stdout", stdout=file)
    eventually(lambda: "one" in path.read_text())
    programs.say(b"two\n")
    eventually(lambda: "two" in path.read_text())
    programs.path("ready").unlink()
    sentinel.ok("restart", "l")
    programs.pid()
    programs.say(b"three\n")
    eventually(lambda: "three" in path.read_text())
    assert path.read_text().splitlines() == ["one", "two", "three"]
    assert follow.poll() is None


def test_the_end_of_a_follow_is_quiet(sentinel: Sentinel, programs: Programs) -> None:
    import signal

    sentinel.ok("run", "--name", "l", "--", *programs.says())
    programs.pid()
    programs.say(b"one\n")
    path = programs.path("followed")
    with path.open("wb") as file:
        follow = sentinel.spawn("logs", "l", "-f", stdout=file)
    eventually(lambda: "one" in path.read_text())
    follow.send_signal(signal.SIGINT)
    _, err = follow.communicate(timeout=WITHIN)
    assert b"Traceback" not in err
    assert b"Error" not in err


def test_any_bytes_are_safe(sentinel: Sentinel, programs: Programs) -> None:
    nasty = b"\xff\xfe half \xc3 [red]markup[/red] %s {x} \x1b[31mcolour\x1b[0m end"
    sentinel.ok("run", "--name", "l", "--", *programs.says())
    programs.pid()
    programs.say(nasty + b"\n")
    programs.say(b"last\n")

    def check() -> bytes:
        out = sentinel.ok("logs", "l", "--stream", "stdout").stdout
        assert b"last" in out
        return out

    assert nasty in eventually(check)


def test_a_long_line_without_an_end_is_shown(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "l", "--", "/bin/sh", "-c", "printf 'no newline'")
    sentinel.until("l", status="exited")
    assert until_shown(sentinel, "no newline", "l", "--stream", "stdout") == ["no newline"]


def test_each_process_has_its_own(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "a", "--", "/bin/sh", "-c", "echo from a")
    sentinel.ok("run", "--name", "a-1", "--", "/bin/sh", "-c", "echo from a-1")
    until_shown(sentinel, "from a", "a", "--stream", "stdout")
    until_shown(sentinel, "from a-1", "a-1", "--stream", "stdout")
    assert shown(sentinel, "a", "--stream", "stdout") == ["from a"]
    assert shown(sentinel, "a-1", "--stream", "stdout") == ["from a-1"]


def test_bad_options_are_refused(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "l")
    sentinel.fails(2, "logs", "l", "--stream", "stdlog")
    sentinel.fails(2, "logs", "l", "--lines", "-3")
    sentinel.fails(2, "logs", "l", "--since", "not a time")


@pytest.mark.parametrize("backend", ["native"], indirect=True)
def test_files_rotate_and_are_read_across(sentinel: Sentinel, programs: Programs) -> None:
    """The daemon rotates while the process writes; not one line is lost or torn, where the file system can do that."""
    sentinel.ok("daemon", "start")
    sentinel.ok(
        "run",
        "--name",
        "l",
        "--log-max-size",
        "64K",
        "--log-backups",
        "9",
        "--",
        *programs.lines(12000, "ready"),
    )
    programs.pid()
    rotated = sentinel.home / "logs" / "l.stdout.log.1"
    eventually(lambda: rotated.exists())
    lines = shown(sentinel, "l", "--stream", "stdout", "--lines", "12010")
    check_rotated(lines, range(12000), rotated.with_suffix(""))
    assert shown(sentinel, "l", "--stream", "stdout", "--lines", "3000") == lines[-3000:]
