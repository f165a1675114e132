"""`doctor` where systemd runs: bus, linger, controllers, units and the journal, each broken and found."""

import os
import re
import signal
import socket
from pathlib import Path

import pytest
from lab import Programs, Sentinel, eventually, gone
from lab_doctor import examined, repair, the
from systemd_bench import needs_root, needs_user

from sentinel.backends.systemd import reach
from sentinel.model import Group, Limits, Record, Spec
from sentinel.paths import Home
from sentinel.supervisor.context import Context
from sentinel.supervisor.doctor import journal, systemd
from sentinel.supervisor.doctor.check import Check, Subject

NOWHERE = {
    "DBUS_SESSION_BUS_ADDRESS": "unix:abstract=/nowhere/at/all",
    "DBUS_SYSTEM_BUS_ADDRESS": "unix:abstract=/nowhere/at/all",
}


@pytest.fixture
def backend() -> str:
    return "systemd"


def subject(tmp_path: Path, *, limited: bool = False) -> Subject:
    home = Home(tmp_path / "home")
    home.prepare()
    found = Subject(Context(home))
    limits = Limits(memory_max=1 << 30) if limited else Limits()
    found.state.processes[1] = Record(1, "web", "systemd", Spec(["sleep 1"], "/", limits=limits))
    found.readable = True
    return found


def named(checks: list[Check], name: str) -> Check:
    return next(check for check in checks if check.name == name)


def test_all_is_well(sentinel: Sentinel) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "web")
    checks = examined(sentinel)
    expected = dict.fromkeys(("bus", "manager", "units", "state", "programs"), "ok")
    assert {name: checks[name][0]["status"] for name in expected} == expected
    assert checks["linger"][0]["status"] in ("ok", "skipped")
    assert "problem" not in [check["status"] for check in checks["journal"]]


def test_the_bus_does_not_answer(sentinel: Sentinel) -> None:
    assert the(sentinel, "bus", "warning", env=NOWHERE)["repair"]
    sentinel.ok("run", "sleep 1000", "--name", "web")
    checks = examined(sentinel, env=NOWHERE)
    assert [check["status"] for check in checks["bus"]] == ["problem"]
    assert not {"manager", "linger", "cgroups"} & set(checks)
    assert "loginctl enable-linger" in checks["bus"][0]["repair"] or os.geteuid() == 0
    the(sentinel, "bus", "ok")


def test_a_unit_that_no_record_knows(sentinel: Sentinel, programs: Programs) -> None:
    sentinel.ok("run", "sleep 1000", "--name", "known")
    state = sentinel.home / "state.json"
    before = state.read_bytes()
    sentinel.run("lost", "--", *programs.steady())
    pid = programs.pid()
    state.unlink()  # it may be the same file as the backup
    state.write_bytes(before)
    repair(sentinel, the(sentinel, "units", "problem", "sentinel-lost-"))
    eventually(lambda: gone(pid))
    the(sentinel, "units", "ok")


def test_the_boot_entry_is_stale(sentinel: Sentinel) -> None:
    the(sentinel, "startup", "skipped")
    file = Path(sentinel.ok("startup", "install", "--json").json()["file"])
    try:
        the(sentinel, "startup", "ok")
        text = file.read_text()
        file.write_text(re.sub("(?m)^ExecStart=.*", "ExecStart=/nowhere/sentinel startup run --stay", text))
        answers = examined(sentinel)["startup"]
        assert {answer["status"] for answer in answers} == {"problem"}
        assert any("/nowhere/sentinel" in answer["message"] for answer in answers)
        repair(sentinel, answers[0])
        the(sentinel, "startup", "ok")
    finally:
        sentinel.ok("startup", "uninstall")


@needs_user
def test_what_runs_ends_at_the_logout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reach, "_LINGER", tmp_path)
    one = subject(tmp_path)
    found = named(list(systemd.all_of_it(one)), "linger")
    assert (found.status, found.repair) == ("problem", f"loginctl enable-linger {one.user}")
    (tmp_path / one.user).touch()
    assert named(list(systemd.all_of_it(one)), "linger").status == "ok"


def test_there_are_no_controllers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(systemd, "CGROUPS", (tmp_path,))
    monkeypatch.setattr(systemd, "_read", lambda group: ["cpu", "pids", *(["memory"] if group == "/" else [])])
    found = named(list(systemd.all_of_it(subject(tmp_path))), "cgroups")
    assert (found.status, "memory" in found.message) == ("warning", True)
    one = subject(tmp_path, limited=True)
    found = named(list(systemd.all_of_it(one)), "cgroups")
    assert (found.status, "web" in found.message) == ("problem", True)
    one = subject(tmp_path)
    one.state.groups["big"] = Group("big", memory_max=1 << 30)
    found = named(list(systemd.all_of_it(one)), "cgroups")
    assert (found.status, "big" in found.message) == ("problem", True)


def test_the_controllers_are_those_of_the_manager(tmp_path: Path) -> None:
    found = named(list(systemd.all_of_it(subject(tmp_path))), "cgroups")
    assert found.status in ("ok", "warning")
    assert (found.status == "ok") == ("can be limited" in found.message)


@needs_root
def test_the_journal_is_lost_at_a_reboot(tmp_path: Path) -> None:
    directory = Path("/etc/systemd/journald.conf.d")
    made = directory / "zz-lab.conf"
    directory.mkdir(parents=True, exist_ok=True)
    try:
        made.write_text("[Journal]\nStorage=volatile\nRateLimitBurst=100\n")
        checks = list(journal.journal(subject(tmp_path)))
        found = named(checks, "journal storage")
        assert (found.status, "Storage=persistent" in found.repair) == ("warning", True)
        assert named(checks, "journal rate").status == "warning"
        made.write_text("[Journal]\nStorage=none\nRateLimitIntervalSec=0\n")
        checks = list(journal.journal(subject(tmp_path)))
        assert named(checks, "journal storage").status == "problem"
        assert named(checks, "journal rate").status == "ok"
    finally:
        made.unlink()


@needs_user
def test_the_journal_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = tmp_path / "machine"
    machine.mkdir()
    own = machine / f"user-{os.geteuid()}.journal"
    own.touch(mode=0o000)
    monkeypatch.setattr(journal, "PERSISTENT", tmp_path)
    monkeypatch.setattr(journal, "VOLATILE", tmp_path / "none")
    found = named(list(journal.journal(subject(tmp_path))), "journal")
    assert (found.status, "systemd-journal" in found.repair) == ("problem", True)
    own.chmod(0o600)
    assert named(list(journal.journal(subject(tmp_path))), "journal").status == "ok"


def test_a_port_of_what_systemd_restarted_is_its_own(sentinel: Sentinel, programs: Programs) -> None:
    web = " ".join(programs.web(0)).replace(" web 0 ", ' web "$PORT" ')
    sentinel.ok("run", web, "--name", "web", "--port", "--restart")
    status = sentinel.status("web")

    def listening() -> None:
        socket.create_connection(("127.0.0.1", status["ports"]["PORT"]), timeout=5).close()

    eventually(listening)
    the(sentinel, "ports", "ok")
    os.kill(status["pid"], signal.SIGKILL)
    eventually(lambda: gone(status["pid"]))
    eventually(listening)
    the(sentinel, "ports", "ok")
