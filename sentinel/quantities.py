"""What users write for sizes, times, signals, priorities and addresses, checked and turned into values."""

import math
import re
import time

from sentinel.errors import UsageError
from sentinel.names import printable

TEN_YEARS = 315_360_000.0
IO_CLASSES = {1: "realtime", 2: "best-effort", 3: "idle"}
_IO_NAMES = {name: number for number, name in IO_CLASSES.items()}
_SIZES = {"": 0, "K": 1, "M": 2, "G": 3, "T": 4}
_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGT]?)(?:I?B)?", re.ASCII)
_UNITS = {
    "ms": 0.001, "s": 1, "sec": 1, "secs": 1, "second": 1, "seconds": 1, "m": 60, "min": 60, "mins": 60,
    "minute": 60, "minutes": 60, "h": 3600, "hour": 3600, "hours": 3600, "d": 86400, "day": 86400,
    "days": 86400, "w": 604800, "week": 604800, "weeks": 604800,
}  # fmt: skip
_NUMBER = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)\s*([a-z]+)\s*")
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?")


def size(text: str, *, what: str = "size", minimum: int = 0, maximum: int = 2**63 - 1) -> int:
    """Bytes: "10M", "1.5GiB", "4096". K, M, G, T are powers of 1024."""
    match = _SIZE.fullmatch(text.strip().upper())
    if match is None or len(text) > 40:
        raise _refused(what, text, "write it like 512K, 10M or 2G")
    value = int(float(match[1]) * 1024 ** _SIZES[match[2]]) if "." in match[1] else _whole(match)
    if not minimum <= value <= maximum:
        raise _refused(what, text, f"from {human_size(minimum)} to {human_size(maximum)}, like 10M")
    return value


def _whole(match: re.Match[str]) -> int:
    return int(match[1]) << 10 * _SIZES[match[2]]


def duration(text: str, *, what: str = "time", minimum: float = 0.0, maximum: float = TEN_YEARS) -> float:
    """Seconds: "30", "1.5s", "500ms", "2m", "1h30m"."""
    value = _seconds(text)
    if value is None:
        raise _refused(what, text, "write it like 30, 1.5s, 500ms, 2m or 1h")
    if not minimum <= value <= maximum:
        raise _refused(what, text, f"from {minimum:g} s to {human_duration(maximum)}, like 30 or 1.5s")
    return value


def _seconds(text: str) -> float | None:
    text = text.strip().lower()
    if not text or len(text) > 40:
        return None
    if _NUMBER.fullmatch(text):
        return float(text)
    total, at = 0.0, 0
    while at < len(text):
        match = _PART.match(text, at)
        if match is None or match[2] not in _UNITS:
            return None
        total += float(match[1]) * _UNITS[match[2]]
        at = match.end()
    return total if math.isfinite(total) else None


def count(text: str, *, what: str = "number", minimum: int = 0, maximum: int = 2**31 - 1) -> int:
    """A whole number."""
    text = text.strip()
    if not _INTEGER.fullmatch(text) or not minimum <= int(text) <= maximum:
        raise _refused(
            what, text, f"a whole number from {minimum} to {maximum}, like {max(minimum, min(3, maximum))}"
        )
    return int(text)


def signal_number(text: str) -> str:
    """The signal's name without SIG: "TERM" for "TERM", "sigterm" and "15"."""
    from signal import Signals

    word = text.strip().upper()
    try:
        if word.isascii() and word.isdigit() and len(word) < 4:
            return Signals(int(word)).name.removeprefix("SIG")
        return Signals["SIG" + word.removeprefix("SIG")].name.removeprefix("SIG")
    except (ValueError, KeyError):
        raise _refused("signal", text, "write it like TERM, SIGINT or 15") from None


def ionice(text: str) -> str:
    """The form of Limits.ionice: "idle", "best-effort:4", "realtime:0"."""
    kind, level = ionice_parts(text)
    return IO_CLASSES[kind] if kind == 3 else f"{IO_CLASSES[kind]}:{level}"


def ionice_parts(text: str) -> tuple[int, int]:
    """(class: 1 realtime, 2 best-effort, 3 idle; level 0..7, 4 where none is given)."""
    name, colon, level = text.strip().lower().partition(":")
    if name not in _IO_NAMES or (colon and level not in list("01234567")) or (name == "idle" and colon):
        raise _refused(
            "ionice", text, "write idle, best-effort:0 to best-effort:7 or realtime:0 to realtime:7"
        )
    if name == "idle":
        return 3, 0
    return _IO_NAMES[name], int(level) if colon else 4


def nice(text: str) -> int:
    """-20 (most favourable) to 19."""
    return count(text, what="nice", minimum=-20, maximum=19)


def percent(text: str) -> float:
    """Of one CPU: "50%", "150" (more than one)."""
    number = text.strip().removesuffix("%").strip()
    if not _NUMBER.fullmatch(number) or len(number) > 20 or not 0 < float(number) <= 1_000_000:
        raise _refused("percentage", text, "write it like 50% or 150%")
    return float(number)


