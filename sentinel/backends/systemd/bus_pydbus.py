"""The bus through pydbus and GLib: methods are called directly, no object is introspected."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pydbus
from gi.repository import Gio, GLib

from sentinel.backends.systemd.bus import (
    MANAGER,
    ROOT,
    SYSTEMD,
    TIMEOUT,
    BusError,
    Call,
    Value,
    lost,
    manager_call,
    no_answer,
    translate,
)
from sentinel.errors import BackendError


class PydbusBus:
    """A Bus over the GLib connection that pydbus opened."""

    def __init__(self, address: str) -> None:
        try:
            self._connection = pydbus.connect(address).con
        except GLib.Error as error:
            raise BackendError(
                f"cannot reach systemd: no bus answers at {address}", "use --backend native"
            ) from error
        self._connection.set_exit_on_close(False)
        self._context = GLib.MainContext.default()
        self._jobs: dict[str, str] = {}
        self._watching: int | None = None

    def call(self, call: Call, timeout: float = TIMEOUT) -> tuple[Any, ...]:
        try:
            reply = self._connection.call_sync(*self._parts(call, timeout), None)
        except GLib.Error as error:
            raise _translated(error) from error
        except (TypeError, UnicodeEncodeError) as error:
            raise BusError("invalid", "systemd takes UTF-8 only") from error
        return tuple(reply.unpack())

    def call_many(self, calls: Sequence[Call], timeout: float = TIMEOUT) -> list[tuple[Any, ...] | BusError]:
        answers: list[tuple[Any, ...] | BusError | None] = [None] * len(calls)

        def arrived(_: Any, result: Any, at: int) -> None:
            try:
                answers[at] = tuple(self._connection.call_finish(result).unpack())
            except GLib.Error as error:
                answers[at] = _translated(error)

        for at, call in enumerate(calls):
            try:
                self._connection.call(*self._parts(call, timeout), None, arrived, at)
            except (TypeError, UnicodeEncodeError):
                answers[at] = BusError("invalid", "systemd takes UTF-8 only")
        self._iterate(lambda: None not in answers, time.monotonic() + timeout + 1)
        return [no_answer() if answer is None else answer for answer in answers]

    def watch_jobs(self) -> None:
        if self._watching is not None:
            return
        self._watching = self._connection.signal_subscribe(
            SYSTEMD, MANAGER, "JobRemoved", ROOT, None, Gio.DBusSignalFlags.NONE, self._removed
        )
        self.call(manager_call("Subscribe"))

    def unwatch_jobs(self) -> None:
        if self._watching is not None:
            self._connection.signal_unsubscribe(self._watching)
            self._watching = None
            self.call_many([manager_call("Unsubscribe")])
        self._jobs.clear()

    def wait_jobs(self, jobs: Sequence[str], deadline: float) -> Mapping[str, str]:
        wanted = set(jobs)
        self._iterate(lambda: wanted <= self._jobs.keys(), deadline)
        if self._connection.is_closed():
            raise lost()
        return {job: self._jobs.pop(job) for job in wanted if job in self._jobs}

    def close(self) -> None:
        if self._watching is not None:
            self._connection.signal_unsubscribe(self._watching)
            self._watching = None
        try:
            self._connection.close_sync(None)
        except GLib.Error:
            pass

    def _removed(self, *signal: Any) -> None:
        _, job, _, result = signal[5].unpack()
        self._jobs[job] = result

    def _parts(self, call: Call, timeout: float) -> tuple[Any, ...]:
        arguments = None
        if call.signature:
            arguments = GLib.Variant(
                f"({call.signature})", tuple(_variants(argument) for argument in call.args)
            )
        flags = Gio.DBusCallFlags.NONE
        milliseconds = max(1, int(timeout * 1000))
        return call.destination, call.path, call.interface, call.member, arguments, None, flags, milliseconds

    def _iterate(self, done: Callable[[], bool], deadline: float) -> None:
        """Let GLib deliver until `done` or the deadline: a timer of ours ends each wait in time."""
        while not done() and not self._connection.is_closed():
            left = deadline - time.monotonic()
            if left <= 0:
                return
            timer = GLib.timeout_source_new(max(1, min(int(left * 1000), 3_600_000)))
            timer.set_callback(lambda *_: GLib.SOURCE_CONTINUE)
            timer.attach(self._context)
            try:
                self._context.iteration(True)
            finally:
                timer.destroy()


def _variants(value: Any) -> Any:
    if isinstance(value, Value):
        return GLib.Variant(value.signature, _variants(value.value))
    if isinstance(value, list):
        return [_variants(item) for item in value]
    if isinstance(value, tuple):
        return tuple(_variants(item) for item in value)
    return value


def _translated(error: Any) -> BusError:
    name = Gio.DBusError.get_remote_error(error)
    if name is None:
        if error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.TIMED_OUT):
            return no_answer()
        return lost()
    Gio.DBusError.strip_remote_error(error)
    message = error.message
    marker = f"GDBus.Error:{name}: "
    return translate(name, message.removeprefix(marker))
