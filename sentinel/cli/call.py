"""One call of a command: what was given, the supervisor, and how its outcome is told."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sentinel.cli.output import Output, Progress, error_data
from sentinel.cli.spec import Values
from sentinel.cli.text import escape, is_terminal
from sentinel.paths import Home

if TYPE_CHECKING:
    from sentinel.supervisor.api import Done, Outcome
    from sentinel.supervisor.facade import Supervisor

MakeSupervisor = Callable[[Home], "Supervisor"]
Told = Callable[["Done"], str]


def make_supervisor(home: Home) -> "Supervisor":
    from sentinel.supervisor.facade import Supervisor

    return Supervisor(home)


class Call:
    """Handed to every handler, which answers with the exit status."""

    def __init__(self, values: Values, out: Output, home: Home, make: MakeSupervisor) -> None:
        self.values = values
        self.out = out
        self.home = home
        self._make = make

    @cached_property
    def supervisor(self) -> "Supervisor":
        supervisor = self._make(self.home)
        supervisor.command = " ".join(("sentinel", *self.values.command.path))
        return supervisor

    @staticmethod
    def stays() -> None:
        """This command goes on for long: from here on garbage is collected."""
        import gc

        gc.enable()

    @contextmanager
    def progress(self, verb: str) -> Iterator[Callable[[int, int], None] | None]:
        """A callback that shows how far it is, where somebody sees it."""
        if self.out.json or not is_terminal(self.out.err):
            yield None
            return
        progress = Progress(verb, self.out.err)
        try:
            yield progress
        finally:
            progress.clear()

    def perform(self, verb: str, work: Callable[..., "Outcome"], told: Told, nothing: str = "nothing to do") -> int:
        """Do it, showing how far it is, and tell the outcome."""
        with self.progress(verb) as progress:
            outcome = work(progress=progress)
        return self.tell(outcome, told, nothing)

    def tell(self, outcome: "Outcome", told: Told, nothing: str = "nothing to do") -> int:
        """Print what was done to each process, what to know besides, and what failed."""
        failures = [(one.name, one.error) for one in outcome.done if one.error]
        if self.out.json:
            self.out.data([done_data(one) for one in outcome.done])
        else:
            self._lines(outcome.done, told, nothing)
        for one in outcome.done:
            self.out.warnings(f"{one.name}: {note}" for note in one.notes)
        self.out.warnings(outcome.warnings)
        self.out.errors(failures)
        return 1 if failures else 0

    def _lines(self, done: Sequence["Done"], told: Told, nothing: str) -> None:
        for one in done:
            if not one.error:
                self.out.line(told(one))
                for variable, port in one.ports.items():
                    self.out.raw(f"  {escape(variable)}={port}\n")
        if not done:
            self.out.line(nothing)


def done_data(one: "Done") -> dict[str, Any]:
    return {
        "id": one.id, "name": one.name, "pid": one.pid, "group": one.group, "ok": one.error is None,
        "already": one.already, "ports": one.ports, "notes": one.notes,
        "error": error_data(one.error) if one.error else None,
    }  # fmt: skip


def with_identity(verb: str, one: "Done", *, group: bool = False) -> str:
    """`Started web (id: 1, pid: 12345) in group G`."""
    pid = f", pid: {one.pid}" if one.pid is not None else ""
    where = f" in group {one.group}" if group and one.group else ""
    return f"{verb} {one.name} (id: {one.id}{pid}){where}"
