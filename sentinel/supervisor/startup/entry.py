"""What an entry in an init system calls, and with which variables: what stays true across upgrades and reboots."""

import os
import re
import sys
import sysconfig
from pathlib import Path

from sentinel.paths import Home
from sentinel.plain import dataclass

_KEPT = (
    *("PATH", "LANG", "LC_ALL", "SENTINEL_BACKEND", "SENTINEL_DBUS", "SENTINEL_PORTABLE", "SENTINEL_SYSTEMD_SCOPE"),
    *("DBUS_SYSTEM_BUS_ADDRESS", "PYTHONPATH"),
)
_OF_ONE_VERSION = re.compile(r"/(?:versions|pythons?|cpython|python)[/-][^/]*\d+\.\d+|/python\d+\.\d+/")


@dataclass(frozen=True, slots=True)
class Entry:
    """How the init system calls sentinel."""

    words: tuple[str, ...]  # the program and what comes before "startup run"
    environment: dict[str, str]
    home: Home

    def command(self, *arguments: str) -> list[str]:
        return [*self.words, "startup", *arguments]


def entry(home: Home) -> Entry:
    """For this sentinel and this home."""
    kept = {name: os.environ[name] for name in _KEPT if os.environ.get(name)}
    return Entry(program(), {**kept, "HOME": os.path.expanduser("~"), "SENTINEL_HOME": str(home.root)}, home)


def program() -> tuple[str, ...]:
    """The words that call this sentinel, by a path that upgrades keep.

    The script on the PATH where it leads to us (`uv tool` and pipx keep a symlink there), else the one beside our
    Python, else our Python itself.
    """
    scripts = Path(sysconfig.get_path("scripts"))
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(":") if folder.startswith("/")]
    folders += [Path(os.path.expanduser("~/.local/bin")), Path("/usr/local/bin")]
    found = [path for folder in folders if _is_ours(path := folder / "sentinel", scripts)]
    found.sort(key=lambda path: path.parent == scripts)  # stable: what only leads there comes first
    if not found and _is_ours(scripts / "sentinel", scripts):
        found = [scripts / "sentinel"]
    return (str(found[0]),) if found else _by_python()


def _is_ours(script: Path, scripts: Path) -> bool:
    try:
        leads_here = Path(os.path.realpath(script)).parent == Path(os.path.realpath(scripts))
        return leads_here and os.access(script, os.X_OK)
    except OSError:
        return False


def _by_python() -> tuple[str, ...]:
    parent = str(Path(__file__).resolve().parents[3])
    code = f"import sys; sys.path.append({parent!r}); from sentinel.__main__ import main; main()"
    return (sys.executable, "-P", "-c", code)


def doubts(words: tuple[str, ...] | list[str]) -> list[str]:
    """Sentences about a program that may be gone one day."""
    path = words[0]
    if "/.cache/" in path or path.startswith(("/tmp/", "/var/tmp/")):
        return [f"{path} is in a temporary place: install sentinel first, for example with 'uv tool install'"]
    if _OF_ONE_VERSION.search(path):
        return [f"{path} belongs to one version of Python: run 'sentinel startup install' again after an upgrade"]
    return []
