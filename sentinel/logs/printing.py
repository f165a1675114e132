"""What a terminal may get of a log line that may hold any bytes."""

import re
import unicodedata

_SGR = re.compile("\x1b\\[[0-9;:]*m")
_RESET = "\x1b[0m"
_INVISIBLE = ("Cc", "Cf", "Zl", "Zp", "Cs")  # controls, formats (bidi overrides among them), line separators
_JOINERS = "\u200c\u200d"  # part of how some scripts and emoji are written; they move nothing


def safe(data: bytes, *, colour: bool = True) -> str:
    """The line as text without anything that could steer the terminal.

    Control characters, escape sequences, bidi overrides and bytes that are no UTF-8 are shown escaped. With
    `colour` SGR sequences stay, and what they changed is reset at the end of the line.
    """
    if data.isascii() and (text := data.decode("ascii")).isprintable():
        return text
    text = data.decode("utf-8", "surrogateescape").removesuffix("\r")
    if not colour or "\x1b" not in text:
        return _escaped(text)
    pieces, at = [], 0
    for match in _SGR.finditer(text):
        pieces += [_escaped(text[at: match.start()]), match.group()]
        at = match.end()
    pieces.append(_escaped(text[at:]))
    return "".join(pieces) + (_RESET if at else "")


def _escaped(text: str) -> str:
    return text if text.isprintable() else "".join(map(_shown, text))


def _shown(char: str) -> str:
    if char == "\t" or char in _JOINERS or unicodedata.category(char) not in _INVISIBLE:
        return char
    code = ord(char)
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    return f"\\x{code:02x}" if code < 0x80 else f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
