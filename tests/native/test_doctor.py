"""`doctor` on the native engine: each thing that can break is broken, found, and repaired as it says."""

import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from lab import PYTHON, WITHIN, Programs, Sentinel, eventually, gone
from lab_doctor import examined, repair, the

from sentinel.model import Record, RestartPolicy, Runtime, Spec
from sentinel.model import Restart as Mode
from sentinel.paths import Home
from sentinel.state import Store
from sentinel.supervisor.context import Context
from sentinel.supervisor.doctor import home, journal, machine
from sentinel.supervisor.doctor.check import Subject


def test_all_is_well_and_nothing_is_touched(native: Sentinel, programs: Programs) -> None:
    said = native.ok("doctor")
    assert "problem" not in said.out
    assert not native.home.exists()
    native.run("web", "--", *programs.steady())

    def files() -> dict[str, tuple[int, int]]:
        found = [path for path in native.home.rglob("*") if path.name not in ("claims.lock", "state.lock")]
        return {str(path): (path.stat().st_mtime_ns, path.stat().st_mode) for path in found}

    before = files()
    checks = examined(native)
    assert {name: checks[name][0]["status"] for name in ("home", "state", "keeper", "programs", "processes")} == {
        "home": "ok", "state": "ok", "keeper": "ok", "programs": "ok", "processes": "ok",
    }  # fmt: skip
    assert files() == before
    assert native.status("web")["pid"] == programs.pid()


def test_the_home_is_open_to_others(native: Sentinel) -> None:
    native.run("web", "--", "sleep", "1000")
    native.home.chmod(0o755)
    (native.home / "environments/1.json").chmod(0o644)
    found = the(native, "home", "problem", str(native.home))
    assert stat.S_IMODE(native.home.stat().st_mode) == 0o755  # looked at, not repaired
    repair(native, found)
    the(native, "home", "ok")


def test_the_home_is_a_file(native: Sentinel) -> None:
    native.home.write_text("")
    repair(native, the(native, "home", "problem", "not a directory"))
    the(native, "home", "ok")


def test_state_json_is_damaged(native: Sentinel) -> None:
    native.run("web", "--", "sleep", "1000")
    state, backup = native.home / "state.json", native.home / "state.json.bak"
    good = state.read_bytes()
    state.write_bytes(b"{")
    repair(native, the(native, "state", "problem", "its backup can be used"))
    the(native, "state", "ok", "1 process")
    backup.unlink()
    backup.write_bytes(b"[]")
    repair(native, the(native, "state", "warning", "backup"))
    the(native, "state", "ok")
    for path in (state, backup):
        path.unlink()
        path.write_bytes(b"\0")
    checks = examined(native)
    assert checks["state"][0]["status"] == "problem"
    assert checks["processes"][0]["status"] == "skipped"
    state.write_bytes(good)


def test_files_of_a_killed_command(native: Sentinel) -> None:
    native.ok("run", "sleep 1000", "--name", "web")
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    left = native.home / "environments" / f".tmp-{int(ended.stdout)}-0123456789ab"
    mine = native.home / f".tmp-{os.getpid()}-0123456789ab"
    for path in (left, mine):
        path.touch(mode=0o600)
    repair(native, the(native, "files", "warning", "1 temporary file "))
    assert (left.exists(), mine.exists()) == (False, True)
    the(native, "files", "ok")


def test_the_daemon_is_missing_old_or_stopped(native: Sentinel) -> None:
    native.ok("run", "sleep 1000", "--name", "web", "--restart")
    repair(native, the(native, "daemon", "warning", "web"))
    the(native, "daemon", "ok")
    pid_file = native.home / "run/daemon.pid"
    text = pid_file.read_text()
    with pid_file.open("r+") as file:
        file.write(text.replace('"version": "', '"version": "0'))
    old = native.daemon_pid()
    repair(native, the(native, "daemon", "warning", "of version 0"))
    the(native, "daemon", "ok")
    pid = native.daemon_pid()
    assert pid is not None
    assert pid != old
    os.kill(pid, signal.SIGSTOP)
    repair(native, eventually(lambda: the(native, "daemon", "problem", "SIGSTOP")))
    eventually(lambda: the(native, "daemon", "ok"))


