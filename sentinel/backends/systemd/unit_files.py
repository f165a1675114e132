"""Unit files of ours that stay: written, enabled, started, looked at and taken away again."""

import os
from pathlib import Path
from typing import Any

from sentinel.backends.systemd.bus import UNIT as UNIT_INTERFACE
from sentinel.backends.systemd.bus import BusError, manager_call
from sentinel.backends.systemd.manager import Manager
from sentinel.backends.systemd.reach import Reach
from sentinel.errors import BackendError
from sentinel.files import reason, write_atomic
from sentinel.plain import dataclass

_SYSTEM = Path("/etc/systemd/system")
_START = 660.0  # seconds: longer than the unit's own timeout
_STOP = 120.0


def directory(scope: str) -> Path:
    """Where an administrator's or a user's own units are."""
    if scope == "system":
        return _SYSTEM
    config = os.environ.get("XDG_CONFIG_HOME")
    base = Path(config) if config and config.startswith("/") else Path(os.path.expanduser("~/.config"))
    return base / "systemd/user"


@dataclass(frozen=True, slots=True)
class UnitState:
    """What the manager has of a unit file."""

    load: str  # "loaded", "not-found", ...
    enabled: str  # "enabled", "disabled", ...
    active: str
    stale: bool  # the file has changed since it was read


class UnitFiles:
    """The unit files of one service manager."""

    def __init__(self, reach: Reach) -> None:
        self._manager = Manager(reach)
        self.directory = directory(reach.scope)

    def install(self, unit: str, text: str) -> Path:
        """Write, read, enable and start it."""
        path = self.directory / unit
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, text.encode(), mode=0o644)
        except OSError as error:
            raise BackendError(f"cannot write {path}: {reason(error)}", "check its permissions") from error
        self._call("Reload", "")
        self._call("EnableUnitFiles", "asbb", [unit], False, True)
        self._call("Reload", "")
        self._job("StartUnit", unit, _START)
        return path

    def uninstall(self, unit: str) -> bool:
        """Remove the file, stop the unit, disable it. The stop finds no file any more: see `startup end`."""
        path = self.directory / unit
        there = path.exists() or path.is_symlink()
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise BackendError(f"cannot remove {path}: {reason(error)}", "check its permissions") from error
        self._job("StopUnit", unit, _STOP)
        self._call("DisableUnitFiles", "asb", [unit], False)
        self._call("Reload", "")
        self._manager.reset_failed([unit])
        return there

    def state(self, unit: str) -> UnitState:
        names = ["LoadState", "UnitFileState", "ActiveState", "NeedDaemonReload"]
        load, enabled, active, stale = self._manager.read([unit], names, UNIT_INTERFACE)[0]
        return UnitState(load or "not-found", enabled or "", active or "inactive", bool(stale))

    def close(self) -> None:
        self._manager.close()

    def _call(self, member: str, signature: str, *args: Any) -> Any:
        try:
            return self._manager.bus.call(manager_call(member, signature, *args), 60.0)
        except BusError as error:
            raise BackendError(f"systemd refuses: {error.message}", error.hint) from error

    def _job(self, member: str, unit: str, timeout: float) -> None:
        """One that is not there need not be stopped."""
        with self._manager.watching():
            try:
                job = str(self._manager.bus.call(manager_call(member, "ss", unit, "replace"))[0])
            except BusError as error:
                if member == "StopUnit":
                    return
                raise BackendError(f"cannot start {unit}: {error.message}", error.hint) from error
            result = self._manager.wait([job], timeout).get(job)
        if result != "done":
            what = "start" if member == "StartUnit" else "stop"
            raise BackendError(f"cannot {what} {unit}: {result or 'it takes too long'}", f"see 'journalctl -u {unit}'")
