"""What the entry at boot does, without an init system: bring back, end in order, stay."""

import os
import signal
import socket
from pathlib import Path

import lab

from sentinel.paths import Home


def ready(programs: lab.Programs, *names: str) -> dict[str, int]:
    found = {name: programs.pid(name) for name in names}
    for name in names:
        programs.path(name).unlink()
    return found


def test_what_was_ended_comes_back(native: lab.Sentinel, programs: lab.Programs) -> None:
    for name, policy in (("once", "no"), ("sometimes", "on-failure"), ("ever", "always")):
        native.run(name, "--restart-policy", policy, "--", *programs.steady(name))
    native.run("unwanted", "--", *programs.steady("unwanted"))
    native.ok("stop", "unwanted")
    native.run("finished", "--", *programs.quick(0, "finished"))
    native.until("finished", status="exited")
    native.ok("daemon", "start")
    wanted = ("ever", "once", "sometimes")
    before = ready(programs, *wanted)

    ended = native.ok("startup", "end", "--json").json()
    assert sorted(each["name"] for each in ended) == sorted(wanted)
    assert lab.gone(*before.values())
    assert native.daemon_pid() is None

    back = native.ok("startup", "run", "--json").json()
    assert sorted(each["name"] for each in back) == sorted(wanted)
    pids = ready(programs, *wanted)
    assert {each["name"]: each["pid"] for each in back} == pids
    assert native.daemon_pid() is not None
    assert native.status("unwanted")["status"] == "stopped"
    assert native.status("finished")["status"] == "exited"
    assert native.ok("startup", "run", "--json").json() == []
    assert {name: native.status(name)["pid"] for name in wanted} == pids


def test_what_cannot_be_started_stays_wanted(native: lab.Sentinel, programs: lab.Programs, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    native.run("web", "--cwd", str(place), "--", *programs.steady())
    programs.pid()
    programs.path("ready").unlink()
    native.ok("startup", "end")
    place.rmdir()
    assert "no such directory" in native.fails(1, "startup", "run").err
    place.mkdir()
    native.ok("startup", "run")
    assert native.status("web")["pid"] == programs.pid()


def test_the_daemon_serves_its_metrics_again(native: lab.Sentinel) -> None:
    def metrics() -> str | None:
        found: str | None = native.ok("daemon", "status", "--json").json()["metrics"]
        return found

    native.ok("daemon", "start", "--metrics", "127.0.0.1:0")
    native.ok("startup", "end")
    assert native.daemon_pid() is None
    native.ok("startup", "run")
    assert metrics()
    native.ok("daemon", "stop")  # nobody wants them any more, and nothing else needs it
    native.ok("startup", "run")
    assert native.daemon_pid() is None


def test_metrics_that_cannot_be_served_leave_a_daemon_without(native: lab.Sentinel, programs: lab.Programs) -> None:
    native.run("web", "--", *programs.steady())
    native.ok("daemon", "start", "--metrics", "127.0.0.1:0")
    native.ok("startup", "end")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        Home(native.home).daemon_metrics.write_text("127.0.0.1:" + str(taken.getsockname()[1]))
        assert "metrics" in native.ok("startup", "run").err
    status = native.ok("daemon", "status", "--json").json()
    assert (status["running"], status["metrics"]) == (True, None)


def test_what_cannot_be_started_is_tried_again(native: lab.Sentinel, programs: lab.Programs, tmp_path: Path) -> None:
    """By the daemon that the entry starts, where the policy restarts it."""
    place = tmp_path / "place"
    place.mkdir()
    native.run("web", "--restart", "--cwd", str(place), "--", *programs.steady())
    ready(programs, "ready")
    native.ok("startup", "end")
    place.rmdir()
    native.fails(1, "startup", "run")
    assert native.daemon_pid() is not None
    native.until("web", status="backoff")  # but for the moments of the daemon's attempts
    place.mkdir()
    native.until("web", status="running", pid=programs.pid())


def test_staying_until_told_to_end(native: lab.Sentinel, programs: lab.Programs, tmp_path: Path) -> None:
    native.env = {"SENTINEL_SYSTEMD_SCOPE": "user", "XDG_CONFIG_HOME": str(tmp_path / "config")}
    entry = tmp_path / f"config/systemd/user/sentinel.{Home(native.home).key}.service"
    if os.uname().sysname == "Darwin":
        native.env["HOME"] = str(tmp_path)
        entry = tmp_path / f"Library/LaunchAgents/io.sentinel.{Home(native.home).key}.plist"
    entry.parent.mkdir(parents=True)
    entry.touch()
    native.run("web", "--", *programs.steady())
    first = programs.pid()
    staying = native.spawn("startup", "run", "--stay")
    assert next(lab.follow_lines(staying)) == b"everything runs that is wanted\n"
    staying.send_signal(signal.SIGTERM)
    assert staying.wait(lab.WITHIN) == 0
    assert lab.gone(first)

    programs.path("ready").unlink()
    staying = native.spawn("startup", "run", "--stay")
    assert b"Started web" in next(lab.follow_lines(staying))
    entry.unlink()  # as `startup uninstall` does before it has the job ended
    staying.send_signal(signal.SIGTERM)
    assert staying.wait(lab.WITHIN) == 0
    assert native.status("web")["pid"] == programs.pid()
