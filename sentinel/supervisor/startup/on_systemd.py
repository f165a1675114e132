"""The entry as sentinel.service, of the system or of a user's own manager."""

import os
from pathlib import Path

from sentinel.accounts import current_name
from sentinel.backends.systemd import naming, reach, unit_files
from sentinel.errors import BackendError
from sentinel.files import reason
from sentinel.names import printable
from sentinel.quoting import Place, escape, exec_line
from sentinel.rendering import render
from sentinel.supervisor.startup.api import Check, StartupView
from sentinel.supervisor.startup.entry import Entry, doubts

AGAIN = "run 'sentinel startup install' again"


class OnSystemd:
    """Installs for one home, in one scope."""

    def __init__(self, entry: Entry, scope: str) -> None:
        self._entry = entry
        self.scope = scope
        self.unit = naming.startup_unit(entry.home)
        self.file = unit_files.directory(scope) / self.unit

    def text(self) -> str:
        system = self.scope == "system"
        return render(
            "sentinel.service.j2",
            description=escape(f"sentinel: processes of {printable(str(self._entry.home.root), 200)}.", Place.LINE),
            after="network-online.target remote-fs.target dbus.socket" if system else "basic.target dbus.socket",
            wants="network-online.target" if system else "",
            mounts=escape(str(self._entry.home.root), Place.WORD) if system else "",
            start=_exec(self._entry.command("run")),
            stop=_exec(self._entry.command("end", "--if-installed")),
            environment=[escape(f"{k}={v}", Place.WORD) for k, v in sorted(self._entry.environment.items())],
            wanted_by="multi-user.target" if system else "default.target",
        )

    def install(self) -> StartupView:
        text = self.text()
        files = self._open()
        linger = self._linger_on()
        try:
            files.install(self.unit, text)
        finally:
            files.close()
        view = self.status()
        view.warnings += doubts(self._entry.words)
        if not linger:
            view.warnings.append(f"{_no_linger()}: run 'loginctl enable-linger {current_name()}' as root")
        return view

    def uninstall(self) -> StartupView:
        files = self._open()
        try:
            was = files.uninstall(self.unit)
        finally:
            files.close()
        return StartupView("systemd", self.scope, self.unit, str(self.file), was)

    def status(self) -> StartupView:
        view = StartupView("systemd", self.scope, self.unit, str(self.file), self.file.is_file())
        view.checks = [self._file_check()]
        if not view.installed:
            return view
        view.checks += [self._program_check(), self._home_check(), *self._manager_checks()]
        if self.scope == "user":
            on = reach.survives_logout()
            message = "linger is on: it starts at boot" if on else _no_linger()
            view.checks.append(Check("linger", on, message, f"run 'loginctl enable-linger {current_name()}'"))
        return view

    def _open(self) -> unit_files.UnitFiles:
        return unit_files.UnitFiles(reach.reach(self.scope))

    def _linger_on(self) -> bool:
        """Whether it is, at the latest now."""
        if self.scope == "user" and not reach.survives_logout():
            try:
                reach.enable_linger()
            except BackendError:
                return False
        return True

    def _file_check(self) -> Check:
        try:
            found = self.file.read_text(errors="surrogateescape")
        except FileNotFoundError:
            return Check("file", False, f"there is no {self.file}", "run 'sentinel startup install'")
        except OSError as error:
            return Check("file", False, f"cannot read {self.file}: {reason(error)}", AGAIN)
        if _without_settings(found) != _without_settings(self.text()):
            return Check("file", False, f"{self.file} is not what this sentinel would write", AGAIN)
        return Check("file", True, f"{self.file} is up to date")

    def _program_check(self) -> Check:
        return program_check(_program(self.file) or self._entry.words[0])

    def _home_check(self) -> Check:
        wanted = "Environment=" + escape(f"SENTINEL_HOME={self._entry.home.root}", Place.WORD)
        ok = wanted in self.file.read_text(errors="surrogateescape").splitlines()
        root = self._entry.home.root
        return Check("home", ok, f"it is for {root}" if ok else f"it is not for {root}", AGAIN)

    def _manager_checks(self) -> list[Check]:
        try:
            files = self._open()
        except BackendError as error:
            return [Check("systemd", False, error.message, error.hint)]
        try:
            state = files.state(self.unit)
        finally:
            files.close()
        user = " --user" if self.scope == "user" else ""
        return [
            Check("loaded", state.load == "loaded" and not state.stale, f"systemd has it: {state.load}"
                  + (", but not its latest version" if state.stale else ""), f"run 'systemctl{user} daemon-reload'"),
            Check("enabled", state.enabled == "enabled", f"it is {state.enabled or 'not enabled'}",
                  f"run 'systemctl{user} enable {self.unit}'"),
            Check("active", state.active == "active", f"it is {state.active}",
                  f"run 'systemctl{user} start {self.unit}'"),
        ]  # fmt: skip


def program_check(path: str) -> Check:
    ok = os.path.isfile(path) and os.access(path, os.X_OK)
    return Check("program", ok, f"it calls {path}" if ok else f"it calls {path}, which is not there any more", AGAIN)


def _exec(words: list[str]) -> str:
    return exec_line(words[0], words[1:])


def _without_settings(text: str) -> str:
    """PATH and the like differ from shell to shell, and do not decide whether it works."""
    return "\n".join(line for line in text.splitlines() if not line.startswith(("Environment=", 'Environment="')))


def _program(file: Path) -> str | None:
    """The program that the file calls, where it is written plainly."""
    for line in file.read_text(errors="surrogateescape").splitlines():
        if line.startswith("ExecStart="):
            first = line.removeprefix("ExecStart=").split(" ")[0]
            return first.replace("%%", "%") if first.startswith("/") else None
    return None


def _no_linger() -> str:
    return "linger is off: it starts at your first login, and ends with your last logout"
