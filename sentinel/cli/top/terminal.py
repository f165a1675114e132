"""The terminal of `top`: its other screen, keys without echo; left as it was, whatever happens."""

import os
import re
import select
import signal
import sys
import termios
import tty
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn

from sentinel.cli.output import Output
from sentinel.cli.text import terminal_size

ENTER = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J"  # the other screen, no cursor, no wrapping
LEAVE = "\x1b[?7h\x1b[?25h\x1b[?1049l"
_KEY = re.compile(r"\x1b[\[O][0-9;]*[A-Za-z~]|\x1b|.", re.DOTALL)
_NAMES = {
    "A": "up", "B": "down", "H": "home", "F": "end", "1~": "home", "7~": "home", "4~": "end", "8~": "end",
    "5~": "page up", "6~": "page down",
}  # fmt: skip
_PLAIN = {"\r": "enter", "\n": "enter", "\x7f": "backspace", "\x08": "backspace", "\x1b": "escape", "\x0c": "redraw"}


def keys_of(text: str) -> list[str]:
    """The names of the keys that sent this: a character is its own, sequences that are not known are none."""
    found = []
    for piece in _KEY.findall(text):
        itself = piece if piece.isprintable() else ""
        found.append(_NAMES.get(piece[2:], "") if len(piece) > 1 else _PLAIN.get(piece, itself))
    return list(filter(None, found))


class Terminal:
    """Draws what changed, and waits for keys. `wake` may be called from another thread."""

    def __init__(self, out: Output) -> None:
        self._out = out
        self._keys = sys.stdin.fileno()
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)
        self._shown: list[str] = []
        self._drawn_at = (0, 0)

    def wake(self) -> None:
        """Have `read` return."""
        with suppress(BlockingIOError):
            os.write(self._writer, b"!")

    def size(self) -> tuple[int, int]:
        """Columns and lines."""
        return terminal_size(self._out.out)

    def redraw(self) -> None:
        """Draw all of it the next time."""
        self._drawn_at = (0, 0)

    def draw(self, lines: Sequence[str]) -> None:
        """Show these lines; only those that changed are sent."""
        size = self.size()
        text = ""
        if size != self._drawn_at:
            text, self._shown, self._drawn_at = "\x1b[2J", [], size
        before = self._shown
        for at, line in enumerate(lines):
            if at >= len(before) or before[at] != line:
                text += f"\x1b[{at + 1};1H\x1b[2K{line}"
        text += "".join(f"\x1b[{at + 1};1H\x1b[2K" for at in range(len(lines), len(before)))
        self._shown = list(lines)
        if text:
            self._out.raw(text)
            self._out.flush()

    def read(self, seconds: float | None = None) -> list[str]:
        """Wait for keys, a wake-up or a change of size; "gone" is the end of the terminal."""
        ready, _, _ = select.select([self._keys, self._reader], [], [], seconds)
        if self._reader in ready:
            with suppress(BlockingIOError):
                os.read(self._reader, 4096)
        if self._keys not in ready:
            return []
        try:
            data = os.read(self._keys, 1024)
        except OSError:
            data = b""
        return keys_of(data.decode(errors="ignore")) if data else ["gone"]

    @contextmanager
    def taken(self) -> Iterator[None]:
        """The whole screen, until the end of the block; SIGTERM and SIGHUP end it as Ctrl-C does."""
        modes = termios.tcgetattr(self._keys)
        handlers = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
        handlers[signal.SIGWINCH] = signal.signal(signal.SIGWINCH, lambda *_: self.wake())
        try:
            tty.setcbreak(self._keys, termios.TCSADRAIN)
            self._without_suspending()
            self._out.raw(ENTER)
            yield
        finally:
            interrupt = signal.signal(signal.SIGINT, lambda *_: None)  # no second Ctrl-C may cut this short
            with suppress(Exception):  # the terminal may be gone
                self._out.raw(LEAVE)
                self._out.flush()
            with suppress(termios.error):
                termios.tcsetattr(self._keys, termios.TCSADRAIN, modes)
            for number, handler in (*handlers.items(), (signal.SIGINT, interrupt)):
                signal.signal(number, handler)

    def _without_suspending(self) -> None:
        """Ctrl-Z would leave a shell on our screen."""
        modes = termios.tcgetattr(self._keys)
        modes[6][termios.VSUSP] = b"\0"
        termios.tcsetattr(self._keys, termios.TCSADRAIN, modes)


def _end(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt
