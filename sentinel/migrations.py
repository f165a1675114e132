"""State files of earlier versions, brought forward one step after the other."""

import os
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime

from sentinel import codec, environment, names
from sentinel.errors import SentinelError, StateError
from sentinel.fields import (
    MAX_ID,
    Json,
    optional,
    show,
    to_dict,
    to_flag,
    to_int,
    to_mapping,
    to_object,
    to_text,
    wrong,
)
from sentinel.files import open_private, reason, write_atomic
from sentinel.model import Record, State
from sentinel.paths import Home
from sentinel.quantities import IO_CLASSES, ionice

STEPS: dict[int, Callable[[Json], Json]] = {}  # schema -> what makes the next schema's document of it
_CLASSES = {
    "realtime": "realtime", "rt": "realtime", "1": "realtime",
    "best-effort": "best-effort", "best_effort": "best-effort", "be": "best-effort", "2": "best-effort",
    "idle": "idle", "3": "idle",
}  # fmt: skip
_DRIFT = 5.0  # seconds that 0.2's started_at may be off the start of the process


def migrate(document: Json, raw: bytes, home: Home) -> tuple[State, list[str]]:
    """The state in a document of any earlier version, and warnings; keeps a copy of the file. Under the lock.

    Raises:
        StateError: it is damaged, or the copy can't be made.
    """
    if "schema" in document:
        _keep(home, f"state.json.schema-{document['schema']}", raw)
        while document["schema"] in STEPS:
            document = STEPS[document["schema"]](document)
        return codec.from_document(document), []
    new, warnings = from_0_2(document)
    state = codec.from_document(new)
    _keep(home, "state.json.v0.2", raw)
    for id, old in to_object(document, "processes", "").items():
        warnings += _take_over(home, state.processes[int(id)], old)
    return state, ["state.json of version 0.2 was migrated; a copy is kept as state.json.v0.2", *warnings]


def from_0_2(document: Json) -> tuple[Json, list[str]]:
    """The document of schema 1 for one of version 0.2: flat fields, no word about what is wanted."""
    processes, warnings, taken = {}, [], set[str]()
    for id, value in to_object(document, "processes", "").items():
        at = f"processes.{show(id)}."
        old = to_dict(value, at)
        name = _allowed(to_text(old, "name", at), taken)
        if name != old["name"]:
            warnings.append(f"process {names.printable(old['name'])} is called {name} now")
        taken.add(name)
        processes[id] = _process(old, name, at)
    groups = {name: _group(name, value) for name, value in _entries(document, "groups")}
    for process in processes.values():
        if (group := process["wanted"]["group"]) is not None:
            groups.setdefault(group, {"env": {}})
    highest = max((int(id) for id in processes if id.isdecimal() and len(id) < 10), default=0)
    return {
        "schema": 1,
        "next_id": max(to_int(document, "next_id", "", 0, MAX_ID), highest + 1),
        "processes": processes,
        "groups": groups,
        "ports": [_port(key, value) for key, value in _entries(document, "ports")],
    }, warnings


def _process(old: Json, name: str, at: str) -> Json:
    cmd = old.get("cmd")
    started = _time(old.get("started_at"))
    pid = old.get("pid")
    had_pid = type(pid) is int and pid > 1
    wanted = {
        "desired": "running" if had_pid else "stopped",
        "run": 1,
        "argv": cmd if type(cmd) is list else [to_text(old, "cmd", at)],
        "cwd": to_text(old, "cwd", at),
        "user": optional(to_text, old, "user", at),
        "group": optional(to_text, old, "group", at),
        "env_file": optional(to_text, old, "env_file", at),
        "env": optional(to_mapping, old, "env", at) or {},
        "restart": {"mode": "always" if to_flag(old, "restart", at) else "no"},
        "health": _health(old.get("health_check"), at + "health_check"),
        "limits": {"nice": old.get("nice"), "ionice": _ionice(old, at)},
        "logs": {"kind": "auto", "max_size": 10 * 1024 * 1024, "backups": 3},
        "startup_timeout": old.get("startup_timeout_seconds"),
        "stop_timeout": 10.0,
        "stop_signal": "TERM",
    }
    seen = {"run": 1, "pid": pid, "started_at": started} if had_pid else {"run": 1, "last_exit": {"run": 1}}
    return {"name": name, "backend": "native", "created_at": started, "wanted": wanted, "seen": seen}


