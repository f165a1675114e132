"""`daemon --metrics`: the metrics over HTTP, from threads of their own, so that no client ever holds up the loop."""

import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from typing import Any

from sentinel.errors import BackendError, SentinelError
from sentinel.metrics import CONTENT_TYPE, listen_address
from sentinel.paths import Home
from sentinel.supervisor.context import Context
from sentinel.supervisor.measuring import measure

CLIENTS = 8  # at once; more are turned away
PATIENCE = 10.0  # seconds that a client may take
PATH = "/metrics"


class MetricsServer(ThreadingMixIn, TCPServer):
    """Bound when it is made; serves from `start` until `close`.

    Raises:
        BackendError: the address can't be listened on.
    """

    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 32

    def __init__(self, home: Home, address: str) -> None:
        self._context = Context(home)  # of its own: connections of engines are not for several threads
        self._one_at_a_time = threading.Lock()
        self._free = threading.BoundedSemaphore(CLIENTS)
        host, port = listen_address(address)
        try:
            self.address_family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
            super().__init__(where, _Handler)  # type: ignore[arg-type]
        except OSError as error:
            why = str(error.strerror or error).lower()
            raise BackendError(
                f"cannot serve metrics on {address}: {why}", "choose another port with --metrics"
            ) from error
        bound = self.server_address
        self.where = f"[{host}]:{bound[1]!s}" if ":" in host else f"{host}:{bound[1]!s}"

    def start(self) -> None:
        threading.Thread(target=self.serve_forever, name="metrics", daemon=True).start()

    def close(self) -> None:
        self.shutdown()
        self.server_close()

    def text(self) -> str:
        """What a scrape gets."""
        with self._one_at_a_time:
            return measure(self._context)

    def process_request(self, request: Any, client_address: Any) -> None:
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:  # no thread could be made
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that went away is nobody's trouble
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: MetricsServer
    timeout = PATIENCE

    def do_GET(self) -> None:
        if self.path.partition("?")[0] != PATH:
            self._answer(404, "text/plain", f"the metrics are at {PATH}\n")
            return
        try:
            self._answer(200, CONTENT_TYPE, self.server.text())
        except SentinelError as error:
            self._answer(503, "text/plain", f"{error}\n")

    def _answer(self, status: int, kind: str, text: str) -> None:
        body = text.encode(errors="replace")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def version_string(self) -> str:
        return "sentinel"

    def log_message(self, format: str, *args: Any) -> None:
        pass
