"""What comes out of a file: the processes it asks for, and what became of each of its options."""

from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, NoReturn, TypeVar

from sentinel import names
from sentinel.errors import UsageError
from sentinel.model import Spec
from sentinel.plain import dataclass, field

T = TypeVar("T")


class Verdict(StrEnum):
    """What became of an option."""

    MAPPED = "mapped"
    APPROXIMATED = "approximated"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Rule:
    """What an option becomes, for the documentation and the report alike."""

    verdict: Verdict
    to: str = ""  # the option of `sentinel run`
    note: str = ""


def mapped(to: str = "", note: str = "") -> Rule:
    return Rule(Verdict.MAPPED, to, note)


def approximated(to: str = "", note: str = "") -> Rule:
    return Rule(Verdict.APPROXIMATED, to, note)


def dropped(note: str = "") -> Rule:
    return Rule(Verdict.DROPPED, "", note)


UNKNOWN = dropped("not known here")


@dataclass(slots=True)
class Entry:
    """One option of the file. `line` is None for a default of that supervisor, which the file does not name."""

    line: int | None
    option: str
    value: str
    verdict: Verdict
    to: str = ""
    note: str = ""


@dataclass(slots=True)
class Wanted:
    """A process that the file asks for."""

    name: str
    spec: Spec
    line: int | None
    start: bool = True  # whether that supervisor would start it by itself
    order: int = 0  # the lower, the earlier
    ports: list[str] = field(default_factory=list)  # variables that get a port each


@dataclass(slots=True)
class Source:
    """A file to import, and what its text may refer to."""

    text: str
    path: str  # absolute
    name: str  # for messages
    environ: Mapping[str, str] = field(default_factory=dict)
    user: str = "root"
    uid: int = 0
    home: str = "/root"
    host: str = "localhost"
    cpus: int = 1
    exists: Callable[[str], bool] = lambda path: True
    read: Callable[[str], str | None] = lambda path: None  # another file; None: it can't be read

    @property
    def directory(self) -> str:
        return self.path.rpartition("/")[0] or "/"

    def refuse(self, line: int | None, what: str, hint: str = "correct it, then import it again") -> NoReturn:
        """Raise UsageError: the file can't be meant like this."""
        where = self.name if line is None else f"{self.name}:{line}"
        raise UsageError(f"{where}: {what}", hint)


@dataclass(slots=True)
class Section:
    """A program, app or unit of the file, or settings that belong to none."""

    title: str
    line: int | None
    source: Source
    rules: Mapping[str, Rule]
    wanted: list[Wanted] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)

    def note(
        self,
        option: str,
        value: str,
        line: int | None,
        *,
        verdict: Verdict | None = None,
        to: str | None = None,
        note: str | None = None,
    ) -> None:
        """Report an option: as its rule says, unless told otherwise."""
        rule = self.rules.get(option, UNKNOWN)
        self.entries.append(
            Entry(
                line,
                option,
                value,
                rule.verdict if verdict is None else verdict,
                rule.to if to is None else to,
                rule.note if note is None else note,
            )
        )

    def drop(self, option: str, value: str, line: int | None, note: str) -> None:
        self.note(option, value, line, verdict=Verdict.DROPPED, to="", note=note)

    def adapt(self, option: str, value: str, line: int | None, note: str, to: str | None = None) -> None:
        self.note(option, value, line, verdict=Verdict.APPROXIMATED, to=to, note=note)

    def checked(self, option: str, line: int | None, read: Callable[..., T], *args: Any, **options: Any) -> T:
        """What `read` returns; its UsageError with the place in front."""
        try:
            return read(*args, **options)
        except UsageError as error:
            self.source.refuse(line, f"{option}: {error.message}", error.hint)

    def refuse(self, line: int | None, what: str, hint: str = "correct it, then import it again") -> NoReturn:
        self.source.refuse(line, what, hint)

    def allowed_name(self, given: str, line: int | None) -> str:
        """The nearest name that sentinel allows; reported where it differs."""
        name = names.sanitised(given)
        if not name:
            self.refuse(line, f"{names.printable(given)!r} cannot be the name of a process", "rename it")
        if name != given:
            note = "sentinel's names have letters, digits and . _ - @ +"
            self.adapt("name", given, line, note, f"--name {name}")
        return name


@dataclass(slots=True)
class Imported:
    """All that a file asks for."""

    format: str
    sections: list[Section]
    groups: dict[str, int | None] = field(default_factory=dict)  # name -> line

    @property
    def wanted(self) -> list[Wanted]:
        """The processes, in the order in which they are to be started."""
        return sorted((one for section in self.sections for one in section.wanted), key=lambda one: one.order)


def vector(words: list[str]) -> list[str]:
    """An argument vector as `Spec.argv` holds it: one word alone would be read as a command line."""
    import shlex

    return [shlex.quote(words[0])] if len(words) == 1 else words


def first_line(lines: Mapping[str, int], *options: str) -> int | None:
    return next((lines[option] for option in options if option in lines), None)
