"""Fields of a JSON object, each checked for its type and range; a StateError names the one that is wrong."""

import json
import math
from collections.abc import Callable
from typing import Any, TypeVar

from sentinel.errors import StateError

MAX_PID = 2**22  # Linux's own limit; macOS stays far below
MAX_ID = 2**31 - 1
MAX_TIME = 1e12
HINT = "restore it from a copy, or move it away to start anew"

Json = dict[str, Any]
T = TypeVar("T")


def parse(data: bytes) -> Json:
    """The JSON object in a state file of any version; StateError."""
    try:
        document = json.loads(data.decode("utf-8"), parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:  # JSONDecodeError and UnicodeDecodeError are ValueErrors
        raise StateError(f"state.json is damaged: {_first_line(error)}", HINT) from None
    return to_dict(document, "the file")


def wrong(field: str, value: object) -> StateError:
    return StateError(f"state.json is damaged: {field.rstrip('.')} cannot be {show(value)}", HINT)


def show(value: object) -> str:
    if value is None:
        return "missing"
    text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def to_dict(value: object, at: str) -> Json:
    if type(value) is not dict:
        raise wrong(at, value)
    return value


def to_object(d: Json, key: str, at: str) -> Json:
    value = d.get(key)
    if type(value) is not dict:
        raise wrong(at + key, value)
    return value


def to_list(d: Json, key: str, at: str) -> list[Any]:
    value = d.get(key)
    if type(value) is not list:
        raise wrong(at + key, value)
    return value


def to_text(d: Json, key: str, at: str) -> str:
    value = d.get(key)
    if type(value) is not str:
        raise wrong(at + key, value)
    return value


def to_texts(d: Json, key: str, at: str) -> list[str]:
    values = to_list(d, key, at)
    for value in values:
        if type(value) is not str:
            raise wrong(at + key, value)
    return values


def to_mapping(d: Json, key: str, at: str) -> dict[str, str]:
    values = to_object(d, key, at)
    for value in values.values():
        if type(value) is not str:
            raise wrong(at + key, value)
    return values


def in_range(field: str, value: object, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise wrong(field, value)
    return value


def to_int(d: Json, key: str, at: str, low: int, high: int) -> int:
    value = d.get(key)
    if type(value) is not int or not low <= value <= high:
        raise wrong(at + key, value)
    return value


def to_count(d: Json, key: str, at: str) -> int:
    return to_int(d, key, at, 0, 2**63 - 1)


def to_time(d: Json, key: str, at: str) -> float:
    value = d.get(key)
    if (type(value) is not float and type(value) is not int) or not 0 <= value <= MAX_TIME:
        raise wrong(at + key, value)
    return float(value)


def optional(check: Callable[[Json, str, str], T], d: Json, key: str, at: str) -> T | None:
    return None if d.get(key) is None else check(d, key, at)


def to_choice(d: Json, key: str, at: str, choices: dict[str, T]) -> T:
    value = d.get(key)
    if type(value) is not str or value not in choices:
        raise wrong(at + key, value)
    return choices[value]


def to_flag(d: Json, key: str, at: str) -> bool:
    value = d.get(key, False)
    if type(value) is not bool:
        raise wrong(at + key, value)
    return value


def to_id(key: str, next_id: int) -> int:
    if not (key.isascii() and key.isdigit() and key[0] != "0" and len(key) <= 10 and int(key) < next_id):
        raise wrong("the id of a process", key)
    return int(key)


def to_pid(value: object) -> int | None:
    return value if type(value) is int and 1 < value <= MAX_PID else None


def to_stamp(value: object) -> float | None:
    if type(value) is int and 0 <= value <= MAX_TIME:
        return float(value)
    return value if type(value) is float and math.isfinite(value) and 0 <= value <= MAX_TIME else None


def _no_constant(name: str) -> float:
    return math.nan  # refused, or in what was seen taken for nothing, by the checks of the fields


def _first_line(error: Exception) -> str:
    return ascii(str(error).splitlines()[0] if str(error) else type(error).__name__).strip("'\"")[:120]
