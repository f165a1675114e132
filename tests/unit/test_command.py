"""A command is run directly where it can be, and as sh would understand it."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.backends.base import Account
from sentinel.command import display, resolve, words
from sentinel.errors import LaunchError, UsageError

PATH = os.environ.get("PATH", os.defpath)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sleep 60", ["sleep", "60"]), ("  a\t b  ", ["a", "b"]), ("a 'b c' \"d e\"", ["a", "b c", "d e"]),
        ("a '' \"\"", ["a", "", ""]), ("a b\\ c", ["a", "b c"]), ("a 'x'\"y\"z", ["a", "xyz"]),
        ("a '$HOME' '*'", ["a", "$HOME", "*"]),
        ('a "\\$x \\" \\\\ \\n"', ["a", '$x " \\ \\n']), ("a --x=1 b=2", ["a", "--x=1", "b=2"]),
        ("a x#y", ["a", "x#y"]),
        ("a x~", ["a", "x~"]), ("a b!", ["a", "b!"]), ("a \\\n b", ["a", "b"]), ("a\\\nb", ["ab"]),
        ("é ü", ["é", "ü"]),
        ("a '\n'", ["a", "\n"]), ("'if' x", ["if", "x"]), ("a if", ["a", "if"]), ("a \\#x \\~", ["a", "#x",
        "~"]), ("a\\", ["a\\"]),
    ],
)  # fmt: skip
def test_words(line: str, expected: list[str]) -> None:
    assert words(line) == expected


@pytest.mark.parametrize(
    "line",
    [
        "a | b", "a & b", "a; b", "a < x", "a > x", "(a)", "a $x", "a `b`", "a *", "a ?", "a [x]", "a #x",
        "a ~", "~/x",
        "A=1 a", "A+=1 a", "a\nb", "{ a; }", "a {b,c}", "! a", 'a "$x"', 'a "`x`"', "cd /x", "exec a",
        "export A", ". x", ": x",
        "if a", "while a", "", "   ", "a 'b", 'a "b', "'cd' x", "\"A=1\" a", "time a",
    ],
)  # fmt: skip
def test_only_a_shell_can(line: str) -> None:
    assert words(line) is None


@settings(derandomize=True, deadline=None)
@given(st.lists(st.text(st.characters(exclude_characters="\0"), max_size=8), min_size=1, max_size=4))
def test_quoted_words_come_back(argv: list[str]) -> None:
    found = words(shlex.join(argv))
    if found is not None:
        assert found == argv
    assert words(shlex.join(["prog", *argv])) == ["prog", *argv]


SNIPPETS = [
    "a", "b c", " ", "'", '"', "\\", "\\ ", "'x y'", '"x y"', "=", "#", "~", "!", "\t", "-x", "\\'", '\\"',
    "%", "^", ",",
]  # fmt: skip


def test_words_are_what_sh_makes_of_them() -> None:
    count = len(SNIPPETS)
    picked = [
        [SNIPPETS[(seed * step + step * step) % count] for step in range(1, 7)] for seed in range(1, 60)
    ]
    lines = ["".join(snippets) for snippets in picked]
    lines = [line for line in lines if words("x " + line) is not None and not line.endswith("\\")]
    assert len(lines) > 10
    script = "\n".join(f'set -- {line}\nprintf \'%s\\0\' "$#" "$@"' for line in lines)
    out = subprocess.run(["/bin/sh", "-c", script], capture_output=True, check=True).stdout
    expected = b"".join(
        b"".join(word.encode() + b"\0" for word in (str(len(found)), *found))
        for found in ((words("x " + line) or [])[1:] for line in lines)
    )
    assert out == expected


def make(path: Path, mode: int = 0o755, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def test_resolve(tmp_path: Path) -> None:
    here = str(tmp_path)
    run = make(tmp_path / "bin" / "run me")
    assert resolve(["sleep 60"], here, PATH)[1] == ["sleep", "60"]
    assert resolve(["sleep 60"], here, PATH)[0].endswith("/sleep")
    assert resolve(["sleep 60 | cat"], here, PATH) == ("/bin/sh", ["/bin/sh", "-c", "sleep 60 | cat"])
    assert resolve(["'./bin/run me' x"], here, PATH) == (str(run), ["./bin/run me", "x"])
    assert resolve(["bin/run me", "a b", ""], here, PATH) == (str(run), ["bin/run me", "a b", ""])
    assert resolve(["run me", "|", "$x"], here, "/nowhere:bin") == (str(run), ["run me", "|", "$x"])
    assert resolve([sys.executable, "-c", "x"], here, None) == (sys.executable, [sys.executable, "-c", "x"])
    assert resolve(["sh", "-c", "x"], here, None)[0] in ("/bin/sh", "/usr/bin/sh")


def test_an_empty_part_of_the_path_is_the_working_directory(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    assert os.path.samefile(resolve(["run", "x"], str(tmp_path), ":/nowhere")[0], run)


def test_a_script_without_its_first_line_goes_to_sh(tmp_path: Path) -> None:
    script = make(tmp_path / "s", text="echo hello\n")
    assert resolve(["./s x"], str(tmp_path), PATH) == ("/bin/sh", ["/bin/sh", str(script), "x"])


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["no-such-program x"], "cannot start: no such program: no-such-program"),
        (["./missing"], "cannot start: no such program: ./missing"),
        (["./plain"], "cannot start: ./plain is not executable"),
        (["plain", "x"], "cannot start: plain is not executable"),
        (["./folder"], "cannot start: ./folder is a directory"),
        (["folder", "x"], "cannot start: no such program: folder"),
        (["", "x"], "no command given"),
        (["sleep 'x"], "cannot start: a quote is never closed in sleep 'x"),
        (["bad\x1bx"], "cannot start: no such program: bad\\x1bx"),
    ],
)
def test_what_cannot_start(tmp_path: Path, argv: list[str], message: str) -> None:
    make(tmp_path / "plain", 0o644)
    (tmp_path / "folder").mkdir()
    with pytest.raises((LaunchError, UsageError)) as caught:
        resolve(argv, str(tmp_path), str(tmp_path))
    assert caught.value.message == message
    assert caught.value.hint


def test_nothing_to_start(tmp_path: Path) -> None:
    for argv in ([], [""], ["  "], ["sleep", "a\0b"]):
        with pytest.raises(UsageError):
            resolve(argv, str(tmp_path), PATH)
    with pytest.raises(LaunchError, match="no such directory"):
        resolve(["sleep 1"], str(tmp_path / "gone"), PATH)


def test_another_account_needs_its_own_permission(tmp_path: Path) -> None:
    make(tmp_path / "run", 0o700)
    stranger = Account("deploy", os.getuid() + 4321, 54321, (54321,), "/", "/bin/sh")
    with pytest.raises(LaunchError, match="not executable by deploy"):
        resolve(["./run"], str(tmp_path), PATH, stranger)
    make(tmp_path / "run", 0o755)
    assert resolve(["./run"], str(tmp_path), PATH, stranger)[0] == str(tmp_path / "run")


def test_display() -> None:
    assert display(["a | b\nc"]) == "a | b\\nc"
    assert display(["a", "b c", ""]) == "a 'b c' ''"
    assert display(["x\x1b[0m\udcff"]) == "x\\x1b[0m\\xff"
