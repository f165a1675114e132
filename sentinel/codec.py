"""State to the bytes of state.json and back, every field checked.

Hand-written, since every command pays for it. Each process is a line of its own, without what has no value.
Text may hold bytes that are no UTF-8 (surrogateescape): they are written as \\udcXX escapes.
"""

import json
from collections.abc import Mapping

from sentinel.errors import StateError
from sentinel.fields import (
    HINT,
    MAX_ID,
    Json,
    in_range,
    optional,
    parse,
    show,
    to_choice,
    to_count,
    to_dict,
    to_flag,
    to_id,
    to_int,
    to_list,
    to_mapping,
    to_object,
    to_pid,
    to_stamp,
    to_text,
    to_texts,
    to_time,
    wrong,
)
from sentinel.model import (
    Desired,
    Exit,
    Group,
    Health,
    HealthCheck,
    Lease,
    Limits,
    LogSettings,
    Record,
    Restart,
    RestartPolicy,
    Runtime,
    Spec,
    State,
)

SCHEMA = 1
_BACKENDS = {"native": "native", "systemd": "systemd"}
_DESIRED = {desired.value: desired for desired in Desired}
_HEALTH = {health.value: health for health in Health}
_HEALTH_KINDS = {"http": "http", "tcp": "tcp", "cmd": "cmd"}
_LOG_KINDS = {"auto": "auto", "file": "file", "journal": "journal"}
_RESTARTS = {mode.value: mode for mode in Restart}
_dumps = json.JSONEncoder(ensure_ascii=True, allow_nan=False, check_circular=False).encode


class NewerSchema(StateError):
    """state.json was written by a later version: it is no damage, and no backup helps."""


def encode(state: State, *, durable: bool = True, lines_of: Mapping[int, str] | None = None) -> bytes:
    """`durable`: whether it is going to be synced, which tells what is fit to be the backup.

    `lines_of`: what `line` says of each process, for whom remembers it.
    """
    lines = [f'{{"schema": {SCHEMA}, "durable": {_dumps(durable)}, "next_id": {state.next_id},']
    lines.append('"processes": {')
    if lines_of is None:
        lines_of = {id: line(record) for id, record in state.processes.items()}
    lines.append(",\n".join([lines_of[id] for id in state.processes]))
    lines.append('},\n"groups": {')
    lines.append(",\n".join(f"{_dumps(name)}: {_dumps(_group(g))}" for name, g in state.groups.items()))
    lines.append('},\n"ports": [')
    lines.append(",\n".join(_dumps(_lease(lease)) for lease in state.ports))
    lines.append("]}\n")
    return "\n".join(lines).encode("ascii")


def line(record: Record) -> str:
    """A process as it stands in state.json."""
    return f'"{record.id}": {_dumps(_record(record))}'


def is_durable(data: bytes) -> bool:
    """Whether these bytes were written to survive a power cut."""
    return b'"durable": true' in data[:60]


def body(data: bytes) -> bytes:
    """The part that says what the state is: without the mark of durability."""
    return data.replace(b'"durable": true, ', b"", 1).replace(b'"durable": false, ', b"", 1)


def decode(data: bytes) -> State:
    """The state of schema 1.

    Raises:
        NewerSchema: a later version wrote it.
        StateError: names the field that is wrong.
    """
    return from_document(parse(data))


def is_earlier(document: Json) -> bool:
    """Whether it has to be migrated first. Version 0.2 wrote no schema."""
    schema = document.get("schema")
    if type(schema) is int:
        return 0 < schema < SCHEMA
    return not {"schema", "durable"} & document.keys() and {"next_id", "processes"} <= document.keys()


def from_document(document: Json) -> State:
    """The state in a parsed document of schema 1."""
    schema = document.get("schema")
    if type(schema) is int and schema > SCHEMA:
        raise NewerSchema(
            f"state.json was written by a newer sentinel (schema {schema}, this one knows {SCHEMA})",
            "use that version, or set SENTINEL_HOME to another directory",
        )
    if schema != SCHEMA or type(schema) is bool:
        raise wrong("schema", schema)
    state = State(next_id=to_int(document, "next_id", "", 1, MAX_ID + 1))
    for key, value in to_object(document, "processes", "").items():
        id = to_id(key, state.next_id)
        state.processes[id] = _to_record(id, value, f"processes.{id}.")
    if len({record.name for record in state.processes.values()}) != len(state.processes):
        raise StateError("state.json is damaged: two processes have the same name", HINT)
    for name, value in to_object(document, "groups", "").items():
        state.groups[name] = _to_group(name, value, f"groups.{show(name)}.")
    for index, value in enumerate(to_list(document, "ports", "")):
        state.ports.append(_to_lease(value, f"ports.{index}."))
    return state


# out


