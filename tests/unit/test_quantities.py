"""What users write for quantities means what it says, or is refused with an example."""

import re
import time
from collections.abc import Callable
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel import quantities as q
from sentinel.errors import UsageError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0), ("4096", 4096), ("1K", 1024), ("10M", 10 << 20), ("10m", 10 << 20), ("2G", 2 << 30),
        ("1T", 1 << 40),
        ("1KB", 1024), ("1KiB", 1024), ("1.5M", 3 << 19), ("10 MB", 10 << 20), ("512b", 512), (" 1k ", 1024),
    ],
)  # fmt: skip
def test_size(text: str, value: int) -> None:
    assert q.size(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-1",
        "M",
        "1X",
        "1MM",
        "nan",
        "inf",
        "1e9",
        "0x10",
        "1,5M",
        "٣M",
        "9" * 30,
        "1" * 400,
        "1\n2",
        "+1",
    ],
)
def test_size_refused(text: str) -> None:
    with pytest.raises(UsageError):
        q.size(text)


def test_size_limits() -> None:
    with pytest.raises(UsageError, match=r"log size.*'1K'"):
        q.size("1K", what="log size", minimum=4096)
    with pytest.raises(UsageError):
        q.size("1T", maximum=1 << 30)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("30", 30), ("1.5s", 1.5), ("500ms", 0.5), ("2m", 120), ("1h", 3600), ("1h30m", 5400), ("0", 0),
        (".5", 0.5),
        ("1d", 86400), ("2 min", 120), ("10 seconds", 10), ("1W", 604800),
    ],
)  # fmt: skip
def test_duration(text: str, value: float) -> None:
    assert q.duration(text) == value


@pytest.mark.parametrize(
    "text", ["", "-1", "nan", "inf", "Infinity", "1e3", "1x", "s", "1 2", "11y", "9" * 35, "1_0"]
)
def test_duration_refused(text: str) -> None:
    with pytest.raises(UsageError):
        q.duration(text)


def test_duration_limits() -> None:
    assert q.duration("3650d") == q.TEN_YEARS
    with pytest.raises(UsageError):
        q.duration("3651d")
    with pytest.raises(UsageError):
        q.duration("0", minimum=0.1)


@pytest.mark.parametrize("text", ["TERM", "SIGTERM", "sigterm", "term", "15", " 15 "])
def test_signal(text: str) -> None:
    assert q.signal_number(text) == "TERM"


@pytest.mark.parametrize("text", ["", "0", "-15", "99", "SIG", "NOPE", "SIGSIGTERM", "1.5", "٣", "_DFL"])
def test_signal_refused(text: str) -> None:
    with pytest.raises(UsageError, match="signal"):
        q.signal_number(text)


@pytest.mark.parametrize(
    ("text", "canonical", "parts"),
    [
        ("idle", "idle", (3, 0)), ("best-effort", "best-effort:4", (2, 4)), ("Best-Effort:7",
        "best-effort:7", (2, 7)),
        ("realtime:0", "realtime:0", (1, 0)),
    ],
)  # fmt: skip
def test_ionice(text: str, canonical: str, parts: tuple[int, int]) -> None:
    assert q.ionice(text) == canonical
    assert q.ionice_parts(canonical) == parts


@pytest.mark.parametrize(
    "text", ["", "idle:3", "idle:", "best-effort:8", "best-effort:", "realtime:-1", "fast", "2"]
)
def test_ionice_refused(text: str) -> None:
    with pytest.raises(UsageError):
        q.ionice(text)


def test_small_numbers() -> None:
    assert (q.nice("-20"), q.nice("+19"), q.nofile("1024")) == (-20, 19, 1024)
    assert (q.percent("50%"), q.percent("150")) == (50, 150)
    bad: list[tuple[Callable[[str], object], str]] = [
        (q.nice, "-21"), (q.nice, "20"), (q.nice, "1.0"), (q.nofile, "0"), (q.nofile, "lots"),
        (q.percent, "0"),
        (q.percent, "-5%"), (q.percent, "nan%"), (q.percent, "%"), (q.port, "0"), (q.port, "65536"),
        (q.port, "http"),
    ]  # fmt: skip
    for check, text in bad:
        with pytest.raises(UsageError):
            check(text)


