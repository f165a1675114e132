"""A systemd service unit, as long as it is a simple one: a process that stays in the foreground."""

import os
import re
import shlex
from functools import partial

from sentinel import quantities
from sentinel.environment import check_variable
from sentinel.importing import env_files, unit_file
from sentinel.importing.report import Imported, Section, Source, Verdict, Wanted, vector
from sentinel.importing.systemd_rules import RULES
from sentinel.importing.unit_file import Setting
from sentinel.model import Restart, RestartPolicy, Spec

_IO_CLASSES = {"0": "", "none": "", "1": "realtime", "2": "best-effort", "3": "idle"}
_TYPES = {"simple": "", "exec": "", "notify": "", "notify-reload": "", "idle": "", "oneshot": "", "dbus": ""}
_RESTARTS = {
    "no": (Restart.NO, ""), "always": (Restart.ALWAYS, ""), "on-failure": (Restart.ON_FAILURE, ""),
    "on-abnormal": (Restart.ON_FAILURE, "on-failure: an exit code that is not 0 counts too"),
    "on-abort": (Restart.ON_FAILURE, "on-failure: an exit code that is not 0 counts too"),
    "on-success": (Restart.NO, "no: there is no policy that restarts only after a success"),
    "on-watchdog": (Restart.NO, "no: there is no watchdog; a health check restarts what hangs"),
}  # fmt: skip
_PARTS = re.compile(r"\$\$|\$\{(\w+)\}")
_WHOLE = re.compile(r"\$(\w+)", re.ASCII)
_MANUAL = ("ExecStart", "Type", "Environment", "EnvironmentFile", "IOSchedulingClass", "IOSchedulingPriority")
_LONGEST = quantities.TEN_YEARS


def parse(source: Source) -> Imported:
    """Raises UsageError: no service, one that forks, or a template without an instance."""
    unit = source.path.rpartition("/")[2]
    stem = unit.removesuffix(".service")
    if stem.endswith("@"):
        hint = f"copy it to {stem}INSTANCE.service, and import that"
        source.refuse(None, "it is a template", hint)
    settings = unit_file.read(source)
    section = Section(unit, None, source, RULES)
    section.wanted.append(_Unit(section, settings).wanted(stem))
    return Imported("systemd", [section])


