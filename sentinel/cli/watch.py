"""list --watch: the table again and again on the terminal's other screen, which is left as it was."""

import os
import select
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from sentinel.cli.look import EMPTY, table_lines
from sentinel.cli.output import Output
from sentinel.cli.text import escape, fit, terminal_size
from sentinel.supervisor.api import Listing

INTERVAL = 2.0
ENTER, LEAVE = "\x1b[?1049h\x1b[?25l", "\x1b[?25h\x1b[?1049l"
HOME, REST_OF_LINE, REST_OF_SCREEN = "\x1b[H", "\x1b[K", "\x1b[J"


def watch(out: Output, look: Callable[[], Listing]) -> int:
    """Until q or Ctrl-C."""
    try:
        with _screen(out), _keys() as key:
            while True:
                out.raw(HOME + REST_OF_LINE.join(frame(out, look())) + REST_OF_LINE + REST_OF_SCREEN)
                out.flush()
                if key(INTERVAL) in ("q", "Q", "\x03"):
                    return 0
    except KeyboardInterrupt:
        return 0


def frame(out: Output, listing: Listing) -> list[str]:
    """Lines that fill the screen at most, each but the last with its newline."""
    columns, height = terminal_size(out.out)
    lines = table_lines(out, listing.processes) if listing.processes else [EMPTY]
    told = [f"Auto-restarted {name} (new_pid: {new})" for name, _, new in listing.restarted]
    told += [text.replace("\n", " ") for text in listing.warnings]
    told = [fit(escape(text), columns) for text in told][: max(0, height - 4)]
    room = max(2, height - len(told) - 2)
    if len(lines) > room:
        lines = [*lines[: room - 1], f"… and {len(lines) - room + 1} more"]
    shown = [*lines, *told, fit(f"every {INTERVAL:.0f} s; q ends", columns)]
    return [*(f"{line}{REST_OF_LINE}\r\n" for line in shown[:-1]), shown[-1]]


@contextmanager
def _screen(out: Output) -> Iterator[None]:
    before = signal.signal(signal.SIGTERM, _end)
    out.raw(ENTER)
    try:
        yield
    finally:
        out.raw(LEAVE)
        out.flush()
        signal.signal(signal.SIGTERM, before)


def _end(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def _keys() -> Iterator[Callable[[float], str]]:
    """Waits for a key, without echo; where no terminal gives keys, only for the time to pass."""
    import termios
    import tty

    try:
        file = sys.stdin.fileno()
        before = termios.tcgetattr(file)
    except (AttributeError, ValueError, OSError, termios.error):
        yield _no_key
        return
    tty.setcbreak(file)
    try:
        yield lambda seconds: _key(file, seconds)
    finally:
        termios.tcsetattr(file, termios.TCSADRAIN, before)


def _no_key(seconds: float) -> str:
    select.select([], [], [], seconds)
    return ""


def _key(file: int, seconds: float) -> str:
    ready, _, _ = select.select([file], [], [], seconds)
    if not ready:
        return ""
    return os.read(file, 1).decode(errors="replace") or "q"  # the terminal is gone
