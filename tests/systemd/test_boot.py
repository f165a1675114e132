"""The entry that brings everything back, and exported units, on a real service manager."""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import lab
import pytest

from sentinel.backends.systemd import unit_files
from sentinel.model import Desired, Record

SCOPE = "system" if os.geteuid() == 0 else "user"
NASTY = {
    "SPACE": "a b",
    "QUOTES": "\"double\" 'single' `back`",
    "PERCENT": "100% %n %h",
    "DOLLAR": "$HOME ${HOME} $$",
    "BACKSLASH": "C:\\dir\\",
    "NEWLINE": "one\ntwo",
    "UMLAUT": "Größe €",
    "DASH": "-x",
    "AT": "@here",
    "SEMICOLON": ";",
    "HASH": "# no comment",
    "EMPTY": "",
}


@pytest.fixture
def machine(sentinel_at: Callable[[Path, str], lab.Sentinel], tmp_path: Path) -> Iterator[lab.Sentinel]:
    """A home on this machine, oddly named; what is installed is taken away."""
    sentinel = sentinel_at(tmp_path / "my home [1] 50% *", "systemd")
    yield sentinel
    sentinel("startup", "uninstall")


@pytest.fixture
def own_units() -> Iterator[Callable[[Path], str]]:
    """Have the manager know unit files as an administrator installs them; at the end they are gone."""
    made: list[Path] = []

    def install(file: Path) -> str:
        target = unit_files.directory(SCOPE) / file.name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, target)
        made.append(target)
        lab.systemctl("daemon-reload")
        return file.name

    yield install
    for target in made:
        lab.systemctl("stop", target.name)
        target.unlink()
        lab.systemctl("reset-failed", target.name)
    lab.systemctl("daemon-reload")


def show(unit: str, *names: str) -> dict[str, str]:
    lines = lab.systemctl("show", unit, f"--property={','.join(names)}").splitlines()
    return dict(line.split("=", 1) for line in lines)


def start(unit: str) -> None:
    lab.systemctl("start", unit)
    assert show(unit, "ActiveState") == {"ActiveState": "active"}, lab.systemctl("status", "--full", unit)


def verified(*files: Path) -> None:
    scope = [] if os.geteuid() == 0 else ["--user"]
    done = subprocess.run(
        ["systemd-analyze", *scope, "verify", "--man=no", *map(str, files)],
        capture_output=True,
        text=True,
        timeout=lab.WITHIN,
        check=False,
    )
    about_ours = [line for line in done.stderr.splitlines() if any(file.name in line for file in files)]
    assert (done.returncode, about_ours) == (0, []), done.stderr


def wait_for(programs: lab.Programs, *names: str) -> list[int]:
    return [programs.pid(f"ready-{name}") for name in names]


def forget(programs: lab.Programs, *names: str) -> None:
    """Let `wait_for` see the next start."""
    for name in names:
        programs.path(f"ready-{name}").unlink()


def test_what_is_wanted_comes_back_and_nothing_else(machine: lab.Sentinel, programs: lab.Programs) -> None:
    native, systemd = [f"n{i}" for i in range(5)], [f"s{i}" for i in range(5)]
    for names, backend in ((native, "native"), (systemd, "systemd")):
        for name in names:
            machine.run(name, "--backend", backend, "--", *programs.steady(f"ready-{name}"))
    machine.run("unwanted", "--backend", "native", "--", *programs.steady("ready-unwanted"))
    machine.ok("stop", "unwanted")
    machine.run("finished", "--backend", "native", "--", *programs.quick(0, "finished"))
    machine.until("finished", status="exited")
    wait_for(programs, *native, *systemd)

    installed = machine.ok("startup", "install", "--json").json()
    assert installed["ok"], installed
    unit = installed["name"]
    assert Path(installed["file"]).parent == unit_files.directory(SCOPE)
    assert show(unit, "ActiveState", "UnitFileState") == {"ActiveState": "active", "UnitFileState": "enabled"}
    verified(Path(installed["file"]))
    assert machine.daemon_pid() is not None
    before = {each["name"]: each["pid"] for each in machine.list()}

    lab.systemctl("stop", unit)  # as at shutdown: systemd ends its units by itself
    assert lab.gone(*(before[name] for name in native))
    assert machine.daemon_pid() is None
    forget(programs, *native)
    lab.systemctl("start", unit)
    assert show(unit, "ActiveState") == {"ActiveState": "active"}
    wait_for(programs, *native)
    after = {each["name"]: each for each in machine.list()}
    assert {name: after[name]["status"] for name in native + systemd} == dict.fromkeys(native + systemd, "running")
    assert {name: after[name]["pid"] for name in systemd} == {name: before[name] for name in systemd}
    assert after["unwanted"]["status"] == "stopped"
    assert len(programs.starts(1, "finished")) == 1
    assert machine.daemon_pid() is not None

    machine.ok("startup", "uninstall")
    assert not Path(installed["file"]).exists()
    assert show(unit, "LoadState", "ActiveState") == {"LoadState": "not-found", "ActiveState": "inactive"}
    gone_on = {each["name"]: each["pid"] for each in machine.list()}
    assert gone_on == {name: each["pid"] for name, each in after.items()}


