"""Check all promises of a backend, one after the other; whatever happens, nothing is left behind."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

from sentinel.plain import dataclass, field
from sentinel.selftest.bench import Bench, Broken
from sentinel.selftest.promises import PROMISES, Measured, Promise

CLEAN = Promise("clean", "nothing is left behind", lambda bench: {})
Told = Callable[[Promise, int, int], None]  # which is being checked: number, of how many


@dataclass(slots=True)
class Result:
    """One promise, checked."""

    promise: Promise
    passed: bool
    seconds: float
    measured: Measured = field(default_factory=dict)
    error: str = ""


def check_all(backend: str, tell: Told) -> list[Result]:
    """The results, in the order of the promises. SIGTERM ends it as Ctrl-C does."""
    wanted = [promise for promise in PROMISES if promise.backend in ("", backend)]
    results: list[Result] = []
    with _sigterm_interrupts():
        bench = Bench(backend)
        began = 0.0
        try:
            for number, promise in enumerate(wanted, 1):
                tell(promise, number, len(wanted) + 1)
                results.append(_check(promise, bench))
            tell(CLEAN, len(wanted) + 1, len(wanted) + 1)
        finally:
            began = time.monotonic()
            with _uninterrupted():
                problems = bench.close()
        results.append(Result(CLEAN, not problems, time.monotonic() - began, {}, "; ".join(problems)))
    return results


def _check(promise: Promise, bench: Bench) -> Result:
    began = time.monotonic()
    measured: Measured = {}
    error = ""
    try:
        measured = promise.check(bench)
    except Broken as broken:
        error = str(broken)
    except Exception as unexpected:  # one broken promise must not hide the others
        error = f"{type(unexpected).__name__}: {unexpected}"
    return Result(promise, not error, time.monotonic() - began, measured, error)


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    import signal

    def end(number: int, frame: Any) -> NoReturn:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """A second Ctrl-C must not keep the cleaning up from its end."""
    import signal

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, lambda *_: None) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
