"""`move`: the same process on the other backend."""

import pytest
from lab import Programs, Sentinel, gone

# Both backends have to be there: where systemd is, native is too.
pytestmark = pytest.mark.parametrize("backend", ["systemd"], indirect=True)


def test_there_and_back(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("group", "create", "g", "--env", "LAB_GROUP=yes")
    sentinel.ok(
        "run", "--name", "m", "--group", "g", "--env", "LAB_OWN=1", "--port", "--", *programs.report()
    )
    before, seen = sentinel.status("m"), programs.reported()
    assert before["backend"] == "systemd"
    for target in ("native", "systemd"):
        old = programs.reported()["pid"]
        programs.path("report").unlink()
        sentinel.ok("move", "m", "--to", target)
        new = programs.reported()
        assert gone(old)
        after = sentinel.status("m")
        assert (after["backend"], after["pid"], after["status"]) == (target, new["pid"], "running")
        assert {key: after[key] for key in ("id", "name", "group", "ports", "command", "cwd")} == {
            key: before[key] for key in ("id", "name", "group", "ports", "command", "cwd")
        }
        assert {key: new["env"][key] for key in ("LAB_GROUP", "LAB_OWN", "PORT")} == {
            key: seen["env"][key] for key in ("LAB_GROUP", "LAB_OWN", "PORT")
        }


def test_a_stopped_one_stays_stopped(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "m", "--", *programs.steady())
    sentinel.ok("stop", "m")
    sentinel.ok("move", "m", "--to", "native")
    status = sentinel.status("m")
    assert (status["backend"], status["status"]) == ("native", "stopped")
    sentinel.ok("start", "m")
    assert sentinel.status("m")["status"] == "running"


def test_where_it_is_already_nothing_happens(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "m", "--", *programs.steady())
    sentinel.ok("move", "m", "--to", "systemd")
    assert sentinel.status("m")["pid"] == programs.pid()
    sentinel.fails(2, "move", "m", "--to", "launchd")


def test_the_two_live_beside_each_other(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "s")
    sentinel.ok("run", "sleep 1000", "--name", "n", "--backend", "native")
    assert {each["name"]: each["backend"] for each in sentinel.list()} == {"s": "systemd", "n": "native"}
    sentinel.ok("stopall")
    assert {each["status"] for each in sentinel.list()} == {"stopped"}
    sentinel.ok("startall")
    assert {each["name"]: each["backend"] for each in sentinel.list()} == {"s": "systemd", "n": "native"}
