"""Unit files as systemd reads them: sections, continued lines, quoting and specifiers, with line numbers."""

import re
from collections.abc import Mapping
from typing import NamedTuple

from sentinel.importing.report import Source

_ESCAPES = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "s": " "}
_CODE = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))", re.DOTALL)
_UNITS = {
    "us": 1e-6, "usec": 1e-6, "ms": 1e-3, "msec": 1e-3, "s": 1.0, "sec": 1.0, "second": 1.0, "seconds": 1.0,
    "m": 60.0, "min": 60.0, "minute": 60.0, "minutes": 60.0, "h": 3600.0, "hr": 3600.0, "hour": 3600.0,
    "hours": 3600.0, "d": 86400.0, "day": 86400.0, "days": 86400.0, "w": 604800.0, "week": 604800.0, "weeks": 604800.0,
}  # fmt: skip
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.ASCII)


class Setting(NamedTuple):
    """`Name=value` in a section; `line` is where it begins."""

    section: str
    name: str
    value: str
    line: int


def read(source: Source) -> list[Setting]:
    """All settings in order. Raises UsageError: a line that is none."""
    found: list[Setting] = []
    section = ""
    start, text = 0, ""
    for number, raw in enumerate(source.text.splitlines(), 1):
        line = raw.strip()
        if line[:1] in ("#", ";") or (not text and not line):
            continue
        start = start if text else number
        text += line
        if line.endswith("\\") and not line.endswith("\\\\"):
            text = text[:-1] + " "
            continue
        if text.startswith("[") and text.endswith("]"):
            section = text[1:-1]
        else:
            found.append(_setting(source, section, text, start))
        text = ""
    if text.strip():
        found.append(_setting(source, section, text.rstrip(), start))
    return found


def _setting(source: Source, section: str, text: str, line: int) -> Setting:
    name, equals, value = text.partition("=")
    if not equals or not section:
        source.refuse(line, f"neither a [Section] nor a setting: {text[:60]!r}")
    return Setting(section, name.strip(), value.strip(), line)


def words(source: Source, text: str, line: int, *, unescape: bool = True) -> list[tuple[str, bool]]:
    """The words and whether each was quoted. Quotes and backslashes work as in ExecStart= and Environment=."""
    found: list[tuple[str, bool]] = []
    at = 0
    while at < len(text):
        if text[at] in " \t\n":
            at += 1
            continue
        word, at, quoted = _word(source, text, at, line, unescape)
        found.append((word, quoted))
    return found


def _word(source: Source, text: str, at: int, line: int, unescape: bool) -> tuple[str, int, bool]:
    out: list[str] = []
    quote, quoted = "", False
    while at < len(text) and (quote or text[at] not in " \t\n"):
        char = text[at]
        if char == quote:
            quote = ""
        elif not quote and char in "\"'":
            quote, quoted = char, True
        elif char == "\\" and unescape:
            part, at = _unescaped(source, text, at, line)
            out.append(part)
            continue
        else:
            out.append(char)
        at += 1
    if quote:
        source.refuse(line, "a quote is never closed", "close it, or escape it with \\")
    return "".join(out), at, quoted


def _unescaped(source: Source, text: str, at: int, line: int) -> tuple[str, int]:
    match = _CODE.match(text, at)
    if match is None:
        source.refuse(line, "a backslash at the end", "write \\\\ for one")
    hexa = match[1] or match[2] or match[3]
    number = int(hexa, 16) if hexa else int(match[4], 8) if match[4] else None
    if number is not None:
        if not 0 < number < 0x110000:
            source.refuse(line, f"not a character: {match[0]}")
        return chr(number), match.end()
    char = match[5]
    return (_ESCAPES.get(char, char), match.end())


def expand(source: Source, text: str, known: Mapping[str, str], line: int) -> str:
    """Specifiers replaced: %n, %h, … Raises UsageError for one that can't be known here."""

    def replace(match: re.Match[str]) -> str:
        letter = match[1]
        if letter == "%":
            return "%"
        if letter not in known:
            source.refuse(line, f"the specifier %{letter} is not known here", "write out what it stands for")
        return known[letter]

    return re.sub(r"%(.?)", replace, text, flags=re.DOTALL)


def specifiers(source: Source) -> dict[str, str]:
    """What the specifiers of this unit mean: see systemd.unit(5)."""
    name = source.path.rpartition("/")[2]
    prefix, at, instance = name.rpartition(".")[0].partition("@")
    system = source.uid == 0
    home = source.home
    known = {
        "n": name, "N": name.rpartition(".")[0], "p": prefix, "P": unescaped(prefix), "j": prefix.rpartition("-")[2],
        "J": unescaped(prefix.rpartition("-")[2]), "H": source.host, "l": source.host.partition(".")[0],
        "u": source.user, "U": str(source.uid), "h": home, "f": "/" + unescaped(instance or prefix),
        "T": "/tmp", "V": "/var/tmp", "y": source.path, "Y": source.directory,
        "t": "/run" if system else f"/run/user/{source.uid}",
        "S": "/var/lib" if system else f"{home}/.local/state",
        "C": "/var/cache" if system else f"{home}/.cache",
        "L": "/var/log" if system else f"{home}/.local/state/log",
        "E": "/etc" if system else f"{home}/.config",
    }  # fmt: skip
    if at and instance:
        known |= {"i": instance, "I": unescaped(instance)}
    elif not at:
        known |= {"i": "", "I": ""}
    return known


def unescaped(text: str) -> str:
    """What systemd-escape made of a path, undone."""
    return re.sub(r"\\x([0-9a-fA-F]{2})", lambda m: chr(int(m[1], 16)), text.replace("-", "/"))


def seconds(source: Source, text: str, line: int, name: str) -> float | None:
    """A span of time: "5", "1min 30s", "200ms". None: infinity."""
    if text.strip().lower() == "infinity":
        return None
    total, at, text = 0.0, 0, text.strip().lower()
    while at < len(text):
        match = _SPAN.match(text, at)
        if match is None or match[2] not in {"", *_UNITS}:
            break
        total += float(match[1]) * _UNITS.get(match[2], 1.0)
        at = match.end()
    if not text or at < len(text) or total > 1e9:
        source.refuse(line, f"{name}: not a span of time: {text!r}", "write it like 5, 90s or 1min 30s")
    return total
