"""Which service manager is ours, whether it can be reached, and whether its units outlive a logout."""

import os
import pwd
import stat
from pathlib import Path

from sentinel.errors import BackendError
from sentinel.plain import dataclass

_BOOTED = Path("/run/systemd/system")  # sd_booted(3)
_SYSTEM_SOCKET = Path("/run/dbus/system_bus_socket")
_LINGER = Path("/var/lib/systemd/linger")
_NATIVE = "use --backend native"


@dataclass(frozen=True, slots=True)
class Reach:
    """A manager that answers at `address`."""

    scope: str  # "user" or "system"
    uid: int
    address: str


def wanted_scope(scope: str | None = None) -> str:
    """The manager to talk to: the one asked for, else $SENTINEL_SYSTEMD_SCOPE, else by who we are."""
    chosen = scope or os.environ.get("SENTINEL_SYSTEMD_SCOPE") or ("system" if os.geteuid() == 0 else "user")
    if chosen not in ("user", "system"):
        raise BackendError(f"SENTINEL_SYSTEMD_SCOPE is {chosen!r}", "set it to user or system, or unset it")
    return chosen


def reach(scope: str | None = None) -> Reach:
    """The manager of that scope. Raises BackendError saying what is missing and what to do."""
    chosen = wanted_scope(scope)
    if not _BOOTED.is_dir():
        raise BackendError("cannot reach systemd: it is not process 1 here (container?)", _NATIVE)
    address = _address(chosen)
    if address is None:
        raise _missing(chosen)
    return Reach(chosen, os.geteuid(), address)


def available(scope: str | None = None) -> bool:
    """Whether `reach` would succeed; costs a few stat calls."""
    try:
        reach(scope)
    except BackendError:
        return False
    return True


def survives_logout(uid: int | None = None) -> bool:
    """Whether what runs in that user's manager goes on when nobody is logged in: "linger"."""
    user = os.geteuid() if uid is None else uid
    if user == 0:
        return True
    return (_LINGER / _name(user)).exists()


def enable_linger() -> None:
    """Ask for linger for oneself, which needs no password as a rule. Raises BackendError where it is refused."""
    from sentinel.backends.systemd.bus import Call, connect

    login = "org.freedesktop.login1"
    arguments = (os.geteuid(), True, False)
    call = Call("/org/freedesktop/login1", f"{login}.Manager", "SetUserLinger", "ubb", arguments, login)
    address = _address("system")
    if address is None:
        raise _no_linger()
    try:
        bus = connect(address)
        try:
            bus.call(call)
        finally:
            bus.close()
    except BackendError as error:
        raise _no_linger() from error


def _no_linger() -> BackendError:
    name = _name(os.geteuid())
    return BackendError(
        f"processes of {name} would end at logout, and lingering may not be enabled here",
        f"ask root for 'loginctl enable-linger {name}', or {_NATIVE}",
    )


def _address(scope: str) -> str | None:
    if scope == "system":
        given = os.environ.get("DBUS_SYSTEM_BUS_ADDRESS")
        return given or (f"unix:path={_SYSTEM_SOCKET}" if _is_socket(_SYSTEM_SOCKET) else None)
    given = os.environ.get("DBUS_SESSION_BUS_ADDRESS")
    if given and _is_there(given):
        return given
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    for directory in (runtime, f"/run/user/{os.geteuid()}"):
        if directory and _is_socket(Path(directory) / "bus", os.geteuid()):
            return f"unix:path={directory}/bus"
    return None


def _is_there(address: str) -> bool:
    """An address that names a socket which is gone or another user's (left over by su) is none."""
    if not address.startswith("unix:path="):
        return True
    return _is_socket(Path(address.removeprefix("unix:path=").split(",")[0]), os.geteuid())


def _is_socket(path: Path, owner: int | None = None) -> bool:
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISSOCK(found.st_mode) and (owner is None or found.st_uid == owner)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _missing(scope: str) -> BackendError:
    if scope == "system":
        return BackendError(f"cannot reach systemd: {_SYSTEM_SOCKET} is missing (is D-Bus installed?)", _NATIVE)
    uid = os.geteuid()
    name = _name(uid)
    return BackendError(
        f"no user service manager is running for {name} (uid {uid}): /run/user/{uid}/bus is missing",
        f"log in through ssh or a console, or run 'loginctl enable-linger {name}', or {_NATIVE}",
    )
