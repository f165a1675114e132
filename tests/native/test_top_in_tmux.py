"""`sentinel top` in a real terminal: tmux shows what a person would see."""

import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import lab
import psutil
import pytest
from lab import Programs, Sentinel, eventually


class Screen:
    """A terminal of 80x24 with a shell."""

    def __init__(self, sentinel: Sentinel, directory: Path) -> None:
        directory.mkdir()
        self.short = tempfile.TemporaryDirectory(dir="/tmp")  # the address of a socket has a limit
        self.socket = Path(self.short.name) / "tmux"
        self.modes = directory / "modes"
        foreign = dict.fromkeys(("NO_COLOR", "COLUMNS", "LINES", "ENV", "TMUX", "TMUX_PANE"))
        env = sentinel.environment({**foreign, "LC_ALL": "C.UTF-8", "PS1": "$ "})
        base = ["tmux", "-S", str(self.socket), "-f", "/dev/null", "-u"]
        new = ["new-session", "-d", "-x", "80", "-y", "24", "/bin/sh", "-i"]  # several words: not by a shell
        subprocess.run([*base, *new], env=env, cwd=directory, check=True, timeout=lab.WITHIN)

    def tmux(self, *words: str) -> str:
        done = subprocess.run(
            ["tmux", "-S", str(self.socket), *words], capture_output=True, text=True, check=True, timeout=lab.WITHIN
        )
        return done.stdout

    def type(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def picture(self) -> str:
        return self.tmux("capture-pane", "-p")

    def shows(self, *texts: str, but: str = "\0") -> str:
        """The picture, once it has all of these."""

        def check() -> str:
            picture = self.picture()
            assert all(text in picture for text in texts), f"{texts} not in\n{picture}"
            assert but not in picture, f"{but} in\n{picture}"
            return picture

        return eventually(check)

    def state(self) -> str:
        """Other screen, cursor, wrapping."""
        return self.tmux("display", "-p", "#{alternate_on} #{cursor_flag} #{wrap_flag}").strip()

    def stty(self) -> str:
        """The modes of the terminal, as a command of the shell sees them."""
        self.modes.unlink(missing_ok=True)
        self.type(f"stty -a >{self.modes}.new && mv {self.modes}.new {self.modes}", "Enter")
        return eventually(self.modes.read_text)

    def close(self) -> None:
        subprocess.run(["tmux", "-S", str(self.socket), "kill-server"], check=False, timeout=lab.WITHIN)
        self.short.cleanup()


@pytest.fixture
def screen(native: Sentinel, tmp_path: Path) -> Iterator[Screen]:
    if shutil.which("tmux") is None:
        lab.skip("tmux is not installed")
    made = Screen(native, tmp_path / "screen")
    yield made
    made.close()


def start(screen: Screen, native: Sentinel) -> None:
    screen.type(shlex.join(native.command("top")), "Enter")
    screen.shows("sentinel: ", "running", "q quit")
    assert screen.state() == "1 0 0"


def end_of_top(screen: Screen, before: str) -> None:
    """The terminal is as it was, and the shell is back."""
    eventually(lambda: screen.state() == "0 1 1")
    assert screen.stty() == before


def test_a_person_sees_and_handles_processes(native: Sentinel, programs: Programs, screen: Screen) -> None:
    native.ok("group", "create", "workers")
    native.ok("run", "--name", "web", "--", *programs.lines(30, "web", prefix="request"))
    native.ok("run", "--name", "mail", "--group", "workers", "--", *programs.steady("mail"))
    programs.pid("web")
    before = screen.stty()
    start(screen, native)
    screen.shows("> web", "request 29", "  mail", "workers                 1/1", "2 of 2 running", "no daemon")
    screen.type("j")
    screen.shows("> mail", "mail: what it wrote")
    screen.type("x")
    screen.shows("Stopped mail", "1 of 2 running", "stopped")
    screen.type("S")
    screen.shows("Started mail", "2 of 2 running")
    screen.type("/", "web", "Enter")
    screen.shows("filter: web", "> web", but="  mail")
    screen.type("f")
    screen.shows("request 20", "request 29", "f back")
    screen.tmux("resize-window", "-x", "150", "-y", "40")
    screen.type("Escape")
    screen.shows("> web", "COMMAND")
    screen.type("q")
    end_of_top(screen, before.replace("rows 24; columns 80", "rows 40; columns 150"))


@pytest.mark.parametrize("ending", ["terminate", "interrupt"])
def test_signals_leave_the_terminal_as_it_was(native: Sentinel, screen: Screen, ending: str) -> None:
    before = screen.stty()
    start(screen, native)
    screen.shows("no processes yet")
    if ending == "interrupt":
        screen.type("C-c")
    else:
        pane = int(screen.tmux("display", "-p", "#{pane_pid}"))
        psutil.Process(pane).children()[0].terminate()
    end_of_top(screen, before)


def test_a_failure_leaves_the_terminal_as_it_was_and_is_told(native: Sentinel, screen: Screen) -> None:
    native.ok("list")
    before = screen.stty()
    start(screen, native)
    state = native.home / "state.json"
    state.parent.mkdir(mode=0o700, exist_ok=True)
    state.write_text("damaged")
    screen.shows("state.json is damaged")
    state.unlink()
    screen.shows("q quit")
    screen.type("q")
    end_of_top(screen, before)


def test_without_a_terminal_it_is_refused(native: Sentinel) -> None:
    assert "needs a terminal" in native.fails(2, "top").err
