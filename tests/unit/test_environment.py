"""The environment of a process: what is captured, and what is stronger than what."""

import os
import stat
from pathlib import Path

import pytest

from sentinel.backends.base import Account
from sentinel.environment import capture, check_variable, forget, load_captured, resolve
from sentinel.errors import LaunchError, UsageError
from sentinel.model import Group, Record, Spec
from sentinel.paths import Home

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root starts something as another user")
DEPLOY = Account("deploy", 54321, 54321, (54321,), "/home/deploy", "/bin/bash")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = Home(tmp_path / "home")
    home.prepare()
    return home


@pytest.fixture
def record(home: Home, tmp_path: Path) -> Record:
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    capture(home, 1, {"PATH": "/bin", "WHO": "captured"})
    return Record(1, "web", "native", Spec(["x"], str(cwd)))


def cwd_file(record: Record) -> Path:
    return Path(record.spec.cwd, ".env")


def test_capture_is_private_and_whole(home: Home) -> None:
    environ = {"A": "x\ny", "B": "\udcff", "é": "ü", "SENTINEL_HOME": "/h", "EMPTY": ""}
    told = "NOTIFY_SOCKET LISTEN_FDS LISTEN_PID WATCHDOG_USEC INVOCATION_ID JOURNAL_STREAM SENTINEL_ID"
    control = dict.fromkeys(told.split(), "x")
    capture(home, 7, environ | control)
    assert load_captured(home, 7) == environ
    assert stat.S_IMODE(home.environment(7).stat().st_mode) == 0o600
    forget(home, 7)
    forget(home, 7)
    assert load_captured(home, 7) is None


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b'{"A": 1}', b"\xff", b"[" * 5000])
def test_damaged_captured_environment(home: Home, data: bytes) -> None:
    home.environment(1).write_bytes(data)
    with pytest.raises(LaunchError, match="damaged") as caught:
        load_captured(home, 1)
    assert "--update-env" in caught.value.hint


def test_precedence_weakest_first(home: Home, record: Record, tmp_path: Path) -> None:
    def who(group: Group | None = None) -> str:
        return resolve(home, record, group, None)["WHO"]

    assert who() == "captured"
    home.dotenv.write_text("WHO=home\n")
    assert who() == "home"
    cwd_file(record).write_text("WHO=cwd\n")
    assert who() == "cwd"
    group = Group("g", env={"WHO": "group"})
    assert who(group) == "group"
    group.env_file = str(tmp_path / "group.env")
    Path(group.env_file).write_text("WHO=group file\n")
    assert who(group) == "group file"
    record.spec.env_file = str(tmp_path / "own.env")
    Path(record.spec.env_file).write_text("WHO=env file\n")
    assert who(group) == "env file"
    record.spec.env = {"WHO": "option"}
    assert who(group) == "option"
    record.spec.ports = {"WHO": 8080}
    assert who(group) == "8080"
    assert resolve(home, record, group, None)["PATH"] == "/bin"


def test_dotenv_syntax_and_interpolation(home: Home, record: Record, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WHO", "the daemon")
    home.dotenv.write_text("BASE=/srv\n")
    cwd_file(record).write_bytes(
        b"\xef\xbb\xbf# comment\nexport DIR=${BASE}/app\nSUB=${DIR}/x # comment\n"
        b'QUOTED="a\\nb" \n'
        b"SINGLE='a b'\nFROM=${WHO}\nDEFAULT=${NONE:-fallback}\nEMPTY=\n"
        b"KEY_ONLY\nthis is no line\n=x\nRAW=\xff\n"
    )
    env = resolve(home, record, None, None)
    assert {key: value for key, value in env.items() if key not in ("PATH", "WHO", "BASE")} == {
        "DIR": "/srv/app",
        "SUB": "/srv/app/x",
        "QUOTED": "a\nb",
        "SINGLE": "a b",
        "FROM": "captured",
        "DEFAULT": "fallback",
        "EMPTY": "",
        "RAW": "\udcff",
    }


def test_a_missing_env_file_is_named(home: Home, record: Record, tmp_path: Path) -> None:
    missing = str(tmp_path / "gone.env")
    with pytest.raises(LaunchError, match=r"gone\.env"):
        resolve(home, record, Group("g", env_file=missing), None)
    record.spec.env_file = missing
    with pytest.raises(LaunchError, match=r"no such env file: .*gone\.env"):
        resolve(home, record, None, None)
    record.spec.env_file = str(tmp_path)
    with pytest.raises(LaunchError, match="not a regular file"):
        resolve(home, record, None, None)


@pytest.mark.parametrize("data", [b"A=" + b"x" * (1 << 20), b"A=x\0y\n"])
def test_what_is_no_env_file_is_refused(home: Home, record: Record, tmp_path: Path, data: bytes) -> None:
    record.spec.env_file = str(tmp_path / "odd.env")
    Path(record.spec.env_file).write_bytes(data)
    with pytest.raises(LaunchError, match="cannot use"):
        resolve(home, record, None, None)


def test_other_things_called_env_are_left_alone(home: Home, record: Record) -> None:
    path = cwd_file(record)
    path.mkdir()
    assert resolve(home, record, None, None)["WHO"] == "captured"
    path.rmdir()
    os.mkfifo(path)
    assert resolve(home, record, None, None)["WHO"] == "captured"
    path.unlink()
    (path.parent / "shared.env").write_text("WHO=shared\n")
    path.symlink_to("shared.env")
    assert resolve(home, record, None, None)["WHO"] == "shared"


def test_without_a_captured_one_it_is_that_of_whoever_starts(
    home: Home, record: Record, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget(home, 1)
    monkeypatch.setenv("WHO", "starter")
    monkeypatch.setenv("NOTIFY_SOCKET", "/x")
    env = resolve(home, record, None, None)
    assert env["WHO"] == "starter"
    assert "NOTIFY_SOCKET" not in env


def test_the_account_is_stronger_than_captured_and_weaker_than_asked_for(home: Home, record: Record) -> None:
    capture(home, 1, {"HOME": "/root", "USER": "root", "PWD": "/somewhere"})
    env = resolve(home, record, None, DEPLOY)
    assert [env[key] for key in ("HOME", "USER", "LOGNAME", "SHELL", "PWD")] == [
        "/home/deploy", "deploy", "deploy", "/bin/bash", record.spec.cwd,
    ]  # fmt: skip
    record.spec.env = {"HOME": "/elsewhere"}
    assert resolve(home, record, None, DEPLOY)["HOME"] == "/elsewhere"


@ROOT_ONLY
def test_root_reads_no_env_of_a_third(home: Home, record: Record) -> None:
    path = cwd_file(record)
    path.write_text("WHO=cwd\n")
    assert resolve(home, record, None, DEPLOY)["WHO"] == "cwd"
    os.chown(path, DEPLOY.uid, DEPLOY.gid)
    assert resolve(home, record, None, DEPLOY)["WHO"] == "cwd"
    os.chown(path, 65534, 65534)
    assert resolve(home, record, None, DEPLOY)["WHO"] == "captured"
    path.unlink()
    (path.parent / "secret").write_text("WHO=secret\n")
    path.symlink_to("secret")
    assert resolve(home, record, None, DEPLOY)["WHO"] == "captured"


def test_check_variable() -> None:
    assert check_variable("A=b=c") == ("A", "b=c")
    assert check_variable("_a1=") == ("_a1", "")
    for text in ("A", "", "=x", "1A=x", "A B=x", "A-B=x", "é=x", "A\n=x", "A=x\0"):
        with pytest.raises(UsageError) as caught:
            check_variable(text)
        assert str(caught.value).isprintable()
