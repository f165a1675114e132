"""pm2: an ecosystem file (as JSON, or what its JavaScript evaluates to), or the dump that `pm2 save` writes."""

import os
import shlex
from collections.abc import Callable
from typing import Any, TypeVar

from sentinel import names, quantities
from sentinel.environment import check_variable
from sentinel.errors import UsageError
from sentinel.importing.located import Located, loads
from sentinel.importing.pm2_rules import ALIASES, RULES
from sentinel.importing.report import UNKNOWN, Imported, Section, Source, Verdict, Wanted, vector
from sentinel.model import Restart, RestartPolicy, Spec

_INTERPRETERS = {
    ".js": "node", ".cjs": "node", ".mjs": "node", ".py": "python3", ".sh": "bash", ".rb": "ruby", ".pl": "perl",
    ".php": "php", ".ts": "bun", ".tsx": "bun", ".coffee": "coffee", ".ls": "lsc",
}  # fmt: skip
_INTERNAL = ("PM2_", "pm_", "axm_")
_OWN = ("unique_id", "NODE_APP_INSTANCE", "PWD", "OLDPWD", "SHLVL", "_", "windowsHide", "km_link")
INSTANCE = "NODE_APP_INSTANCE"
# What a dump holds of everything, whether somebody asked for it or not.
_DEFAULTS = {
    "vizion": True, "merge_logs": True, "treekill": True, "autostart": True, "instance_var": INSTANCE,
    "namespace": "default", "node_args": [], "args": [],
}  # fmt: skip
MOST = 10_000
T = TypeVar("T")


def parse(source: Source, environment: str | None = None) -> Imported:
    """`environment`: the env_NAME to lay over env. Raises UsageError."""
    document = loads(source)
    apps = document.get("apps", document) if isinstance(document, dict) else document
    apps = [apps] if isinstance(apps, dict) else apps
    if not isinstance(apps, list) or not apps or not all(isinstance(app, Located) for app in apps):
        source.refuse(None, "there are no apps in it", 'write {"apps": [{"name": "web", "script": "app.js"}]}')
    dump = is_dump(apps)
    found = [_App(source, app, environment, dump) for app in apps]
    if dump:
        _number(found)
    sections = [app.section for app in found]
    if isinstance(document, Located) and "deploy" in document:
        section = Section("deploy", document.lines.get("deploy"), source, RULES)
        section.note("deploy", "", section.line)
        sections.append(section)
    groups: dict[str, int | None] = {}
    for app in found:
        if app.group:
            groups.setdefault(app.group, app.line("namespace"))
    return Imported("pm2", sections, groups)


def is_dump(apps: list[Any]) -> bool:
    return any("pm_exec_path" in app for app in apps)


def _number(apps: list["_App"]) -> None:
    """A dump has an entry for each instance, all of one name."""
    of: dict[str, list[_App]] = {}
    for app in apps:
        of.setdefault(app.name, []).append(app)
    for name, several in of.items():
        for number, app in enumerate(several if len(several) > 1 else []):
            for wanted in app.section.wanted:
                wanted.name = f"{name}-{number + 1}"
                wanted.spec.env[app.text("instance_var", INSTANCE)] = str(number)