def test_the_keeper_was_killed(native: Sentinel, programs: Programs) -> None:
    native.run("web", "--", *programs.steady())
    keeper = int(the(native, "keeper", "ok")["message"].partition("pid ")[2].partition(")")[0])
    os.kill(keeper, signal.SIGKILL)
    eventually(lambda: gone(keeper))
    repair(native, the(native, "keeper", "problem", "web"))
    the(native, "keeper", "ok")
    assert native.status("web")["pid"] == programs.pid()


def test_the_keeper_is_stopped(native: Sentinel, programs: Programs) -> None:
    native.run("web", "--", *programs.steady())
    keeper = int(the(native, "keeper", "ok")["message"].partition("pid ")[2].partition(")")[0])
    os.kill(keeper, signal.SIGSTOP)
    repair(native, eventually(lambda: the(native, "keeper", "problem", "SIGSTOP")))
    eventually(lambda: the(native, "keeper", "ok"))


def test_a_process_that_no_record_knows(native: Sentinel, programs: Programs) -> None:
    native.ok("run", "sleep 1000", "--name", "known")
    before = (native.home / "state.json").read_bytes()
    native.run("lost", "--", *programs.steady())
    pid = programs.pid()
    (native.home / "state.json").unlink()  # it may be the same file as the backup
    (native.home / "state.json").write_bytes(before)
    repair(native, the(native, "processes", "problem", f"pid {pid} was started as process 2"))
    eventually(lambda: gone(pid))
    eventually(lambda: the(native, "processes", "ok"))


def test_a_port_is_taken_by_a_stranger(native: Sentinel, programs: Programs, tmp_path: Path) -> None:
    web = " ".join(programs.web(0)).replace(" web 0 ", ' web "$PORT" ')
    assert "$PORT" in web
    native.ok("run", web, "--name", "web", "--port")
    port = native.status("web")["ports"]["PORT"]

    def listening() -> None:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()

    eventually(listening)
    the(native, "ports", "ok")
    native.ok("stop", "web")
    stranger = subprocess.Popen([PYTHON, "-IS", "-m", "http.server", "--bind", "127.0.0.1", str(port)], cwd=tmp_path)
    native.background.append(stranger)
    eventually(listening)
    repair(native, the(native, "ports", "problem", f"port {port} of web is taken by"))
    stranger.wait(WITHIN)
    eventually(lambda: the(native, "ports", "ok"))


def test_what_a_process_needs_is_gone(native: Sentinel, tmp_path: Path) -> None:
    directory, variables, program = tmp_path / "dir", tmp_path / "web.env", tmp_path / "bin/prog"
    directory.mkdir()
    variables.touch()
    program.parent.mkdir()
    shutil.copy("/bin/sleep", program)
    native.ok("run", "--name", "a", "--cwd", directory, "--", "sleep", "1000")
    native.ok("run", "--name", "b", "--env-file", variables, "--", "sleep", "1000")
    native.ok("run", "--name", "c", "--", program, "1000")
    native.ok("run", "--name", "d", "--", "sleep", "1000")
    the(native, "programs", "ok", "4 processes")
    directory.rmdir()
    variables.unlink()
    program.unlink()
    (native.home / "environments/4.json").write_text("{")
    answers = examined(native)["programs"]
    assert [answer["status"] for answer in answers] == ["problem"] * 4
    assert [answer["message"][:2] for answer in answers] == ["a:", "b:", "c:", "d:"]
    shutil.copy("/bin/sleep", program)
    for answer in (answers[0], answers[1], answers[3]):
        repair(native, answer)
    the(native, "programs", "ok")


