"""Names of processes, groups and ports: which are allowed, which are free, and whom they mean."""

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence

from sentinel.errors import Conflict, NotFound, UsageError
from sentinel.model import Record, State

LONGEST = 128
_ASCII = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-@+")
_RULE = f"use 1 to {LONGEST} letters, digits and . _ - @ +, not starting with - or ."
# Letters and marks to Unicode, but nothing to see: fillers, joiners, variation selectors.
_INVISIBLE = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")


def printable(text: str, limit: int = 80) -> str:
    """Any text in a form that is safe in a message of one line: escaped, and cut at `limit`."""
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def check_name(kind: str, name: str) -> str:
    """The name itself, or UsageError saying what is wrong with it. `kind`: "process", "group", "port"."""
    if not name:
        raise UsageError(f"a {kind} name cannot be empty", _RULE)
    if len(name) > LONGEST:
        raise UsageError(f"a {kind} name cannot have {len(name)} characters", _RULE)
    if name[0] in "-." or unicodedata.category(name[0])[0] == "M":
        raise UsageError(f"a {kind} name cannot start like {printable(name)!r}", _RULE)
    for char in name:
        if not _allowed(char):
            raise UsageError(f"a {kind} name cannot contain {printable(char)!r}: {printable(name)}", _RULE)
    return name


def check_free(kind: str, name: str, taken: Iterable[str]) -> str:
    """The name, or Conflict if it, or one that differs only by case or Unicode form, is taken.

    Such two would share a log file where file names are not told apart so finely.
    """
    mine = key(name)
    for other in taken:
        if other == name:
            raise Conflict(f"the name {name} is taken by another {kind}", "choose another name")
        if key(other) == mine:
            raise Conflict(
                f"the name {name} differs only by case or form from the {kind} {other}", "choose another name"
            )
    return name


def key(name: str) -> str:
    """What two names have in common that are not told apart everywhere."""
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def unique(base: str, taken: Iterable[str]) -> str:
    """`base`, or the first of `base-2`, `base-3`, … that is free."""
    keys = {key(name) for name in taken}
    name, number = base[:LONGEST], 1
    while key(name) in keys:
        number += 1
        suffix = f"-{number}"
        name = base[: LONGEST - len(suffix)] + suffix
    return name


def default_name(argv: Sequence[str]) -> str:
    """A name for a command: its program's, sanitised."""
    words = _words(argv[0]) if len(argv) == 1 else list(argv[:1])
    while len(words) > 1 and (_ASSIGNMENT.match(words[0]) or words[0] == "exec"):
        words = words[1:]
    program = words[0] if words else ""
    return sanitised(os.path.basename(program.rstrip("/"))) or "process"


def _words(line: str) -> list[str]:
    import shlex

    try:
        return shlex.split(line)
    except ValueError:  # a quote that is never closed
        return line.split()


def sanitised(text: str) -> str:
    """The nearest allowed name; empty if there is none."""
    replaced = "".join(char if _allowed(char) else "-" for char in text)[:LONGEST]
    name = re.sub("--+", "-", replaced).strip("-").lstrip(".-")
    while name and unicodedata.category(name[0])[0] == "M":
        name = name[1:].lstrip(".-")
    return name


def instance_names(name: str, n: int) -> list[str]:
    """name-1 … name-n, each checked."""
    return [check_name("process", f"{name}-{number}") for number in range(1, n + 1)]


def find(state: State, token: str) -> Record:
    """The process of that name, else of that id; NotFound."""
    return find_many(state, [token])[0]


def find_many(state: State, tokens: Sequence[str]) -> list[Record]:
    """In order, each once; one NotFound that names all that are missing."""
    by_name = {record.name: record for record in state.processes.values()}
    found: dict[int, Record] = {}
    missing: list[str] = []
    for token in tokens:
        record = by_name.get(token) or _by_id(state, token) or _by_form(state, token)
        if record is None:
            missing.append(printable(token))
        else:
            found.setdefault(record.id, record)
    if missing:
        listed = ", ".join(dict.fromkeys(missing))
        raise NotFound(f"no process named {listed}", "run 'sentinel list' to see them")
    return list(found.values())


def _by_id(state: State, token: str) -> Record | None:
    if token.isascii() and token.isdigit() and len(token) < 12:
        return state.processes.get(int(token))
    return None


def _by_form(state: State, token: str) -> Record | None:
    """The same letters, composed otherwise, as the terminals of some systems send them."""
    if token.isascii():
        return None
    form = unicodedata.normalize("NFC", token)
    return next((r for r in state.processes.values() if unicodedata.normalize("NFC", r.name) == form), None)


def _allowed(char: str) -> bool:
    if char.isascii():
        return char in _ASCII
    category = unicodedata.category(char)
    return (category[0] in "LM" or category == "Nd") and char.isprintable() and not _INVISIBLE.match(char)


def _escaped(char: str) -> str:
    number = ord(char)
    if 0xDC80 <= number <= 0xDCFF:  # a byte that is no UTF-8
        return f"\\x{number - 0xDC00:02x}"
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")
