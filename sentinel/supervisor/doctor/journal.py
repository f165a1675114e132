"""The journal: whether our lines can be read, survive a reboot, and are not thrown away."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from sentinel.quantities import human_duration
from sentinel.supervisor.doctor.check import Check, Finding, Subject, command, ok, problem, skipped, warning

PERSISTENT, VOLATILE = Path("/var/log/journal"), Path("/run/log/journal")
CONFIG = Path("/etc/systemd/journald.conf")
DIRECTORIES = tuple(Path(each, "systemd/journald.conf.d") for each in ("/usr/lib", "/usr/local/lib", "/run", "/etc"))
DEFAULT_BURST, DEFAULT_INTERVAL = 10_000, 30.0


def journal(subject: Subject) -> Iterator[Check]:
    """Skipped where nothing goes there."""
    from sentinel.backends.systemd.reach import available, wanted_scope

    if not available():
        yield skipped("journal", "systemd cannot be reached")
        return
    used = any(record.spec.logs.kind != "file" for record in subject.records("systemd"))
    settings = read_settings([CONFIG], DIRECTORIES)
    scope = wanted_scope()
    yield _readable(subject, scope, Finding.PROBLEM if used else Finding.WARNING)
    yield _persistent(subject, settings)
    yield rate(subject, settings)


def _readable(subject: Subject, scope: str, bad: Finding) -> Check:
    """A user reads the files of his own; those of the system only root and some groups."""
    name = f"user-{os.geteuid()}" if scope == "user" else "system"
    files = [path for root in (PERSISTENT, VOLATILE) for path in _files(root)]
    own = [path for path in files if path.name.startswith(name)]
    if any(os.access(path, os.R_OK) for path in own):
        return ok("journal", f"the {scope} journal can be read")
    system = [path for path in files if path.name.startswith("system")]
    if any(os.access(path, os.R_OK) for path in system) or (not own and _files(PERSISTENT)):
        return ok("journal", f"the {scope} journal can be read; nothing of yours is in it yet")
    repair = f"sudo usermod -aG systemd-journal {command(subject.user)}, then log in again"
    if not files and not PERSISTENT.exists():
        return Check("journal", bad, "there is no journal that you may look at", repair)
    return Check("journal", bad, f"the {scope} journal cannot be read by {subject.user}", repair)


def _files(root: Path) -> list[Path]:
    try:
        return [path for directory in root.iterdir() if directory.is_dir() for path in directory.glob("*.journal")]
    except OSError:
        return []


def _persistent(subject: Subject, settings: dict[str, str]) -> Check:
    storage = settings.get("Storage", "auto").lower()
    sudo = subject.sudo
    make = f"{sudo}mkdir -p {PERSISTENT} && {sudo}systemd-tmpfiles --create --prefix {PERSISTENT}"
    flush = f"{make} && {sudo}journalctl --flush"
    if storage == "none":
        repair = _set(subject, "Storage=persistent")
        return problem("journal storage", "journald keeps nothing (Storage=none): logs are lost", repair)
    if storage == "volatile":
        repair = _set(subject, "Storage=persistent")
        return warning("journal storage", "logs are lost at a reboot (Storage=volatile)", repair)
    if storage == "auto" and not PERSISTENT.is_dir():
        return warning("journal storage", f"logs are lost at a reboot: there is no {PERSISTENT}", flush)
    return ok("journal storage", "logs survive a reboot")


def rate(subject: Subject, settings: dict[str, str]) -> Check:
    """journald drops what is above its limit; units of a user manager share one."""
    burst = _number(settings.get("RateLimitBurst"), DEFAULT_BURST)
    interval = _seconds(settings.get("RateLimitIntervalSec", settings.get("RateLimitInterval")))
    if burst == 0 or interval == 0:
        return ok("journal rate", "no line is dropped")
    told = f"{burst} lines in {human_duration(interval)}"
    if burst / interval < DEFAULT_BURST / DEFAULT_INTERVAL:
        what = f"of all units of a user together, more than {told} are dropped"
        return warning("journal rate", what, _set(subject, "RateLimitBurst=0"))
    return ok("journal rate", f"at least {told} are kept; --logs file has no such limit")


def _set(subject: Subject, line: str) -> str:
    directory, sudo = "/etc/systemd/journald.conf.d", subject.sudo
    return (
        f"{sudo}mkdir -p {directory} && printf '[Journal]\\n{line}\\n' | {sudo}tee {directory}/zz-sentinel.conf"
        f" && {sudo}systemctl restart systemd-journald"
    )


def read_settings(files: Sequence[Path], directories: Sequence[Path]) -> dict[str, str]:
    """journald.conf and its drop-ins: by name, a later directory's instead of an earlier one's of the same name."""
    drop_ins: dict[str, Path] = {}
    for directory in directories:
        try:
            drop_ins |= {path.name: path for path in directory.glob("*.conf")}
        except OSError:
            continue
    found: dict[str, str] = {}
    for path in (*files, *(drop_ins[name] for name in sorted(drop_ins))):
        try:
            text = path.read_text(errors="replace")
        except OSError:
            continue
        for line in text.splitlines():
            name, equals, value = line.strip().partition("=")
            if equals and not name.startswith(("#", ";")):
                found[name.strip()] = value.strip()
    return found


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isascii() and text.isdigit() else default


def _seconds(text: str | None) -> float:
    from sentinel.errors import UsageError
    from sentinel.quantities import duration

    try:
        return duration(text) if text else DEFAULT_INTERVAL
    except UsageError:
        return DEFAULT_INTERVAL
