"""What the command line asks of startup, and the answers it prints."""

from pathlib import Path
from typing import Protocol

from sentinel.plain import dataclass, field


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that has to hold for the entry to work; `hint` says what to do where it does not."""

    name: str
    ok: bool
    message: str
    hint: str = ""


@dataclass(slots=True)
class StartupView:
    """The entry as it is now."""

    system: str  # "systemd" or "launchd"
    scope: str  # "user" or "system"
    name: str  # of the unit or the job
    file: str
    installed: bool = False
    checks: list[Check] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.installed and all(check.ok for check in self.checks)


class Installer(Protocol):
    """The init system that gets the entry."""

    file: Path

    def text(self) -> str:
        """What the file is to hold."""

    def install(self) -> StartupView:
        """Make the entry and start it; one that is there already is made anew."""

    def uninstall(self) -> StartupView:
        """Take it away; `installed` tells whether it was there. What runs goes on."""

    def status(self) -> StartupView:
        """Check that it would work."""
