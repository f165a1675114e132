"""The files that systemd keeps of transient units, mended where it could not read them again itself.

Before version 254 it writes `ExecStartEx=` and its like under their D-Bus names, and escapes that it does not know:
whoever then has it reload its configuration leaves a unit that is never restarted.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sentinel.backends.systemd.bus import Value
from sentinel.errors import Unsupported
from sentinel.quoting import Place, escape, safe_program

_FLAGS = {"ignore-failure": "-", "no-env-expand": ":", "privileged": "+"}
_BROKEN = re.compile(rb"^Exec[A-Za-z]+Ex=.*\n", re.MULTILINE)


def directory(scope: str, uid: int) -> Path:
    return Path("/run/systemd/transient" if scope == "system" else f"/run/user/{uid}/systemd/transient")


def mend(file: Path, properties: Sequence[tuple[str, Value]]) -> None:
    """Where it has to be: put what was asked for into the file, in words that are read again as they were meant."""
    try:
        found = file.read_bytes()
        if not _BROKEN.search(found):
            return
        times = file.stat()
        rest = _BROKEN.sub(b"", found)
        lines = "".join(_lines(name, value) for name, value in properties if _is_command(name))
        file.write_bytes(rest.rstrip(b"\n") + b"\n\n[Service]\n" + lines.encode("utf-8", "surrogateescape"))
        os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))  # else systemctl warns that it has changed
    except (OSError, Unsupported):
        return  # it runs all the same; only a reload would hurt it


def _is_command(name: str) -> bool:
    return name.startswith("Exec") and name.endswith("Ex")


def _lines(name: str, value: Value) -> str:
    return "".join(f"{name.removesuffix('Ex')}={_command(*each)}\n" for each in value.value)


def _command(path: str, argv: Sequence[str], flags: Sequence[str]) -> str:
    prefix = "".join(_FLAGS[flag] for flag in flags)
    place = Place.WORD if "no-env-expand" in flags else Place.COMMAND
    words: list[Any] = [path, *argv[1:]]
    if not safe_program(path):
        words = ["/bin/sh", "-c", 'exec "$0" "$@"', *words]
    elif argv[0] != path:
        prefix += "@"
        words = [path, *argv]
    return prefix + " ".join(escape(word, place) for word in words)
