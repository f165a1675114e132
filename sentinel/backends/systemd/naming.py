"""Names of units, slices and journal identifiers: no two processes, groups or homes ever share one.

An escaped name holds letters, digits, "_", "." and "\\", never "-" or ":". So these two can separate: "-"
before the key of a home in a service's name (in a slice's it would nest), ":" before a hash.
"""

from sentinel.paths import Home, default_home

PREFIX = "sentinel-"
ROOT_SLICE = "sentinel.slice"
_LONGEST = 200  # bytes of an escaped name; systemd takes 255 with prefix and suffix
_PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.")
_RESERVED = "daemon"  # sentinel-daemon.service is sentinel's own


def escape(name: str) -> str:
    """Every other byte, and a dot in front, as \\xHH; a long name cut and told apart by a hash."""
    data = name.encode("utf-8", "surrogateescape")
    out = "".join(
        chr(byte) if chr(byte) in _PLAIN and not (byte == 0x2E and at == 0) else f"\\x{byte:02x}"
        for at, byte in enumerate(data)
    )
    if len(out) <= _LONGEST:
        return out
    import hashlib

    digest = hashlib.sha256(data).hexdigest()[:16]
    return f"{out[: _LONGEST - 20]}:{digest}"


def _process(name: str) -> str:
    return f"\\x{ord(name[0]):02x}{name[1:]}" if name == _RESERVED else escape(name)


def _key(home: Home) -> str | None:
    return None if home.root == default_home() else home.key


def unit_name(name: str, home: Home) -> str:
    """The unit of the process `name`."""
    key = _key(home)
    return f"{PREFIX}{_process(name)}{'' if key is None else '-' + key}.service"


def is_of(unit: str, home: Home) -> bool:
    """Whether the unit is one of this home, to judge by its name."""
    key = _key(home)
    stem = unit.removeprefix(PREFIX).removesuffix(".service")
    return "-" not in stem if key is None else stem.endswith(f"-{key}")


def unit_pattern() -> str:
    """What matches every unit of every home."""
    return f"{PREFIX}*.service"


def slice_name(group: str, home: Home) -> str:
    """The slice of a group, always a direct child of sentinel.slice."""
    key = _key(home)
    return f"{PREFIX}{escape(group)}{'' if key is None else ':' + key}.slice"


def daemon_unit(home: Home) -> str:
    """The unit of sentinel's own daemon."""
    key = _key(home)
    return f"{PREFIX}{_RESERVED}{'' if key is None else '-' + key}.service"


def identifier(name: str, home: Home) -> str:
    """What the journal calls the process: its own name where that is plain, so that an admin finds it."""
    key = _key(home)
    plain = (
        name != _RESERVED and len(name) <= _LONGEST and all(char in _PLAIN or char == "-" for char in name)
    )
    return f"{PREFIX}{name if plain else _process(name)}{'' if key is None else ':' + key}"


def startup_unit(home: Home) -> str:
    """The unit that brings everything of a home back at boot."""
    key = _key(home)
    return f"sentinel{'' if key is None else '.' + key}.service"  # no "-" in it: a process may be called so
