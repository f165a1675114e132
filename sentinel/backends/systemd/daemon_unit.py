"""Sentinel's own daemon as a unit: it says when it is ready, and is restarted when it hangs or crashes."""

import os
import sys

from sentinel.backends.systemd import naming
from sentinel.backends.systemd.bus import EXISTS, UNIT, BusError, Value
from sentinel.backends.systemd.environment import expressible
from sentinel.backends.systemd.manager import Manager
from sentinel.backends.systemd.reach import reach
from sentinel.backends.systemd.slices import Slices
from sentinel.backends.systemd.unit import Properties
from sentinel.errors import BackendError, StopError
from sentinel.paths import Home

_WATCHDOG = 60.0  # seconds: it says that it is alive at least twice as often
_START = 30.0
_STOP = 30.0


class DaemonUnit:
    """sentinel-daemon.service of one home."""

    def __init__(self, home: Home, scope: str | None = None) -> None:
        self._home = home
        self._manager = Manager(reach(scope))
        self.unit = naming.daemon_unit(home)

    def start(self, metrics: str | None = None) -> int:
        """Its pid, once it is ready; the one that runs if one does. `metrics`: the address to serve them on."""
        with self._manager.watching():
            return self._start(metrics)

    def _start(self, metrics: str | None) -> int:
        running = self.pid()
        if running is not None:
            return running
        self._manager.reset_failed([self.unit])
        Slices(self._home, self._manager).ensure([])
        made = self._make(metrics)
        if isinstance(made, BusError) and made.kind == EXISTS and self.pid() is None:
            self._stop()  # it was killed and waits for its restart: begin anew
            made = self._make(metrics)
        if isinstance(made, BusError):
            if made.kind != EXISTS:
                raise BackendError(f"cannot start the daemon: {made.message}", made.hint) from made
        elif self._manager.wait([made], _START + 5).get(made) != "done":
            self._stop()
            raise BackendError(
                "cannot start the daemon: it did not get ready", f"see 'journalctl {self._manager.flag}-u {self.unit}'"
            )
        pid = self.pid()
        if pid is None:
            raise BackendError(
                "cannot start the daemon: it ended at once", f"see 'journalctl {self._manager.flag}-u {self.unit}'"
            )
        return pid

    def _make(self, metrics: str | None) -> str | BusError:
        """The job."""
        return self._manager.start_transient([(self.unit, self._properties(metrics))])[0]

    def stop(self) -> None:
        """Return when it has ended. One that does not run is no error."""
        with self._manager.watching():
            self._stop()

    def _stop(self) -> None:
        job = self._manager.stop([self.unit])[0]
        if isinstance(job, str) and job not in self._manager.wait([job], _STOP + 15):
            raise StopError("cannot stop the daemon", f"see 'systemctl {self._manager.flag}status {self.unit}'")
        self._manager.reset_failed([self.unit])

    def pid(self) -> int | None:
        """Of the daemon that runs as this unit."""
        unit = self._manager.units([self.unit]).get(self.unit)
        if unit is None or unit.ended:
            return None
        return self._manager.read([self.unit], ["MainPID"])[0][0] or None

    def since(self) -> float | None:
        """When it became active."""
        at = self._manager.read([self.unit], ["ActiveEnterTimestamp"], UNIT)[0][0]
        return at / 1e6 if at else None

    def close(self) -> None:
        self._manager.close()

    def _properties(self, metrics: str | None) -> Properties:
        argv = [sys.executable, "-P", "-m", "sentinel", "daemon", "run"]
        argv += ["--metrics", metrics] if metrics else []
        kept = (
            "PATH",
            "LANG",
            "LC_ALL",
            "HOME",
            "XDG_RUNTIME_DIR",
            "DBUS_SESSION_BUS_ADDRESS",
            "PYTHONPATH",
            "SENTINEL_DBUS",
            "SENTINEL_SYSTEMD_SCOPE",
            "SENTINEL_PORTABLE",
        )
        values = {name: os.environ[name] for name in kept if expressible(os.environ.get(name, "\0"))}
        values["SENTINEL_HOME"] = str(self._home.root)
        values["SENTINEL_DAEMON_UNIT"] = self.unit
        values["SENTINEL_DAEMON_SCOPE"] = self._manager.reach.scope
        return [
            ("Description", Value("s", f"sentinel: daemon of {self._home.root}")),
            ("Documentation", Value("as", ["man:sentinel(1)"])),
            ("Type", Value("s", "notify")),
            ("NotifyAccess", Value("s", "main")),
            ("WatchdogUSec", Value("t", int(_WATCHDOG * 1e6))),
            ("Restart", Value("s", "on-failure")),
            ("RestartUSec", Value("t", 1_000_000)),
            ("StartLimitIntervalUSec", Value("t", 0)),
            ("TimeoutStartUSec", Value("t", int(_START * 1e6))),
            ("TimeoutStopUSec", Value("t", int(_STOP * 1e6))),
            # the keeper of native processes, which it may have started, and its helpers stay
            ("KillMode", Value("s", "process")),
            ("Slice", Value("s", naming.ROOT_SLICE)),
            ("Environment", Value("as", [f"{name}={value}" for name, value in values.items()])),
            ("WorkingDirectory", Value("s", str(self._home.root))),
            ("ExecStartEx", Value("a(sasas)", [(sys.executable, argv, ["no-env-expand"])])),
        ]
