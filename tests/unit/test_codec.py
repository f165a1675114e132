"""state.json holds all of a State, and what is no State is refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.codec import NewerSchema, body, decode, encode, is_durable
from sentinel.errors import StateError
from sentinel.fields import parse
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

TEXT = st.text(max_size=12) | st.binary(max_size=8).map(lambda raw: raw.decode("utf-8", "surrogateescape"))
WORDS = st.dictionaries(TEXT, TEXT, max_size=3)
COUNT = st.integers(0, 2**31 - 1)
TIME = st.floats(0, 1e10)
EXITS = st.builds(Exit, COUNT, st.none() | COUNT, st.none() | COUNT, st.none() | TIME, TEXT, COUNT)
SPECS = st.builds(
    Spec,
    argv=st.lists(TEXT, min_size=1, max_size=3),
    cwd=TEXT,
    user=st.none() | TEXT,
    group=st.none() | TEXT,
    env_file=st.none() | TEXT,
    env=WORDS,
    ports=st.dictionaries(TEXT, st.integers(1, 65535), max_size=2),
    restart=st.builds(RestartPolicy, st.sampled_from(Restart), st.none() | TIME, st.none() | COUNT),
    health=st.none()
    | st.builds(HealthCheck, st.sampled_from(["http", "tcp", "cmd"]), TEXT, TIME, TIME, st.integers(1, 100)),
    limits=st.builds(
        Limits, st.none() | st.integers(-20, 19), st.none() | TEXT, st.none() | COUNT, st.none() | COUNT
    ),
    logs=st.builds(LogSettings, st.sampled_from(["auto", "file", "journal"]), COUNT, st.integers(0, 99)),
    startup_timeout=st.none() | TIME,
    stop_timeout=TIME,
    stop_signal=TEXT,
)
RUNTIMES = st.builds(
    Runtime,
    run=COUNT,
    pid=st.none() | st.integers(2, 2**22),
    start_time=st.none() | TIME,
    boot_id=st.none() | TEXT,
    started_at=st.none() | TIME,
    restarts=COUNT,
    quick_deaths=COUNT,
    failures=COUNT,
    gave_up=st.booleans(),
    last_exit=st.none() | EXITS,
    ready=st.booleans(),
    health=st.sampled_from(Health),
    health_failures=COUNT,
    health_message=TEXT,
    stopping=st.booleans(),
    notes=st.lists(TEXT, max_size=2),
)
RECORDS = st.builds(
    Record,
    id=st.just(0),
    name=TEXT,
    backend=st.sampled_from(["native", "systemd"]),
    spec=SPECS,
    desired=st.sampled_from(Desired),
    wanted_run=COUNT,
    created_at=TIME,
    unit=st.none() | TEXT,
    scope=st.none() | TEXT,
    cursor=st.none() | TEXT,
    cleared_at=st.none() | TIME,
    runtime=RUNTIMES | st.just(Runtime()),
)
GROUPS = st.builds(
    Group,
    name=TEXT,
    created_at=TIME,
    env=WORDS,
    env_file=st.none() | TEXT,
    memory_max=st.none() | COUNT,
    cpu_quota=st.none() | TIME,
    tasks_max=st.none() | COUNT,
)
LEASES = st.builds(Lease, st.integers(1, 65535), TEXT, st.none() | COUNT, TIME)


@st.composite
def states(draw: Any) -> State:
    records = draw(st.lists(RECORDS, max_size=3, unique_by=lambda record: record.name))
    for number, record in enumerate(records, 1):
        record.id = number * 7
    groups = draw(st.lists(GROUPS, max_size=2))
    return State(
        next_id=draw(st.integers(22, 1000)),
        processes={record.id: record for record in records},
        groups={group.name: group for group in groups},
        ports=draw(st.lists(LEASES, max_size=2)),
    )


def sample() -> State:
    spec = Spec(["python3 -m http.server"], "/srv", group="g", env={"A": "b"}, ports={"PORT": 8080})
    seen = Runtime(run=3, pid=1234, start_time=99.0, boot_id="b", started_at=5.0, last_exit=Exit(2, code=1))
    return State(
        next_id=9,
        processes={
            1: Record(1, "web", "native", spec, runtime=seen),
            8: Record(8, "wörker", "systemd", Spec(["/bin/sh", "-c", "\udcff"], "/"), Desired.STOPPED),
        },
        groups={"g": Group("g", 1.0, {"B": "c"})},
        ports=[Lease(8080, "web", 1, 2.0)],
    )


@settings(derandomize=True, deadline=None, max_examples=80)
@given(states(), st.booleans())
def test_what_is_written_is_read_again(state: State, durable: bool) -> None:
    data = encode(state, durable=durable)
    assert decode(data) == state
    assert data.isascii()
    assert is_durable(data) is durable
    assert body(data) == body(encode(state, durable=not durable))


def test_an_empty_state_and_the_layout() -> None:
    assert decode(encode(State())) == State()
    document = json.loads(encode(sample()))
    assert (document["schema"], document["next_id"]) == (1, 9)
    assert document["processes"]["1"].keys() == {"name", "backend", "created_at", "wanted", "seen"}


def test_a_file_cut_anywhere_is_damaged() -> None:
    data = encode(sample())
    for length in range(len(data.rstrip())):
        with pytest.raises(StateError):
            parse(data[:length])


def test_a_flipped_bit_never_gives_an_empty_state_nor_another_error() -> None:
    data = encode(sample())
    for at in range(len(data)):
        broken = bytearray(data)
        broken[at] ^= 1 << at % 8
        try:
            found = decode(bytes(broken))
        except StateError:
            continue
        assert len(found.processes) == 2


@settings(derandomize=True, deadline=None, max_examples=150)
@given(st.binary(max_size=40) | st.recursive(st.none() | TEXT | st.integers(), st.lists).map(json.dumps))
def test_what_is_no_state_is_a_state_error(data: bytes | str) -> None:
    with pytest.raises(StateError):
        decode(data.encode() if isinstance(data, str) else data)


def changed(path: str, value: Any) -> bytes:
    document = json.loads(encode(sample()))
    *parents, last = path.split("/")
    at = document
    for key in parents:
        at = at[int(key)] if isinstance(at, list) else at[key]
    if value is ...:
        del at[last]
    else:
        at[last] = value
    return json.dumps(document).encode()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("next_id", 8), ("next_id", 0), ("next_id", True), ("next_id", 1.5), ("next_id", ...),
        ("next_id", 2**40),
        ("schema", 0), ("schema", "1"), ("schema", True), ("schema", ...), ("schema", -1),
        ("processes", []), ("processes", ...), ("groups", None), ("ports", {}),
        ("processes/01", {}), ("processes/x", {}), ("processes/-1", {}), ("processes/7", 5),
        ("processes/7", {}),
        ("processes/1/name", None), ("processes/1/name", "wörker"), ("processes/1/backend", "cron"),
        ("processes/1/wanted", ...), ("processes/1/seen", None), ("processes/1/wanted/desired", "maybe"),
        ("processes/1/wanted/run", -1), ("processes/1/wanted/run", float("nan")),
        ("processes/1/wanted/argv", []),
        ("processes/1/wanted/argv", [1]), ("processes/1/wanted/argv", "sleep"),
        ("processes/1/wanted/cwd", ...),
        ("processes/1/wanted/env", {"A": 1}), ("processes/1/wanted/ports", {"PORT": 0}),
        ("processes/1/wanted/ports", {"PORT": "80"}), ("processes/1/wanted/restart", ...),
        ("processes/1/wanted/restart", {"mode": "often"}), ("processes/1/wanted/stop_timeout", -1),
        ("processes/1/wanted/stop_timeout", float("inf")), ("processes/1/wanted/stop_timeout", float("nan")),
        ("processes/1/wanted/limits", {"nice": 50}), ("processes/1/wanted/health", {"kind": "http"}),
        ("processes/1/seen/restarts", -1), ("processes/1/seen/ready", 1), ("processes/1/seen/health", "ill"),
        ("processes/1/seen/last_exit", 3), ("groups/g", 1), ("groups/g/env", {"A": None}),
        ("ports/0/port", 70000), ("ports/0/name", 5),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(path: str, value: Any) -> None:
    if path.startswith("ports/"):
        document = json.loads(encode(sample()))
        document["ports"][0][path.rpartition("/")[2]] = value
        data = json.dumps(document).encode()
    else:
        data = changed(path, value)
    with pytest.raises(StateError, match="damaged: ") as caught:
        decode(data)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize("pid", [-1, 0, 1, 2**40, 2**80, "12", True, 1.5, float("nan"), [], {}, None])
def test_a_senseless_pid_is_none(pid: Any) -> None:
    found = decode(changed("processes/1/seen/pid", pid))
    assert found.processes[1].runtime.pid is None
    assert found.processes[1].spec == sample().processes[1].spec


@pytest.mark.parametrize("start", [-5, "x", True, float("nan"), float("inf"), 1e300, 10**400])
def test_a_senseless_start_time_is_none(start: Any) -> None:
    assert decode(changed("processes/1/seen/start_time", start)).processes[1].runtime.start_time is None


def test_unknown_keys_are_left_out() -> None:
    assert decode(changed("processes/1/wanted/later", {"x": 1})) == sample()
    assert decode(changed("processes/1/seen/later", 1)) == sample()
    assert decode(changed("later", 1)) == sample()


def test_a_newer_schema_is_told_apart_from_damage() -> None:
    with pytest.raises(NewerSchema, match="newer sentinel"):
        decode(changed("schema", 2))
