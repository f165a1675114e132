"""What users write for sizes, times, signals, priorities and addresses, checked and turned into values."""


def size(text: str, *, what: str = "size", minimum: int = 0, maximum: int = 2**63 - 1) -> int:
    """"10M" -> bytes (K M G T are powers of 1024; KB, KiB accepted)."""
    raise NotImplementedError


def duration(text: str, *, what: str = "time", minimum: float = 0.0, maximum: float = 315_360_000.0) -> float:
    """"1.5s", "500ms", "2m", "1h", "1d", "30" -> seconds."""
    raise NotImplementedError


def count(text: str, *, what: str = "number", minimum: int = 0, maximum: int = 2**31 - 1) -> int:
    raise NotImplementedError


def signal_number(text: str) -> str:
    """"TERM", "SIGTERM", "15" -> "TERM"."""
    raise NotImplementedError


def ionice(text: str) -> str:
    """"best-effort:3" -> the canonical form of Limits.ionice."""
    raise NotImplementedError


def ionice_parts(text: str) -> tuple[int, int]:
    """(class 1..3: realtime, best-effort, idle; level 0..7)."""
    raise NotImplementedError


def nice(text: str) -> int: raise NotImplementedError
def percent(text: str) -> float: raise NotImplementedError
def nofile(text: str) -> int: raise NotImplementedError


def since(text: str, now: float | None = None) -> float:
    """"10m", "1 hour ago", "10:00", "2026-01-01 10:00", "@1700000000" -> seconds since the epoch."""
    raise NotImplementedError


def port(text: str) -> int:
    """1..65535."""
    raise NotImplementedError


def port_option(text: str) -> tuple[str, int | None]:
    """--port: "" or "auto" -> ("PORT", None); "8080" -> ("PORT", 8080); "VAR=" or "VAR" -> ("VAR", None); "VAR=8080"."""
    raise NotImplementedError


def tcp_target(text: str) -> str:
    """HOST:PORT or [IPV6]:PORT, checked."""
    raise NotImplementedError


def tcp_parts(text: str) -> tuple[str, int]: raise NotImplementedError
def http_url(text: str) -> str: raise NotImplementedError
def human_size(value: int | float | None) -> str: raise NotImplementedError
def human_duration(seconds: float | None) -> str: raise NotImplementedError
