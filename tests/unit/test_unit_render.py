"""Rendering of units, their environment files and scripts, and the hooks run by a plain shell."""

import contextlib
import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import lab
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.backends.base import Account, Launch
from sentinel.backends.systemd import environment, exits, unit
from sentinel.backends.systemd.notebook import Note, Notebook
from sentinel.errors import LaunchError
from sentinel.model import Limits, LogSettings, Record, Restart, RestartPolicy, Spec
from sentinel.paths import Home


def launch(tmp_path: Path, **spec: object) -> Launch:
    record = Record(3, "web", "systemd", Spec(["x"], str(tmp_path), **spec))  # type: ignore[arg-type]
    return Launch(
        record, 1, "/bin/sh", ["/bin/sh", "-c", "echo $$"], {"A": "1"}, str(tmp_path), None, "/o", "/e"
    )


def rendered(tmp_path: Path, one: Launch, *, system: bool = False) -> dict[str, object]:
    place = Notebook(Home(tmp_path / "home")).place(one.record)
    done = unit.render(one, place, system=system, inherited=frozenset({"A", "LANG"}))
    return {name: value.value for name, value in done.properties}


def test_the_common_properties(tmp_path: Path) -> None:
    found = rendered(tmp_path, launch(tmp_path))
    assert found["Type"] == "exec"
    assert found["Restart"] == "no"
    assert found["StartLimitIntervalUSec"] == 0
    assert found["UnsetEnvironment"] == ["LANG"]
    assert found["Slice"] == "sentinel.slice"
    assert found["KillSignal"] == 15
    assert found["TimeoutStopUSec"] == 10_000_000
    assert "Environment" not in found
    assert "User" not in found


def test_a_stop_timeout_of_nothing_is_not_for_ever(tmp_path: Path) -> None:
    assert rendered(tmp_path, launch(tmp_path, stop_timeout=0.0))["TimeoutStopUSec"] == 5_000_000


def test_limits_users_and_files(tmp_path: Path) -> None:
    limits = Limits(nice=5, ionice="best-effort:4", nofile=99, memory_max=1 << 20)
    one = launch(tmp_path, limits=limits, logs=LogSettings(kind="file"))
    one.account = Account("deploy", 1000, 1000, (1000,), "/home/deploy", "/bin/sh")
    found = rendered(tmp_path, one, system=True)
    assert found["User"] == "deploy"
    assert (found["Nice"], found["IOSchedulingClass"], found["IOSchedulingPriority"]) == (5, 2, 4)
    assert (found["LimitNOFILE"], found["LimitNOFILESoft"], found["MemoryMax"]) == (99, 99, 1 << 20)
    assert found["StandardOutputFileToAppend"] == "/o"
    assert found["ExecStartEx"] == [("/bin/sh", ["/bin/sh", "-s"], ["no-env-expand"])]
    assert "EnvironmentFiles" not in found  # the hooks, which run as root, would get it too
    assert "User" not in rendered(tmp_path, one)


def test_a_program_that_is_not_there_is_told(tmp_path: Path) -> None:
    one = launch(tmp_path)
    one.program = str(tmp_path / "none")
    with pytest.raises(LaunchError, match="no such file"):
        rendered(tmp_path, one)


@pytest.mark.parametrize("text", ["\x1b", "\r", "\x7f", "\udc80", "\ufffe", "\U0001ffff", "\ufdd0"])
def test_what_systemd_would_lose_goes_through_the_shell(text: str) -> None:
    assert not environment.fits_file({"A": text})


@pytest.mark.parametrize("text", ["", "\t\n", "é😀\ufffd", "\\'\"$`"])
def test_what_systemd_keeps_goes_into_its_file(text: str) -> None:
    assert environment.fits_file({"A": text})


