"""Health checks: one probe (HTTP, TCP, a command) within its timeout, and a Prober that runs many at once."""

import contextlib
import os
import signal
import socket
import threading
import time
from collections import deque
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING

from sentinel.backends.base import Account
from sentinel.logs.printing import safe
from sentinel.model import HealthCheck

if TYPE_CHECKING:
    import subprocess

_RESPONSE = 16 * 1024  # as much as is read of an answer
_OUTPUT = 200  # characters of a command's output that are shown
_POLITE = 0.5  # seconds for the rest of an answer: hanging up amid it would fill the server's log


def probe(check: HealthCheck, env: Mapping[str, str], cwd: str, account: Account | None) -> tuple[bool, str]:
    """Whether it is healthy, and a short line that says what was seen, within check.timeout.

    http: GET, healthy is 200 to 399; redirects are not followed, proxies not used, certificates not verified
    (what is asked is whether it answers). tcp: a connection is accepted. cmd: a shell command line exits
    with 0.
    """
    return _probe(check, env, cwd, account, None)


def _probe(
    check: HealthCheck, env: Mapping[str, str], cwd: str, account: Account | None, prober: "Prober | None"
) -> tuple[bool, str]:
    deadline = time.monotonic() + check.timeout
    try:
        if check.kind == "http":
            ok, message = _http(check.target, deadline)
        elif check.kind == "tcp":
            ok, message = _tcp(check.target, deadline)
        else:
            ok, message = _command(check.target, env, cwd, account, deadline, prober)
    except TimeoutError:
        ok, message = False, f"timed out after {check.timeout:g} s"
    except OSError as error:
        ok, message = False, error.strerror.lower() if error.strerror else str(error)
    except ValueError as error:
        ok, message = False, f"cannot check {check.target}: {error}"
    return ok, safe(" ".join(message.split()).encode(errors="replace"), colour=False)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _connect(host: str, port: int, deadline: float) -> socket.socket:
    """To the first address that answers, all within the deadline."""
    failure: OSError = OSError(f"no address for {host}")
    for family, kind, protocol, _, address in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        connection = socket.socket(family, kind, protocol)
        try:
            connection.settimeout(_left(deadline))
            connection.connect(address)
        except OSError as error:
            connection.close()
            failure = error
        else:
            return connection
    raise failure


def _tcp(target: str, deadline: float) -> tuple[bool, str]:
    host, _, port = target.rpartition(":")
    _connect(host.strip("[]") or "localhost", int(port), deadline).close()
    return True, "connected"


def _http(url: str, deadline: float) -> tuple[bool, str]:
    from urllib.parse import quote, unquote, urlsplit

    parts = urlsplit(url)
    secure = parts.scheme == "https"
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise ValueError("not an http or https URL")
    host = parts.netloc.rpartition("@")[2].encode("idna").decode()
    path = quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
    query = "?" + quote(parts.query, safe="/%:@!$&'()*+,;=~-._?") if parts.query else ""
    lines = [f"GET {path}{query} HTTP/1.1", f"Host: {host}", "User-Agent: sentinel", "Accept: */*"]
    lines.append("Connection: close")
    if parts.username is not None:
        import base64

        login = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
        lines.append("Authorization: Basic " + base64.b64encode(login.encode()).decode())
    with contextlib.ExitStack() as opened:
        port = parts.port or (443 if secure else 80)
        connection = opened.enter_context(_connect(parts.hostname, port, deadline))
        if secure:
            connection = opened.enter_context(_encrypted(connection, parts.hostname, deadline))
        connection.settimeout(_left(deadline))
        connection.sendall("\r\n".join((*lines, "", "")).encode())
        status = _status(connection, deadline)
    return 200 <= status <= 399, f"HTTP {status}"


def _encrypted(plain: socket.socket, host: str, deadline: float) -> socket.socket:
    import ssl

    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    plain.settimeout(_left(deadline))
    return context.wrap_socket(plain, server_hostname=host)


def _status(connection: socket.socket, deadline: float) -> int:
    """The status of the answer, interim ones (1xx) passed over; the rest of it is read for a moment only."""
    import re

    line = re.compile(rb"HTTP/1\.[01] ([1-9]\d\d)\b[^\n]*\n")
    data = b""
    while True:
        interim = line.match(data)
        while interim and interim[1].startswith(b"1") and (end := data.find(b"\r\n\r\n")) >= 0:
            data = data[end + 4:]
            interim = line.match(data)
        if interim and not interim[1].startswith(b"1"):
            _drain(connection, min(deadline, time.monotonic() + _POLITE))
            return int(interim[1])
        if b"\n" in data and not interim:
            raise OSError("the answer is not HTTP")
        connection.settimeout(_left(deadline))
        more = connection.recv(4096)
        data += more
        if not more or len(data) > _RESPONSE:
            raise OSError("no HTTP answer" if not data else "the answer is not HTTP")


def _drain(connection: socket.socket, deadline: float) -> None:
    size = 0
    with contextlib.suppress(OSError):
        while size < _RESPONSE:
            connection.settimeout(_left(deadline))
            more = connection.recv(4096)
            if not more:
                return
            size += len(more)


