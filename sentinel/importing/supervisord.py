"""supervisord.conf: [program:x] and [group:x] sections."""

import os
import re
import shlex
from collections.abc import Callable, Mapping
from typing import TypeVar

from sentinel import quantities
from sentinel.environment import check_variable
from sentinel.importing import ini
from sentinel.importing.ini import Block
from sentinel.importing.report import Imported, Rule, Section, Source, Verdict, Wanted, vector
from sentinel.importing.supervisord_rules import GROUP, OTHER, PROGRAM, SUPERVISORD
from sentinel.model import Restart, RestartPolicy, Spec

_EXPANSION = re.compile(r"%(?:(%)|\((\w+)\)(0?\d{0,2})([sd]))?")
_VARIABLE = re.compile(r"""\s*([^=,\s"']+)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^,"'\n]*))\s*(?:,|$)""")
_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
MOST = 10_000
T = TypeVar("T")


def parse(source: Source) -> Imported:
    """Raises UsageError: it can't be read, or there is no program in it."""
    blocks = ini.read(source)
    groups = _groups(source, blocks)
    common = next((block for block in blocks if block.title == "supervisord"), None)
    sections: list[Section] = []
    for block in blocks:
        kind, _, name = block.title.partition(":")
        if kind == "program":
            sections.append(_Program(source, block, name.strip(), common, groups.get(name.strip())).section)
        elif kind == "group":
            sections.append(_reported(source, block, GROUP))
        elif kind == "supervisord":
            sections.append(_reported(source, block, SUPERVISORD))
        elif kind in OTHER:
            section = Section(block.title, block.line, source, OTHER)
            section.note(kind, block.values.get("files", ""), block.line)
            sections.append(section)
    if not any(section.wanted for section in sections):
        hint = "import the files that its [include] names" if any(b.title == "include" for b in blocks) else "check it"
        source.refuse(None, "there is no [program:x] in it", hint)
    found = {block.title.partition(":")[2].strip(): block.line for block in blocks if block.title.startswith("group:")}
    return Imported("supervisord", sections, {**found})


def _reported(source: Source, block: Block, rules: Mapping[str, Rule]) -> Section:
    section = Section(block.title, block.line, source, rules)
    for option, value in block.values.items():
        if block.title != "supervisord" or option in rules:
            section.note(option, "" if option == "environment" else value, block.lines[option])
    return section


def _groups(source: Source, blocks: list[Block]) -> dict[str, str]:
    """program -> group. Raises UsageError: a program that is not there, or is in two groups."""
    programs = {b.title.partition(":")[2].strip() for b in blocks if b.title.startswith(("program:", "fcgi-program:"))}
    member: dict[str, str] = {}
    for block in blocks:
        if not block.title.startswith("group:"):
            continue
        group = block.title.partition(":")[2].strip()
        line = block.lines.get("programs", block.line)
        for name in re.split(r"[,\s]+", block.values.get("programs", "").strip()):
            if name not in programs:
                source.refuse(line, f"no program named {name or '(empty)'} for group {group}")
            if name in member:
                source.refuse(line, f"{name} is in group {member[name]} already", "a process has one group")
            member[name] = group
    return member


def environment(source: Source, text: str, line: int | None) -> dict[str, str]:
    """`A="x",B=y`."""
    found: dict[str, str] = {}
    at, text = 0, text.strip()
    while at < len(text):
        match = _VARIABLE.match(text, at)
        if match is None:
            name = text[at : at + 30].split("=")[0]
            source.refuse(line, f"environment: not a variable: {name!r}", 'write A="1",B="2"')
        value = next((part for part in match.groups()[1:] if part is not None), "")
        found[match[1]] = value.strip() if match[4] is not None else value
        at = match.end()
    return found


def boolean(section: Section, option: str, value: str, line: int | None) -> bool:
    word = value.lower()
    if word not in (*_TRUE, *_FALSE):
        section.refuse(line, f"{option} is neither true nor false: {value!r}")
    return word in _TRUE


