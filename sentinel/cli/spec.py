"""What a command of the command line is: its arguments, options, help and handler, as plain data."""

from collections.abc import Sequence
from typing import Any

from sentinel.errors import UsageError


class Option:
    """`--name VALUE`, or a flag where `value` is empty. Values stay text: handlers check them."""

    __slots__ = ("choices", "complete", "default", "flags", "help", "key", "many", "optional", "section", "value")

    def __init__(
        self,
        *flags: str,
        help: str,
        value: str = "",
        many: bool = False,
        optional: str = "",
        choices: Sequence[str] = (),
        complete: str = "",
        default: str = "",
    ) -> None:
        self.flags = flags
        self.key = flags[0].lstrip("-").replace("-", "_")
        self.help = help
        self.value = value
        self.many = many
        self.optional = optional  # what it means without a value
        self.choices = choices
        self.complete = complete  # "process", "group", "port", "file" or "dir"
        self.default = default
        self.section = ""  # of the help; see sections()


def sections(command: "Command") -> dict[str, list[Option]]:
    """The options of a command under the titles of its help; what is in no section comes last."""
    found: dict[str, list[Option]] = {}
    for option in sorted(command.options, key=lambda one: not one.section):
        found.setdefault(option.section or "Options", []).append(option)
    return found


class Argument:
    """A positional argument; `many` takes all that is left."""

    __slots__ = ("complete", "key", "many", "metavar", "required")

    def __init__(
        self, key: str, metavar: str, *, required: bool = True, many: bool = False, complete: str = ""
    ) -> None:
        self.key = key
        self.metavar = metavar
        self.required = required
        self.many = many
        self.complete = complete


class Command:
    """One command: `path` is ("list",) or ("group", "add"), `handler` what does it, unimported."""

    __slots__ = ("aliases", "arguments", "examples", "handler", "help", "options", "path", "section", "text")

    def __init__(
        self,
        path: str,
        handler: str,
        help: str,
        *parameters: Option | Argument,
        section: str = "",
        aliases: Sequence[str] = (),
        examples: Sequence[str] = (),
        text: str = "",
    ) -> None:
        self.path = tuple(path.split())
        self.handler = handler  # "module:function", below sentinel.cli
        self.help = help
        self.text = text
        self.options = [one for one in parameters if isinstance(one, Option)]
        self.arguments = [one for one in parameters if isinstance(one, Argument)]
        self.section = section
        self.aliases = aliases
        self.examples = examples

    @property
    def name(self) -> str:
        return " ".join(self.path)


class Values:
    """What was given for the arguments and options of a command."""

    __slots__ = ("command", "given")

    def __init__(self, command: Command, given: dict[str, Any]) -> None:
        self.command = command
        self.given = given
        self._check()

    def _check(self) -> None:
        for option in self.command.options:
            value = self.given.get(option.key)
            if option.choices and value is not None and value not in option.choices:
                raise UsageError(
                    f"{option.flags[0]} cannot be {value!r}", f"choose one of: {', '.join(option.choices)}"
                )

    def flag(self, key: str) -> bool:
        return bool(self.given.get(key))

    def text(self, key: str) -> str | None:
        """None where it was not given and has no default."""
        value = self.given.get(key)
        return None if value is None else str(value)

    def required(self, key: str) -> str:
        return str(self.given[key])

    def words(self, key: str) -> list[str]:
        return list(self.given.get(key) or ())