class _Unit:
    """The settings of one unit; the last of each counts, lists add up and are emptied by an empty one."""

    def __init__(self, section: Section, settings: list[Setting]) -> None:
        self.section, self.source = section, section.source
        self.known = unit_file.specifiers(section.source)
        self.last: dict[str, Setting] = {}
        self.lists: dict[str, list[Setting]] = {"ExecStart": [], "Environment": [], "EnvironmentFile": []}
        self.settings = settings
        for one in settings:
            if one.name in self.lists and one.section == "Service":
                if one.value:
                    self.lists[one.name].append(one)
                else:
                    self.lists[one.name].clear()
            elif one.value:
                self.last[one.name] = one
            else:
                self.last.pop(one.name, None)

    def wanted(self, stem: str) -> Wanted:
        if not self.lists["ExecStart"]:
            self.source.refuse(None, "there is no ExecStart= in its [Service]", "import a service unit")
        spec = Spec([], self.source.home if "/systemd/user/" in self.source.path else "/")
        start = self.lists["ExecStart"][-1]
        name = self.section.allowed_name(stem, None)
        kind = self._type()
        spec.argv = self._command(spec)
        self._environment(spec)
        self._ionice(spec)
        self._timeouts(spec, kind)
        self._restart(spec)
        for one in self.last.values():
            if one.name not in _MANUAL and not self._reported(one):
                self._one(spec, one)
        self.section.entries.sort(key=lambda entry: entry.line or 0)
        return Wanted(name, spec, start.line)

    def _reported(self, one: Setting) -> bool:
        return any(entry.line == one.line and entry.option == one.name for entry in self.section.entries)

    def _expanded(self, one: Setting) -> str:
        return unit_file.expand(self.source, one.value, self.known, one.line)

    # the command

    def _type(self) -> str:
        one = self.last.get("Type")
        kind = one.value if one else "simple"
        if one and kind == "forking":
            hint = "tell the program to stay in the foreground, and make it Type=simple"
            self.source.refuse(one.line, "a service of Type=forking leaves its process", hint)
        if one and kind not in _TYPES:
            self.source.refuse(one.line, f"no such Type: {kind!r}")
        if one and kind in ("idle", "dbus"):
            self.section.adapt("Type", kind, one.line, "as simple")
        elif one and kind == "oneshot":
            self.section.adapt("Type", kind, one.line, "runs once at every start; 'start' does not wait for its end")
        elif one:
            self.section.note("Type", kind, one.line)
        return kind

    def _command(self, spec: Spec) -> list[str]:
        *others, one = self.lists["ExecStart"]
        if others:
            self.source.refuse(one.line, "several ExecStart= lines", "join them: sh -c 'first && exec second'")
        text = one.value
        prefix = re.match(r"[-@:+!|]*", text)
        marks = prefix[0] if prefix else ""
        found = unit_file.words(self.source, text[len(marks) :], one.line)
        parts = [unit_file.expand(self.source, word, self.known, one.line) for word, _ in found]
        if ";" in parts:
            hint = "join them: sh -c 'first && exec second'"
            self.source.refuse(one.line, "several commands in one ExecStart=", hint)
        notes = []
        if "@" in marks and len(parts) > 1:
            del parts[1]
            notes.append("its own name for argv[0] is dropped")
        if "-" in marks:
            notes.append("- is dropped: a failure is one")
        if set(marks) & set("+!|"):
            notes.append("it runs with the user's privileges")
        if not parts:
            self.source.refuse(one.line, "ExecStart= has no command")
        expands = ":" not in marks and any("$" in word for word in parts)
        uses = expands and any(_WHOLE.fullmatch(w) or (_PARTS.sub("", w) != w and "${" in w) for w in parts)
        if uses:
            notes.append("through /bin/sh, which replaces the variables")
        if notes:
            self.section.adapt("ExecStart", text, one.line, "; ".join(notes))
        else:
            self.section.note("ExecStart", text, one.line, note="")
        if uses:
            return ["set -f; exec " + " ".join(_shell_word(word) for word in parts)]
        return vector([word.replace("$$", "$") for word in parts] if expands else parts)

    # variables

    def _environment(self, spec: Spec) -> None:
        for one in self.lists["Environment"]:
            names = []
            for word, _ in unit_file.words(self.source, one.value, one.line):
                text = unit_file.expand(self.source, word, self.known, one.line)
                name, value = self.section.checked("Environment", one.line, check_variable, text)
                spec.env[name] = value
                names.append(name)
            self.section.note("Environment", ", ".join(names), one.line)
        for one in self.lists["EnvironmentFile"]:
            self._file(spec, one, last=one is self.lists["EnvironmentFile"][-1])

    def _file(self, spec: Spec, one: Setting, *, last: bool) -> None:
        """The last file is read at every start; of those before it, what they say now is taken over.

        A file is stronger than Environment= there, and weaker than --env here.
        """
        path = self._expanded(one)
        optional, path = path.startswith("-"), path.removeprefix("-")
        if optional and not self.source.exists(path):
            return self.section.drop("EnvironmentFile", one.value, one.line, "there is no such file")
        text = self.source.read(path) or ""
        found = env_files.as_systemd(text)
        if not last:
            spec.env |= found
            note = "its variables are taken over as they are now: only the last file is read at every start"
            return self.section.adapt("EnvironmentFile", one.value, one.line, note, "--env")
        spec.env_file = path
        other = env_files.differing(text, {**self.source.environ, **spec.env})
        spec.env = {name: value for name, value in spec.env.items() if name not in found} | other
        if other:
            note = f"taken over as they are now, since dotenv reads them otherwise: {', '.join(other)}"
            return self.section.adapt("EnvironmentFile", one.value, one.line, note)
        return self.section.note("EnvironmentFile", one.value, one.line)

    # limits, times, restarts

    def _ionice(self, spec: Spec) -> None:
        kind, level = self.last.get("IOSchedulingClass"), self.last.get("IOSchedulingPriority")
        if kind is None and level is None:
            return
        word = kind.value if kind else "best-effort"
        line = kind.line if kind else level.line if level else None
        word = _IO_CLASSES.get(word, word)
        text = word if word in ("idle", "") or level is None else f"{word}:{level.value}"
        if text:
            spec.limits.ionice = self.section.checked("IOSchedulingClass", line, quantities.ionice, text)
        for one in (kind, level):
            if one is not None:
                self.section.note(one.name, one.value, one.line)

    def _timeouts(self, spec: Spec, kind: str) -> None:
        spec.stop_timeout = 90.0  # systemd's own default
        limit: float | None = 90.0
        both, begin, end = (self.last.get(name) for name in ("TimeoutSec", "TimeoutStartSec", "TimeoutStopSec"))
        for one in (both, end):
            if one is not None:
                spec.stop_timeout = self._seconds(one)
        for one in (both, begin):
            if one is not None and kind.startswith("notify"):
                limit = self._seconds(one)
        if kind.startswith("notify"):
            spec.startup_timeout = limit
        if begin is not None and not kind.startswith("notify"):
            self.section.drop(begin.name, begin.value, begin.line, "there is nothing to wait for with this Type")
        if both is None and end is None:
            self.section.note("TimeoutStopSec", "90s", None)

    def _seconds(self, one: Setting) -> float:
        value = unit_file.seconds(self.source, one.value, one.line, one.name)
        if value is None:
            self.section.adapt(one.name, one.value, one.line, "ten years")
            return _LONGEST
        return min(value, _LONGEST)

    def _restart(self, spec: Spec) -> None:
        one = self.last.get("Restart")
        word = one.value if one else "no"
        if word not in _RESTARTS:
            self.source.refuse(one.line if one else None, f"no such Restart: {word!r}")
        mode, note = _RESTARTS[word]
        spec.restart = RestartPolicy(mode)
        if one and note:
            self.section.adapt("Restart", word, one.line, note)
        elif one:
            self.section.note("Restart", word, one.line, note="")
        self._restart_details(spec.restart)

    def _restart_details(self, policy: RestartPolicy) -> None:
        wait = self.last.get("RestartSec")
        if wait is not None:
            delay = unit_file.seconds(self.source, wait.value, wait.line, wait.name)
            if policy.mode is not Restart.NO and delay is not None:
                policy.delay = delay
                self.section.note("RestartSec", wait.value, wait.line)
            else:
                self.section.drop("RestartSec", wait.value, wait.line, "there is nothing to wait for")
        interval = self.last.get("StartLimitIntervalSec") or self.last.get("StartLimitInterval")
        never = interval is not None and self._seconds(interval) == 0
        burst = self.last.get("StartLimitBurst")
        if interval is not None:
            verdict = Verdict.MAPPED if never else Verdict.DROPPED
            note = "it never gives up" if never else "restarts without 10 s of uptime are counted, in any time"
            self.section.note(interval.name, interval.value, interval.line, verdict=verdict, to="", note=note)
        if burst is not None:
            most = self.section.checked("StartLimitBurst", burst.line, quantities.count, burst.value)
            if never or policy.mode is Restart.NO or most == 0:
                self.section.drop("StartLimitBurst", burst.value, burst.line, "it never gives up")
            else:
                policy.max_restarts = most
                self.section.note("StartLimitBurst", burst.value, burst.line)
        elif policy.mode is not Restart.NO and interval is None:
            note = "systemd gives up after 5 starts in 10 s; here it goes on, after ever longer waits"
            self.section.adapt("StartLimitBurst", "5", None, note, "")

    # one by one

    def _one(self, spec: Spec, one: Setting) -> None:
        text = self._expanded(one) if one.name in ("User", "WorkingDirectory") else one.value
        checked = partial(self.section.checked, one.name, one.line)
        if one.name == "User":
            spec.user = text
        elif one.name == "WorkingDirectory":
            self._directory(spec, text)
        elif one.name == "Nice":
            spec.limits.nice = checked(quantities.nice, text)
        elif one.name == "KillSignal":
            spec.stop_signal = checked(quantities.signal_number, text)
        elif one.name == "LimitNOFILE":
            return self._open_files(spec, one)
        elif one.name in ("MemoryMax", "MemoryLimit"):
            return self._memory(spec, one)
        elif one.name == "KillMode" and text != "control-group":
            return self.section.adapt(one.name, text, one.line, "a stop always ends the whole tree")
        elif one.name in ("StandardOutput", "StandardError"):
            return self._output(spec, one)
        elif one.name.startswith(("X-", "x-")):
            return None
        return self.section.note(one.name, one.value, one.line)

    def _directory(self, spec: Spec, text: str) -> None:
        path = text.removeprefix("-")
        if path.startswith("~"):
            user = self.last.get("User")
            path = os.path.expanduser(f"~{user.value}" if user else "~") if user else self.source.home
        spec.cwd = os.path.normpath(path)

    def _open_files(self, spec: Spec, one: Setting) -> None:
        text = one.value.rpartition(":")[2]
        if text == "infinity":
            return self.section.drop(one.name, one.value, one.line, "give a number with --limit-nofile")
        spec.limits.nofile = self.section.checked(one.name, one.line, quantities.nofile, text)
        return self.section.note(one.name, one.value, one.line)

    def _memory(self, spec: Spec, one: Setting) -> None:
        if one.value == "infinity":
            return self.section.note(one.name, one.value, one.line, note="no limit")
        if one.value.endswith("%"):
            return self.section.drop(one.name, one.value, one.line, "give a size with --memory-max")
        spec.limits.memory_max = self.section.checked(one.name, one.line, quantities.size, one.value, minimum=1)
        return self.section.note(one.name, one.value, one.line)

    def _output(self, spec: Spec, one: Setting) -> None:
        kind = one.value.partition(":")[0]
        if kind in ("append", "file", "truncate"):
            spec.logs.kind = "file"
            return self.section.adapt(one.name, one.value, one.line, "into files of sentinel's own")
        if kind in ("journal", "inherit", "journal+console"):
            return self.section.note(one.name, one.value, one.line, note="")
        return self.section.drop(one.name, one.value, one.line, "its output is kept: sentinel logs NAME")


def _shell_word(word: str) -> str:
    """The word for sh, which replaces variables just where systemd does: $NAME alone is split, ${NAME} is not."""
    alone = _WHOLE.fullmatch(word)
    if alone:
        return f"${alone[1]}"
    out, at = "", 0
    for match in _PARTS.finditer(word):
        out += _quoted(word[at : match.start()])
        out += f'"${{{match[1]}}}"' if match[1] else "'$'"
        at = match.end()
    return (out + _quoted(word[at:])) or "''"


def _quoted(text: str) -> str:
    return shlex.quote(text) if text else ""