@settings(deadline=None, max_examples=30)
@given(
    st.dictionaries(st.from_regex(r"V[A-Z0-9_]{0,5}", fullmatch=True), st.binary(max_size=30), max_size=5),
    st.binary(max_size=30),
)
def test_the_script_keeps_every_byte(values: dict[str, bytes], word: bytes) -> None:
    env = {name: os.fsdecode(value.replace(b"\0", b"")) for name, value in values.items()}
    argument = os.fsdecode(word.replace(b"\0", b""))
    code = (
        "import os,sys;sys.stdout.buffer.write(b'\\0'.join([os.fsencode(sys.argv[1]),*(k+b'='+v for k,v in "
        "sorted(os.environb.items()) if k.startswith(b'V'))]))"
    )
    script = environment.script(env, "/", [sys.executable, "-I", "-S", "-c", code, argument])
    done = subprocess.run(
        ["/bin/sh", "-s"], input=script, capture_output=True, env={}, check=True, timeout=240
    )
    expected = [os.fsencode(argument), *(os.fsencode(f"{k}={v}") for k, v in sorted(env.items()))]
    assert done.stdout.split(b"\0") == expected


@pytest.mark.parametrize("shell", [["/bin/sh", "-s"], ["bash", "--posix", "-s"]], ids=["sh", "bash"])
def test_the_script_keeps_what_shells_have_for_themselves(shell: list[str]) -> None:
    if shutil.which(shell[0]) is None:
        lab.skip(f"there is no {shell[0]}")
    names = "BASHPID EUID IFS LINENO OLDPWD OPTIND PATH PPID PWD RANDOM SECONDS SHELLOPTS UID".split()
    env = {name: f"/usr/bin:{name}:/bin" for name in names}
    code = "import json,os;print(json.dumps(dict(os.environ)))"
    script = environment.script(env, "/", [sys.executable, "-I", "-S", "-c", code])
    done = subprocess.run(shell, input=script, capture_output=True, env={}, check=True, timeout=240)
    got = json.loads(done.stdout)
    assert {name: got.get(name) for name in names} == env
    assert got.keys() - env.keys() <= {"LC_CTYPE", "SHLVL", "_"}


def test_names_that_no_shell_can_set() -> None:
    env = {"A": "1", "a.b": "2", "BASH_FUNC_f%%": "() { :;}"}
    assert environment.unsettable(env) == ["a.b"]
    assert environment.own({"A": "1", "NOTIFY_SOCKET": "x"}) == {"A": "1"}


def run(hook: list[str], **env: str) -> int:
    return subprocess.run(hook, env=env, check=False, timeout=240).returncode


def hook_files(tmp_path: Path) -> exits.Files:
    home = Home(tmp_path / "home")
    home.prepare()
    return exits.Files(home, 1)


