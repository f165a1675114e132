"""Every command over a fake supervisor: what is asked of it, what is printed, and the exit status."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from fake_supervisor import FakeSupervisor, view

from sentinel.backends.base import LogLine
from sentinel.cli.app import main
from sentinel.cli.look import COLUMNS
from sentinel.errors import PartlyFailed, SentinelError, UsageError
from sentinel.model import HealthCheck, Restart, RestartPolicy
from sentinel.supervisor.api import JSON_KEYS, DaemonView, Done, GroupView, Listing, Outcome, PortView

Sentinel = Callable[..., "Said"]


class Said:
    def __init__(self, status: int, out: str, err: str) -> None:
        self.status = status
        self.out = out
        self.err = err

    @property
    def data(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def fake() -> FakeSupervisor:
    return FakeSupervisor()


@pytest.fixture
def sentinel(
    fake: FakeSupervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Sentinel:
    monkeypatch.setenv("SENTINEL_HOME", str(tmp_path / "home"))

    def call(*words: str) -> Said:
        status = main(words, lambda home: fake)  # type: ignore[arg-type,return-value]
        return Said(status, *capsys.readouterr())

    return call


PLAIN = {
    ("start", "web", "7"): ("start", (["web", "7"],), {}, "Started web (id: 1, pid: 12345)"),
    ("stop", "web"): ("stop", (["web"],), {"force": False}, "Stopped web"),
    ("stop", "-f", "web"): ("stop", (["web"],), {"force": True}, "Stopped web"),
    ("restart", "web"): ("restart", (["web"],), {"update_env": False}, "Restarted web (id: 1, pid: 12345)"),
    ("restart", "web", "--update-env"): (
        "restart",
        (["web"],),
        {"update_env": True},
        "Restarted web (id: 1, pid: 12345)",
    ),
    ("delete", "web"): ("delete", (["web"],), {"force": False}, "Deleted web"),
    ("rm", "--force", "web"): ("delete", (["web"],), {"force": True}, "Deleted web"),
    ("clean",): ("clean", (), {}, "Deleted web"),
    ("startall",): ("start_all", (), {}, "Started web (id: 1, pid: 12345)"),
    ("stopall",): ("stop_all", (), {"force": False}, "Stopped web"),
    ("stopall", "--force"): ("stop_all", (), {"force": True}, "Stopped web"),
    ("restartall",): ("restart_all", (), {}, "Restarted web (id: 1, pid: 12345)"),
    ("move", "web", "--to", "systemd"): (
        "move",
        (["web"], "systemd"),
        {},
        "Moved to systemd: web (id: 1, pid: 12345)",
    ),
    ("logs", "web", "--clear"): ("log_clear", (["web"],), {}, "Cleared the logs of web"),
    ("group", "add", "workers", "web"): (
        "group_add",
        ("workers", ["web"]),
        {"restart": False},
        "Added web to group workers",
    ),
    ("group", "add", "workers", "web", "--restart"): (
        "group_add",
        ("workers", ["web"]),
        {"restart": True},
        "Added web to group workers",
    ),
    ("group", "remove", "workers", "web"): (
        "group_remove",
        ("workers", ["web"]),
        {},
        "Removed web from group workers",
    ),
    ("group", "start", "workers"): ("group_start", ("workers",), {}, "Started web (id: 1, pid: 12345)"),
    ("group", "stop", "workers", "--force"): ("group_stop", ("workers",), {"force": True}, "Stopped web"),
    ("group", "restart", "workers"): ("group_restart", ("workers",), {}, "Restarted web (id: 1, pid: 12345)"),
}


@pytest.mark.parametrize("words", PLAIN)
def test_what_acts_on_processes_asks_for_it_and_says_what_was_done(
    words: tuple[str, ...], sentinel: Sentinel, fake: FakeSupervisor
) -> None:
    verb, args, kwargs, text = PLAIN[words]
    said = sentinel(*words)
    assert (said.status, said.out, said.err) == (0, f"{text}\n", "")
    assert fake.last() == (verb, args, kwargs)


@pytest.mark.parametrize("words", PLAIN)
def test_json_tells_the_same_of_each_process(words: tuple[str, ...], sentinel: Sentinel) -> None:
    said = sentinel(*words, "--json")
    assert (said.status, said.err) == (0, "")
    assert said.data == [
        {
            "id": 1,
            "name": "web",
            "pid": 12345,
            "group": None,
            "ok": True,
            "already": False,
            "ports": {},
            "notes": [],
            "error": None,
        }
    ]


ALREADY = {
    ("start", "web"): "web is already running (pid: 12345)",
    ("stop", "web"): "web was already stopped",
    ("group", "add", "workers", "web"): "web was already in group workers",
    ("group", "remove", "workers", "web"): "web was not in group workers",
    ("move", "web", "--to", "native"): "web is already on native",
}


@pytest.mark.parametrize("words", ALREADY)
def test_what_was_so_before_is_said_to_be_so(
    words: tuple[str, ...], sentinel: Sentinel, fake: FakeSupervisor
) -> None:
    fake.outcome = Outcome([Done(1, "web", 12345, already=True)])
    assert sentinel(*words).out == f"{ALREADY[words]}\n"


def test_the_group_and_the_ports_of_a_started_process_are_told(
    sentinel: Sentinel, fake: FakeSupervisor
) -> None:
    fake.outcome = Outcome([Done(1, "web", 12345, "workers", ports={"PORT": 8123})])
    said = sentinel("run", "npm start")
    assert said.out == "Started web (id: 1, pid: 12345) in group workers\n  PORT=8123\n"


def test_warnings_go_to_stderr(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    done = Done(1, "web", 12345, notes=["nice is not in force"])
    fake.outcome = Outcome([done], ["linger is on now", "No daemon.\nRun 'sentinel daemon start'."])
    said = sentinel("run", "npm start")
    assert said.status == 0
    assert said.err.splitlines() == [
        "warning: web: nice is not in force",
        "warning: linger is on now",
        "No daemon.",
        "Run 'sentinel daemon start'.",
    ]


def test_what_failed_is_told_beside_what_was_done(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    stuck = SentinelError("cannot stop api: it is stuck", "try --force")
    fake.outcome = Outcome([Done(1, "web"), Done(2, "api", error=stuck), Done(3, "db", error=stuck)])
    said = sentinel("stop", "web", "api", "db")
    assert (said.status, said.out) == (1, "Stopped web\n")
    assert said.err == "error: cannot stop api: it is stuck; try --force\n" * 2


def test_what_failed_is_told_in_json(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    stuck = SentinelError("cannot stop api: it is stuck", "try --force")
    fake.outcome = Outcome([Done(1, "web"), Done(2, "api", error=stuck)])
    said = sentinel("stop", "web", "api", "--json")
    error = {"code": "failed", "message": "cannot stop api: it is stuck", "hint": "try --force"}
    assert said.status == 1
    assert [(one["ok"], one["error"]) for one in said.data] == [(True, None), (False, error)]
    assert json.loads(said.err) == {"error": error}


def test_a_bulk_command_that_failed_altogether(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    failures = [(name, SentinelError(f"cannot start {name}")) for name in ("web", "api")]
    fake.failure = PartlyFailed("2 failed", failures)
    said = sentinel("startall")
    assert (said.status, said.err) == (1, "error: cannot start web\nerror: cannot start api\n")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("clean",), "Nothing to clean"),
        (("stopall",), "No processes"),
        (("group", "stop", "workers"), "Nothing to do in group workers"),
    ],
)
def test_nothing_to_do_is_said(
    words: tuple[str, ...], text: str, sentinel: Sentinel, fake: FakeSupervisor
) -> None:
    fake.outcome = Outcome([])
    assert sentinel(*words).out == f"{text}\n"
    assert sentinel(*words, "--json").data == []


def test_run_hands_over_all_that_was_asked_for(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    sentinel(
        "run",
        "npm start",
        "-n",
        "web",
        "-g",
        "workers",
        "-E",
        "A=1",
        "-EB=2",
        "-e",
        "web.env",
        "--cwd",
        "/srv",
        "-u",
        "deploy",
        "-c",
        "3",
        "--restart-policy",
        "on-failure",
        "--restart-delay",
        "2",
        "--max-restarts",
        "5",
        "--health-tcp",
        "localhost:80",
        "--health-interval",
        "5",
        "-S",
        "9",
        "--stop-timeout",
        "3",
        "--stop-signal",
        "INT",
        "--nice",
        "-5",
        "--ionice",
        "idle",
        "--limit-nofile",
        "4096",
        "--memory-max",
        "512M",
        "--port",
        "--port",
        "ADMIN=",
        "--logs",
        "file",
        "--log-max-size",
        "1M",
        "--log-backups",
        "0",
        "--backend",
        "native",
    )
    (request,) = fake.last()[1]
    assert request.command == ["npm start"]
    assert (request.name, request.group, request.instances) == ("web", "workers", 3)
    assert request.env == {"A": "1", "B": "2"}
    assert (request.env_file, request.cwd, request.user) == ("web.env", "/srv", "deploy")
    assert request.restart == RestartPolicy(Restart.ON_FAILURE, 2.0, 5)
    assert request.health == HealthCheck("tcp", "localhost:80", 5.0, 3.0, 3)
    assert (request.startup_timeout, request.stop_timeout, request.stop_signal) == (9.0, 3.0, "INT")
    assert (request.limits.nice, request.limits.ionice, request.limits.nofile) == (-5, "idle", 4096)
    assert request.limits.memory_max == 512 * 2**20
    assert request.ports == ["PORT", "ADMIN"]
    assert (request.logs.kind, request.logs.max_size, request.logs.backups) == ("file", 2**20, 0)
    assert request.backend == "native"


def test_run_without_options_asks_for_the_defaults(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    sentinel("run", "--", "./server", "--name", "x")
    (request,) = fake.last()[1]
    assert request.command == ["./server", "--name", "x"]
    assert (request.name, request.backend, request.health) == (None, None, None)
    assert request.restart == RestartPolicy(Restart.NO, None, None)
    assert (request.stop_timeout, request.stop_signal, request.logs.max_size) == (10.0, "TERM", 10 * 2**20)


REFUSED = [
    ("run", "x", "--health-tcp", "a:1", "--health-cmd", "true"),
    ("run", "x", "-r", "--restart-policy", "no"),
    ("run", "x", "-r", "--restart-policy", "on-failure"),
    ("run", "x", "--restart-delay", "1"),
    ("run", "x", "--max-restarts", "1"),
    ("run", "x", "--restart-policy", "sometimes"),
    ("run", "x", "--stop-timeout", "nan"),
    ("run", "x", "--stop-timeout", "-1"),
    ("run", "x", "-S", "inf"),
    ("run", "x", "--nice", "20"),
    ("run", "x", "--instances", "0"),
    ("run", "x", "--log-backups", "-1"),
    ("run", "x", "--memory-max", "much"),
    ("run", "x", "--name", "a/b"),
    ("run", "x", "--port", "8080"),
    ("run", "x", "--port", "--port"),
    ("run", ""),
    ("run", "--health-cmd", " ", "x"),
    ("run", "x", "--unknown"),
    ("run", "python3", "-m", "http.server"),
    ("run",),
    ("list", "web"),
    ("list", "--watch"),
    ("lost",),
    ("stop",),
    ("stop", "--name"),
    ("move", "web"),
    ("move", "web", "--to", "upstart"),
    ("logs", "web", "api"),
    ("logs", "web", "-n", "-1"),
    ("logs", "web", "-n"),
    ("logs", "web", "--stream", "stdin"),
    ("logs", "web", "--clear", "-f"),
    ("group", "lost"),
    ("group", "create", "a/b"),
    ("group", "create", "a", "--tasks-max", "0"),
    ("group", "delete", "a", "--stop", "--with-processes"),
    ("port", "allocate", "99999"),
    ("port", "allocate", "80", "--port", "80"),
    ("daemon", "start", "--backend", "upstart"),
    ("--unknown",),
]


@pytest.mark.parametrize("words", REFUSED)
def test_what_cannot_be_meant_is_refused_in_one_line_before_anything_happens(
    words: tuple[str, ...], sentinel: Sentinel, fake: FakeSupervisor
) -> None:
    said = sentinel(*words)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("error: ")
    assert len(said.err.splitlines()) == 1
    assert fake.calls == []


def test_an_option_of_the_command_itself_is_explained(sentinel: Sentinel) -> None:
    assert "put -- before the command" in sentinel("run", "python3", "-m", "http.server").err


def test_usage_errors_are_json_when_json_is_asked_for(sentinel: Sentinel) -> None:
    error = json.loads(sentinel("list", "--json", "--unknown").err)["error"]
    assert error["code"] == "usage"
    assert sorted(error) == ["code", "hint", "message"]


def test_json_that_belongs_to_the_command_is_not_ours(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    fake.failure = UsageError("no")
    assert sentinel("run", "--", "tool", "--json").err == "error: no\n"


@pytest.mark.parametrize("command", ["list", "ls", "ps"])
def test_list_has_a_row_for_each_process(command: str, sentinel: Sentinel, fake: FakeSupervisor) -> None:
    fake.listing = Listing([view(restarts=3, group="workers"), view(2, "db", pid=None, status="exited")])
    said = sentinel(command)
    head, web, db = said.out.splitlines()
    assert head.split() == [column.title for column in COLUMNS]
    assert web.split()[:4] == ["1", "web", "12345", "running"]
    assert "always (3)" in web
    assert web.endswith("python3 -m http.server 8000")
    assert db.split()[:4] == ["2", "db", "-", "exited"]
    assert fake.last() == ("list", (None,), {})


def test_list_of_a_group(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    sentinel("list", "--group", "workers")
    assert fake.last() == ("list", ("workers",), {})


def test_a_process_that_is_unhealthy_shows_so(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    fake.listing = Listing([view(health="unhealthy")])
    assert " unhealthy " in sentinel("list").out


def test_an_empty_list_is_no_table(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    fake.listing = Listing([])
    said = sentinel("list")
    assert (said.status, said.out) == (0, "")
    assert said.err.startswith("No processes")
    assert sentinel("list", "--json").out == "[]\n"


def test_list_in_json_has_exactly_the_documented_keys(sentinel: Sentinel) -> None:
    (one,) = sentinel("list", "--json").data
    assert list(one) == JSON_KEYS
    assert one["memory_bytes"] == 20 * 2**20


def test_what_was_restarted_because_somebody_looked_is_told(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    fake.listing = Listing([view()], [("web", 11, 12)], ["state.json was damaged"])
    for words in (("list",), ("status", "web"), ("list", "--json")):
        assert sentinel(*words).err.splitlines() == [
            "Auto-restarted web (old_pid: 11, new_pid: 12)",
            "warning: state.json was damaged",
        ]


def test_status_tells_all_there_is(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    fake.listing = Listing(
        [
            view(
                exit_signal=9,
                exit_reason="memory",
                health="healthy",
                health_check="http http://localhost/",
                ports={"PORT": 8000},
                unit="sentinel-web.service",
                backend="systemd",
                notes=["nice is not in force"],
                max_restarts=5,
                stdout_log=None,
            )
        ]
    )
    out = sentinel("status", "web").out
    facts = dict(line.split(":", 1) for line in out.splitlines())
    facts = {key: value.strip() for key, value in facts.items()}
    assert facts["Name"] == "web (id: 1)"
    assert facts["Last exit"] == "signal 9 (SIGKILL) (memory)"
    assert facts["Health"] == "healthy; http http://localhost/"
    assert facts["Backend"] == "systemd (sentinel-web.service)"
    assert facts["Restart"] == "always, at most 5"
    assert facts["Ports"] == "PORT=8000"
    assert facts["Stdout log"] == "the journal"
    assert facts["Note"] == "nice is not in force"


def test_status_in_json_is_an_object_for_one_and_an_array_for_several(
    sentinel: Sentinel, fake: FakeSupervisor
) -> None:
    assert list(sentinel("status", "web", "--json").data) == JSON_KEYS
    fake.listing = Listing([view(), view(2, "db")])
    assert [one["name"] for one in sentinel("status", "web", "db", "--json").data] == ["web", "db"]


def test_nothing_a_user_typed_can_steer_the_terminal(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    fake.listing = Listing([view(command="echo \x1b[2J\r\n\u202e\udcff", cwd="/\x9b")])
    for words in (("list",), ("status", "web")):
        out = sentinel(*words).out
        assert all(line.isprintable() for line in out.splitlines())
        assert "\\x1b[2J\\r\\n\\u202e\\xff" in out


def test_errors_are_one_harmless_line(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    fake.failure = SentinelError("no process named 'a\n\x1b[31m'")
    assert sentinel("stop", "x").err == "error: no process named 'a\\n\\x1b[31m'\n"


def test_logs_ask_for_what_the_options_say(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    sentinel("logs", "web")
    assert fake.last()[1] == ("web", 50, ("stdout", "stderr"), None)
    sentinel("logs", "web", "-n", "7", "--stream", "stderr", "--since", "@1700000000")
    assert fake.last()[1] == ("web", 7, ("stderr",), 1_700_000_000.0)


def test_logs_in_json_are_an_object_a_line(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    fake.lines = [LogLine("stdout", b"a\xff", 1.5), LogLine("stderr", b"b")]
    lines = [json.loads(line) for line in sentinel("logs", "web", "--json").out.splitlines()]
    assert lines == [
        {"stream": "stdout", "line": "a\ufffd", "at": 1.5},
        {"stream": "stderr", "line": "b", "at": None},
    ]


def test_following_ends_quietly(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    fake.lines = [LogLine("stdout", b"a"), None]
    said = sentinel("logs", "web", "-f", "--json")
    assert (said.status, said.err) == (130, "")
    assert len(said.out.splitlines()) == 1


def test_group_create(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    fake.group_warnings = ["tasks are not limited"]
    said = sentinel(
        "group",
        "create",
        "workers",
        "--env",
        "A=1",
        "--env-file",
        "w.env",
        "--memory-max",
        "2G",
        "--cpu-quota",
        "150%",
        "--tasks-max",
        "9",
    )
    assert fake.last()[1] == ("workers", {"A": "1"}, "w.env", 2 * 2**30, 150.0, 9)
    assert (said.out, said.err) == ("Created group workers\n", "warning: tasks are not limited\n")


def test_group_list_masks_values_unless_asked(sentinel: Sentinel) -> None:
    assert "TOKEN=***" in sentinel("group", "list").out
    assert "TOKEN=secret" in sentinel("group", "list", "--show-env").out
    (one,) = sentinel("group", "list", "workers", "--json").data
    assert one == {
        "name": "workers",
        "processes": ["web"],
        "env": {"TOKEN": "***"},
        "env_file": "/srv/workers.env",
        "created_at": 1_700_000_000.0,
    }
    assert sentinel("group", "list", "--json", "--show-env").data[0]["env"] == {"TOKEN": "secret"}


def test_group_limits_are_listed(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    fake.groups = [GroupView("batch", [], {}, None, 0.0, None, 150.0, 9)]
    assert "cpu 150%, tasks 9" in sentinel("group", "list").out


def test_group_delete_says_what_became_of_the_processes(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    assert sentinel("group", "delete", "workers").out == "Deleted group workers\n"
    said = sentinel("group", "delete", "workers", "--with-processes")
    assert said.out == "Deleted web\nDeleted group workers\n"
    assert sentinel("group", "delete", "workers", "--stop").out == "Stopped web\nDeleted group workers\n"
    fake.outcome = Outcome([Done(1, "web", error=SentinelError("cannot stop web"))])
    said = sentinel("group", "delete", "workers", "--stop")
    assert (said.status, said.out, said.err) == (1, "", "error: cannot stop web\n")


def test_ports(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    assert sentinel("port", "allocate").out == "Allocated port 8234 (default)\n"
    assert fake.last() == ("port_allocate", (None, None), {})
    sentinel("port", "allocate", "8080", "--name", "api")
    assert fake.last() == ("port_allocate", (8080, "api"), {})
    sentinel("port", "allocate", "--port", "8080")
    assert fake.last() == ("port_allocate", (8080, None), {})
    assert sentinel("port", "free", "default").out == "Freed port 8234 (default)\n"
    fake.port = PortView(8234, "api", "web", 1_700_000_000.0)
    assert sentinel("port", "list").out.splitlines()[1].split()[:3] == ["8234", "api", "web"]
    data = {"port": 8234, "name": "api", "process": "web", "allocated_at": 1_700_000_000.0}
    assert sentinel("port", "list", "--json").data == [data]
    assert sentinel("port", "allocate", "--json").data == data


def test_the_daemon(sentinel: Sentinel, fake: FakeSupervisor) -> None:
    assert sentinel("daemon", "start").out == "Daemon is already running (pid: 77)\n"
    assert sentinel("daemon", "stop").out == "Daemon stopped (pid: 77)\n"
    assert sentinel("daemon", "status").out.startswith("Daemon is running (pid: 77, uptime: ")
    assert sentinel("daemon", "status", "--json").data == {
        "running": True, "pid": 77, "uptime_seconds": 61.0, "metrics": None,
    }  # fmt: skip
    assert sentinel("daemon", "run").status == 0
    assert fake.last() == ("daemon_run", (None,), {})
    fake.daemon = DaemonView(False)
    assert sentinel("daemon", "stop").out == "Daemon was not running\n"
    said = sentinel("daemon", "status")
    assert (said.status, said.out[:21]) == (0, "Daemon is not running")


def test_a_bug_is_one_line_and_its_details_are_in_a_private_file(
    sentinel: Sentinel, fake: FakeSupervisor, tmp_path: Path
) -> None:
    fake.failure = ZeroDivisionError("an accident")
    said = sentinel("list")
    log = tmp_path / "home/logs/.errors.log"
    assert said.status == 1
    assert said.err == f"error: sentinel has a bug: ZeroDivisionError: an accident; details in {log}\n"
    assert "Traceback" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), BrokenPipeError()])
def test_interrupts_and_broken_pipes_end_quietly(
    failure: BaseException, sentinel: Sentinel, fake: FakeSupervisor
) -> None:
    fake.failure = failure
    said = sentinel("list")
    assert said.status in (130, 141)
    assert (said.out, said.err) == ("", "")


def test_version(sentinel: Sentinel) -> None:
    from sentinel import __version__

    assert sentinel("--version").out == f"sentinel {__version__}\n"
