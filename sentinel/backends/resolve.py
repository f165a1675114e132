"""Which engine a process gets, and why. Only here is more than one engine known."""

import os

from sentinel.backends.base import Backend
from sentinel.errors import BackendError, UsageError
from sentinel.paths import Home
from sentinel.plain import dataclass

NAMES = ("native", "systemd")


@dataclass(frozen=True, slots=True)
class Choice:
    """An engine and where the choice came from; `notes` are sentences that the user should see once."""

    name: str
    scope: str | None
    source: str
    notes: tuple[str, ...] = ()


def resolve(home: Home, *, flag: str | None, user: str | None = None) -> Choice:
    """The engine for a new process: --backend, else SENTINEL_BACKEND, else what this system offers.

    Raises:
        UsageError: no engine of that name.
        BackendError: systemd was asked for and can't be reached; says what to do.
    """
    for name, source in ((flag, "--backend"), (os.environ.get("SENTINEL_BACKEND"), "SENTINEL_BACKEND")):
        if not name or name == "auto":
            continue
        if name not in NAMES:
            raise UsageError(f"no backend named {name!r} ({source})", "use native, systemd or auto")
        return _systemd(source, asked=True) if name == "systemd" else Choice("native", None, source)
    return _detect()


def _detect() -> Choice:
    """systemd where it can be reached and processes survive a logout, else native."""
    from sentinel.backends.systemd import reach

    if not reach.available():
        return Choice("native", None, "this system")
    try:
        return _systemd("this system", asked=False)
    except BackendError:
        return Choice("native", None, "this system")


def _systemd(source: str, *, asked: bool) -> Choice:
    from sentinel.backends.systemd import reach

    found = reach.reach()
    notes: tuple[str, ...] = ()
    if found.scope == "user" and not reach.survives_logout(found.uid):
        notes = _linger(asked)
    return Choice("systemd", found.scope, source, notes)


def _linger(asked: bool) -> tuple[str, ...]:
    from sentinel.backends.systemd import reach

    try:
        reach.enable_linger()
    except BackendError:
        if not asked:
            raise
        return ("processes end when you log out: run 'loginctl enable-linger' once to keep them",)
    return ("enabled lingering for you, so that processes survive a logout (loginctl disable-linger undoes it)",)


def missing(name: str, *, asked: bool) -> str:
    """Why this engine can't be used here; empty where it can. Changes nothing: see `asked` in _linger."""
    if name != "systemd":
        return ""
    from sentinel.backends.systemd import reach

    try:
        found = reach.reach()
    except BackendError as error:
        return error.message
    if not asked and found.scope == "user" and not reach.survives_logout(found.uid):
        return "its processes would end at logout: run 'loginctl enable-linger' once, or ask for it"
    return ""


def open_backend(name: str, scope: str | None, home: Home) -> Backend:
    """The engine that a record names.

    Raises:
        BackendError: it can't be reached here.
    """
    if name == "systemd":
        from sentinel.backends.systemd.backend import SystemdBackend
        from sentinel.backends.systemd.reach import reach

        return SystemdBackend(home, reach(scope).scope)
    from sentinel.backends.native.backend import NativeBackend

    return NativeBackend(home)
