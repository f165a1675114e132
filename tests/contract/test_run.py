"""`run`: what it starts, what it says, what it refuses."""

import json
import re

import pytest
from lab import WITHIN, Programs, Sentinel, alive, eventually


def test_it_says_what_it_started(sentinel: Sentinel, programs: Programs) -> None:
    result = sentinel.ok("run", "--name", "web", "--", *programs.steady())
    pid = programs.pid()
    assert f"Started web (id: 1, pid: {pid})" in result.out.splitlines()
    assert alive(pid)
    status = sentinel.status("web")
    assert (status["pid"], status["status"], status["id"]) == (pid, "running", 1)


def test_options_may_follow_the_command(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "after", "--restart-policy", "on-failure")
    status = sentinel.status("after")
    assert status["restart_policy"] == "on-failure"
    assert status["command"] == "sleep 1000"


def test_after_two_dashes_all_belongs_to_the_command(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "rest", "--", *programs.report("report", "--name", "x", "--restart"))
    assert programs.reported()["argv"] == ["--name", "x", "--restart"]


def test_the_name_is_the_program_s_and_unique(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000")
    sentinel.ok("run", "--", "/bin/sleep", "1000")
    names = sentinel.names()
    assert names[0] == "sleep"
    assert len(set(names)) == 2
    assert names[1].startswith("sleep")


def test_a_name_that_is_taken_is_refused(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "one")
    result = sentinel.fails(1, "run", "sleep 1000", "--name", "one")
    assert "one" in result.err
    assert sentinel.names() == ["one"]


def test_instances_are_numbered(sentinel: Sentinel) -> None:
    result = sentinel.ok("run", "sleep 1000", "--name", "w", "--instances", "3")
    assert re.findall(r"Started (\S+) \(id: (\d+), pid: \d+\)", result.out) == [
        ("w-1", "1"),
        ("w-2", "2"),
        ("w-3", "3"),
    ]
    assert {each["status"] for each in sentinel.list()} == {"running"}


def test_instances_are_all_or_nothing(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "w-2")
    sentinel.fails(1, "run", "sleep 1000", "--name", "w", "--instances", "3")
    assert sentinel.names() == ["w-2"]


def test_a_missing_program_is_reported(sentinel: Sentinel) -> None:
    result = sentinel.fails(1, "run", "--name", "none", "--", "no-such-program-anywhere", "x")
    assert "no-such-program-anywhere" in result.err
    assert not [each for each in sentinel.list() if each["pid"]]


def test_a_program_that_may_not_be_executed_is_reported(sentinel: Sentinel, programs: Programs) -> None:
    data = programs.path("data")
    data.write_text("no program")
    data.chmod(0o600)
    result = sentinel.fails(1, "run", "--name", "data", "--", str(data))
    assert str(data) in result.err
    assert not [each for each in sentinel.list() if each["pid"]]


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--cwd", "/no/such/directory"], "/no/such/directory"),
        (["--env-file", "missing.env"], "missing.env"),
        (["--group", "nobodys"], "nobodys"),
        (["--user", "no-such-user-here"], "no-such-user-here"),
    ],
)
def test_what_it_needs_and_is_not_there_is_named(sentinel: Sentinel, options: list[str], named: str) -> None:
    result = sentinel("run", "sleep 1000", "--name", "x", *options)
    assert result.code in (1, 2), str(result)
    assert named in result.err
    assert "Traceback" not in result.err
    assert sentinel.names() == []


KEYS = """
    id name backend status pid cpu_percent memory_bytes uptime_seconds started_at restarts exit_code
    exit_signal health user group command cwd env_file ports stdout_log stderr_log restart_policy
"""

BAD = [
    ["--name", "a/b"],
    ["--name", ""],
    ["--name", "-a"],
    ["--name", ".a"],
    ["--name", " a"],
    ["--name", "a\nb"],
    ["--name", "n" * 129],
    ["--restart-policy", "sometimes"],
    ["--restart-delay", "-1"],
    ["--restart-delay", "nan"],
    ["--restart-delay", "inf"],
    ["--max-restarts", "-1"],
    ["--health-cmd", "true", "--health-interval", "nan"],
    ["--health-cmd", "true", "--health-timeout", "0"],
    ["--health-cmd", "true", "--health-failures", "0"],
    ["--health-http", "ftp://localhost/"],
    ["--health-tcp", "localhost"],
    ["--health-tcp", "localhost:99999"],
    ["--health-cmd", "true", "--health-tcp", "localhost:80"],
    ["--nice", "20"],
    ["--nice", "-21"],
    ["--ionice", "fast"],
    ["--ionice", "best-effort:8"],
    ["--limit-nofile", "-1"],
    ["--memory-max", "10X"],
    ["--memory-max", "-1"],
    ["--log-max-size", "nan"],
    ["--log-backups", "-1"],
    ["--stop-signal", "NOPE"],
    ["--stop-timeout", "nan"],
    ["--startup-timeout", "-2"],
    ["--env", "NOTHING"],
    ["--env", "=x"],
    ["--instances", "0"],
    ["--backend", "launchd"],
    ["--no-such-option"],
]


