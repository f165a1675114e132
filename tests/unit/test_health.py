"""Health probes against real servers and commands, the ill-behaved ones above all."""

import contextlib
import os
import pwd
import selectors
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sentinel.backends.base import Account
from sentinel.health import Prober, probe
from sentinel.model import HealthCheck

DEADLINE = 240.0
Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers on loopback that treat each connection as told; all are ended."""
    listeners: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def start(answer: Callable[[socket.socket], None]) -> int:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(0.05)
        listeners.append(listener)

        def one(connection: socket.socket) -> None:
            with connection, contextlib.suppress(OSError):
                connection.settimeout(DEADLINE)
                answer(connection)

        def accepting() -> None:
            while True:
                try:
                    connection = listener.accept()[0]
                except TimeoutError:
                    continue
                except OSError:
                    return
                threads.append(threading.Thread(target=one, args=(connection,)))
                threads[-1].start()

        threads.append(threading.Thread(target=accepting))
        threads[-1].start()
        return int(listener.getsockname()[1])

    yield start
    for listener in listeners:
        listener.close()
    for thread in threads:
        thread.join(DEADLINE)
        assert not thread.is_alive()


def http(port: int, timeout: float = DEADLINE, path: str = "/") -> tuple[bool, str]:
    return probe(HealthCheck("http", f"http://127.0.0.1:{port}{path}", timeout=timeout), {}, "/", None)


def says(answer: bytes) -> Callable[[socket.socket], None]:
    def one(connection: socket.socket) -> None:
        connection.recv(4096)
        connection.sendall(answer)

    return one


@pytest.mark.parametrize(
    ("answer", "healthy", "message"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", True, "HTTP 200"),
        (b"HTTP/1.0 302 Found\r\nLocation: http://192.0.2.1/\r\n\r\n", True, "HTTP 302"),
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\n\r\n", True, "HTTP 204"),
        (b"HTTP/1.1 404 Not Found\r\n\r\n", False, "HTTP 404"),
        (b"HTTP/1.1 503 \x1b[31mred\r\n\r\n", False, "HTTP 503"),
        (b"SSH-2.0-OpenSSH\r\n", False, "the answer is not HTTP"),
        (b"x" * 20000, False, "the answer is not HTTP"),
        (b"", False, "no HTTP answer"),
    ],
)
def test_http_answers(serve: Serve, answer: bytes, healthy: bool, message: str) -> None:
    assert http(serve(says(answer))) == (healthy, message)


def test_the_request_is_complete(serve: Serve) -> None:
    seen: list[bytes] = []

    def one(connection: socket.socket) -> None:
        seen.append(connection.recv(4096))
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    port = serve(one)
    url = f"http://us%40er:pw@127.0.0.1:{port}/a b?q=ü#part"
    assert probe(HealthCheck("http", url, timeout=DEADLINE), {}, "/", None) == (True, "HTTP 200")
    assert seen[0].startswith(b"GET /a%20b?q=%C3%BC HTTP/1.1\r\n")
    assert f"\r\nHost: 127.0.0.1:{port}\r\n".encode() in seen[0]
    assert b"\r\nAuthorization: Basic dXNAZXI6cHc=\r\n" in seen[0]
    assert seen[0].endswith(b"\r\n\r\n")


def until_closed(connection: socket.socket, piece: bytes) -> None:
    while True:
        connection.sendall(piece)
        time.sleep(0.01)


def test_an_endless_body_is_not_waited_for(serve: Serve) -> None:
    def babbling(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
        until_closed(connection, b"x" * 50000)

    assert http(serve(babbling)) == (True, "HTTP 200")


@pytest.mark.parametrize("piece", [b"", b"H"])
def test_a_server_that_hangs_or_trickles_is_given_up_at_the_timeout(serve: Serve, piece: bytes) -> None:
    def hanging(connection: socket.socket) -> None:
        if piece:
            until_closed(connection, piece)
        connection.recv(4096)
        connection.recv(4096)  # until it is closed

    assert http(serve(hanging), timeout=0.3) == (False, "timed out after 0.3 s")


def test_nobody_listens() -> None:
    with socket.socket() as taken:  # and so nobody else's
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        assert http(port) == (False, "connection refused")
        check = HealthCheck("tcp", f"127.0.0.1:{port}", timeout=DEADLINE)
        assert probe(check, {}, "/", None) == (False, "connection refused")


def test_https_to_a_plain_server_is_unhealthy(serve: Serve) -> None:
    port = serve(says(b"HTTP/1.1 400 Bad Request\r\n\r\n"))
    healthy, message = probe(
        HealthCheck("http", f"https://127.0.0.1:{port}/", timeout=DEADLINE), {}, "/", None
    )
    assert not healthy
    assert message


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://", "http://127.0.0.1:99999/", "nonsense"])
def test_an_impossible_url_is_told(url: str) -> None:
    healthy, message = probe(HealthCheck("http", url, timeout=DEADLINE), {}, "/", None)
    assert not healthy
    assert message.startswith("cannot check")


def test_tcp(serve: Serve) -> None:
    port = serve(lambda connection: None)
    for host in ("127.0.0.1", "localhost", ""):
        check = HealthCheck("tcp", f"{host}:{port}", timeout=DEADLINE)
        assert probe(check, {}, "/", None) == (True, "connected")


def command(
    line: str, timeout: float = DEADLINE, cwd: str = "/", account: Account | None = None
) -> tuple[bool, str]:
    env = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "TOKEN": "s3cret"}
    return probe(HealthCheck("cmd", line, timeout=timeout), env, cwd, account)


@pytest.fixture(params=["", "1"], ids=["native", "portable"])
def engine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SENTINEL_PORTABLE", request.param)


def gone(pidfile: Path) -> bool:
    """Whether the process that wrote its pid there has ended (a zombie has)."""
    try:
        stat = Path(f"/proc/{int(pidfile.read_text())}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError, ValueError):  # ValueError: killed before it could write
        return True
    return stat.rpartition(")")[2].split()[0] == "Z"


def eventually(check: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not check():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("engine")
def test_commands(tmp_path: Path) -> None:
    assert command("true") == (True, "exit status 0")
    assert command('test "$TOKEN" = s3cret && test "$PWD" = ' + str(tmp_path), cwd=str(tmp_path))[0]
    assert command("echo one; echo two >&2; exit 3") == (False, "exit status 3: one two")
    assert command("kill -9 $$") == (False, "killed by signal 9")
    assert command("printf '\\033[2J\\377'; exit 1") == (False, "exit status 1: \\x1b[2J\\xff")
    assert command("true", cwd=str(tmp_path / "missing")) == (False, "no such file or directory")


@pytest.mark.usefixtures("engine")
def test_only_the_end_of_the_output_is_kept() -> None:
    healthy, message = command("head -c 3000000 /dev/zero | tr '\\0' x; echo END; exit 1")
    assert not healthy
    assert message.endswith("xxxEND")
    assert len(message) < 300


@pytest.mark.usefixtures("engine")
@pytest.mark.parametrize("line", ["yes", "sleep 300 & wait", "trap '' TERM; while :; do sleep 1; done"])
def test_a_command_is_killed_with_its_group_at_the_timeout(tmp_path: Path, line: str) -> None:
    pidfile = tmp_path / "pid"
    assert command(f"echo $$ > {pidfile}; {line}", timeout=1.5) == (False, "timed out after 1.5 s")
    if sys.platform.startswith("linux"):
        eventually(lambda: gone(pidfile))


@pytest.mark.usefixtures("engine")
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_a_child_that_holds_the_output_delays_nobody(tmp_path: Path) -> None:
    pidfile = tmp_path / "pid"
    assert command(f"sleep 300 & echo $! > {pidfile}; exit 0") == (True, "exit status 0")
    os.kill(int(pidfile.read_text()), 9)
    eventually(lambda: gone(pidfile))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_command_runs_as_the_account() -> None:
    user = pwd.getpwnam("nobody")
    account = Account("nobody", user.pw_uid, user.pw_gid, (user.pw_gid,), user.pw_dir, user.pw_shell)
    assert command(f'test "$(id -u):$(id -g):$(id -G)" = "{user.pw_uid}:{user.pw_gid}:{user.pw_gid}"',
                   account=account)[0]


@pytest.fixture
def prober() -> Iterator[Prober]:
    prober = Prober()
    yield prober
    prober.close()
    prober.close()


def wait_for(prober: Prober, count: int) -> dict[object, tuple[bool, str]]:
    """As an event loop does: sleep until it is readable."""
    found: dict[object, tuple[bool, str]] = {}
    with selectors.DefaultSelector() as selector:
        selector.register(prober, selectors.EVENT_READ)
        while len(found) < count:
            assert selector.select(DEADLINE), f"only {found} came"
            found |= {key: (ok, message) for key, ok, message in prober.results()}
    return found


def test_probes_run_beside_each_other(prober: Prober, serve: Serve) -> None:
    """The server answers nobody before all have come."""
    together = threading.Barrier(20)

    def one(connection: socket.socket) -> None:
        connection.recv(4096)
        together.wait(DEADLINE)
        connection.sendall(b"HTTP/1.1 200 OK\r\n\r\n")

    port = serve(one)
    check = HealthCheck("http", f"http://127.0.0.1:{port}/", timeout=DEADLINE)
    for key in range(20):
        assert prober.submit(key, check, {}, "/", None)
    assert wait_for(prober, 20) == dict.fromkeys(range(20), (True, "HTTP 200"))
    assert prober.results() == []


def test_more_probes_than_threads_and_one_at_a_time_for_a_key(serve: Serve) -> None:
    go = threading.Event()

    def one(connection: socket.socket) -> None:
        go.wait(DEADLINE)
        says(b"HTTP/1.1 200 OK\r\n\r\n")(connection)

    check = HealthCheck("http", f"http://127.0.0.1:{serve(one)}/", timeout=DEADLINE)
    prober = Prober(threads=2)
    assert prober.submit("first", check, {}, "/", None)
    assert not prober.submit("first", check, {}, "/", None)
    for key in range(10):
        assert prober.submit(key, check, {}, "/", None)
    go.set()
    assert set(wait_for(prober, 11)) == {"first", *range(10)}
    assert prober.submit("first", check, {}, "/", None)
    assert set(wait_for(prober, 1)) == {"first"}
    prober.close()


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks at /proc")
def test_closing_ends_the_commands(tmp_path: Path, prober: Prober) -> None:
    pidfile = tmp_path / "pid"
    line = f"echo $$ > {pidfile}.new; mv {pidfile}.new {pidfile}; sleep 300"
    assert prober.submit("key", HealthCheck("cmd", line, timeout=300), dict(os.environ), "/", None)
    eventually(pidfile.exists)
    prober.close()
    eventually(lambda: gone(pidfile))
    assert not prober.submit("other", HealthCheck("cmd", "true"), {}, "/", None)
