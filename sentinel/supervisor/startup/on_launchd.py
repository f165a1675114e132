"""The entry as a launchd job, see launchd.plist(5) and launchctl(1): a user's LaunchAgent, root's LaunchDaemon."""

import os
import plistlib
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.parsers.expat import ExpatError

from sentinel.errors import BackendError, Unsupported
from sentinel.files import reason, write_atomic
from sentinel.paths import default_home
from sentinel.supervisor.startup.api import Check, StartupView
from sentinel.supervisor.startup.entry import Entry, doubts
from sentinel.supervisor.startup.on_systemd import AGAIN, program_check

LABEL = "io.sentinel"
_END = 100  # seconds until launchd kills it: our processes have their own times to end
# What launchctl exits with: errno(2), or launchd's own numbers; `launchctl error N` names them.
_ERRORS = {
    1: ("it is not permitted", "run it as root for the system, and as yourself for your own jobs"),
    3: ("there is no such job", "run 'sentinel startup install'"),
    5: ("launchd cannot load it: it is loaded already, or the file is wrong", "log out and in, then try again"),
    17: ("it is loaded already", "run 'sentinel startup uninstall' first"),
    36: ("it is still being taken away", "try again in a moment"),
    37: ("it is loaded already, or still being taken away", "try again in a moment"),
    112: ("there is no such domain: you are not logged in there", "log in on the console, or try again over ssh"),
    113: ("there is no such job", "run 'sentinel startup install'"),
    119: ("it is disabled", "run 'sentinel startup install' again"),
    125: ("the domain does not support it: you are not logged in on the console", "log in there, or use root"),
    133: ("launchd does not take it", "look at its log: log show --predicate 'process == \"launchd\"' --last 5m"),
    150: ("System Integrity Protection forbids it", "install it under another label"),
}
_GONE = (3, 113)
_LOADED = (5, 17, 37)

Run = Callable[[Sequence[str]], tuple[int, str]]  # exit status and output of a command


