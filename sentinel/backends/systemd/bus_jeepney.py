"""The bus through jeepney: pure Python, one socket, replies and signals sorted here."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from jeepney import DBusAddress, HeaderFields, Message, MessageType, new_method_call
from jeepney.auth import AuthenticationError
from jeepney.io.blocking import open_dbus_connection

from sentinel.backends.systemd.bus import (
    MANAGER,
    ROOT,
    SYSTEMD,
    TIMEOUT,
    BusError,
    Call,
    lost,
    manager_call,
    no_answer,
    translate,
)
from sentinel.errors import BackendError

_WATCH = f"type='signal',sender='{SYSTEMD}',interface='{MANAGER}',member='JobRemoved',path='{ROOT}'"


class JeepneyBus:
    """A Bus over jeepney's blocking connection."""

    def __init__(self, address: str) -> None:
        try:
            self._connection = open_dbus_connection(address)
        except (OSError, AuthenticationError, EOFError, ValueError, KeyError, RuntimeError) as error:
            raise BackendError(
                f"cannot reach systemd: no bus answers at {address}", "use --backend native"
            ) from error
        self._replies: dict[int, Message] = {}
        self._jobs: dict[str, str] = {}
        self._watching = False

    def call(self, call: Call, timeout: float = TIMEOUT) -> tuple[Any, ...]:
        answer = self.call_many([call], timeout)[0]
        if isinstance(answer, BusError):
            raise answer
        return answer

    def call_many(self, calls: Sequence[Call], timeout: float = TIMEOUT) -> list[tuple[Any, ...] | BusError]:
        deadline = time.monotonic() + timeout
        serials: list[int | BusError] = [self._send(call) for call in calls]
        wanted = {serial for serial in serials if isinstance(serial, int)}
        failure = self._receive(lambda: wanted <= self._replies.keys(), deadline)
        return [self._answer(serial, failure) for serial in serials]

    def watch_jobs(self) -> None:
        if not self._watching:
            self.call_many([_bus_call("AddMatch"), manager_call("Subscribe")])
            self._watching = True

    def unwatch_jobs(self) -> None:
        if self._watching:
            self.call_many([_bus_call("RemoveMatch"), manager_call("Unsubscribe")])
            self._watching = False
        self._jobs.clear()

    def wait_jobs(self, jobs: Sequence[str], deadline: float) -> Mapping[str, str]:
        wanted = set(jobs)
        failure = self._receive(lambda: wanted <= self._jobs.keys(), deadline)
        if failure is not None and failure.kind != no_answer().kind:
            raise failure
        return {job: self._jobs.pop(job) for job in wanted if job in self._jobs}

    def close(self) -> None:
        try:
            self._connection.close()
        except OSError:
            pass

    def _send(self, call: Call) -> int | BusError:
        where = DBusAddress(call.path, call.destination, call.interface)
        message = new_method_call(where, call.member, call.signature or None, call.args)
        serial: int = next(self._connection.outgoing_serial)
        try:
            self._connection.send(message, serial=serial)
        except OSError:
            return lost()
        except UnicodeEncodeError:
            return BusError("invalid", "systemd takes UTF-8 only")
        return serial

    def _receive(self, done: Callable[[], bool], deadline: float) -> BusError | None:
        """Take in messages until `done`; else why it was given up."""
        while not done():
            left = deadline - time.monotonic()
            try:
                self._sort(self._connection.receive(timeout=max(0.0, left)))
            except TimeoutError:
                if time.monotonic() >= deadline:
                    return no_answer()
            except (OSError, EOFError, ValueError):
                return lost()
        return None

    def _sort(self, message: Message) -> None:
        fields = message.header.fields
        if message.header.message_type in (MessageType.method_return, MessageType.error):
            self._replies[fields[HeaderFields.reply_serial]] = message
        elif (
            message.header.message_type is MessageType.signal
            and fields.get(HeaderFields.member) == "JobRemoved"
        ):
            _, job, _, result = message.body
            self._jobs[job] = result

    def _answer(self, serial: int | BusError, failure: BusError | None) -> tuple[Any, ...] | BusError:
        if isinstance(serial, BusError):
            return serial
        message = self._replies.pop(serial, None)
        if message is None:
            return failure or no_answer()
        if message.header.message_type is MessageType.error:
            text = message.body[0] if message.body and isinstance(message.body[0], str) else ""
            return translate(message.header.fields[HeaderFields.error_name], text)
        return tuple(message.body)


def _bus_call(member: str) -> Call:
    bus = "org.freedesktop.DBus"
    return Call("/org/freedesktop/DBus", bus, member, "s", (_WATCH,), bus)
