"""How exactly the resolved environment, and nothing else, reaches a program.

What systemd's own environment file can hold goes there. It drops or refuses the rest (control bytes, what is
not UTF-8), and gives it to the hooks of the unit too, which run as root: not where the program runs as another
user, who may have written a part of it. Then /bin/sh reads a script from its standard input, which the manager
opened. So both files are 0600.
"""

import os
import re
from collections.abc import Mapping, Sequence

# What systemd itself tells a unit; from the environment that was captured it would be somebody else's.
SYSTEMD_OWN = frozenset(
    (
        "CREDENTIALS_DIRECTORY INVOCATION_ID JOURNAL_STREAM LISTEN_FDNAMES LISTEN_FDS LISTEN_PID MAINPID MANAGERPID "
        "MEMORY_PRESSURE_WATCH MEMORY_PRESSURE_WRITE NOTIFY_SOCKET SYSTEMD_EXEC_PID WATCHDOG_PID WATCHDOG_USEC"
    ).split()
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_LOST = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff\ufdd0-\ufdef]")  # by systemd's reader
_FUNCTION = re.compile(r"BASH_FUNC_\S+(%%|\(\))\Z")
# A shell gives these another value, or refuses to have them set.
_SHELLS_OWN = frozenset(
    (
        "BASHOPTS BASHPID BASH_VERSINFO EPOCHREALTIME EPOCHSECONDS EUID LINENO OPTIND PPID RANDOM SECONDS SHELLOPTS "
        "SRANDOM UID"
    ).split()
)
_QUOTED = str.maketrans({char: "\\" + char for char in '"\\`$'})


def own(env: Mapping[str, str]) -> dict[str, str]:
    """The environment without what only systemd may say."""
    return {name: value for name, value in env.items() if name not in SYSTEMD_OWN}


def expressible(text: str) -> bool:
    """Whether systemd passes this text on unchanged."""
    return not _LOST.search(text) and not any(
        (ord(char) & 0xFFFE) == 0xFFFE for char in text if char > "\ufffd"
    )


def fits_file(env: Mapping[str, str]) -> bool:
    return all(_NAME.match(name) and expressible(value) for name, value in env.items())


def environment_file(env: Mapping[str, str]) -> bytes:
    """As systemd.exec(5), EnvironmentFile= reads it."""
    return "".join(f'{name}="{value.translate(_QUOTED)}"\n' for name, value in env.items()).encode()


def quoted(text: str) -> bytes:
    """One word for /bin/sh, any byte in it."""
    return b"'" + os.fsencode(text).replace(b"'", b"'\\''") + b"'"


def script(env: Mapping[str, str], cwd: str, argv: Sequence[str]) -> bytes:
    """What /bin/sh reads to become `argv`; its last act is to exec, with nothing as standard input.

    What no shell can set, such as functions that bash exported, env(1) does: all may see it, and it is no secret.
    """
    lines = [b"cd " + quoted(cwd) + b" || exit 200", b"unset PWD OLDPWD"]
    lines += [
        b"export " + name.encode() + b"=" + quoted(value)
        for name, value in env.items()
        if _NAME.match(name) and name not in _SHELLS_OWN
    ]
    others = [
        f"{name}={value}" for name, value in env.items() if name in _SHELLS_OWN or _is_function(name, value)
    ]
    words = ["env", *others, *argv] if others else list(argv)
    lines.append(b"exec " + b" ".join(map(quoted, words)) + b" </dev/null")
    return b"\n".join(lines) + b"\n"


def unsettable(env: Mapping[str, str]) -> list[str]:
    """Names that no way leads to the program."""
    return sorted(
        name for name, value in env.items() if not _NAME.match(name) and not _is_function(name, value)
    )


def _is_function(name: str, value: str) -> bool:
    return bool(_FUNCTION.match(name)) and value.startswith("() {")