def test_what_is_lost_is_started_by_the_entry(machine: lab.Sentinel, programs: lab.Programs) -> None:
    """Whatever the policy: killed with all that watched over it."""
    machine.run("web", "--backend", "native", "--", *programs.steady())
    first = programs.pid()
    machine.ok("stop", "web")
    programs.path("ready").unlink()
    machine.ok("start", "web")
    pid = programs.pid()
    assert pid != first
    programs.path("ready").unlink()
    os.kill(pid, 9)
    assert lab.eventually(lambda: lab.gone(pid)) is True
    said = machine.ok("startup", "run", "--json").json()
    assert [each["name"] for each in said] == ["web"]
    assert programs.pid() == machine.status("web")["pid"]
    assert machine.ok("startup", "run", "--json").json() == []


def test_status_finds_what_is_wrong(machine: lab.Sentinel, tmp_path: Path) -> None:
    def failing() -> list[str]:
        result = machine("startup", "status", "--json")
        assert (result.code == 0) is result.json()["ok"]
        return [check["name"] for check in result.json()["checks"] if not check["ok"]]

    assert failing() == ["file"]
    file = Path(machine.ok("startup", "install", "--json").json()["file"])
    unit = file.name
    assert failing() == []
    text = file.read_text()

    lab.systemctl("disable", unit)
    assert failing() == ["enabled"]
    lab.systemctl("enable", unit)
    program = tmp_path / "old/bin/sentinel"
    lines = [f"ExecStart={program} startup run" if line.startswith("ExecStart=") else line
             for line in text.splitlines()]  # fmt: skip
    file.write_text("\n".join(lines) + "\n")
    assert set(failing()) >= {"file", "program"}
    file.write_text(text.replace("my home [1]", "my home [2]"))
    assert "home" in failing()
    machine.ok("startup", "install")
    assert failing() == []
    machine.ok("startup", "uninstall")
    assert failing() == ["file"]


