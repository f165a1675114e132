"""Text for a terminal: made harmless, measured, cut and coloured."""

import os
from typing import TextIO

BOLD, DIM, RED, GREEN, YELLOW = "1", "2", "31", "32", "33"


def escape(text: str) -> str:
    """The text in one line, with control characters, escapes and other invisible ones spelled out."""
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() else _spelled(one) for one in text)


def _spelled(one: str) -> str:
    if 0xDC80 <= ord(one) <= 0xDCFF:  # a byte that is no UTF-8, see PEP 383
        return f"\\x{ord(one) - 0xDC00:02x}"
    return one.encode("unicode_escape").decode()


def width(text: str) -> int:
    """Columns that a printable text takes on a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(one) for one in text)


def _columns(one: str) -> int:
    import unicodedata

    if unicodedata.category(one) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(one) in "WF" else 1


def fit(text: str, columns: int) -> str:
    """The text, cut with … where it is wider."""
    if width(text) <= columns:
        return text
    kept, used = "", 1
    for one in text:
        used += width(one)
        if used > columns:
            break
        kept += one
    return kept + "…" if columns > 0 else ""


def pad(text: str, columns: int, *, right: bool = False) -> str:
    spaces = " " * (columns - width(text))
    return spaces + text if right else text + spaces


def is_terminal(stream: TextIO) -> bool:
    try:
        return stream.isatty()
    except (ValueError, OSError):
        return False


def has_colour(stream: TextIO) -> bool:
    """A terminal that shows colours, and nobody who said they are not wanted (no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"


def coloured(text: str, code: str) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def terminal_size(stream: TextIO) -> tuple[int, int]:
    """Columns and lines; $COLUMNS and $LINES win where they are set."""
    try:
        found = os.get_terminal_size(stream.fileno())
        columns, lines = found.columns or 80, found.lines or 24
    except (ValueError, OSError):
        columns, lines = 80, 24
    return _from_environment("COLUMNS", columns), _from_environment("LINES", lines)


def _from_environment(name: str, otherwise: int) -> int:
    given = os.environ.get(name, "")
    return int(given) if given.isascii() and given.isdigit() and int(given) > 0 else otherwise
