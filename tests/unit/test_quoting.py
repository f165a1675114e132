"""Values in unit files: the table of what is nasty, read back by the rules of systemd.syntax(7)."""

import re

import pytest

from sentinel.errors import Unsupported
from sentinel.quoting import Place, escape, exec_line

TABLE = {
    # text: as a word of ExecStart=, as a word of Environment=
    "plain": ("plain", "plain"),
    "/usr/bin/x": ("/usr/bin/x", "/usr/bin/x"),
    "-x": ("-x", "-x"),
    "@at": ("@at", "@at"),
    "": ('""', '""'),
    "a b": ('"a b"', '"a b"'),
    'say "hi"': ('"say \\"hi\\""', '"say \\"hi\\""'),
    "it's": ('"it\'s"', '"it\'s"'),
    "100%": ('"100%%"', '"100%%"'),
    "%n": ('"%%n"', '"%%n"'),
    "$HOME": ('"$$HOME"', '"$HOME"'),
    "${A}$$": ('"$${A}$$$$"', '"${A}$$"'),
    "a\\nb\\": ('"a\\\\nb\\\\"', '"a\\\\nb\\\\"'),
    "one\ntwo\t\r": ('"one\\ntwo\\t\\r"', '"one\\ntwo\\t\\r"'),
    "\x1b[0m\x7f": ('"\\x1b[0m\\x7f"', '"\\x1b[0m\\x7f"'),
    ";": ('";"', '";"'),
    "#": ('"#"', '"#"'),
    "Größe €": ('"Größe €"', '"Größe €"'),
    "\udcff": ('"\\xff"', '"\\xff"'),
    "\ufffe": ('"\\xef\\xbf\\xbe"', '"\\xef\\xbf\\xbe"'),
}


@pytest.mark.parametrize("text", TABLE)
def test_words(text: str) -> None:
    assert (escape(text, Place.COMMAND), escape(text, Place.WORD)) == TABLE[text]
    assert _read(escape(text, Place.WORD)) == text
    assert _read(escape(text, Place.COMMAND).replace("$$", "$")) == text


def _read(word: str) -> str:
    """As systemd does: unquote, undo the escapes, then the specifiers."""
    if not word.startswith('"'):
        return word.replace("%%", "%")
    assert word.endswith('"')
    assert not re.search(r'(?<!\\)(?:\\\\)*"', word[1:-1])
    named = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"\\": b"\\", b'"': b'"'}

    def undo(found: "re.Match[bytes]") -> bytes:
        code = found[1]
        return bytes([int(code[1:], 16)]) if code.startswith(b"x") else named[code]

    data = word[1:-1].encode("utf-8", "surrogateescape")
    text = re.sub(rb"\\(x[0-9a-f]{2}|.)", undo, data).replace(b"%%", b"%")
    return text.decode("utf-8", "surrogatepass" if text == b"\xef\xbf\xbe" else "surrogateescape")


@pytest.mark.parametrize("text", ["/a b/100%", "/größe", '/"q"/$x'])
def test_paths_stand_as_they_are(text: str) -> None:
    assert escape(text, Place.LINE) == text.replace("%", "%%")


def test_a_path_that_takes_wildcards() -> None:
    assert escape("/a*[b]?\\c%", Place.PATTERN) == "/a\\*\\[b]\\?\\\\c%%"


@pytest.mark.parametrize("text", ["/a\nb", "/a ", " /a", "/a\\", "/\x1b", "/\udcff"])
def test_what_no_line_can_hold_is_refused(text: str) -> None:
    with pytest.raises(Unsupported):
        escape(text, Place.LINE)


def test_nul_is_refused_everywhere() -> None:
    for place in Place:
        with pytest.raises(Unsupported):
            escape("a\0b", place)


def test_a_program_that_systemd_would_refuse_goes_through_a_shell() -> None:
    assert exec_line("/usr/bin/env", ["a b"]) == '/usr/bin/env "a b"'
    assert exec_line("/odd'one", ["x"]) == '/bin/sh -c "exec \\"$$0\\" \\"$$@\\"" "/odd\'one" x'