def test_an_exported_unit_behaves_alike(
    machine: lab.Sentinel, programs: lab.Programs, own_units: Callable[[Path], str], tmp_path: Path
) -> None:
    where = tmp_path / "dir with 100% spaces"
    where.mkdir()
    arguments = [*NASTY.values(), "plain"]
    machine.ok(
        *("run", "--name", "odd@name+1", "--backend", "native", "--cwd", str(where), "--nice", "3"),
        *("--limit-nofile", "512", "--stop-signal", "INT", "--stop-timeout", "7", "--restart-policy", "on-failure"),
        *("--health-cmd", "true", "--env", "SECRET=hush", "--", *programs.report("by-sentinel", *arguments)),
        env=NASTY,
    )
    ours = programs.reported("by-sentinel")
    machine.ok("stop", "odd@name+1")
    programs.path("by-sentinel").unlink()

    printed = machine.ok("export", "odd@name+1", "--to", "systemd")
    assert "hush" not in printed.out + printed.err
    assert "SECRET" in printed.out
    assert "hush" in machine.ok("export", "odd@name+1", "--to", "systemd", "--show-env").out
    told = machine.ok("export", "odd@name+1", "--to", "systemd", "--output", str(tmp_path / "units [1]*"))
    assert "health check" in told.err
    (file,) = (tmp_path / "units [1]*").glob("*.service")
    (secrets,) = (tmp_path / "units [1]*").glob("*.env")
    assert secrets.stat().st_mode & 0o777 == 0o600
    assert "health check" in file.read_text()
    assert "hush" not in file.read_text()
    verified(file)

    unit = own_units(file)
    start(unit)
    theirs = programs.reported("by-sentinel")
    for fact in ("argv", "cwd", "uid", "gid", "nice", "nofile", "stdin"):
        assert theirs[fact] == ours[fact], fact
    assert {key: theirs["env"].get(key) for key in [*NASTY, "SECRET", "PATH"]} == {
        key: ours["env"].get(key) for key in [*NASTY, "SECRET", "PATH"]
    }
    assert theirs["argv"] == arguments
    how = show(unit, "Restart", "KillSignal", "TimeoutStopUSec")
    assert how == {"Restart": "on-failure", "KillSignal": "2", "TimeoutStopUSec": "7s"}
    programs.path("by-sentinel").unlink()
    os.kill(theirs["pid"], 9)
    assert programs.reported("by-sentinel")["pid"] != theirs["pid"]

    inside = tmp_path / "shown"
    inside.mkdir()
    shown = inside / "shown-to-all.service"
    shown.write_text(machine.ok("export", "odd@name+1", "--to", "systemd", "--show-env").out)
    verified(shown)
    lab.systemctl("stop", unit)
    programs.path("by-sentinel").unlink()
    own_units(shown)
    start(shown.name)
    theirs = programs.reported("by-sentinel")
    assert {key: theirs["env"].get(key) for key in NASTY} == NASTY


def test_a_unit_for_a_command_runs_it(
    machine: lab.Sentinel, programs: lab.Programs, own_units: Callable[[Path], str], tmp_path: Path
) -> None:
    """By a path that systemd itself would refuse."""
    program = tmp_path / "the \"odd\" 'one' $HOME 50% \\"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" > {programs.path("args")}.new\n'
                       f"mv {programs.path('args')}.new {programs.path('args')}\nexec sleep 1000\n")  # fmt: skip
    program.chmod(0o755)
    arguments = ["a b", "$HOME", "${HOME}", "%n", ";", "it's", 'say "hi"', "\\", "-", "two\nlines"]
    text = machine.ok("startup", "systemd", "--name", "odd", "--restart", "--", str(program), *arguments).out
    assert "Restart=always" in text
    file = tmp_path / "odd-command.service"
    file.write_text(text)
    verified(file)
    own_units(file)
    start(file.name)
    assert lab.eventually(lambda: programs.path("args").read_text()) == "|".join([*arguments, ""])


def test_a_unit_survives_that_an_administrator_reloads_systemd(
    machine: lab.Sentinel, programs: lab.Programs
) -> None:
    """And with it its hooks: the restart is counted, and the end is told."""
    words = [*NASTY.values(), "plain"]
    machine.run("web", "--backend", "systemd", "--restart", "--", *programs.report("report", *words))
    first = programs.reported()
    assert first["argv"] == words
    programs.path("report").unlink()
    lab.systemctl("daemon-reload")
    os.kill(first["pid"], 9)
    again = programs.reported()
    assert (again["argv"], again["pid"] != first["pid"]) == (words, True)
    machine.until("web", status="running", pid=again["pid"], restarts=1, exit_signal=9)


def test_a_manager_that_goes_down_has_not_been_told_to_stop_processes(
    machine: lab.Sentinel, monkeypatch: pytest.MonkeyPatch, programs: lab.Programs
) -> None:
    from sentinel.backends.systemd.manager import Manager
    from sentinel.paths import Home
    from sentinel.state import Store
    from sentinel.supervisor.facade import Supervisor

    def record() -> Record:
        return Store(Home(machine.home)).read().processes[1]

    machine.run("web", "--backend", "systemd", "--restart", "--", *programs.steady())
    programs.pid()
    lab.systemctl("stop", record().unit or "")
    property = Manager.property

    def stopping(self: Manager, name: str) -> Any:
        return "stopping" if name == "SystemState" else property(self, name)

    supervisor = Supervisor(Home(machine.home))
    with monkeypatch.context() as patch:
        patch.setattr(Manager, "property", stopping)
        supervisor.list(usage=False)
        assert record().desired is Desired.RUNNING
    supervisor.list(usage=False)
    assert record().desired is Desired.STOPPED
