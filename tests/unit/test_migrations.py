"""State files of earlier versions load, with all that they knew."""

import json
import os
import signal
import subprocess
from datetime import datetime
from pathlib import Path

import psutil
import pytest

from sentinel.environment import load_captured
from sentinel.errors import StateError
from sentinel.model import Desired, HealthCheck, Restart
from sentinel.paths import Home
from sentinel.state import Store

SAMPLE = Path(__file__).parents[1] / "data" / "state-0.2.json"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    home.state.write_text(SAMPLE.read_text().replace("@LOGS@", str(home.logs)))
    return home


def test_version_0_2(home: Home) -> None:
    raw = home.state.read_bytes()
    store = Store(home)
    state = store.read()
    assert (home.root / "state.json.v0.2").read_bytes() == raw
    assert "0.2" in store.warnings[0]
    assert Store(home).read() == state
    assert state.next_id == 5
    assert {r.id: r.name for r in state.processes.values()} == {1: "web", 2: "my-worker", 4: "WEB-2"}
    web = state.processes[1]
    assert web.backend == "native"
    assert web.spec.argv == ["python3 -m http.server 8000"]
    assert (web.spec.cwd, web.spec.group, web.spec.env_file) == ("/srv/web", "site", "/srv/web/settings.env")
    assert web.spec.env == {"MODE": "production"}
    assert web.spec.restart.mode is Restart.ALWAYS
    assert web.spec.health == HealthCheck("http", "http://localhost:8000/health", 10.0, 2.0, 5)
    assert (web.spec.limits.nice, web.spec.limits.ionice) == (5, "best-effort:6")
    assert web.spec.startup_timeout == 4.5
    assert load_captured(home, 1) == {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}


def test_what_was_wanted_and_seen(home: Home) -> None:
    state = Store(home).read()
    web, worker, other = state.processes.values()
    assert web.desired is Desired.RUNNING
    assert web.runtime.pid is None  # nothing that began then has this pid
    assert web.runtime.run == web.wanted_run == 1
    assert web.runtime.last_exit is not None
    assert not web.runtime.last_exit.known
    assert worker.desired is Desired.STOPPED
    assert worker.spec.restart.mode is Restart.NO
    assert worker.spec.limits.ionice == "idle"
    assert other.spec.health == HealthCheck("tcp", "localhost:5432")
    assert load_captured(home, 2) is None


def test_groups_and_ports(home: Home) -> None:
    state = Store(home).read()
    assert state.groups["site"].env == {"STAGE": "live"}
    assert state.groups["site"].created_at == datetime(2024, 5, 1, 9).timestamp()
    assert [(lease.port, lease.name) for lease in state.ports] == [(8000, "web"), (8123, "default")]


def test_logs_get_their_new_name(home: Home, tmp_path: Path) -> None:
    (home.logs / "web-1.out").write_bytes(b"hello\n")
    elsewhere = tmp_path / "elsewhere.err"
    elsewhere.write_bytes(b"oops\n")
    document = json.loads(home.state.read_bytes())
    document["processes"]["1"]["stderr_log"] = str(elsewhere)
    home.state.write_text(json.dumps(document))
    Store(home).read()
    assert home.log("web", "stdout").read_bytes() == b"hello\n"
    assert home.log("web", "stderr").read_bytes() == b"oops\n"
    assert not (home.logs / "web-1.out").exists()
    assert elsewhere.exists()


def test_a_process_that_still_runs_is_adopted(home: Home) -> None:
    child = subprocess.Popen(["sleep", "600"])
    try:
        document = json.loads(home.state.read_bytes())
        started = datetime.fromtimestamp(psutil.Process(child.pid).create_time()).isoformat()
        document["processes"]["1"] |= {"pid": child.pid, "started_at": started}
        document["processes"]["4"] |= {"pid": os.getpid()}  # a pid that is somebody else's by now
        home.state.write_text(json.dumps(document))
        web, _, other = Store(home).read().processes.values()
        assert web.runtime.pid == child.pid
        assert web.runtime.start_time is not None
        assert web.runtime.boot_id
        assert other.runtime.pid is None
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("processes", []), ("processes/1", 5), ("processes/1/cmd", None), ("processes/1/cmd", ""),
        ("next_id", "x"),
        ("processes/1/restart", "yes"), ("processes/1/env", {"A": 1}), ("processes/1/cwd", 7), ("groups", 3),
        ("processes/1/health_check", {"kind": "http"}), ("processes/1/ionice_ioclass", "sometimes"),
        ("processes/1/ionice_value", 9), ("processes/1/nice", "low"), ("processes/x", {}),
        ("ports/8000/port", "http"), ("groups/site", 4),
    ],
)  # fmt: skip
def test_damage_is_an_error_and_changes_nothing(home: Home, path: str, value: object) -> None:
    document = json.loads(home.state.read_bytes())
    *parents, last = path.split("/")
    at = document
    for key in parents:
        at = at[key]
    at[last] = value
    raw = json.dumps(document).encode()
    if path == "processes/1/cmd" and value == "":
        Store(home).read()  # an empty command is for the start to refuse
        return
    home.state.write_bytes(raw)
    with pytest.raises(StateError):
        Store(home).read()
    assert home.state.read_bytes() == raw


def test_a_file_cut_short_is_an_error(home: Home) -> None:
    raw = home.state.read_bytes()
    for length in range(0, len(raw.rstrip()), 211):
        home.state.write_bytes(raw[:length])
        with pytest.raises(StateError, match="no usable backup"):
            Store(home).read()
        assert home.state.read_bytes() == raw[:length]


@pytest.mark.parametrize(
    "name", ["", "../../etc/passwd", "a/b", "\n", "x" * 500, "\udc80", "-x", ".x", "Web", " ", "日本"]
)
def test_any_name_of_0_2_becomes_an_allowed_one(home: Home, name: str) -> None:
    from sentinel.names import check_name

    document = json.loads(home.state.read_bytes())
    document["processes"]["2"]["name"] = name
    home.state.write_text(json.dumps(document))
    found = [record.name for record in Store(home).read().processes.values()]
    assert len({check_name("process", each).casefold() for each in found}) == 3