def fill(pipe: int) -> None:
    for size in (4096, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(pipe, b"!" * size)


ENDED = {"INVOCATION_ID": "f" * 32, "SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "7"}


def test_a_hook_records_each_end(tmp_path: Path) -> None:
    where = hook_files(tmp_path)
    assert exits.read(where) is None
    exits.reset(where)
    assert where.record.stat().st_mode & 0o777 == 0o600
    size = where.record.stat().st_size
    for count in range(1, 12):
        assert run(exits.ended_hook(where, counts=False), **ENDED) == 0
        found = exits.read(where)
        assert found is not None
        assert found.ends == count
    assert where.record.stat().st_size == size
    end = found.exit(5, "")
    assert (end.run, end.code, end.signal, end.reason) == (5, 7, None, "")
    run(
        exits.ended_hook(where, counts=False),
        SERVICE_RESULT="oom-kill",
        EXIT_CODE="killed",
        EXIT_STATUS="KILL",
    )
    found = exits.read(where)
    assert found is not None
    assert (found.exit(5, "").signal, found.exit(5, "").reason) == (9, "oom")
    exits.remove(where)
    assert list(where.record.parent.iterdir()) == []
    assert run(exits.ended_hook(where, counts=False), **ENDED) == 0
    assert list(where.record.parent.iterdir()) == []


def test_a_hook_pokes_the_daemon_and_never_waits_for_it(tmp_path: Path) -> None:
    where = hook_files(tmp_path)
    exits.reset(where)
    ended = exits.ended_hook(where, counts=False)
    assert run(ended, **ENDED) == 0
    os.mkfifo(where.fifo)
    assert run(ended, **ENDED) == 0  # nobody reads it
    fd = os.open(where.fifo, os.O_RDWR | os.O_NONBLOCK)
    assert run(ended, PATH="/nowhere", **ENDED) == 0
    assert os.read(fd, 100) == b"1\n"
    fill(fd)
    assert run(ended, **ENDED) == 0
    os.close(fd)
    assert stat.S_ISFIFO(where.fifo.stat().st_mode)
    found = exits.read(where)
    assert found is not None
    assert found.ends == 4


def test_a_restart_after_a_wait_pokes_the_daemon(tmp_path: Path) -> None:
    where = hook_files(tmp_path)
    exits.reset(where)
    os.mkfifo(where.fifo)
    fd = os.open(where.fifo, os.O_RDWR | os.O_NONBLOCK)
    begins = exits.begins_hook(where, RestartPolicy(Restart.ALWAYS, delay=0.001))
    assert run(begins) == 0
    with pytest.raises(BlockingIOError):
        os.read(fd, 100)
    run(exits.ended_hook(where, counts=True), **ENDED)
    assert run(begins) == 0
    assert os.read(fd, 100) == b"1\n1\n"
    os.close(fd)


def test_quick_deaths_are_counted_and_given_up(tmp_path: Path) -> None:
    where = hook_files(tmp_path)
    exits.reset(where)
    policy = RestartPolicy(Restart.ALWAYS, delay=0.001, max_restarts=2)
    for fails in (1, 2, 3):
        assert run(exits.begins_hook(where, policy), PATH="/usr/bin:/bin") == 0
        run(exits.ended_hook(where, counts=True), **ENDED)
        found = exits.read(where)
        assert found is not None
        assert (found.ends, found.fails) == (fails, fails)
    assert run(exits.begins_hook(where, policy), PATH="/usr/bin:/bin") == 1
    run(exits.ended_hook(where, counts=True), **ENDED)  # it had not begun again: this is no end of it
    found = exits.read(where)
    assert found is not None
    assert found.ends == 3


def test_uptime_forgives(tmp_path: Path) -> None:
    where = hook_files(tmp_path)
    exits.reset(where)
    now = float(Path("/proc/uptime").read_text().split()[0])
    for up, fails, quick in ((0.0, 1, 1), (2.0, 2, 0), (0.0, 3, 1), (20.0, 1, 0)):
        where.since.write_text(f"{max(0.0, now - up):.2f}\n")
        run(exits.ended_hook(where, counts=True), **ENDED)
        words = where.record.read_text().split()
        assert (int(words[1]), int(words[2])) == (fails, quick)


def test_delays_double_up_to_half_a_minute() -> None:
    assert exits.delays(None)[:3] == [0.1, 0.2, 0.4]
    assert exits.delays(None)[-1] == 30.0
    assert exits.delays(0) == []
    assert exits.delays(100.0) == [100.0]


def test_notes_are_kept_and_damaged_ones_ignored(tmp_path: Path) -> None:
    notebook = Notebook(Home(tmp_path / "home"))
    notebook.prepare()
    note = Note("u.service", 2, "boot", "life", 1.5, mode="always")
    notebook.write(7, note)
    assert notebook.read(7) == note
    notebook.acknowledge(7, 2, 3)
    notebook.acknowledge(7, 1, 9)
    assert notebook.acknowledged(7) == (2, 3)
    (notebook.home.run / "units" / "7.json").write_text("{")
    assert notebook.read(7) is None
