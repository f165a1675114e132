"""The one place that prints: results on stdout, errors and warnings on stderr, as text or as JSON."""

import errno
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, TextIO

from sentinel.cli.text import RED, coloured, escape, has_colour, is_terminal
from sentinel.errors import SentinelError


class Output:
    """Where a command prints. `json` is whether its results are asked for as JSON."""

    def __init__(self, *, json: bool = False, out: TextIO | None = None, err: TextIO | None = None) -> None:
        self.json = json
        self.out = out or sys.stdout
        self.err = err or sys.stderr

    @property
    def on_terminal(self) -> bool:
        return is_terminal(self.out)

    def line(self, text: str) -> None:
        """A line of result, with nothing in it that could harm a terminal."""
        self.raw(escape(text) + "\n")

    def raw(self, text: str) -> None:
        """Text that is known to be harmless."""
        self._write(self.out, text)

    def data(self, value: Any) -> None:
        """The result as JSON: ASCII, so that it survives every locale and unpaired surrogates."""
        import json

        self.raw(json.dumps(value, indent=2 if self.on_terminal else None) + "\n")

    def bytes(self, data: bytes) -> None:
        """Bytes exactly as they are."""
        try:
            self.out.flush()
            self.out.buffer.write(data)
        except OSError as error:
            raise _unwritable(error) from error

    def flush(self) -> None:
        try:
            self.out.flush()
        except OSError as error:
            raise _unwritable(error) from error

    def note(self, text: str) -> None:
        """A line beside the result."""
        self.flush()
        self._write(self.err, "".join(f"{escape(line)}\n" for line in text.split("\n")))

    def warnings(self, texts: Iterable[str]) -> None:
        """A warning each; one of several lines stands for itself."""
        for text in texts:
            self.note(text if "\n" in text else f"warning: {text}")

    def error(self, error: SentinelError) -> None:
        """What went wrong: one line, or the error object of JSON. Raises nothing, it is the last resort."""
        if self.json:
            import json

            text = json.dumps({"error": error_data(error)})
        else:
            mark = coloured("error:", RED) if has_colour(self.err) else "error:"
            text = f"{mark} {escape(str(error))}"
        with suppress(OSError, SentinelError):
            self.flush()
        with suppress(OSError, SentinelError):
            self._write(self.err, f"{text}\n")

    def errors(self, failures: Sequence[tuple[str, SentinelError]]) -> None:
        """A line for each that failed; in JSON one object for them all, the results tell the rest."""
        if not self.json or len(failures) <= 1:
            for _, error in failures:
                self.error(error)
            return
        names = ", ".join(name for name, _ in failures)
        self.error(SentinelError(f"{len(failures)} failed: {names}", "see their errors in the result"))

    @staticmethod
    def _write(stream: TextIO, text: str) -> None:
        try:
            stream.write(text)
        except OSError as error:
            raise _unwritable(error) from error


def _unwritable(error: OSError) -> Exception:
    if error.errno == errno.EPIPE:
        return BrokenPipeError(*error.args)
    return SentinelError(f"cannot write the output: {os.strerror(error.errno or 0).lower()}")


def error_data(error: SentinelError) -> dict[str, str]:
    return {"code": error.code, "message": error.message, "hint": error.hint}


class Progress:
    """`stopping 12/50 …` on one line of the terminal once it takes over a second; cleared at the end."""

    def __init__(self, verb: str, stream: TextIO, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._verb = verb
        self._stream = stream
        self._since = now()
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        if self._now() - self._since < 1.0:
            return
        self._shown = True
        self._show(f"\r{self._verb} {done}/{total} …\x1b[K")

    def clear(self) -> None:
        if self._shown:
            self._show("\r\x1b[K")

    def _show(self, text: str) -> None:
        with suppress(OSError):  # nobody looks any more: no reason to leave the work half done
            self._stream.write(text)
            self._stream.flush()
