"""startup install, uninstall, status, print: on whichever init system this machine has."""

import os
import sys
from pathlib import Path

from sentinel.errors import Unsupported, UsageError
from sentinel.paths import Home
from sentinel.supervisor.startup.api import Installer, StartupView
from sentinel.supervisor.startup.entry import entry

BOOTED = Path("/run/systemd/system")  # sd_booted(3)


def installer(home: Home, system: str | None, scope: str | None, *, only_print: bool = False) -> Installer:
    """For the init system that was asked for, or runs here.

    Raises:
        UsageError: the system's entries are root's.
        Unsupported: there is none that is known.
    """
    chosen = system or ("launchd" if sys.platform == "darwin" else "systemd")
    root = os.geteuid() == 0
    where = scope or os.environ.get("SENTINEL_SYSTEMD_SCOPE") or ("system" if root else "user")
    if not only_print:
        _check_system(home, chosen)
        if where == "system" and not root:
            raise UsageError("only root can start things for the whole system", "leave out --scope, or use sudo")
    if chosen == "launchd":
        from sentinel.supervisor.startup.on_launchd import OnLaunchd

        return OnLaunchd(entry(home), where)
    from sentinel.supervisor.startup.on_systemd import OnSystemd

    return OnSystemd(entry(home), where)


def _check_system(home: Home, system: str) -> None:
    if system == "launchd" and sys.platform != "darwin":
        raise Unsupported("there is no launchd here", "use --system systemd, or 'sentinel startup print'")
    if system == "systemd" and not BOOTED.is_dir():
        raise Unsupported(
            "systemd is not process 1 here, so nothing can be installed into it",
            f"add this line with 'crontab -e' instead: {cron_line(home)}",
        )


def cron_line(home: Home) -> str:
    """What does the same where there is no systemd."""
    import shlex

    return f"@reboot SENTINEL_HOME={shlex.quote(str(home.root))} {shlex.join(entry(home).command('run'))}".replace(
        "%", "\\%"
    )


def print_entry(home: Home, system: str | None, scope: str | None) -> str:
    return installer(home, system, scope, only_print=True).text()


def install(home: Home, system: str | None, scope: str | None) -> StartupView:
    home.prepare()
    return installer(home, system, scope).install()


def uninstall(home: Home, system: str | None, scope: str | None) -> StartupView:
    return installer(home, system, scope).uninstall()


def status(home: Home, system: str | None, scope: str | None) -> StartupView:
    return installer(home, system, scope).status()


def is_uninstalled(home: Home) -> bool:
    """Whether the entry that runs us has been taken away: then what it started goes on."""
    found = installer(home, None, None, only_print=True)
    return not found.file.exists()