def _health(value: object, at: str) -> Json | None:
    if value is None or value == "":
        return None
    if type(value) is str:
        kind = "http" if "://" in value else "tcp" if value.rpartition(":")[2].isdecimal() else "cmd"
        value = {"kind": kind, "target": value}
    old = to_dict(value, at)
    for kind in ("http", "tcp", "cmd"):
        if type(old.get(kind)) is str:
            old = {"kind": kind, "target": old[kind], **old}
    if "url" in old:
        old = {"kind": "http", "target": old["url"], **old}
    kind = to_text(old, "kind", at + ".")
    return {
        "kind": {"command": "cmd", "https": "http"}.get(kind, kind),
        "target": to_text(old, "target", at + "."),
        "interval": old.get("interval_seconds", old.get("interval", 30.0)),
        "timeout": old.get("timeout_seconds", old.get("timeout", 3.0)),
        "failures": old.get("failure_threshold", old.get("failures", 3)),
    }


def _ionice(old: Json, at: str) -> str | None:
    value, level = old.get("ionice_ioclass"), old.get("ionice_value")
    if value is None or value in (0, "none"):
        return None
    kind = _CLASSES.get(str(value).lower())
    if kind is None:
        raise wrong(at + "ionice_ioclass", value)
    try:
        return ionice(kind if level is None or kind == IO_CLASSES[3] else f"{kind}:{level}")
    except SentinelError:
        raise wrong(at + "ionice_value", level) from None


def _group(name: str, value: object) -> Json:
    if type(value) is list:  # members alone
        return {"env": {}}
    at = f"groups.{show(name)}."
    old = to_dict(value, at)
    return {
        "created_at": _time(old.get("created_at")),
        "env": optional(to_mapping, old, "env", at) or {},
        "env_file": optional(to_text, old, "env_file", at),
    }


def _port(key: str, value: object) -> Json:
    if type(value) is int:  # name -> port
        return {"port": value, "name": key}
    old = to_dict(value, f"ports.{show(key)}")
    number = old.get("port", key)
    return {
        "port": int(number) if type(number) is str and number.isdecimal() else number,
        "name": old.get("name", key),
        "allocated_at": _time(old.get("allocated_at")),
    }


def _entries(document: Json, key: str) -> list[tuple[str, object]]:
    value = document.get(key)
    if type(value) is list:
        return [(str(index), each) for index, each in enumerate(value)]
    return [] if value is None else list(to_dict(value, key).items())


def _allowed(name: str, taken: set[str]) -> str:
    with suppress(SentinelError):
        return names.check_free("process", names.check_name("process", name), taken)
    return names.unique(names.sanitised(name) or "process", taken)


def _time(value: object) -> float | None:
    if type(value) is str:
        with suppress(ValueError, OverflowError, OSError):
            return max(0.0, datetime.fromisoformat(value).timestamp())
    if type(value) in (int, float) and 0 <= value < 1e12:  # type: ignore[operator]
        return float(value)  # type: ignore[arg-type]
    return None


# what is not in the document


def _keep(home: Home, name: str, raw: bytes) -> None:
    path = home.root / name
    try:
        if not path.exists():
            write_atomic(path, raw)
    except OSError as error:
        raise StateError(
            f"cannot keep a copy as {path}: {reason(error)}", "check permissions and free space"
        ) from error


def _take_over(home: Home, record: Record, old: Json) -> list[str]:
    """Its captured environment, its log files, and its process if it still runs."""
    base = old.get("base_env")
    if type(base) is dict and all(type(value) is str for value in base.values()):
        environment.capture(home, record.id, base)
    _adopt(record)
    warnings = []
    for stream in ("stdout", "stderr"):
        path = old.get(f"{stream}_log")
        if type(path) is str and path and "\0" not in path:
            try:
                _move_log(path, home.log(record.name, stream))
            except OSError as error:
                warnings.append(
                    f"the {stream} log of {record.name} stays at {names.printable(path)}: {reason(error)}"
                )
    return warnings


def _move_log(old: str, new: os.PathLike[str]) -> None:
    """The same file under its new name: what still writes to it goes on. Onto another disk, a copy."""
    if not os.path.isabs(old) or not os.path.lexists(old) or os.path.lexists(new):
        return
    with open(open_private(old), "rb") as file:
        try:
            os.link(old, new, follow_symlinks=False)
        except OSError:
            write_atomic(new, file.read())
            return
    os.chmod(new, 0o600)
    if os.path.dirname(old) == os.path.dirname(new):
        os.unlink(old)


def _adopt(record: Record) -> None:
    """Believe its pid if what has it now began when 0.2 says; otherwise it ended, nobody knows how."""
    from sentinel.identity import boot_id, start_time
    from sentinel.model import Exit

    seen = record.runtime
    pid, seen.pid = seen.pid, None
    if pid is not None and seen.started_at is not None:
        started = start_time(pid)
        if started is not None and abs(_created(pid) - seen.started_at) <= _DRIFT:
            seen.pid, seen.start_time, seen.boot_id, seen.ready = pid, started, boot_id(), True
            return
    seen.last_exit = Exit(run=seen.run)


def _created(pid: int) -> float:
    import psutil

    with suppress(psutil.Error):
        return psutil.Process(pid).create_time()
    return float("-inf")