@pytest.mark.parametrize("backend", ["native"], indirect=True)
def test_what_cannot_be_meant_is_refused_before_anything_happens(sentinel: Sentinel) -> None:
    results = [sentinel("run", *bad, "sleep 1000") for bad in BAD]
    wrong = [str(result) for result in results if result.code != 2 or "Traceback" in result.err]
    assert not wrong, "\n".join(wrong)
    assert sentinel("run").code == 2
    assert not sentinel.home.exists() or sentinel.names() == []


@pytest.mark.parametrize("backend", ["native"], indirect=True)
def test_restart_without_the_daemon_is_warned_about(sentinel: Sentinel) -> None:
    quiet = sentinel.ok("run", "sleep 1000", "--name", "quiet")
    assert "daemon" not in quiet.out + quiet.err
    result = sentinel.ok("run", "sleep 1000", "--name", "loud", "--restart")
    assert "sentinel daemon start" in result.out + result.err
    sentinel.ok("daemon", "start")
    result = sentinel.ok("run", "sleep 1000", "--name", "calm", "--restart")
    assert "sentinel daemon start" not in result.out + result.err


def test_ids_are_never_used_again(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "a")
    sentinel.ok("delete", "a")
    sentinel.ok("run", "sleep 1000", "--name", "a")
    assert sentinel.status("a")["id"] == 2
    sentinel.ok("restart", "a")
    assert sentinel.status("2")["id"] == 2


def test_the_startup_timeout_waits_for_the_program_to_be_ready(
    sentinel: Sentinel, programs: Programs
) -> None:
    run = sentinel.spawn("run", "--name", "n", "--startup-timeout", "600", "--", *programs.notify())
    programs.pid()
    assert run.poll() is None
    programs.pull()
    out, err = run.communicate(timeout=WITHIN)
    assert run.returncode == 0, err
    assert b"Started n (" in out


def test_the_startup_timeout_fails_when_the_program_ends_first(
    sentinel: Sentinel, programs: Programs
) -> None:
    result = sentinel.fails(1, "run", "--name", "n", "--startup-timeout", "600", "--", *programs.quick(7))
    assert "7" in result.err
    assert len(programs.starts()) == 1


def test_the_startup_timeout_takes_a_program_that_stays_as_started(
    sentinel: Sentinel, programs: Programs
) -> None:
    sentinel.ok("run", "--name", "n", "--startup-timeout", "1", "--", *programs.steady())
    assert sentinel.status("n")["pid"] == programs.pid()


def test_every_key_of_the_status_is_there(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "k", "--", *programs.steady())
    programs.pid()  # by then it has some memory
    keys = set(KEYS.split())
    status, (listed,) = sentinel.status("k"), sentinel.list()
    assert keys <= set(status)
    assert keys <= set(listed)
    assert status["backend"] == sentinel.backend
    assert status["cwd"] == str(sentinel.cwd)
    assert status["exit_code"] is None
    assert status["group"] is None
    assert status["health"] is None
    assert status["memory_bytes"] > 100_000
    assert status["uptime_seconds"] >= 0
    assert status["restart_policy"] == "no"


def test_the_text_of_status_tells_the_same(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "--name", "t", "--", *programs.steady())
    text = sentinel.ok("status", "t").out
    for word in ("t", str(programs.pid()), "running", sentinel.backend, str(sentinel.cwd)):
        assert word in text


def test_piped_lists_are_never_cut(sentinel: Sentinel, programs: Programs) -> None:
    words = [f"word-number-{number}" for number in range(40)]
    sentinel.ok("run", "--name", "long", "--", *programs.report("report", *words))
    programs.reported()
    text = sentinel.ok("list", env={"COLUMNS": "40"}).out
    assert words[-1] in text
    assert len(text.rstrip("\n").splitlines()) == 2


def test_the_cpu_time_of_the_tree_is_seen(sentinel: Sentinel) -> None:
    sentinel.ok("run", "--name", "busy", "--", "/bin/sh", "-c", "sh -c 'while :; do :; done' & wait")

    def busy() -> bool:
        return sentinel.status("busy")["cpu_percent"] > 0

    assert eventually(busy)


def test_json_of_an_error(sentinel: Sentinel) -> None:
    result = sentinel("status", "nobody", "--json")
    assert result.code == 1
    assert set(result.error()) == {"code", "message", "hint"}
    assert result.error()["code"] == "not_found"
    assert result.stdout == b""


def test_nothing_yet_is_an_empty_list(sentinel: Sentinel) -> None:
    assert sentinel.list() == []
    assert json.loads(sentinel.ok("group", "list", "--json").out) == []
    assert json.loads(sentinel.ok("port", "list", "--json").out) == []
    assert sentinel.ok("list").code == 0
