"""JSON that remembers in which line each key stands."""

import json
from collections.abc import Callable
from json.decoder import JSONObject  # type: ignore[attr-defined]
from json.scanner import py_make_scanner  # type: ignore[attr-defined]
from typing import Any

from sentinel.importing.report import Source


class Located(dict[str, Any]):
    """An object, and the lines of its keys."""

    def __init__(self, pairs: dict[str, Any], line: int, lines: dict[str, int]) -> None:
        super().__init__(pairs)
        self.line = line
        self.lines = lines


def loads(source: Source) -> Any:
    """The document; every object in it is a Located. Raises UsageError."""
    text = source.text.removeprefix("\ufeff")
    try:
        return _Decoder(text).decode(text)
    except json.JSONDecodeError as error:
        source.refuse(error.lineno, f"not JSON: {error.msg.lower()}", "JSON has no comments and no trailing commas")
    except RecursionError:
        source.refuse(None, "not JSON that anybody means: nested too deeply")


class _Decoder(json.JSONDecoder):
    """The pure Python scanner calls `parse_object` with the position: there the lines are found."""

    def __init__(self, text: str) -> None:
        super().__init__()
        plain: Callable[..., tuple[dict[str, Any], int]] = JSONObject

        def located(state: Any, *rest: Any) -> tuple[Located, int]:
            begin = state[1] - 1
            found, end = plain(state, *rest)
            return Located(found, text.count("\n", 0, begin) + 1, _lines(text, begin, end, found)), end

        self.parse_object = located
        self.scan_once = py_make_scanner(self)


def _lines(text: str, begin: int, end: int, found: dict[str, Any]) -> dict[str, int]:
    """Where each key first stands as a key. One of the same name in an object inside may come before it."""
    lines: dict[str, int] = {}
    for key in found:
        for spelled in (json.dumps(key), json.dumps(key, ensure_ascii=False)):
            at = text.find(spelled, begin, end)
            while at >= 0 and text[at + len(spelled) :].lstrip()[:1] != ":":
                at = text.find(spelled, at + 1, end)
            if at >= 0:
                lines[key] = text.count("\n", 0, at) + 1
                break
    return lines
