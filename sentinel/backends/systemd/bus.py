"""The few things we ask of D-Bus, whichever library speaks it, and its errors in our own words."""

import importlib.util
import os
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from sentinel.errors import BackendError

SYSTEMD = "org.freedesktop.systemd1"
ROOT = "/org/freedesktop/systemd1"
MANAGER = "org.freedesktop.systemd1.Manager"
UNIT = "org.freedesktop.systemd1.Unit"
SERVICE = "org.freedesktop.systemd1.Service"
PROPERTIES = "org.freedesktop.DBus.Properties"

TIMEOUT = 10.0  # seconds that a call may take: a manager that is busy reloading needs some


class Value(NamedTuple):
    """A variant: the type is told, never guessed."""

    signature: str
    value: Any


class Call(NamedTuple):
    """One method call."""

    path: str
    interface: str
    member: str
    signature: str = ""
    args: tuple[Any, ...] = ()
    destination: str = SYSTEMD


class BusError(BackendError):
    """The bus, or who was called over it, said no. `kind` is a word below, for code to decide by."""

    code = "backend"

    def __init__(self, kind: str, message: str, hint: str = "") -> None:
        super().__init__(message, hint)
        self.kind = kind


NO_UNIT = "no-unit"
EXISTS = "exists"
DENIED = "denied"
INVALID = "invalid"
UNKNOWN_PROPERTY = "unknown-property"
TIMED_OUT = "timed-out"
LOST = "lost"
OTHER = "other"

_KINDS = {
    "org.freedesktop.systemd1.NoSuchUnit": NO_UNIT,
    "org.freedesktop.systemd1.LoadFailed": NO_UNIT,
    "org.freedesktop.systemd1.UnitExists": EXISTS,
    "org.freedesktop.systemd1.BadUnitSetting": INVALID,
    "org.freedesktop.DBus.Error.InvalidArgs": INVALID,
    "org.freedesktop.DBus.Error.PropertyReadOnly": UNKNOWN_PROPERTY,
    "org.freedesktop.DBus.Error.AccessDenied": DENIED,
    "org.freedesktop.DBus.Error.AuthFailed": DENIED,
    "org.freedesktop.DBus.Error.InteractiveAuthorizationRequired": DENIED,
    "org.freedesktop.DBus.Error.UnknownObject": NO_UNIT,
    "org.freedesktop.DBus.Error.UnknownInterface": NO_UNIT,
    "org.freedesktop.DBus.Error.NoReply": TIMED_OUT,
    "org.freedesktop.DBus.Error.Timeout": TIMED_OUT,
    "org.freedesktop.DBus.Error.TimedOut": TIMED_OUT,
    "org.freedesktop.DBus.Error.Disconnected": LOST,
    "org.freedesktop.DBus.Error.ServiceUnknown": LOST,
    "org.freedesktop.DBus.Error.NameHasNoOwner": LOST,
}


def translate(name: str, message: str) -> BusError:
    """The D-Bus error `name` as one of ours: its name is for us alone, its message for the user."""
    kind = _KINDS.get(name, OTHER)
    if kind == DENIED:
        return BusError(kind, "systemd does not allow it", "only root may change the system's services")
    if kind == TIMED_OUT:
        return no_answer()
    if kind == LOST:
        return lost()
    text = message.strip().rstrip(".") or "systemd refuses"
    return BusError(kind, text[:1].lower() + text[1:] if text[1:2].islower() else text)


def no_answer() -> BusError:
    return BusError(TIMED_OUT, "systemd does not answer", "look at 'systemctl status', then try again")


def lost() -> BusError:
    return BusError(
        LOST, "the connection to systemd was lost", "try again; if its manager was stopped, log in again"
    )


class Bus(Protocol):
    """A connection to one bus. Not to be shared between threads."""

    def call(self, call: Call, timeout: float = TIMEOUT) -> tuple[Any, ...]:
        """What the method returns. Raises BusError."""

    def call_many(self, calls: Sequence[Call], timeout: float = TIMEOUT) -> list[tuple[Any, ...] | BusError]:
        """All of them at once, in this order; each answered by what it returns or why not."""

    def watch_jobs(self) -> None:
        """From now on remember how systemd's jobs end. Before the call that makes the job."""

    def unwatch_jobs(self) -> None:
        """No longer: what a connection that lives on does not read would pile up."""

    def wait_jobs(self, jobs: Sequence[str], deadline: float) -> Mapping[str, str]:
        """How these jobs ended ("done", ...). One that has not by `deadline` (monotonic) is missing."""

    def close(self) -> None:
        """Drop the connection, and with it the references it holds."""


def get_call(path: str, interface: str, prop: str) -> Call:
    return Call(path, PROPERTIES, "Get", "ss", (interface, prop))


def manager_call(member: str, signature: str = "", *args: Any) -> Call:
    return Call(ROOT, MANAGER, member, signature, args)


def plain(reply: tuple[Any, ...] | BusError, default: Any = None) -> Any:
    """The value in the reply to a `get_call`, whichever library unpacked it."""
    if isinstance(reply, BusError):
        return default
    value = reply[0]
    return value[1] if isinstance(value, tuple) and len(value) == 2 and isinstance(value[0], str) else value


def get(bus: Bus, path: str, interface: str, prop: str) -> Any:
    return plain(bus.call(get_call(path, interface, prop)))


def unit_path(unit: str) -> str:
    """The object of a unit: everything but letters and digits (and a digit in front) is written _xx."""
    out = []
    for at, byte in enumerate(unit.encode()):
        char = chr(byte)
        plain_char = char.isascii() and (char.isalpha() or (char.isdigit() and at > 0))
        out.append(char if plain_char else f"_{byte:02x}")
    return f"{ROOT}/unit/{''.join(out)}"


def binding() -> str:
    """Which library speaks: $SENTINEL_DBUS, else pydbus where it and PyGObject are there, else jeepney."""
    asked = os.environ.get("SENTINEL_DBUS", "")
    if asked in ("pydbus", "jeepney"):
        return asked
    if asked:
        raise BackendError(f"SENTINEL_DBUS is {asked!r}", "set it to pydbus or jeepney, or unset it")
    found = [importlib.util.find_spec(name) for name in ("gi", "pydbus")]
    return "pydbus" if all(found) else "jeepney"


def connect(address: str) -> Bus:
    """A connection to the bus at `address`. Raises BackendError."""
    name = binding()
    try:
        if name == "pydbus":
            from sentinel.backends.systemd.bus_pydbus import PydbusBus

            return PydbusBus(address)
        from sentinel.backends.systemd.bus_jeepney import JeepneyBus

        return JeepneyBus(address)
    except ImportError as error:
        raise BackendError(
            f"cannot reach systemd: the D-Bus library {name} is not usable here ({error})",
            "install jeepney, or use --backend native",
        ) from error