class _App:
    """One app, read option by option."""

    def __init__(self, source: Source, app: Located, environment: str | None, dump: bool) -> None:
        self.source, self.dump = source, dump
        self.values: dict[str, Any] = {}
        self.lines: dict[str, int] = {}
        for option, value in app.items():
            known = ALIASES.get(option, option)
            self.values.setdefault(known, value)
            self.lines.setdefault(known, app.lines.get(option, app.line))
        self.begin = app.line
        given = str(self.values.get("name") or os.path.splitext(os.path.basename(self.text("script")))[0])
        self.section = Section(given, app.line, source, RULES)
        self.name = self.section.allowed_name(given, self.line("name"))
        self.group = self._group()
        self.env = self._env(environment)
        self._make()

    # reading

    def line(self, option: str) -> int:
        return self.lines.get(option, self.begin)

    def text(self, option: str, default: str = "") -> str:
        value = self.values.get(option)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            self.source.refuse(self.line(option), f"{option} is not a text: {type(value).__name__}")
        return str(value)

    def words(self, option: str) -> list[str]:
        value = self.values.get(option)
        if isinstance(value, list):
            return [str(word) for word in value]
        try:
            return shlex.split(self.text(option))
        except ValueError as error:
            self.source.refuse(self.line(option), f"{option}: {str(error).lower()}", "close it")

    def flag(self, option: str, default: bool) -> bool:
        value = self.values.get(option, default)
        if not isinstance(value, bool):
            self.source.refuse(self.line(option), f"{option} is neither true nor false")
        return value

    def milliseconds(self, option: str) -> float:
        text = self.text(option)
        text = f"{text}ms" if text.strip().isdigit() else text
        return self.section.checked(option, self.line(option), quantities.duration, text)

    def _group(self) -> str | None:
        namespace = self.text("namespace", "default")
        if namespace == "default":
            return None
        return self.section.checked("namespace", self.line("namespace"), names.check_name, "group", namespace)

    def read(self, option: str, read: Callable[..., T], default: str = "", **limits: int) -> T:
        return self.section.checked(option, self.line(option), read, self.text(option, default), **limits)

    def _env(self, environment: str | None) -> dict[str, str]:
        found = self._variables("env")
        for option in [one for one in self.values if one.startswith("env_") and isinstance(self.values[one], dict)]:
            if option == f"env_{environment}":
                found |= self._variables(option)
                names = ", ".join(self.values[option])
                self.section.note(option, names, self.line(option), verdict=Verdict.MAPPED, to="--env")
            else:
                self.section.drop(option, "", self.line(option), RULES["env_…"].note)
        if "port" in self.values:
            found["PORT"] = self.text("port")
        return found

    def _variables(self, option: str) -> dict[str, str]:
        given = self.values.get(option)
        if given is None:
            return {}
        if not isinstance(given, dict):
            self.source.refuse(self.line(option), f"{option} is not an object of variables")
        found = {}
        for name, value in given.items():
            if isinstance(value, dict | list) or value is None or (self.dump and self._internal(name)):
                continue
            text = str(value).lower() if isinstance(value, bool) else str(value)
            line = given.lines.get(name) if isinstance(given, Located) else None
            try:
                check_variable(f"{name}={text}")
            except UsageError as error:
                if self.dump:  # what a shell exports may have names that no shell can read
                    continue
                self.source.refuse(line or self.line(option), f"{option}: {error.message}", error.hint)
            found[name] = text
        return found

    def _internal(self, name: str) -> bool:
        """In a dump, pm2's own settings stand among the variables."""
        if name.startswith(_INTERNAL) or name in _OWN or name == self.section.title:
            return True
        return name in self.values and name in {*RULES, *ALIASES}

    # making

    def _make(self) -> None:
        spec = Spec(vector(self._command()), self._cwd(), user=self.text("uid") or self.text("user") or None)
        if self.values.get("pm_uptime") is not None and "username" in self.values and spec.user is None:
            name = str(self.values["username"])
            spec.user = name if name != self.source.user and self.source.uid == 0 else None
        spec.group, spec.env = self.group, self.env
        self._restart(spec)
        spec.stop_timeout = self.milliseconds("kill_timeout") if "kill_timeout" in self.values else 1.6
        spec.stop_signal = self.read("kill_signal", quantities.signal_number, "INT")
        if self.values.get("max_memory_restart") is not None:
            spec.limits.memory_max = self.read("max_memory_restart", quantities.size, minimum=1)
        self._report()
        start = self.values.get("status", "online") != "stopped" and self.flag("autostart", True)
        self.section.wanted += self._instances(spec, start)

    def _command(self) -> list[str]:
        script = self.text("script")
        if not script:
            self.source.refuse(self.begin, f"app {self.name} has no script")
        interpreter = self.text("interpreter") or self._interpreter(script)
        options = [*self.words("interpreter_args"), *self.words("node_args")] if interpreter != "none" else []
        if " " in script and not self.source.exists(os.path.join(self._cwd(), script)):
            try:
                program = shlex.split(script)
            except ValueError as error:
                self.source.refuse(self.line("script"), f"script: {str(error).lower()}", "close it")
            return [*program, *self.words("args")]
        if interpreter != "none":
            return [interpreter, *options, script, *self.words("args")]
        if "/" not in script and self.source.exists(os.path.join(self._cwd(), script)):
            script = "./" + script
        return [script, *self.words("args")]

    @staticmethod
    def _interpreter(script: str) -> str:
        return _INTERPRETERS.get(os.path.splitext(script)[1], "none")

    def _cwd(self) -> str:
        given = os.path.expanduser(self.text("cwd") or self.text("path"))
        return os.path.normpath(os.path.join(self.source.directory, given))

    def _restart(self, spec: Spec) -> None:
        always = self.flag("autorestart", True)
        codes = self.values.get("stop_exit_codes")
        mode = Restart.ALWAYS if always else Restart.NO
        if always and codes in (0, [0], ["0"]):
            mode = Restart.ON_FAILURE
        spec.restart = RestartPolicy(mode)
        if not always:
            return
        if "max_restarts" in self.values and not self.dump:
            spec.restart.max_restarts = self.read("max_restarts", quantities.count)
        for option in ("restart_delay", "exp_backoff_restart_delay"):
            if self.values.get(option) and self.milliseconds(option):
                spec.restart.delay = self.milliseconds(option)

    def _instances(self, spec: Spec, start: bool) -> list[Wanted]:
        from copy import deepcopy

        count = 1 if self.dump else self._count()
        variable = self.text("instance_var", INSTANCE)
        rising = self.text("increment_var")
        wanted = []
        for number in range(count):
            one = deepcopy(spec)
            if "instances" in self.values:
                one.env[variable] = str(number)
            if rising and not self.dump and one.env.get(rising, "").isdigit():
                one.env[rising] = str(int(one.env[rising]) + number)
            wanted.append(Wanted(self.name if count == 1 else f"{self.name}-{number + 1}", one, self.begin, start))
        return wanted

    def _count(self) -> int:
        text = self.text("instances", "1")
        if text == "max":
            return self.source.cpus
        given = self.read("instances", quantities.count, "1", minimum=-MOST, maximum=MOST)
        return given if given > 0 else max(1, self.source.cpus + given)

    # the report

    def _report(self) -> None:
        """In the order of the file. A dump repeats each variable and pm2's own state: only options are told."""
        for option, value in self.values.items():
            told = option == "name" and bool(self.section.entries)  # adapted: said already
            told |= self.dump and (option == "pid_file" or _DEFAULTS.get(option, ...) == value)
            if told or (option not in RULES and (self.dump or option.startswith("env_"))):
                continue
            self._report_one(option, value)
        for option, value in (("kill_signal", "SIGINT"), ("kill_timeout", "1600"), ("autorestart", "true")):
            if option not in self.values:
                self.section.note(option, value, None, note="pm2's default")

    def _report_one(self, option: str, value: Any) -> None:
        line, text = self.line(option), _shown(value)
        section = self.section
        if option == "env":
            section.note(option, ", ".join(self.env), line)
        elif value in (False, None, "") and RULES.get(option, UNKNOWN).verdict is Verdict.DROPPED:
            return  # asks for nothing
        elif option == "exec_mode" and text.startswith("fork"):
            section.note(option, text, line, verdict=Verdict.MAPPED, note="")
        elif option == "max_restarts" and (self.dump or not self.flag("autorestart", True)):
            section.drop(option, text, line, "in a dump it is pm2's default as well: give --max-restarts")
        elif option == "stop_exit_codes" and value not in (0, [0], ["0"]):
            section.drop(option, text, line, "only 0 can be an exit that is not followed by a restart")
        elif option == "treekill" and value is False:
            section.adapt(option, text, line, "a stop always ends the whole tree")
        else:
            section.note(option, text, line)


def _shown(value: Any) -> str:
    import json

    return value if isinstance(value, str) else json.dumps(value)


