"""Which supervisor a file belongs to: by its name, else by what is in it."""

import re

from sentinel.errors import UsageError
from sentinel.importing.report import Imported, Source

FORMATS = ("procfile", "supervisord", "pm2", "systemd")
_JAVASCRIPT = (".js", ".cjs", ".mjs")


def is_javascript(path: str) -> bool:
    return path.endswith(_JAVASCRIPT)


def detect(path: str, text: str) -> str:
    """The format of a file. Raises UsageError: none that is known."""
    name = path.rpartition("/")[2].lower()
    if name.startswith("procfile"):
        return "procfile"
    if name.endswith((".service", ".service.j2")):
        return "systemd"
    if name.endswith((*_JAVASCRIPT, ".pm2")) or name.startswith("ecosystem."):
        return "pm2"
    if re.search(r"^\[(program|group|supervisord|fcgi-program|eventlistener)\b[^]]*\]", text, re.MULTILINE):
        return "supervisord"
    if re.search(r"^\[Service\]", text, re.MULTILINE):
        return "systemd"
    if text.lstrip()[:1] in ("{", "["):
        return "pm2"
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if lines and all(re.match(r"[A-Za-z0-9_][A-Za-z0-9_.-]*\s*:\s*\S", line) for line in lines):
        return "procfile"
    raise UsageError(f"cannot tell which supervisor {path} belongs to", f"say it with --format {'|'.join(FORMATS)}")


def parse(source: Source, format: str, environment: str | None = None) -> Imported:
    """Raises UsageError, with the line where there is one."""
    if format == "procfile":
        from sentinel.importing import procfile

        return procfile.parse(source)
    if format == "supervisord":
        from sentinel.importing import supervisord

        return supervisord.parse(source)
    if format == "systemd":
        from sentinel.importing import systemd

        return systemd.parse(source)
    from sentinel.importing import pm2

    return pm2.parse(source, environment)
