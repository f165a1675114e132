"""logs: what a process wrote; bytes exactly as they are in a pipe, made harmless on a terminal."""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from sentinel.cli.call import Call
from sentinel.cli.text import RED, coloured, has_colour
from sentinel.errors import UsageError

if TYPE_CHECKING:
    from sentinel.backends.base import LogLine
    from sentinel.cli.output import Output

STREAMS = {"both": ("stdout", "stderr"), "stdout": ("stdout",), "stderr": ("stderr",)}


def logs(call: Call) -> int:
    names = call.values.words("names")
    if call.values.flag("clear"):
        return _clear(call, names)
    if len(names) > 1:
        raise UsageError("logs shows one process at a time", f"try: sentinel logs {names[0]}")
    write(call.out, _lines(call, names[0]))
    return 0


def _clear(call: Call, names: list[str]) -> int:
    if call.values.flag("follow"):
        raise UsageError("--clear and --follow contradict each other", "clear first, then follow")
    return call.tell(call.supervisor.log_clear(names), lambda one: f"Cleared the logs of {one.name}")


def _lines(call: Call, name: str) -> "Iterator[LogLine | None]":
    from sentinel import quantities

    lines = quantities.count(call.values.required("lines"), what="--lines")
    streams = STREAMS[call.values.required("stream")]
    given = call.values.text("since")
    since = None if given is None else quantities.since(given)
    if call.values.flag("follow"):
        call.stays()
        return call.supervisor.log_follow(name, lines, streams, since)
    return iter(call.supervisor.log_tail(name, lines, streams, since))


def write(out: "Output", lines: "Iterable[LogLine | None]") -> None:
    """Each line as it comes; what was written is flushed whenever nothing more comes for a moment."""
    one_by_one = _as_json if out.json else _on_terminal if out.on_terminal else _exactly
    for line in lines:
        if line is None:
            out.flush()
        else:
            one_by_one(out, line)
    out.flush()


def _exactly(out: "Output", line: "LogLine") -> None:
    out.bytes(line.data + b"\n")


def _on_terminal(out: "Output", line: "LogLine") -> None:
    from sentinel.logs.printing import safe

    text = safe(line.data)
    out.raw(coloured(text, RED if line.stream == "stderr" and has_colour(out.out) else "") + "\n")


def _as_json(out: "Output", line: "LogLine") -> None:
    import json

    text = line.data.decode(errors="replace")
    out.raw(json.dumps({"stream": line.stream, "line": text, "at": line.at}) + "\n")
