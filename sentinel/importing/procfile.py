"""Procfile: a line per process, `name: command line`."""

import re

from sentinel.importing.report import Imported, Section, Source, Wanted, approximated, dropped, mapped
from sentinel.model import Restart, RestartPolicy, Spec

_LINE = re.compile(r"([A-Za-z0-9_][A-Za-z0-9_.-]*)[ \t]*:[ \t]*(.*)", re.ASCII)
_PORT = re.compile(r"\$(?:PORT\b|\{PORT[}:=-])")

RULES = {
    "command": mapped("COMMAND", "shell syntax is understood"),
    "restart": approximated("--restart", "a Procfile says nothing about it: restarted whenever it ends"),
    "$PORT": approximated("--port", "a free port of sentinel's own choice"),
    ".env": mapped("", "the .env file beside it is read at every start"),
    "release": dropped("a command that runs once, before a deployment: run it yourself"),
}


def parse(source: Source) -> Imported:
    """Raises UsageError: a line that is no entry, a name twice, or nothing in it."""
    sections: list[Section] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(source.text.splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None or not match[2]:
            source.refuse(number, f"not a process: {text[:60]!r}", "write it like: web: python3 app.py")
        name, command = match[1], match[2]
        if name in seen:
            source.refuse(number, f"{name} is in line {seen[name]} already", "rename one of them")
        seen[name] = number
        sections.append(_section(source, name, command, number))
    if not sections:
        source.refuse(None, "there is no process in it", "write a line like: web: python3 app.py")
    return Imported("procfile", sections)


def _section(source: Source, name: str, command: str, line: int) -> Section:
    section = Section(name, line, source, RULES)
    if name == "release":
        section.note("release", command, line)
        return section
    spec = Spec([command], source.directory, restart=RestartPolicy(Restart.ALWAYS))
    wanted = Wanted(section.allowed_name(name, line), spec, line)
    section.note("command", command, line)
    section.note("restart", "", None)
    if _PORT.search(command):
        wanted.ports.append("PORT")
        section.note("$PORT", "", line)
    if source.exists(source.directory + "/.env"):
        section.note(".env", "", None)
    section.wanted.append(wanted)
    return section