def _record(r: Record) -> Json:
    out: Json = {"name": r.name, "backend": r.backend, "created_at": r.created_at}
    _put(out, r, ("unit", "scope", "cursor", "cleared_at"), None)
    out["wanted"] = _wanted(r)
    out["seen"] = _seen(r.runtime)
    return out


def _put(out: Json, source: object, keys: tuple[str, ...], plain: object) -> None:
    """Add the fields that differ from `plain`: an object of the same class, or None."""
    for key in keys:
        value = getattr(source, key)
        if value != (plain and getattr(plain, key)):
            out[key] = value


def _wanted(r: Record) -> Json:
    s = r.spec
    out: Json = {"desired": r.desired.value, "run": r.wanted_run, "argv": s.argv, "cwd": s.cwd}
    if s.user is not None:
        out["user"] = s.user
    if s.group is not None:
        out["group"] = s.group
    if s.env_file is not None:
        out["env_file"] = s.env_file
    if s.env:
        out["env"] = s.env
    if s.ports:
        out["ports"] = s.ports
    out["restart"] = restart = {"mode": s.restart.mode.value}
    _put(restart, s.restart, ("delay", "max_restarts"), None)
    if s.health is not None:
        out["health"] = _whole(s.health, ("kind", "target", "interval", "timeout", "failures"))
    if s.limits != _NO_LIMITS:
        limits: Json = {}
        out["limits"] = limits
        _put(limits, s.limits, ("nice", "ionice", "nofile", "memory_max"), None)
    out["logs"] = {"kind": s.logs.kind, "max_size": s.logs.max_size, "backups": s.logs.backups}
    if s.startup_timeout is not None:
        out["startup_timeout"] = s.startup_timeout
    out["stop_timeout"] = s.stop_timeout
    out["stop_signal"] = s.stop_signal
    if s.on_failure is not None:
        out["on_failure"] = s.on_failure
    return out


_NO_LIMITS = Limits()
_NEVER_RAN = Runtime()
_SEEN = (
    "pid", "last_pid", "start_time", "boot_id", "started_at", "restarts", "engine_restarts", "quick_deaths", "failures",
    "gave_up", "ready", "health_failures", "health_message", "stopping", "notes",
)  # fmt: skip


def _seen(seen: Runtime) -> Json:
    out: Json = {"run": seen.run}
    if not seen.run and seen == _NEVER_RAN:
        return out
    _put(out, seen, _SEEN, _NEVER_RAN)
    if seen.health is not Health.UNKNOWN:
        out["health"] = seen.health.value
    if seen.last_exit is not None:
        out["last_exit"] = end = {"run": seen.last_exit.run}
        _put(end, seen.last_exit, ("code", "signal", "at", "reason"), None)
        if seen.last_exit.number:
            end["number"] = seen.last_exit.number
    return out


def _whole(source: object, keys: tuple[str, ...]) -> Json:
    return {key: getattr(source, key) for key in keys}


def _group(g: Group) -> Json:
    return _whole(g, ("created_at", "env", "env_file", "memory_max", "cpu_quota", "tasks_max"))


def _lease(lease: Lease) -> Json:
    return _whole(lease, ("port", "name", "process", "allocated_at"))


# in


def _to_record(id: int, value: object, at: str) -> Record:
    d = to_dict(value, at)
    wanted = to_object(d, "wanted", at)
    w = at + "wanted."
    return Record(
        id=id,
        name=to_text(d, "name", at),
        backend=to_choice(d, "backend", at, _BACKENDS),
        spec=_to_spec(wanted, w),
        desired=to_choice(wanted, "desired", w, _DESIRED),
        wanted_run=to_int(wanted, "run", w, 0, MAX_ID),
        created_at=to_time(d, "created_at", at) if d.get("created_at") is not None else 0.0,
        unit=to_text(d, "unit", at) if d.get("unit") is not None else None,
        scope=to_text(d, "scope", at) if d.get("scope") is not None else None,
        cursor=to_text(d, "cursor", at) if d.get("cursor") is not None else None,
        cleared_at=to_time(d, "cleared_at", at) if d.get("cleared_at") is not None else None,
        runtime=_to_runtime(to_object(d, "seen", at), at + "seen."),
    )


def _to_spec(d: Json, at: str) -> Spec:
    get = d.get
    argv = to_texts(d, "argv", at)
    if not argv:
        raise wrong(at + "argv", argv)
    return Spec(
        argv=argv,
        cwd=to_text(d, "cwd", at),
        user=to_text(d, "user", at) if d.get("user") is not None else None,
        group=to_text(d, "group", at) if d.get("group") is not None else None,
        env_file=to_text(d, "env_file", at) if d.get("env_file") is not None else None,
        env=to_mapping(d, "env", at) if "env" in d else {},
        ports=_to_ports(d, at) if "ports" in d else {},
        restart=_to_policy(to_object(d, "restart", at), at + "restart."),
        health=None if get("health") is None else _to_health(to_object(d, "health", at), at + "health."),
        limits=_to_limits(to_object(d, "limits", at), at + "limits.") if "limits" in d else Limits(),
        logs=_to_logs(to_object(d, "logs", at), at + "logs."),
        startup_timeout=to_time(d, "startup_timeout", at) if d.get("startup_timeout") is not None else None,
        stop_timeout=to_time(d, "stop_timeout", at),
        stop_signal=to_text(d, "stop_signal", at),
        on_failure=to_text(d, "on_failure", at) if d.get("on_failure") is not None else None,
    )


