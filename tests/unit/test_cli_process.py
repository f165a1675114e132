"""The command line as a process of its own: what it imports, pipes, terminals, signals, completion."""

import json
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

FAKE = str(Path(__file__).parent / "fake_supervisor.py")
WITHIN = 240.0
HEAVY = {
    "rich",
    "psutil",
    "jinja2",
    "dotenv",
    "pydbus",
    "gi",
    "jeepney",
    "asyncio",
    "http.client",
    "subprocess",
}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SENTINEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TERM", "xterm")
    for name in ("NO_COLOR", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "home"


def sentinel(scenario: str, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, FAKE, scenario, *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=WITHIN, check=False)


@pytest.fixture
def imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., set[str]]:
    """The modules that a command has loaded by its end."""
    monkeypatch.setenv("FAKE_MODULES", str(tmp_path / "modules"))

    def modules(*words: str) -> set[str]:
        sentinel("names", *words)
        return set((tmp_path / "modules").read_text().split())

    return modules


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--json"),
        ("list",),
        ("status", "web"),
        ("stop", "web"),
        ("logs", "web"),
        ("--version",),
        ("--complete", "bash", "sentinel", "stop", ""),
        ("daemon", "run"),
        ("port", "list"),
        ("group", "list"),
    ],
)
def test_a_command_imports_nothing_heavy(words: tuple[str, ...], imported: Callable[..., set[str]]) -> None:
    assert not imported(*words) & (HEAVY | {"typer", "click"})


@pytest.mark.parametrize("words", [("--help",), ("run", "--help"), ("lost",), ("run", "x", "--lost")])
def test_help_and_mistakes_do_without_rich(words: tuple[str, ...], imported: Callable[..., set[str]]) -> None:
    seen = imported(*words)
    assert "typer" in seen
    assert "rich" not in seen


def test_list_imports_only_what_it_needs(imported: Callable[..., set[str]]) -> None:
    ours = {name for name in imported("list", "--json") if name.startswith("sentinel.cli.")}
    assert "sentinel.cli.look" in ours
    assert not ours & {
        f"sentinel.cli.{name}" for name in ("running", "groups", "logs", "watch", "completion")
    }


@pytest.mark.parametrize("words", [("list",), ("list", "--json"), ("list", "--help")])
def test_a_pipe_that_closes_leaves_no_traceback(words: tuple[str, ...]) -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, FAKE, "many", *words],
            stdout=write,
            stderr=subprocess.PIPE,
            timeout=WITHIN,
            check=False,
        )
    finally:
        os.close(write)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.parametrize("scenario", ["names", "many", "partly", "missing", "bug"])