NOW = datetime(2026, 3, 4, 12, 30).timestamp()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("10m", NOW - 600), ("1 hour ago", NOW - 3600), ("1h30m ago", NOW - 5400), ("-5s", NOW - 5),
        ("now", NOW),
        ("10:00", datetime(2026, 3, 4, 10).timestamp()),
        ("23:00:01", datetime(2026, 3, 3, 23, 0, 1).timestamp()),
        ("today", datetime(2026, 3, 4).timestamp()), ("yesterday", datetime(2026, 3, 3).timestamp()),
        ("2026-01-01", datetime(2026, 1, 1).timestamp()),
        ("2026-01-01 10:00", datetime(2026, 1, 1, 10).timestamp()),
        ("2026-01-01T10:00:00Z", 1767261600), ("@1700000000", 1700000000), ("@1.5", 1.5),
    ],
)  # fmt: skip
def test_since(text: str, value: float) -> None:
    assert q.since(text, NOW) == value


@pytest.mark.parametrize(
    "text", ["", "@", "@-1", "25:00", "10:60", "2026-13-01", "soon", "9999999w", "20260101T10", "@1e9"]
)
def test_since_refused(text: str) -> None:
    with pytest.raises(UsageError):
        q.since(text, NOW)


def test_since_is_about_now() -> None:
    assert abs(q.since("0") - time.time()) < 60


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", ("PORT", None)), ("auto", ("PORT", None)), ("8080", ("PORT", 8080)), ("HTTP=", ("HTTP", None)),
        ("HTTP", ("HTTP", None)), ("HTTP=8080", ("HTTP", 8080)), ("HTTP=auto", ("HTTP", None)),
    ],
)  # fmt: skip
def test_port_option(text: str, value: tuple[str, int | None]) -> None:
    assert q.port_option(text) == value


@pytest.mark.parametrize("text", ["1A=", "A B", "HTTP=0", "HTTP=x", "70000", "A-B=", "8080=1"])
def test_port_option_refused(text: str) -> None:
    with pytest.raises(UsageError):
        q.port_option(text)


def test_addresses() -> None:
    assert q.tcp_target("localhost:5432") == "localhost:5432"
    assert q.tcp_parts("[::1]:80") == ("::1", 80)
    assert q.tcp_parts("127.0.0.1:1") == ("127.0.0.1", 1)
    for url in (
        "http://localhost:8000/health",
        "https://example.org",
        "http://[::1]:80/x?y=1#z",
        "http://a_b/",
    ):
        assert q.http_url(url) == url


@pytest.mark.parametrize(
    "text", ["", "localhost", ":80", "host:", "host:0", "host:70000", "::1:80", "[x]:80", "a b:80", "h/x:1"]
)
def test_tcp_refused(text: str) -> None:
    with pytest.raises(UsageError):
        q.tcp_target(text)


@pytest.mark.parametrize(
    "text", ["", "localhost:80", "ftp://x/", "http://", "http:///x", "http://x:0/", "http://x:99999/",
             "http://x/a b", "http://x/\ny", "http://[::g]/", "javascript:alert(1)", "http://é/"],
)  # fmt: skip
def test_url_refused(text: str) -> None:
    with pytest.raises(UsageError):
        q.http_url(text)


def test_for_people() -> None:
    assert [q.human_size(n) for n in (None, 0, 1023, 1024, 1536, 10 << 20, 5 << 30, 3 << 40)] == [
        "-", "0 B", "1023 B", "1.0 KB", "1.5 KB", "10.0 MB", "5.0 GB", "3.0 TB",
    ]  # fmt: skip
    assert [q.human_duration(n) for n in (None, 0, 59.9, 60, 200, 7500, 86400, 270_000, -3)] == [
        "-", "0s", "59s", "1m", "3m 20s", "2h 5m", "1d", "3d 3h", "0s",
    ]  # fmt: skip


def refusal(check: Callable[[str], object], text: str) -> UsageError | None:
    try:
        check(text)
    except UsageError as error:
        return error
    return None


CHECKS: list[Callable[[str], object]] = [
    q.size, q.duration, q.count, q.signal_number, q.ionice, q.nice, q.percent, q.nofile, q.since, q.port,
    q.port_option, q.tcp_target, q.http_url,
]  # fmt: skip


LIKELY = re.compile(r"[-+@]?[0-9.]{1,8}[ :]?[a-zA-Z%]{0,3}[=:\]]?[0-9]{0,4}")


@settings(derandomize=True, deadline=None, max_examples=200)
@given(st.text(max_size=40) | st.from_regex(LIKELY))
def test_any_text_means_something_or_is_refused_in_one_line(text: str) -> None:
    for check in CHECKS:
        if (error := refusal(check, text)) is not None:
            assert str(error).isprintable()
            assert error.hint


@settings(derandomize=True, deadline=None)
@given(st.integers(0, 2**40))
def test_numbers_are_read_as_written(number: int) -> None:
    assert q.size(str(number)) == number
    assert q.size(f"{number % 1000}K") == number % 1000 * 1024
    assert q.duration(f"{number % 100_000}ms") == pytest.approx(number % 100_000 / 1000)
