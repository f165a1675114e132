"""Groups share an environment and are handled together; ports are handed out once."""

import re
import socket
import subprocess

import pytest
from lab import WITHIN, Programs, Sentinel, gone


def test_members_start_in_the_group_and_say_so(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("group", "create", "workers", "--env", "LAB_GROUP=yes")
    result = sentinel.ok("run", "--name", "w", "--group", "workers", "--", *programs.report())
    assert "in group workers" in result.out
    assert programs.reported()["env"]["LAB_GROUP"] == "yes"
    assert sentinel.status("w")["group"] == "workers"


def test_group_list_as_json(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("group", "create", "g")
    sentinel.ok("group", "create", "empty")
    sentinel.ok("run", "sleep 1000", "--name", "w", "--group", "g", "--instances", "2")
    groups = {each["name"]: each for each in sentinel.ok("group", "list", "--json").json()}
    assert set(groups) == {"g", "empty"}
    assert set(groups["g"]) >= {"name", "processes", "env", "env_file", "created_at"}
    assert sorted(groups["g"]["processes"]) == ["w-1", "w-2"]
    assert groups["empty"]["processes"] == []


def test_values_are_masked_unless_asked_for(sentinel: Sentinel) -> None:
    sentinel.ok("group", "create", "g", "--env", "TOKEN=hush-hush-42")
    for options in ([], ["--json"], ["g"]):
        assert "hush-hush-42" not in sentinel.ok("group", "list", *options).out
    shown = sentinel.ok("group", "list", "--show-env").out
    assert "TOKEN" in shown
    assert "hush-hush-42" in shown


def test_a_group_is_made_once_and_found_by_name(sentinel: Sentinel) -> None:
    sentinel.ok("group", "create", "g")
    sentinel.fails(1, "group", "create", "g")
    sentinel.fails(2, "group", "create", "no/slash")
    for args in (
        ("start", "x"),
        ("stop", "x"),
        ("restart", "x"),
        ("delete", "x"),
        ("add", "x", "y"),
        ("list", "x"),
    ):
        assert sentinel("group", *args).code == 1, args


def test_stop_start_and_restart_act_on_the_members_alone(sentinel: Sentinel) -> None:
    def states() -> dict[str, str]:
        return {each["name"]: each["status"] for each in sentinel.list()}

    sentinel.ok("group", "create", "a")
    sentinel.ok("group", "create", "a-b")
    sentinel.ok("run", "sleep 1000", "--name", "one", "--group", "a")
    sentinel.ok("run", "sleep 1000", "--name", "two", "--group", "a")
    sentinel.ok("run", "sleep 1000", "--name", "other", "--group", "a-b")
    sentinel.ok("run", "sleep 1000", "--name", "free")
    before = {each["name"]: each["pid"] for each in sentinel.list()}
    sentinel.ok("group", "stop", "a")
    assert states() == {"one": "stopped", "two": "stopped", "other": "running", "free": "running"}
    assert gone(before["one"], before["two"])
    sentinel.ok("group", "start", "a")
    assert set(states().values()) == {"running"}
    again = {each["name"]: each["pid"] for each in sentinel.list()}
    sentinel.ok("group", "restart", "a")
    after = {each["name"]: each["pid"] for each in sentinel.list()}
    assert set(states().values()) == {"running"}
    assert {name for name in after if after[name] != again[name]} == {"one", "two"}


def test_add_and_remove_change_the_environment_of_the_next_start(
    sentinel: Sentinel, programs: Programs
) -> None:
    def restarted() -> str | None:
        programs.path("report").unlink()
        sentinel.ok("restart", "w")
        found: str | None = programs.reported()["env"].get("LAB_GROUP")
        return found

    sentinel.ok("group", "create", "g", "--env", "LAB_GROUP=yes")
    sentinel.ok("run", "--name", "w", "--", *programs.report())
    assert "LAB_GROUP" not in programs.reported()["env"]
    sentinel.ok("group", "add", "g", "w")
    assert sentinel.status("w")["group"] == "g"
    assert restarted() == "yes"
    sentinel.ok("group", "remove", "g", "w")
    assert sentinel.status("w")["group"] is None
    assert restarted() is None


def test_membership_survives_stop_and_start(sentinel: Sentinel) -> None:
    sentinel.ok("group", "create", "g")
    sentinel.ok("run", "sleep 1000", "--name", "w", "--group", "g")
    sentinel.ok("stop", "w")
    sentinel.ok("start", "w")
    assert sentinel.status("w")["group"] == "g"
    assert [each["name"] for each in sentinel.ok("list", "--group", "g", "--json").json()] == ["w"]


def test_deleting_a_group(sentinel: Sentinel) -> None:
    for name in ("plain", "stop", "all"):
        sentinel.ok("group", "create", name)
        sentinel.ok("run", "sleep 1000", "--name", f"w-{name}", "--group", name)
    assert "next start" in sentinel.ok("group", "delete", "plain").err  # it runs on
    sentinel.ok("group", "delete", "stop", "--stop")
    sentinel.ok("group", "delete", "all", "--with-processes")
    assert sentinel.ok("group", "list", "--json").json() == []
    left = {each["name"]: (each["status"], each["group"]) for each in sentinel.list()}
    assert left == {"w-plain": ("running", None), "w-stop": ("stopped", None)}
    sentinel.ok("restart", "w-plain")


# --- ports --------------------------------------------------------------------------------------------------


def test_a_port_is_handed_out_listed_and_freed(sentinel: Sentinel) -> None:
    result = sentinel.ok("port", "allocate")
    match = re.search(r"Allocated port (\d+) \(default\)", result.out)
    assert match, str(result)
    named = sentinel.ok("port", "allocate", "--name", "api", "--json").json()
    assert named["name"] == "api"
    listed = {each["name"]: each for each in sentinel.ok("port", "list", "--json").json()}
    assert listed["default"]["port"] == int(match[1])
    assert set(listed["api"]) >= {"port", "name", "process", "allocated_at"}
    sentinel.ok("port", "free", "api")
    sentinel.ok("port", "free", match[1])
    assert sentinel.ok("port", "list", "--json").json() == []
    sentinel.fails(1, "port", "free", "api")


def test_a_port_in_use_is_refused(sentinel: Sentinel) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        assert str(port) in sentinel.fails(1, "port", "allocate", str(port)).err
    assert sentinel.ok("port", "list", "--json").json() == []
    sentinel.fails(2, "port", "allocate", "70000")


def test_parallel_callers_get_different_ports(sentinel: Sentinel) -> None:
    callers = [sentinel.spawn("port", "allocate", "--name", f"p{n}", "--json") for n in range(6)]
    outs = [caller.communicate(timeout=WITHIN) for caller in callers]
    assert [caller.returncode for caller in callers] == [0] * 6, outs
    ports = [each["port"] for each in sentinel.ok("port", "list", "--json").json()]
    assert len(set(ports)) == 6


def test_a_process_gets_its_port_and_gives_it_back(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "w", "--port", "--port", "ADMIN=", "--", *programs.report())
    env, ports = programs.reported()["env"], sentinel.status("w")["ports"]
    assert set(ports) == {"PORT", "ADMIN"}
    assert {"PORT": env["PORT"], "ADMIN": env["ADMIN"]} == {key: str(value) for key, value in ports.items()}
    assert {each["process"] for each in sentinel.ok("port", "list", "--json").json()} == {"w"}
    programs.path("report").unlink()
    sentinel.ok("restart", "w")
    assert programs.reported()["env"]["PORT"] == str(ports["PORT"])
    sentinel.ok("delete", "w")
    assert sentinel.ok("port", "list", "--json").json() == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize("backend", ["native"], indirect=True)
def test_completion_is_offered(sentinel: Sentinel, shell: str) -> None:
    env = {"_SENTINEL_COMPLETE": f"source_{shell}"}
    result = subprocess.run(
        sentinel.command(), env=sentinel.environment(env), capture_output=True, timeout=WITHIN, check=False
    )
    assert b"Traceback" not in result.stderr
