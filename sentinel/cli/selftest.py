"""selftest: a line for each promise, with what was measured."""

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sentinel.backends.resolve import NAMES
from sentinel.cli.call import Call
from sentinel.cli.text import BOLD, DIM, GREEN, RED, coloured, escape, has_colour, is_terminal, pad
from sentinel.errors import BackendError

if TYPE_CHECKING:
    from sentinel.selftest.promises import Promise
    from sentinel.selftest.run import Result

CLEAR = "\r\x1b[K"


def selftest(call: Call) -> int:
    from sentinel.backends.resolve import missing
    from sentinel.selftest.run import check_all

    call.stays()
    asked = call.values.text("backend")
    data: dict[str, Any] = {}
    passed = True
    for backend in [asked] if asked else NAMES:
        why = missing(backend, asked=asked is not None)
        if why and asked:
            raise BackendError(f"cannot test {backend}: {why}")
        if why:
            data[backend] = {"available": False, "why": why, "promises": []}
            _say(call, f"{backend}: not tested: {escape(why)}\n")
            continue
        progress = _Progress(call, backend)
        try:
            results = check_all(backend, progress)
        finally:
            progress.show("")
        passed &= all(one.passed for one in results)
        data[backend] = {"available": True, "why": None, "promises": [_as_data(one) for one in results]}
        _tell(call, backend, results)
    if call.out.json:
        call.out.data({"passed": passed, "backends": data})
    return 0 if passed else 1


class _Progress:
    """`native 3/16: exit codes are recorded` where somebody looks, cleared at the end."""

    def __init__(self, call: Call, backend: str) -> None:
        self._call = call
        self._backend = backend

    def __call__(self, promise: "Promise", number: int, of: int) -> None:
        self.show(f"{self._backend} {number}/{of}: {promise.text} …")

    def show(self, text: str) -> None:
        err = self._call.out.err
        if is_terminal(err):
            with suppress(OSError):
                err.write(f"{CLEAR}{text}")
                err.flush()


def _say(call: Call, text: str) -> None:
    if not call.out.json:
        call.out.raw(text)
        call.out.flush()


def _tell(call: Call, backend: str, results: "list[Result]") -> None:
    from sentinel.selftest.promises import units

    colour = has_colour(call.out.out)
    wide = max(len(one.promise.text) for one in results)
    good = sum(one.passed for one in results)
    title = f"{backend}: {good} of {len(results)} promises kept, in {sum(one.seconds for one in results):.0f} s"
    _say(call, f"{coloured(title, BOLD) if colour else title}\n")
    for one in results:
        verdict = "passed" if one.passed else "FAILED"
        mark = coloured(verdict, GREEN if one.passed else RED) if colour else verdict
        said = ", ".join(units(one.measured)) if one.passed else one.error
        shown = coloured(escape(said), DIM if one.passed else "") if colour else escape(said)
        _say(call, f"  {mark}  {pad(one.promise.text, wide)}  {shown}".rstrip() + "\n")


def _as_data(one: "Result") -> dict[str, Any]:
    return {
        "promise": one.promise.key, "text": one.promise.text, "passed": one.passed,
        "seconds": round(one.seconds, 3), "error": one.error or None,
        "measured": {key: round(value, 3) for key, value in one.measured.items()},
    }  # fmt: skip
