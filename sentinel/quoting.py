"""Values in other programs' files: each goes through `escape`, which knows what a place takes and refuses the rest."""

import re
from enum import Enum

from sentinel.errors import Unsupported
from sentinel.names import printable


class Place(Enum):
    """Where in a systemd unit a value stands; see systemd.syntax(7), systemd.service(5), systemd.exec(5)."""

    COMMAND = "a word of ExecStart="  # specifiers and variables are expanded
    WORD = "a word of Environment="  # specifiers are expanded
    LINE = "a path or a text"  # what follows the = as it is, but for specifiers
    PATTERN = "EnvironmentFile="  # the same, and wildcards


_BARE = re.compile(r"[A-Za-z0-9_@+=:,./-]+")
_QUOTED = {"\\": "\\\\", '"': '\\"', "%": "%%", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def escape(text: str, place: Place) -> str:
    """The text as systemd has to find it there, to read exactly this again.

    Raises:
        Unsupported: nothing that can be written there is read so.
    """
    if "\0" in text:
        raise Unsupported(f"a unit file cannot hold a NUL character: {printable(text)}", "leave it out")
    if place is Place.LINE:
        return _line(text)
    if place is Place.PATTERN:
        return re.sub(r"([\\*?\[])", r"\\\1", _line(text))
    if _BARE.fullmatch(text):
        return text
    dollar = "$$" if place is Place.COMMAND else "$"
    return '"' + "".join(dollar if char == "$" else _QUOTED.get(char) or _char(char) for char in text) + '"'


def _char(char: str) -> str:
    """Control characters, and what systemd does not take for UTF-8, byte by byte."""
    if char >= " " and char != "\x7f" and _is_text(char):
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", _SURROGATES))


_SURROGATES = "surrogateescape"


def _is_text(char: str) -> bool:
    number = ord(char)
    return not (0xD800 <= number <= 0xDFFF or 0xFDD0 <= number <= 0xFDEF or number & 0xFFFE == 0xFFFE)


def _line(text: str) -> str:
    if text != text.strip() or text.endswith("\\") or any(_char(char) != char for char in text):
        raise Unsupported(
            f"a unit file cannot hold {printable(text)!r} here",
            "use a path without control characters, blanks at its ends and a backslash at its end",
        )
    return text.replace("%", "%%")


def safe_program(path: str) -> bool:
    """Whether systemd takes it as the program of ExecStart=; it refuses quotes, backslashes and control characters."""
    return all(_char(char) == char and char not in "\"'\\$" for char in path)


def exec_line(program: str, arguments: list[str]) -> str:
    """The value of ExecStart= and its like."""
    words = [program, *arguments]
    if not safe_program(program):
        words = ["/bin/sh", "-c", 'exec "$0" "$@"', *words]
    return " ".join(escape(word, Place.COMMAND) for word in words)