@pytest.mark.parametrize(
    ("where", "said"), [(".nvm/versions/node/v1/bin", "goes when"), (".pyenv/shims", "every switch")]
)
def test_a_program_of_a_version_manager(native: Sentinel, tmp_path: Path, where: str, said: str) -> None:
    program = tmp_path / where / "prog"
    program.parent.mkdir(parents=True)
    shutil.copy("/bin/sleep", program)
    path = f"{program.parent}:/usr/bin:/bin"
    native.ok("run", "--name", "web", "--", "prog", "1000", env={"PATH": path})
    found = the(native, "programs", "warning", said)
    assert found["repair"] == "sentinel restart web --update-env"
    other = tmp_path / "bin/prog"
    other.parent.mkdir()
    shutil.copy("/bin/sleep", other)
    native.ok("restart", "web", "--update-env", env={"PATH": f"{other.parent}:/usr/bin:/bin"})
    the(native, "programs", "ok")


def test_the_clock_went_back(native: Sentinel) -> None:
    native.ok("run", "sleep 1000", "--name", "web")
    late = native.home.stat().st_mtime + 7200
    os.utime(native.home / "state.json", (late, late))
    assert "timedatectl set-ntp true" in the(native, "clock", "warning", "behind")["repair"]


# what is not broken for real


def subject(tmp_path: Path) -> Subject:
    found = Home(tmp_path / "home")
    found.prepare()
    return Subject(Context(found))


def test_what_ran_before_the_machine_booted(tmp_path: Path) -> None:
    one = subject(tmp_path)
    spec = Spec(["sleep 1"], "/", restart=RestartPolicy(Mode.ALWAYS))
    with Store(one.home).change() as state:
        state.next_id = 3
        state.processes[1] = Record(1, "web", "native", spec, runtime=Runtime(run=1, boot_id="another"))
        state.processes[2] = Record(2, "job", "native", Spec(["true"], "/"), runtime=Runtime(run=1, boot_id="another"))
    assert [check.status for check in home.state(one)] == ["ok"]
    (found,) = machine.boot(one)
    assert (found.status, found.repair) == ("warning", "sentinel start web")


@pytest.mark.parametrize(
    ("free", "files", "status"),
    [(1 << 30, 10**6, "ok"), (100 << 20, 10**6, "warning"), (1 << 20, 10**6, "problem"), (1 << 30, 10, "problem"),
     (1 << 30, 500, "warning")],
)  # fmt: skip
def test_little_room(tmp_path: Path, free: int, files: int, status: str) -> None:
    def look(path: Path) -> os.statvfs_result:
        blocks = free // 4096
        return os.statvfs_result((4096, 4096, 1 << 30, blocks, blocks, 1 << 30, files, files, 0, 255))

    (found,) = home.space(subject(tmp_path), look)
    assert found.status == status


def test_the_settings_of_the_journal(tmp_path: Path) -> None:
    main, vendor, admin = tmp_path / "journald.conf", tmp_path / "usr", tmp_path / "etc"
    main.write_text("[Journal]\n#Storage=none\nStorage=auto\nRateLimitBurst=5\n")
    for directory in (vendor, admin):
        directory.mkdir()
    (vendor / "10-a.conf").write_text("[Journal]\nRateLimitBurst=7\n")
    (admin / "10-a.conf").write_text("[Journal]\nStorage=volatile\nRateLimitIntervalSec=1min\n")
    settings = journal.read_settings([main, tmp_path / "missing"], [vendor, tmp_path / "missing", admin])
    assert settings == {"Storage": "volatile", "RateLimitBurst": "5", "RateLimitIntervalSec": "1min"}
    one = subject(tmp_path)
    assert journal.rate(one, settings).status == "warning"
    assert journal.rate(one, {}).status == "ok"
    assert journal.rate(one, {"RateLimitIntervalSec": "0"}).message == "no line is dropped"
