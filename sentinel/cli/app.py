"""The entry point: finds the command, calls it, and turns every failure into one line and an exit status."""

import gc
import os
import sys
from collections.abc import Sequence
from typing import NoReturn, TextIO

from sentinel.cli.call import Call, MakeSupervisor, make_supervisor
from sentinel.cli.output import Output
from sentinel.errors import PartlyFailed, SentinelError
from sentinel.paths import Home, home_from_environment

INTERRUPTED = 130
BROKEN_PIPE = 141


def run(make: MakeSupervisor = make_supervisor) -> NoReturn:
    """What the `sentinel` script calls."""
    gc.disable()  # most commands end sooner than it would pay; the others enable it, see Call.stays
    _open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    try:
        status = main(sys.argv[1:], make)
    except KeyboardInterrupt:
        status = INTERRUPTED
    os._exit(_finished(status))  # taking the interpreter apart would take as long as a command of ours


def main(args: Sequence[str], make: MakeSupervisor = make_supervisor) -> int:
    """Do what the words of the command line say; the exit status."""
    out = Output(json=_wants_json(args))
    home = home_from_environment()
    try:
        status = _do(list(args), out, home, make)
        out.flush()
    except PartlyFailed as error:
        out.errors(error.failures or [("", error)])
        return error.exit_code
    except SentinelError as error:
        out.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        return BROKEN_PIPE
    except Exception as error:
        out.error(_bug(error, home))
        return 1
    return status


def _do(args: list[str], out: Output, home: Home, make: MakeSupervisor) -> int:
    if args and args[0] in ("--version", "-V"):
        from sentinel import __version__

        out.line(f"sentinel {__version__}")
        return 0
    if args and args[0] in ("--complete", "--show-completion", "--install-completion"):
        from sentinel.cli import completion

        return completion.answer(args, out, lambda: make(home))
    return _command(args, out, home, make)


def _command(args: list[str], out: Output, home: Home, make: MakeSupervisor) -> int:
    from sentinel.cli.commands import find
    from sentinel.cli.parse import parse, spelled_out

    found = find(args)
    values = None
    if found:
        command, rest = found
        rest = spelled_out(command, rest)
        args = [*command.path, *rest]
        values = parse(command, rest)
    if values is None:
        from sentinel.cli.typer_app import read

        values = read(args)
    if values is None:  # help was printed
        return 0
    return _call(Call(values, out, home, make))


def _call(call: Call) -> int:
    from importlib import import_module

    module, _, function = call.values.command.handler.partition(":")
    status: int = getattr(import_module(f"sentinel.cli.{module}"), function)(call)
    return status


def _wants_json(args: Sequence[str]) -> bool:
    words = list(args)
    return "--json" in (words[: words.index("--")] if "--" in words else words)


def _bug(error: Exception, home: Home) -> SentinelError:
    """The one line for what should never happen; the traceback goes to a file."""
    import traceback

    from sentinel.own_logs import keep_short

    what = f"sentinel has a bug: {type(error).__name__}: {error}"
    text = "".join(traceback.format_exception(error))
    try:
        home.prepare()
        keep_short(home.errors_log)
        file = os.open(home.errors_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with open(file, "w", errors="backslashreplace") as log:
            log.write(f"{text}\n")
    except (OSError, SentinelError):
        return SentinelError(what, "its details could not be written down")
    return SentinelError(what, f"details in {home.errors_log}")


def _open_standard_streams() -> None:
    """Where a standard stream is closed, the next file opened would take its number, and be printed into."""
    while (opened := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(opened, True)
    os.close(opened)
    sys.stdout = sys.stdout or _null()
    sys.stderr = sys.stderr or _null()


def _null() -> TextIO:
    return open(os.devnull, "w")


def _finished(status: int) -> int:
    """Write out what is left, so that the interpreter has nothing to complain about when it ends."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, stream.fileno())
            status = status or BROKEN_PIPE
    return status