def launchctl(words: Sequence[str]) -> tuple[int, str]:
    import subprocess

    try:
        done = subprocess.run(
            ["launchctl", *words], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise BackendError(f"cannot ask launchd: {error}", "is this a Mac?") from error
    return done.returncode, done.stdout + done.stderr


def translated(verb: str, status: int, output: str) -> BackendError:
    """What an exit status of launchctl means."""
    said = output.strip().splitlines()
    fallback = (said[-1] if said else f"launchctl exited with {status}", "see 'launchctl error " + str(status) + "'")
    what, hint = _ERRORS.get(status, fallback)
    return BackendError(f"cannot {verb} the job: {what} (launchctl: {status})", hint)


class OnLaunchd:
    """Installs for one home, in one scope."""

    def __init__(self, entry: Entry, scope: str, run: Run = launchctl) -> None:
        self._entry = entry
        self.scope = scope
        self._run = run
        home = entry.home
        self.label = LABEL if home.root == default_home() else f"{LABEL}.{home.key}"
        base = "/Library/LaunchDaemons" if scope == "system" else os.path.expanduser("~/Library/LaunchAgents")
        self.file = Path(base) / f"{self.label}.plist"

    def text(self) -> str:
        return self._text(self._domains()[0])

    def _text(self, domain: str) -> str:
        # `--stay`: launchd tells a job of a shutdown by SIGTERM, and there is no ExecStop=
        log = str(self._entry.home.logs / ".startup.log")
        job = {
            "Label": self.label,
            "ProgramArguments": self._entry.command("run", "--stay"),
            "EnvironmentVariables": dict(sorted(self._entry.environment.items())),
            "WorkingDirectory": "/",
            "RunAtLoad": True,
            "KeepAlive": False,
            "AbandonProcessGroup": True,
            "ExitTimeOut": _END,
            "StandardOutPath": log,
            "StandardErrorPath": log,
            # an agent is for the session of the console (Aqua) unless it says otherwise
            **({"LimitLoadToSessionType": "Background"} if domain.startswith("user/") else {}),
        }
        return plist(job)

    def install(self) -> StartupView:
        self.text()  # what cannot be told to launchd is refused before anything happens
        self._entry.home.prepare()
        if self.file.exists():
            self._boot_out()
        domain = self._boot_in()
        view = self.status()
        view.warnings += doubts(self._entry.words)
        if domain.startswith("user/"):
            view.warnings.append("nobody is logged in on the console: it starts with your next login")
        return view

    def _write(self, domain: str) -> None:
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(self.file, self._text(domain).encode(), mode=0o644)
        except OSError as error:
            raise BackendError(f"cannot write {self.file}: {reason(error)}", "check its permissions") from error

    def uninstall(self) -> StartupView:
        there = self.file.exists()
        try:
            self.file.unlink(missing_ok=True)  # first: the job that is ended then leaves the processes alone
        except OSError as error:
            raise BackendError(f"cannot remove {self.file}: {reason(error)}", "check its permissions") from error
        self._boot_out()
        return StartupView("launchd", self.scope, self.label, str(self.file), there)

    def status(self) -> StartupView:
        view = StartupView("launchd", self.scope, self.label, str(self.file), self.file.is_file())
        view.checks = self._file_checks()
        if view.installed:
            loaded = [domain for domain in self._domains() if self._print(f"{domain}/{self.label}") == 0]
            message = f"launchd has it in {loaded[0]}" if loaded else "launchd has not loaded it"
            view.checks += [Check("loaded", bool(loaded), message, AGAIN), self._enabled_check()]
        return view

    def _file_checks(self) -> list[Check]:
        if not self.file.is_file():
            return [Check("file", False, f"there is no {self.file}", "run 'sentinel startup install'")]
        try:
            found = plistlib.loads(self.file.read_bytes())
            wanted = plistlib.loads(self.text().encode())
            same = _lasting(found) == _lasting(wanted)
            called = str(found["ProgramArguments"][0])
            home = found.get("EnvironmentVariables", {}).get("SENTINEL_HOME")
        except (OSError, ValueError, KeyError, IndexError, TypeError, ExpatError, plistlib.InvalidFileException):
            return [Check("file", False, f"{self.file} is damaged", AGAIN)]
        root = str(self._entry.home.root)
        state = "is up to date" if same else "is not what this sentinel would write"
        return [
            Check("file", same, f"{self.file} {state}", AGAIN),
            program_check(called),
            Check("home", home == root, f"it is for {root}" if home == root else f"it is not for {root}", AGAIN),
        ]

    def _enabled_check(self) -> Check:
        status, output = self._run(["print-disabled", self._domains()[0]])
        off = [line for line in output.splitlines() if f'"{self.label}"' in line and line.split()[-1] in _OFF]
        ok = status != 0 or not off
        hint = f"run 'launchctl enable {self._domains()[0]}/{self.label}'"
        return Check("enabled", ok, "it is enabled" if ok else "it is disabled", hint)

    def _domains(self) -> list[str]:
        """gui/UID is there while its user is logged in on the console; user/UID also over ssh."""
        if self.scope == "system":
            return ["system"]
        return [f"gui/{os.getuid()}", f"user/{os.getuid()}"]

    def _print(self, target: str) -> int:
        return self._run(["print", target])[0]

    def _boot_in(self) -> str:
        """The domain that took it."""
        answer = (0, "")
        for domain in self._domains():
            self._write(domain)
            self._run(["enable", f"{domain}/{self.label}"])
            answer = self._run(["bootstrap", domain, str(self.file)])
            if answer[0] == 0 or (answer[0] in _LOADED and self._print(f"{domain}/{self.label}") == 0):
                return domain
            if answer[0] not in (112, 125):
                break
        raise translated("install", *answer)

    def _boot_out(self) -> None:
        for domain in self._domains():
            status, output = self._run(["bootout", f"{domain}/{self.label}"])
            if status not in (0, *_GONE, 36, 112, 125):
                raise translated("take away", status, output)


def _lasting(job: dict[str, object]) -> dict[str, object]:
    """Without what depends on who installs it, and from where."""
    return {key: value for key, value in job.items() if key not in ("EnvironmentVariables", "LimitLoadToSessionType")}


_OFF = ("disabled", "true")  # as later and earlier versions of macOS print it


def plist(job: dict[str, object]) -> str:
    """A property list as XML. Raises Unsupported for text that XML cannot hold."""
    try:
        return plistlib.dumps(job, sort_keys=False).decode()
    except (ValueError, TypeError, UnicodeEncodeError) as error:
        raise Unsupported(f"a property list cannot hold this: {error}", "leave the control characters out") from None