def _command(
    line: str, env: Mapping[str, str], cwd: str, account: Account | None, deadline: float,
    prober: "Prober | None",
) -> tuple[bool, str]:
    """Run a shell command line in a session of its own; at the deadline all of it is killed."""
    import subprocess

    switch = account is not None and os.geteuid() == 0
    process = subprocess.Popen(
        ["/bin/sh", "-c", line], env=dict(env), cwd=cwd or "/", start_new_session=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
        user=account.uid if account and switch else None,
        group=account.gid if account and switch else None,
        extra_groups=account.groups if account and switch else None,
    )
    if prober:
        prober.began(process.pid)
    try:
        output = _watch(process, deadline)
    finally:
        if process.returncode is None:
            _kill_group(process.pid)  # not yet waited for: the pid is still its own
        if prober:
            prober.ended(process.pid)
        with contextlib.suppress(subprocess.TimeoutExpired):  # one that we may not kill (setuid)
            process.wait(1.0)
        if process.stdout:
            process.stdout.close()
    if process.returncode == 0:
        return True, "exit status 0"
    if process.returncode < 0:
        return False, f"killed by signal {-process.returncode}"
    said = " ".join(output.decode(errors="backslashreplace").split())[-_OUTPUT:]
    return False, f"exit status {process.returncode}" + (f": {said}" if said else "")


def _watch(process: "subprocess.Popen[bytes]", deadline: float) -> bytes:
    """Wait for the end of the process itself, whoever else holds its output; the last of what it said."""
    import selectors

    assert process.stdout is not None
    pipe = process.stdout.fileno()
    os.set_blocking(pipe, False)
    output = b""
    pidfd = _pidfd(process.pid)
    try:
        with selectors.DefaultSelector() as selector:
            selector.register(pipe, selectors.EVENT_READ)
            if pidfd is not None:
                selector.register(pidfd, selectors.EVENT_READ)
            while process.poll() is None:
                left = _left(deadline)
                selector.select(left if pidfd is not None else min(left, 0.02))
                output, closed = _take(pipe, output)
                if closed and pipe in selector.get_map():
                    selector.unregister(pipe)
    finally:
        if pidfd is not None:
            os.close(pidfd)
    return _take(pipe, output)[0]


def _pidfd(pid: int) -> int | None:
    """Readable when the process ends; None: this system has none."""
    if os.environ.get("SENTINEL_PORTABLE") == "1" or not hasattr(os, "pidfd_open"):
        return None
    try:
        return os.pidfd_open(pid)
    except OSError:
        return None


def _take(pipe: int, output: bytes) -> tuple[bytes, bool]:
    """What the pipe holds now, of which only the end is kept; and whether it was closed."""
    for _ in range(16):  # one that babbles on and on must not keep us from the deadline
        try:
            more = os.read(pipe, 65536)
        except BlockingIOError:
            return output, False
        if not more:
            return output, True
        output = (output + more)[-4 * _OUTPUT:]
    return output, False


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


Job = tuple[Hashable, HealthCheck, Mapping[str, str], str, Account | None]


class Prober:
    """Runs probes in a bounded number of daemon threads; nothing of it delays the end of the program."""

    def __init__(self, threads: int = 32) -> None:
        self._limit = threads
        self._threads = 0
        self._jobs: deque[Job] = deque()
        self._busy: set[Hashable] = set()  # keys whose probe is not over
        self._results: list[tuple[Hashable, bool, str]] = []
        self._running: set[int] = set()  # process groups of command checks
        self._lock = threading.Lock()
        self._closed = False
        self._wake, self._waker = os.pipe()
        os.set_blocking(self._wake, False)
        os.set_blocking(self._waker, False)

    def fileno(self) -> int:
        """Readable when results wait: for a selector."""
        return self._wake

    def submit(
        self, key: Hashable, check: HealthCheck, env: Mapping[str, str], cwd: str, account: Account | None
    ) -> bool:
        """Start a probe; False: the one of that key is still running, and no second one was started."""
        with self._lock:
            if self._closed or key in self._busy:
                return False
            self._busy.add(key)
            self._jobs.append((key, check, env, cwd, account))
            if self._threads >= self._limit:
                return True
            self._threads += 1
        threading.Thread(target=self._work, name="sentinel-probe", daemon=True).start()
        return True

    def results(self) -> list[tuple[Hashable, bool, str]]:
        """What ended since the last call; never blocks."""
        with contextlib.suppress(BlockingIOError):
            while os.read(self._wake, 4096):
                pass
        with self._lock:
            found, self._results = self._results, []
        return found

    def close(self) -> None:
        """Start nothing more, and end the commands that are running."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._jobs.clear()
            for pid in list(self._running):
                _kill_group(pid)
            os.close(self._wake)
            os.close(self._waker)

    def _work(self) -> None:
        """A thread lives as long as there is something to do: none is kept waiting for the next interval."""
        while True:
            with self._lock:
                if not self._jobs:
                    self._threads -= 1
                    return
                key, check, env, cwd, account = self._jobs.popleft()
            try:
                ok, message = _probe(check, env, cwd, account, self)
            except Exception as error:  # a check that can't be made must not end the others
                ok, message = False, f"cannot check: {type(error).__name__}"
            self._tell(key, ok, message)

    def _tell(self, key: Hashable, ok: bool, message: str) -> None:
        with self._lock:
            self._busy.discard(key)
            self._results.append((key, ok, message))
            if not self._closed:
                with contextlib.suppress(BlockingIOError):  # full: it is readable anyway
                    os.write(self._waker, b"\0")

    def began(self, pid: int) -> None:
        with self._lock:
            self._running.add(pid)
            if self._closed:
                _kill_group(pid)

    def ended(self, pid: int) -> None:
        with self._lock:
            self._running.discard(pid)