def test_a_full_disk_is_one_line(scenario: str) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    with open("/dev/full", "wb") as full:
        done = subprocess.run(
            [sys.executable, FAKE, scenario, *(("stop", "web") if scenario == "partly" else ("list",))],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=WITHIN,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
    assert len(done.stderr.splitlines()) == 1


def test_errors_into_a_closed_pipe_leave_no_traceback() -> None:
    read, write = os.pipe()
    os.close(read)
    try:
        for words in (["missing", "list"], ["names", "lost"], ["bug", "list"], ["partly", "stop", "web"]):
            done = subprocess.run(
                [sys.executable, FAKE, *words], stderr=write, stdout=write, timeout=WITHIN, check=False
            )
            assert done.returncode in (1, 2, 141)
    finally:
        os.close(write)


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_standard_streams_harm_nothing(closed: str, home: Path) -> None:
    script = f'"$1" "$2" bug list {closed}'
    done = subprocess.run(
        ["sh", "-c", script, "sh", sys.executable, FAKE], capture_output=True, timeout=WITHIN, check=False
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr.decode()
    text = (home / "logs/.errors.log").read_text()
    assert text.startswith("Traceback")
    assert "error: sentinel has a bug" not in text


def test_any_locale_can_be_printed_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    done = sentinel("foreign", "list")
    assert (done.returncode, done.stderr) == (0, "")
    assert "\\u65e5" in done.stdout


def test_bytes_of_a_log_pass_through_a_pipe_unchanged() -> None:
    done = subprocess.run(
        [sys.executable, FAKE, "logs", "logs", "web"], capture_output=True, timeout=WITHIN, check=True
    )
    assert done.stdout == b"one \xff\x1b[2J\n[bold]two\n"


def test_an_interrupt_ends_quietly() -> None:
    done = sentinel("interrupted", "stopall")
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


class Screen:
    """A terminal, and a program on it."""

    def __init__(self, *words: str) -> None:
        self.master, self.slave = pty.openpty()
        termios.tcsetwinsize(self.slave, (24, 80))
        self.before = termios.tcgetattr(self.slave)
        self.program = subprocess.Popen(
            [sys.executable, FAKE, *words],
            stdin=self.slave,
            stdout=self.slave,
            stderr=self.slave,
            start_new_session=True,
        )
        self.seen = b""

    def read_until(self, text: bytes) -> None:
        deadline = time.monotonic() + WITHIN
        while text not in self.seen:
            assert time.monotonic() < deadline, self.seen
            if select.select([self.master], [], [], 1.0)[0]:
                self.seen += os.read(self.master, 65536)

    def close(self) -> None:
        if self.program.poll() is None:
            self.program.kill()
        self.program.wait()
        os.close(self.slave)
        os.close(self.master)


@pytest.fixture
def watched() -> Iterator[Screen]:
    screen = Screen("names", "list", "--watch")
    try:
        screen.read_until(b"q ends")
        yield screen
    finally:
        screen.close()


@pytest.mark.parametrize("ending", ["q", "interrupt", "terminate"])
def test_watch_leaves_the_terminal_as_it_was(watched: Screen, ending: str) -> None:
    assert b"\x1b[?1049h" in watched.seen
    if ending == "q":
        os.write(watched.master, b"q")
    else:
        watched.program.send_signal(signal.SIGINT if ending == "interrupt" else signal.SIGTERM)
    watched.read_until(b"\x1b[?1049l")
    assert watched.program.wait(WITHIN) == 0
    assert termios.tcgetattr(watched.slave) == watched.before


def test_a_table_fits_the_terminal_it_is_printed_on() -> None:
    screen = Screen("names", "list")
    try:
        screen.read_until(b"worker")
        screen.program.wait(WITHIN)
        head = screen.seen.decode().splitlines()[0]
    finally:
        screen.close()
    assert "\x1b[1m" in head
    assert all(len(one) <= 80 for one in head.replace("\x1b[1m", "").replace("\x1b[0m", "").splitlines())


COMPLETED = [
    (["sta"], ["start", "status", "startall", "startup"]),
    (["group", "cr"], ["create"]),
    (["po"], ["port"]),
    (["stop", "we"], ["web@1", "web@2"]),
    (["stop", "web@1", ""], ["web@2", "worker"]),
    (["list", "--group", "w"], ["workers"]),
    (["list", "--group=w"], ["--group=workers"]),
    (["group", "add", "w"], ["workers"]),
    (["group", "add", "workers", "wo"], ["worker"]),
    (["port", "free", ""], ["default"]),
    (["logs", "web", "--st"], ["--stream"]),
    (["logs", "web", "--stream", ""], ["stdout", "stderr", "both"]),
    (["run", "--env-file", ""], [":files"]),
    (["run", "--cwd", "x"], [":dirs"]),
    (["run", "--port", "--na"], ["--name"]),
    (["run", "--", "--na"], [":files"]),
    (["lost", ""], []),
    (["clean", ""], []),
]


@pytest.mark.parametrize(("words", "found"), COMPLETED)
def test_completion_knows_commands_options_and_names(words: list[str], found: list[str]) -> None:
    done = sentinel("names", "--complete", "plain", "sentinel", *words)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.split()) == sorted(found)


def test_errors_in_completion_are_silent() -> None:
    done = sentinel("missing", "--complete", "bash", "sentinel", "stop", "")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("sentinel stop web@", "1 2"),
        ("sentinel lis", "list"),
        ("sentinel stop ", "web@1 web@2 worker"),
        ("sentinel list --group=", "workers"),
        ("sentinel list --gr", "--group"),
    ],
)
def test_bash_completes(line: str, expected: str, tmp_path: Path) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("bash is not installed")
    program = tmp_path / "sentinel"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{FAKE}" names "$@"\n')
    program.chmod(0o700)
    script = sentinel("names", "--show-completion", "bash").stdout
    asked = 'COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}; _sentinel_completion; echo "${COMPREPLY[@]}"'
    done = subprocess.run(
        [bash, "--norc", "-c", f"{script}\n{asked}", "bash", line],
        capture_output=True,
        text=True,
        timeout=WITHIN,
        env={**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"},
        check=False,
    )
    assert done.stdout.strip() == expected, done.stderr


@pytest.mark.parametrize(
    ("shell", "path"),
    [
        ("bash", ".local/share/bash-completion/completions/sentinel"),
        ("zsh", ".zfunc/_sentinel"),
        ("fish", ".config/fish/completions/sentinel.fish"),
    ],
)
def test_completion_installs_itself_once(
    shell: str, path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("XDG_DATA_HOME", "XDG_CONFIG_HOME", "ZDOTDIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    rc = tmp_path / f".{shell}rc"
    rc.write_text("# mine")
    for _ in range(2):
        assert sentinel("names", "--install-completion", shell).returncode == 0
    assert (tmp_path / path).read_text() == sentinel("names", "--show-completion", shell).stdout
    assert rc.read_text().startswith("# mine")
    assert rc.read_text().count("sentinel's completion") == (0 if shell == "fish" else 1)


def test_an_unknown_shell_is_a_mistake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHELL", "/bin/tcsh")
    done = sentinel("names", "--show-completion")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no completion for the shell 'tcsh'")


def test_json_of_many_is_one_document() -> None:
    assert len(json.loads(sentinel("many", "list", "--json").stdout)) == 5000