def nofile(text: str) -> int:
    """The most files a process may have open."""
    return count(text, what="number of open files", minimum=3, maximum=2**31 - 1)


def since(text: str, now: float | None = None) -> float:
    """Seconds since the epoch: "10m", "1 hour ago", "10:00", "today", "2026-01-01 10:00", "@1700000000"."""
    now = time.time() if now is None else now
    word = text.strip().lower()
    if word.startswith("@") and _NUMBER.fullmatch(word[1:]) and len(word) < 20:
        return float(word[1:])
    ago = _seconds(word.removesuffix("ago").removeprefix("-"))
    if ago is not None and ago <= 10 * TEN_YEARS:
        return now - ago
    try:
        return _calendar(word, now)
    except (ValueError, OverflowError, OSError):
        raise _refused("time", text, "write it like 10m, 10:00, '2026-01-01 10:00' or @1700000000") from None


def _calendar(word: str, now: float) -> float:
    from datetime import datetime, timedelta

    here = datetime.fromtimestamp(now)
    midnight = here.replace(hour=0, minute=0, second=0, microsecond=0)
    named = {"now": here, "today": midnight, "yesterday": midnight - timedelta(days=1)}
    if word in named:
        return named[word].timestamp()
    if re.fullmatch(r"\d{1,2}:\d\d(:\d\d)?", word, re.ASCII):
        hour, minute, second = (*map(int, word.split(":")), 0)[:3]
        found = midnight.replace(hour=hour, minute=minute, second=second)
        return (found if found <= here else found - timedelta(days=1)).timestamp()
    if not re.match(r"\d{4}-\d\d-\d\d", word, re.ASCII):
        raise ValueError(word)
    return datetime.fromisoformat(word.upper()).timestamp()


def port(text: str) -> int:
    """1 to 65535."""
    return count(text, what="port", minimum=1, maximum=65535)


def port_option(text: str) -> tuple[str, int | None]:
    """--port: (variable, wanted port or None for any).

    "" and "auto" are PORT, any; "8080" is PORT, 8080; "VAR", "VAR=" and "VAR=auto" are VAR, any; "VAR=8080".
    """
    name, _, number = text.strip().partition("=")
    if name.isascii() and name.isdigit() and not number:
        name, number = "PORT", name
    elif name in ("", "auto"):
        name = "PORT"
    if not _VARIABLE.fullmatch(name):
        raise _refused("port variable", text, "write it like PORT, HTTP_PORT= or PORT=8080")
    return name, None if number in ("", "auto") else port(number)


def tcp_target(text: str) -> str:
    """HOST:PORT or [IPV6]:PORT, checked."""
    tcp_parts(text)
    return text.strip()


def tcp_parts(text: str) -> tuple[str, int]:
    """(host without brackets, port)."""
    host, colon, number = text.strip().rpartition(":")
    if not colon or not _is_host(host) or not (number.isascii() and number.isdigit() and len(number) <= 5):
        raise _refused("TCP address", text, "write it like localhost:5432 or [::1]:80")
    return host.removeprefix("[").removesuffix("]"), port(number)


def http_url(text: str) -> str:
    """An http:// or https:// URL, checked."""
    from urllib.parse import urlsplit

    url = text.strip()
    try:
        parts = urlsplit(url)
        good = (
            parts.scheme in ("http", "https")
            and parts.port != 0
            and _is_host(_bracketed(parts.hostname or ""))
        )
    except ValueError:
        good = False
    if not good or not url.isascii() or not url.isprintable() or " " in url:
        raise _refused("URL", text, "write it like http://localhost:8000/health")
    return url


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _is_host(host: str) -> bool:
    if host.startswith("[") and host.endswith("]"):
        from socket import AF_INET6, inet_pton

        try:
            inet_pton(AF_INET6, host[1:-1].partition("%")[0])
        except (OSError, ValueError):
            return False
        return True
    return len(host) <= 253 and _HOST.fullmatch(host) is not None


def human_size(value: int | float | None) -> str:
    """ "512 B", "1.5 MB" (powers of 1024); "-" for None."""
    if value is None:
        return "-"
    amount = float(value)
    for unit in ("B", "KB", "MB", "GB"):
        if amount < 1023.95:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} TB"


def human_duration(seconds: float | None) -> str:
    """ "45s", "3m 20s", "2h 5m", "4d 3h"; "-" for None."""
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    for unit, size_of, smaller, size_of_smaller in (
        ("d", 86400, "h", 3600),
        ("h", 3600, "m", 60),
        ("m", 60, "s", 1),
    ):
        if whole >= size_of:
            rest = whole % size_of // size_of_smaller
            return f"{whole // size_of}{unit} {rest}{smaller}" if rest else f"{whole // size_of}{unit}"
    return f"{whole}s"


def _refused(what: str, text: str, hint: str) -> UsageError:
    return UsageError(f"not a valid {what}: {printable(text)!r}", hint)