def _to_ports(d: Json, at: str) -> dict[str, int]:
    return {name: in_range(at + "ports", port, 1, 65535) for name, port in to_object(d, "ports", at).items()}


def _to_policy(d: Json, at: str) -> RestartPolicy:
    return RestartPolicy(
        mode=to_choice(d, "mode", at, _RESTARTS),
        delay=to_time(d, "delay", at) if d.get("delay") is not None else None,
        max_restarts=to_count(d, "max_restarts", at) if d.get("max_restarts") is not None else None,
    )


def _to_health(d: Json, at: str) -> HealthCheck:
    return HealthCheck(
        kind=to_choice(d, "kind", at, _HEALTH_KINDS),
        target=to_text(d, "target", at),
        interval=to_time(d, "interval", at),
        timeout=to_time(d, "timeout", at),
        failures=to_int(d, "failures", at, 1, MAX_ID),
    )


def _to_limits(d: Json, at: str) -> Limits:
    nice = d.get("nice")
    return Limits(
        nice=None if nice is None else in_range(at + "nice", nice, -20, 19),
        ionice=optional(to_text, d, "ionice", at),
        nofile=optional(to_count, d, "nofile", at),
        memory_max=optional(to_count, d, "memory_max", at),
    )


def _to_logs(d: Json, at: str) -> LogSettings:
    return LogSettings(
        kind=to_choice(d, "kind", at, _LOG_KINDS),
        max_size=to_count(d, "max_size", at),
        backups=to_int(d, "backups", at, 0, 10_000),
    )


def _to_runtime(d: Json, at: str) -> Runtime:
    """What was seen is never believed: a senseless identity is none, and no error."""
    get = d.get
    seen = Runtime(
        run=to_int(d, "run", at, 0, MAX_ID),
        pid=to_pid(get("pid")),
        last_pid=to_pid(get("last_pid")),
        start_time=to_stamp(get("start_time")),
        boot_id=get("boot_id") if type(get("boot_id")) is str else None,
        started_at=to_stamp(get("started_at")),
    )
    if not d.keys() - _IDENTITY:
        return seen
    seen.restarts = optional(to_count, d, "restarts", at) or 0
    seen.engine_restarts = optional(to_count, d, "engine_restarts", at) or 0
    seen.quick_deaths = optional(to_count, d, "quick_deaths", at) or 0
    seen.failures = optional(to_count, d, "failures", at) or 0
    seen.gave_up = to_flag(d, "gave_up", at)
    seen.ready = to_flag(d, "ready", at)
    seen.stopping = to_flag(d, "stopping", at)
    seen.health = to_choice(d, "health", at, _HEALTH) if "health" in d else Health.UNKNOWN
    seen.health_failures = optional(to_count, d, "health_failures", at) or 0
    seen.health_message = optional(to_text, d, "health_message", at) or ""
    seen.notes = to_texts(d, "notes", at) if "notes" in d else []
    end = get("last_exit")
    seen.last_exit = None if end is None else _to_exit(to_dict(end, at + "last_exit"), at + "last_exit.")
    return seen


_IDENTITY = {"run", "pid", "last_pid", "start_time", "boot_id", "started_at"}


def _to_exit(d: Json, at: str) -> Exit:
    return Exit(
        run=to_int(d, "run", at, 0, MAX_ID),
        code=optional(to_count, d, "code", at),
        signal=optional(to_count, d, "signal", at),
        at=to_stamp(d.get("at")),
        reason=optional(to_text, d, "reason", at) or "",
        number=optional(to_count, d, "number", at) or 0,
    )


def _to_group(name: str, value: object, at: str) -> Group:
    d = to_dict(value, at)
    return Group(
        name=name,
        created_at=optional(to_time, d, "created_at", at) or 0.0,
        env=to_mapping(d, "env", at),
        env_file=optional(to_text, d, "env_file", at),
        memory_max=optional(to_count, d, "memory_max", at),
        cpu_quota=optional(to_time, d, "cpu_quota", at),
        tasks_max=optional(to_count, d, "tasks_max", at),
    )


def _to_lease(value: object, at: str) -> Lease:
    d = to_dict(value, at)
    return Lease(
        port=to_int(d, "port", at, 1, 65535),
        name=to_text(d, "name", at),
        process=optional(to_count, d, "process", at),
        allocated_at=optional(to_time, d, "allocated_at", at) or 0.0,
    )
