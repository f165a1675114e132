"""Files of variables: as systemd reads them, and whether dotenv, which sentinel goes by, reads the same."""

import re
from collections.abc import Mapping

_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ESCAPED = '"\\`$'  # what a backslash takes the meaning from between double quotes


def as_systemd(text: str) -> dict[str, str]:
    """See EnvironmentFile= in systemd.exec(5): no expansion, and quotes only where a value or a part of it begins."""
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        begin = re.compile(r"\s*").match(text, at)
        at = begin.end() if begin else at
        if text[at : at + 1] in ("#", ";"):
            at = _end_of_comment(text, at)
            continue
        end = min((each for each in (text.find("=", at), text.find("\n", at)) if each >= 0), default=len(text))
        if text[end : end + 1] != "=":
            at = end + 1
            continue
        key = text[at:end].strip()
        value, at = _value(text, end + 1)
        if _KEY.fullmatch(key):
            found[key] = value
    return found


def _end_of_comment(text: str, at: int) -> int:
    while at < len(text) and text[at] != "\n":
        at += 2 if text[at] == "\\" else 1
    return at + 1


def _value(text: str, at: int) -> tuple[str, int]:
    """The value that begins there, and where its line ends."""
    out = ""
    while at < len(text) and text[at] != "\n":
        char = text[at]
        if char in " \t\r":
            at += 1
        elif char == "'":
            end = text.find("'", at + 1)
            end = len(text) if end < 0 else end
            out, at = out + text[at + 1 : end], end + 1
        elif char == '"':
            part, at = _double_quoted(text, at + 1)
            out += part
        else:
            part, at = _bare(text, at)
            return out + part, at
    return out, at + 1


def _double_quoted(text: str, at: int) -> tuple[str, int]:
    out = ""
    while at < len(text) and text[at] != '"':
        if text[at] == "\\" and at + 1 < len(text):
            following = text[at + 1]
            out += following if following in _ESCAPED else "" if following == "\n" else "\\" + following
            at += 2
        else:
            out += text[at]
            at += 1
    return out, at + 1


def _bare(text: str, at: int) -> tuple[str, int]:
    """To the end of the line: quotes are nothing special here, and blanks at the end do not count."""
    out, kept = "", 0
    while at < len(text) and text[at] != "\n":
        if text[at] == "\\":
            out += text[at + 1 : at + 2].replace("\n", "")
            kept = len(out)
            at += 2
            continue
        out += text[at]
        kept = kept if text[at] in " \t\r" else len(out)
        at += 1
    return out[:kept], at + 1


def differing(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables, as systemd reads them, that dotenv would give another value."""
    from sentinel.environment import dotenv_variables

    theirs = as_systemd(text)
    ours = dotenv_variables(text, environ)
    return {name: value for name, value in theirs.items() if ours.get(name) != value}
