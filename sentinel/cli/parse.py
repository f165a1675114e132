"""Reads well-formed command lines quickly; all others (help, mistakes) are left to typer.

Typer takes longer to import than most commands take to run. What this parser accepts, it reads exactly as
typer does; whatever it is unsure of it answers with None.
"""

import re
from collections.abc import Sequence
from typing import Any

from sentinel.cli.spec import Command, Option, Values

_PORT_VALUE = re.compile(r"auto|[0-9]+|[A-Za-z_][A-Za-z0-9_]*=[0-9]*")


def spelled_out(command: Command, args: Sequence[str]) -> list[str]:
    """The arguments with the value of an option that needs none (`--port`) always beside it."""
    flags = {flag: option for option in command.options if option.optional for flag in option.flags}
    if not flags:
        return list(args)
    result: list[str] = []
    rest = list(args)
    while rest:
        word = rest.pop(0)
        if word == "--":
            return [*result, word, *rest]
        if word in flags:
            given = rest.pop(0) if rest and _PORT_VALUE.fullmatch(rest[0]) else flags[word].optional
            word = f"{word}={given}"
        result.append(word)
    return result


def defaults(command: Command) -> dict[str, Any]:
    """What holds where nothing is given."""
    found: dict[str, Any] = {one.key: [] if one.many else None for one in command.arguments}
    for option in command.options:
        found[option.key] = [] if option.many else (option.default or None) if option.value else False
    return found


def parse(command: Command, args: Sequence[str]) -> Values | None:
    """What the arguments mean, or None: not well-formed, or help is asked for."""
    reader = _Reader(command, args)
    if not reader.read():
        return None
    placed = _place(command, reader.words)
    return None if placed is None else Values(command, {**reader.given, **placed})


class _Reader:
    """Goes through the words once, telling options from positional ones."""

    def __init__(self, command: Command, args: Sequence[str]) -> None:
        self.options = {flag: option for option in command.options for flag in option.flags}
        self.given = defaults(command)
        self.words: list[str] = []
        self.rest = list(reversed(args))

    def read(self) -> bool:
        while self.rest:
            word = self.rest.pop()
            if word == "--":
                self.words += reversed(self.rest)
                return True
            if word[:1] != "-" or word == "-":
                self.words.append(word)
            elif not (self._long(word) if word.startswith("--") else self._short(word)):
                return False
        return True

    def _long(self, word: str) -> bool:
        flag, has_value, value = word.partition("=")
        option = self.options.get(flag)
        if option is None or (has_value and not option.value):
            return False
        return self._store(option, value if has_value else None)

    def _short(self, word: str) -> bool:
        for at, letter in enumerate(word[1:], 2):
            option = self.options.get("-" + letter)
            if option is None:
                return False
            if option.value:
                return self._store(option, word[at:] or None)
            self._store(option, None)
        return True

    def _store(self, option: Option, value: str | None) -> bool:
        if not option.value:
            self.given[option.key] = True
            return True
        if value is None:
            if not self.rest:
                return False
            value = self.rest.pop()
        if option.many:
            self.given[option.key].append(value)
        else:
            self.given[option.key] = value
        return True


def _place(command: Command, words: list[str]) -> dict[str, Any] | None:
    placed: dict[str, Any] = {}
    for argument in command.arguments:
        if argument.required and not words:
            return None
        if argument.many:
            placed[argument.key], words = words, []
        else:
            placed[argument.key] = words[0] if words else None
            words = words[1:]
    return None if words else placed
