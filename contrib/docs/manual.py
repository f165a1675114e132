"""man/sentinel.1: the manual page, from the table of the command line."""

from collections.abc import Iterator

import facts
from reference import option_text, sections, usage

from sentinel.cli import spec
from sentinel.cli.spec import Command, Option

_ABOUT = (
    "sentinel keeps processes running. It starts them, restarts what crashes or hangs, keeps what they write, and "
    "stops them with all that they have started.",
    "There are two engines. On native, sentinel starts the processes itself and its daemon watches them; on systemd "
    "every process is a transient unit, every group a slice, and the output is in the journal. The commands are the "
    "same on both. Without --backend, systemd is taken where it can be reached and processes survive a logout.",
    "An argument NAME is the name or the number of a process. TIME is in seconds, or as 500ms, 10s, 5m, 1h; SIZE in "
    "bytes, or as 512K, 100M, 2G.",
)


def page() -> str:
    return "\n".join(lines()) + "\n"


def lines() -> Iterator[str]:
    yield from ('.\\" Made by contrib/docs/make.py from the code.', '.TH SENTINEL 1 "" "sentinel" "User Commands"')
    yield from (".SH NAME", "sentinel \\- keep servers and workers running")
    yield from (".SH SYNOPSIS", ".B sentinel", ".I COMMAND", "[\\fIARGUMENT\\fR]...")
    yield ".SH DESCRIPTION"
    for at, text in enumerate(_ABOUT):
        yield from ((".PP",) if at else ())
        yield escape(text)
    for section, commands in sections():
        yield f".SH {quoted(section.upper())}"
        for command in commands:
            yield from _command(command)
    yield from _items("EXIT STATUS", facts.EXITS)
    yield from _items("ENVIRONMENT", facts.VARIABLES)
    yield from _items("FILES", facts.FILES)
    yield from (".SH SEE ALSO", ".BR systemctl (1),", ".BR journalctl (1),", ".BR systemd.slice (5)")


def _command(command: Command) -> Iterator[str]:
    yield from (f".SS {quoted(usage(command))}", escape(command.help))
    if command.text:
        yield from (".PP", escape(command.text))
    if command.aliases:
        yield from (".PP", escape(f"Also: {', '.join(command.aliases)}."))
    for title, options in spec.sections(command).items():
        yield from ((".PP", f"\\fI{escape(title)}\\fR") if title != "Options" else ())
        for option in options:
            yield from (".TP", _flags(option), escape(option_text(option)))
    if command.examples:
        yield from (".PP", "Examples:", ".PP", ".nf", ".RS 4", *map(escape, command.examples), ".RE", ".fi")


def _flags(option: Option) -> str:
    flags = ", ".join(f"\\fB{escape(flag)}\\fR" for flag in option.flags)
    return f"{flags} \\fI{escape(option.value)}\\fR" if option.value else flags


def _items(title: str, items: dict[str, str]) -> Iterator[str]:
    yield f".SH {title}"
    for name, text in items.items():
        yield from (".TP", f"\\fB{escape(name)}\\fR", escape(text.replace("`", "")))


def escape(text: str) -> str:
    """As groff shows it again: no minus becomes a hyphen, no first character a request."""
    shown = text.replace("\\", "\\e").replace("-", "\\-").replace("~", "\\(ti").replace("^", "\\(ha")
    shown = shown.replace("'", "\\(aq").replace("`", "\\(ga")
    return f"\\&{shown}" if shown.startswith((".", "'")) else shown


def quoted(text: str) -> str:
    return '"' + escape(text).replace('"', "\\(dq") + '"'