class _Program:
    """One [program:x], read option by option."""

    def __init__(self, source: Source, block: Block, name: str, common: Block | None, group: str | None) -> None:
        self.source, self.block, self.name, self.common, self.group = source, block, name, common, group
        self.section = Section(block.title, block.line, source, PROGRAM)
        for option, value in block.values.items():
            if option not in PROGRAM:
                self.section.note(option, value, block.lines[option])
        count = self._count()
        self.policy = self._restart()
        self.logs = self._logs()
        self.start = self._flag("autostart", True)
        self._simple()
        first = self._read("numprocs_start", quantities.count, "0")
        for number in range(first, first + count):
            self.section.wanted.append(self._one(number))
        self.section.entries.sort(key=lambda entry: entry.line or 0)

    # reading

    def _get(self, option: str, default: str = "") -> str:
        return self.block.values.get(option, default)

    def _line(self, option: str) -> int | None:
        return self.block.lines.get(option)

    def _read(self, option: str, read: Callable[..., T], default: str = "", **limits: int) -> T:
        return self.section.checked(option, self._line(option), read, self._get(option, default), **limits)

    def _flag(self, option: str, default: bool) -> bool:
        if option not in self.block.values:
            return default
        value = self._get(option)
        self.section.note(option, value, self._line(option))
        return boolean(self.section, option, value, self._line(option))

    def _count(self) -> int:
        count = self._read("numprocs", quantities.count, "1", minimum=1, maximum=MOST)
        if count > 1 and "process_num" not in self._get("process_name"):
            hint = "add process_name=%(program_name)s-%(process_num)d"
            self.section.refuse(self._line("numprocs"), "numprocs needs %(process_num) in process_name", hint)
        for option in ("numprocs", "numprocs_start", "process_name", "command", "directory"):
            if option in self.block.values:
                self.section.note(option, self._get(option), self._line(option))
        if "directory" not in self.block.values:
            note = "supervisord's own; here that of the file, / for a file below /etc"
            self.section.adapt("directory", "", None, note)
        return count

    def _restart(self) -> RestartPolicy:
        section, value, line = self.section, self._get("autorestart", "unexpected").lower(), self._line("autorestart")
        if value == "unexpected":
            note = "on-failure; death by HUP, INT, TERM or PIPE counts as expected here"
            section.adapt("autorestart", value, line, note)
            mode = Restart.ON_FAILURE
        else:
            mode = Restart.ALWAYS if boolean(section, "autorestart", value, line) else Restart.NO
            section.note("autorestart", value, line)
        policy = RestartPolicy(mode)
        if "startretries" in self.block.values:
            retries = self._read("startretries", quantities.count)
            section.note("startretries", self._get("startretries"), self._line("startretries"))
            policy.max_restarts = retries if mode is not Restart.NO else None
        if "exitcodes" in self.block.values:
            codes = self._get("exitcodes")
            if codes.strip() == "0":
                section.note("exitcodes", codes, self._line("exitcodes"))
            else:
                section.drop("exitcodes", codes, self._line("exitcodes"), "only 0 is an expected exit code here")
        return policy

    def _logs(self) -> tuple[int | None, int | None]:
        sizes, backups = [], []
        for stream in ("stdout", "stderr"):
            option = f"{stream}_logfile_maxbytes"
            if option in self.block.values:
                text, line = self._get(option), self._line(option)
                size = self._read(option, quantities.size)
                if size == 0:
                    self.section.drop(option, text, line, "logs are always bounded")
                else:
                    self.section.note(option, text, line)
                    sizes.append(size)
            option = f"{stream}_logfile_backups"
            if option in self.block.values:
                backups.append(self._read(option, quantities.count))
                self.section.note(option, self._get(option), self._line(option))
        return max(sizes, default=None), max(backups, default=None)

    def _simple(self) -> None:
        """Options that change nothing in the spec, or are read where each process is made."""
        done = {entry.option for entry in self.section.entries}
        for option, value in self.block.values.items():
            if option in done or option not in PROGRAM:
                continue
            line = self._line(option)
            if option in ("stopasgroup", "killasgroup"):
                if boolean(self.section, option, value, line):
                    self.section.note(option, value, line)
                else:
                    self.section.adapt(option, value, line, "a stop always ends the whole tree")
            elif (option.endswith("_logfile") and value.upper() == "AUTO") or (option, value) == ("startsecs", "1"):
                self.section.note(option, value, line, verdict=Verdict.MAPPED, note="")
            elif option == "environment":
                self.section.note(option, ", ".join(environment(self.source, value, line)), line)
            elif option == "redirect_stderr" and not boolean(self.section, option, value, line):
                self.section.note(option, value, line, verdict=Verdict.MAPPED, note="")
            else:
                self.section.note(option, value, line)

    # making

    def _expansions(self, number: int) -> dict[str, str]:
        env = {f"ENV_{name}": value for name, value in self.source.environ.items()}
        return {
            **env,
            "program_name": self.name,
            "process_num": str(number),
            "numprocs": self._get("numprocs", "1"),
            "group_name": self.group or self.name,
            "host_node_name": self.source.host,
            "here": self.source.directory,
        }

    def _expand(self, option: str, known: Mapping[str, str], block: Block | None = None) -> str:
        where = self.block if block is None else block
        line = where.lines.get(option)

        def replace(match: re.Match[str]) -> str:
            if match[1]:
                return "%"
            if match[2] is None:
                self.section.refuse(line, f"{option}: a % alone", "write %% for a percent sign")
            if match[2] not in known:
                self.section.refuse(line, f"{option}: %({match[2]})s is not known", "give it its value")
            value = known[match[2]]
            if match[4] == "d" and not value.isdigit():
                self.section.refuse(line, f"{option}: %({match[2]})d is not a number", "use s instead of d")
            width = match[3]
            return value.rjust(int(width or 0), "0" if width.startswith("0") and match[4] == "d" else " ")

        return _EXPANSION.sub(replace, where.values.get(option, ""))

    def _one(self, number: int) -> Wanted:
        known = self._expansions(number)
        section = self.section
        own = self._expand("process_name", known) if "process_name" in self.block.values else self.name
        given = own if self.name in own else f"{self.name}-{own}"
        name = section.allowed_name(given, self._line("process_name") or self.block.line)
        spec = Spec(self._command(known), self._directory(known), user=self._user(known))
        spec.env = self._variables(self.common, known) | self._variables(self.block, {**known, "process_name": own})
        spec.group = self.group
        spec.restart = RestartPolicy(self.policy.mode, None, self.policy.max_restarts)
        spec.logs.max_size = self.logs[0] or spec.logs.max_size
        spec.logs.backups = spec.logs.backups if self.logs[1] is None else self.logs[1]
        if "stopsignal" in self.block.values:
            spec.stop_signal = self._read("stopsignal", quantities.signal_number)
        if "stopwaitsecs" in self.block.values:
            spec.stop_timeout = float(self._read("stopwaitsecs", quantities.count))
        return Wanted(name, spec, self.block.line, self.start, self._priority())

    def _priority(self) -> int:
        return self._read("priority", quantities.count, "999", minimum=-(2**31))

    def _command(self, known: Mapping[str, str]) -> list[str]:
        line = self._line("command")
        text = self._expand("command", known)
        if not text.strip():
            self.section.refuse(self.block.line, f"program {self.name} has no command")
        try:
            words = shlex.split(text)
        except ValueError as error:
            self.section.refuse(line, f"command: {str(error).lower()}", "close it")
        return vector(words)

    def _directory(self, known: Mapping[str, str]) -> str:
        common = self.common is not None and "directory" in self.common.values
        if "directory" not in self.block.values and not common:
            return "/" if self.source.path.startswith("/etc/") else self.source.directory
        given = self._expand("directory", known, self.block if "directory" in self.block.values else self.common)
        return os.path.normpath(os.path.join(self.source.directory, os.path.expanduser(given)))

    def _user(self, known: Mapping[str, str]) -> str | None:
        return self._expand("user", known).strip() or None

    def _variables(self, block: Block | None, known: Mapping[str, str]) -> dict[str, str]:
        if block is None or "environment" not in block.values:
            return {}
        line = block.lines["environment"]
        found = environment(self.source, self._expand("environment", known, block), line)
        return dict(
            self.section.checked("environment", line, check_variable, f"{name}={value}")
            for name, value in found.items()
        )
