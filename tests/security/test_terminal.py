"""What programs and users wrote reaches a terminal as text: no escape sequence, no markup is obeyed."""

from __future__ import annotations

import os
import pty
import re
import subprocess

import lab
import pytest
from lab import Programs, Sentinel

EVIL = "\x1b]0;owned\x07\x1b[2J\x9b31m[bold]x[dim]\r\u202e"
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f\u202a-\u202e\u2066-\u2069]")
COLOUR = re.compile(r"\x1b\[[0-9;]*[mK]|\x1b\[\?25[hl]|\x1b\[\d*[GAJ]")


def on_a_terminal(sentinel: Sentinel, *args: str) -> str:
    master, slave = pty.openpty()
    process = subprocess.Popen(
        sentinel.command(*args), stdin=slave, stdout=slave, stderr=slave, env=sentinel.environment({"TERM": "xterm"}),
        cwd=sentinel.cwd,
    )  # fmt: skip
    os.close(slave)
    text = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break
        if not part:
            break
        text += part
    os.close(master)
    process.wait(lab.WITHIN)
    return text.decode(errors="surrogateescape").replace("\r\n", "\n")


def test_nothing_is_obeyed(native: Sentinel, programs: Programs) -> None:
    place = native.cwd / f"dir{EVIL}"
    place.mkdir()
    script = f"printf %s\\\\n '{EVIL}'; printf %s\\\\n '{EVIL}' >&2; touch \"$0\"; exec sleep 1000 # {EVIL}"
    ready = programs.path("ready")
    argv = ["/bin/sh", "-c", script, str(ready), EVIL]
    native.ok("group", "create", "g", "--env", f"KEY={EVIL}")
    native.ok("run", "--name", "w", "--cwd", str(place), "--group", "g", "--env", f"V={EVIL}", "--", *argv)
    lab.eventually(ready.exists)
    for command in (
        ["list"], ["status", "w"], ["group", "list"], ["events"], ["logs", "w"], ["port", "list"],
        ["status", EVIL], ["stop", EVIL], ["run", "true", "--name", EVIL], ["run", "--name", "x", "--", EVIL],
        ["run", "true", "--cwd", f"/no/{EVIL}"], ["group", "create", EVIL], ["port", "free", EVIL],
        ["run", "true", "--env-file", f"/no/{EVIL}"], ["logs", EVIL], [EVIL], ["list", f"--{EVIL}"],
    ):  # fmt: skip
        shown = on_a_terminal(native, *command)
        assert not CONTROL.search(COLOUR.sub("", shown)), (command, shown)
        assert shown.strip(), command
    assert "[bold]x[dim]" in on_a_terminal(native, "logs", "w")
    assert "[bold]x[dim]" in on_a_terminal(native, "status", "w")


NO_NAMES = ["[bold]", "[/]", "a[red]b", "\x1b[31m", "a\nb", "a/b", "..", "%n", "$HOME", "a b", '"', "'"]


@pytest.mark.parametrize("name", NO_NAMES)
def test_names_that_are_none(native: Sentinel, name: str) -> None:
    native.fails(2, "run", "--name", name, "--", "/bin/true")
    native.fails(2, "group", "create", name)
    assert not native.home.exists() or native.list() == []
