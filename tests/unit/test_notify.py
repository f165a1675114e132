"""sd_notify, spoken to a real socket."""

import os
import socket
import tempfile

import pytest

from sentinel.notify import notify, watchdog_interval


@pytest.fixture
def manager() -> socket.socket:
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    listener.settimeout(240)
    return listener


def test_a_socket_in_the_file_system(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    # a directory of our own with a short name: the address of a socket has a limit
    with manager, tempfile.TemporaryDirectory(dir="/tmp") as directory:
        address = f"{directory}/notify"
        manager.bind(address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        assert notify("READY=1", "STATUS=well")
        assert manager.recv(4096) == b"READY=1\nSTATUS=well"
    assert os.environ["NOTIFY_SOCKET"] == address
    assert not notify("WATCHDOG=1")  # nobody there any more


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="abstract sockets are Linux's")
def test_an_abstract_socket(manager: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    with manager:
        manager.bind(f"\0sentinel-notify-{os.getpid()}")
        monkeypatch.setenv("NOTIFY_SOCKET", f"@sentinel-notify-{os.getpid()}")
        assert notify("READY=1")
        assert manager.recv(4096) == b"READY=1"


@pytest.mark.parametrize("address", ["", "relative", "/nowhere/at/all", "/" + "x" * 300])
def test_nobody_to_tell_is_no_error(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    assert not notify("READY=1")
    monkeypatch.delenv("NOTIFY_SOCKET")
    assert not notify("READY=1")


@pytest.mark.parametrize(
    ("usec", "pid", "interval"),
    [
        ("3000000", None, 1.5),
        ("3000000", "own", 1.5),
        ("3000000", "1", None),
        ("0", None, None),
        ("x", None, None),
    ],
)
def test_the_watchdog_is_fed_twice_as_often_as_asked(
    usec: str, pid: str | None, interval: float | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WATCHDOG_USEC", usec)
    monkeypatch.delenv("WATCHDOG_PID", raising=False)
    if pid:
        monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()) if pid == "own" else pid)
    assert watchdog_interval() == interval


def test_without_a_watchdog_there_is_no_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WATCHDOG_USEC", raising=False)
    assert watchdog_interval() is None
