"""Newline JSON over a stream socket, with bounded buffers.

`json` itself imports `re`, which costs the keeper 0.8 MB, so the C halves of `json` are used directly where
they are as CPython has had them since 3.1, and `json` where they are not.
"""

from __future__ import annotations

import _socket

REQUEST_MAX = 32 << 20  # bytes of one request; the kernel's limit for arguments and environment is well below
UNSENT_MAX = 1 << 20  # bytes that a client may leave unread until it is dropped
CHUNK = 1 << 18


class _Settings:
    """What the C scanner asks of a decoder."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    memo: dict[str, str] = {}  # noqa: RUF012

    @staticmethod
    def parse_constant(name: str) -> float:
        raise ValueError(f"{name} is not JSON")


def _no_json(value: object) -> object:
    raise TypeError(f"{type(value).__name__} is not JSON")


def _codec() -> tuple[Decode, Encode]:
    try:
        import _json

        scan = _json.make_scanner(_Settings)  # type: ignore[arg-type]
        make = _json.make_encoder(
            None, _no_json, _json.encode_basestring_ascii, None, ":", ",", False, False, False
        )

        def fast_decode(text: str) -> object:
            try:
                value, end = scan(text, 0)
            except (StopIteration, SystemError):  # how the scanner of 3.11 fails while `json` is not imported
                raise ValueError("not JSON") from None
            if end != len(text):
                raise ValueError("more than one value")
            return value

        def fast_encode(value: object) -> str:
            return "".join(make(value, 0))

        sample = {"a": [1, -2.5, None, True, "\udcff\n"], "b": {}}
        if fast_decode(fast_encode(sample)) == sample:
            return fast_decode, fast_encode
    except (ImportError, AttributeError, TypeError):
        pass
    import json

    return json.loads, json.dumps


class Connection:
    """One client: requests come in, replies and (where it listens) events go out."""

    __slots__ = ("busy", "fd", "gone", "listening", "received", "sock", "unsent", "wanted")

    def __init__(self, sock: _socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.fd = sock.fileno()
        self.received = bytearray()
        self.unsent = bytearray()
        self.listening = False
        self.gone = False
        self.busy = 0  # replies that it still waits for
        self.wanted = 0  # what its socket is polled for

    def read(self) -> list[bytes]:
        """The requests that are complete. Sets `gone` when there will be no more."""
        try:
            data = self.sock.recv(CHUNK)
        except BlockingIOError:
            return []
        except OSError:
            data = b""
        if not data:
            self.gone = True
            return []
        self.received += data
        if b"\n" not in data:
            self.gone = len(self.received) > REQUEST_MAX
            return []
        *lines, rest = self.received.split(b"\n")
        self.received = rest
        return [bytes(line) for line in lines]

    def reply(self, seq: object, answer: Message) -> None:
        self.busy -= 1
        self.write({"seq": seq, **answer})

    def write(self, message: Message) -> None:
        """Send it, or as much of it as the client takes now. A client that reads nothing is given up."""
        if self.gone:
            return
        self.unsent += encode(message).encode("ascii") + b"\n"
        self.flush()
        if len(self.unsent) > UNSENT_MAX:
            self.gone = True

    def flush(self) -> None:
        try:
            while self.unsent:
                del self.unsent[: self.sock.send(self.unsent)]
        except BlockingIOError:
            pass
        except OSError:
            self.gone = True


TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Decode = Callable[[str], object]
    Encode = Callable[[object], str]
    Message = Mapping[str, Any]

decode, encode = _codec()
