"""The command line as a typer app, made from the table: prints help, and says what is wrong with a call.

Only imported for these: see sentinel.cli.parse. Rich is kept out: it would double the time.
"""

import os
import re
from collections.abc import Sequence
from typing import Any

os.environ.setdefault("TYPER_USE_RICH", "0")

import typer
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption

from sentinel.cli.commands import ALIASES, COMMANDS, GROUP_SECTION, GROUPS, SECTIONS, find
from sentinel.cli.parse import defaults
from sentinel.cli.spec import Argument, Command, Option, Values, sections
from sentinel.errors import UsageError

_ClickUsageError: Any = typer.BadParameter.__bases__[0]
_WORD = re.compile(r"""(?:--?[a-z][\w-]* (?!-))?(?:"[^"]*"|'[^']*'|[^\s"'])+""")  # an option has its value beside it
_CONTEXT = {"help_option_names": ["--help", "-h"], "max_content_width": 100}

INTRODUCTION = """\
Keep servers and workers running: by sentinel's own daemon, or by systemd.

'sentinel COMMAND --help' tells more, with examples."""
MAIN_EXAMPLES = (
    'sentinel run "python3 -m http.server 8000" --name web --restart',
    "sentinel list",
    "sentinel logs web --follow",
    "sentinel daemon start",
)


def read(args: Sequence[str]) -> Values | None:
    """What the words mean; None after printing the help that they ask for.

    Raises:
        UsageError: they mean nothing.
    """
    words = list(args)
    if not words or (len(words) == 1 and words[0] in GROUPS):
        words.append("--help")
    try:
        answer = _root().main(words, prog_name="sentinel", standalone_mode=False)
    except _ClickUsageError as error:
        raise _translated(error, words) from None
    except SystemExit:  # how typer answers a broken pipe
        raise BrokenPipeError from None
    return answer if isinstance(answer, Values) else None


def _translated(error: Any, words: Sequence[str]) -> UsageError:
    message = " ".join(error.format_message().split()).rstrip(".")
    path = error.ctx.command_path if error.ctx else " ".join(["sentinel", *_command_words(words)])
    hint = f"see '{path} --help'"
    if "no such option" in message.lower() and words[0] == "run":
        hint = "put -- before the command if it belongs to the command, or see 'sentinel run --help'"
    return UsageError(message[:1].lower() + message[1:], hint)


def _command_words(words: Sequence[str]) -> tuple[str, ...]:
    found = find(words)
    return found[0].path if found else ()


class _Examples:
    """Adds the examples of a command to the end of its help."""

    examples: Sequence[str] = ()

    def format_epilog(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Examples"):
            for example in self.examples:
                formatter.write(f"  {folded(example, formatter.width - 2)}\n")


def folded(example: str, columns: int) -> str:
    """A command line in lines of so many columns, as a shell takes it."""
    lines: list[str] = []
    for word in _WORD.findall(example):
        if lines and len(lines[-1]) + len(word) + 3 <= columns:
            lines[-1] += f" {word}"
        else:
            lines.append(f"    {word}" if lines else word)
    return " \\\n  ".join(lines)


class _Command(_Examples, TyperCommand):
    """Lists the options in sections where there are many."""

    spec: Command

    def format_options(self, ctx: Any, formatter: Any) -> None:
        records = {param.name: param.get_help_record(ctx) for param in self.get_params(ctx)}
        for title, options in {**sections(self.spec), "Options": []}.items():
            rows = [records.pop(option.key) for option in options]
            rows += [row for row in records.values() if row] if title == "Options" else []
            with formatter.section(title):
                formatter.write_dl(rows)


class _Group(_Examples, TyperGroup):
    pass


class _Argument(TyperArgument):
    def get_usage_pieces(self, ctx: Any) -> list[str]:
        return [self.metavar or ""]


class _Root(_Examples, TyperGroup):
    """Lists the commands by task rather than by alphabet."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        for section in SECTIONS:
            rows = [
                (", ".join((command.name, *command.aliases)), command.help)
                for command in COMMANDS.values()
                if command.section == section
            ]
            if section == GROUP_SECTION:
                rows += [(f"{name} …", text) for name, text in GROUPS.items()]
            with formatter.section(section):
                formatter.write_dl(rows)


def _root() -> Any:
    commands: dict[str, Any] = {
        path[0]: _command(command) for path, command in (COMMANDS | ALIASES).items() if len(path) == 1
    }
    for name in GROUPS:
        commands[name] = _group(name)
    root = _Root(
        name="sentinel", commands=commands, help=INTRODUCTION, rich_markup_mode=None,
        params=[_flag(option) for option in _ROOT_OPTIONS], context_settings=_CONTEXT,
    )  # fmt: skip
    root.examples = MAIN_EXAMPLES
    return root


_ROOT_OPTIONS = (
    Option("--version", "-V", help="Show the version."),
    Option("--install-completion", help="Install the completion for this shell, or bash, zsh or fish."),
    Option("--show-completion", help="Print the completion script for it."),
)


def _flag(option: Option) -> Any:
    return TyperOption(param_decls=list(option.flags), is_flag=True, help=option.help, expose_value=False)


def _group(name: str) -> Any:
    members = {path[1]: command for path, command in COMMANDS.items() if path[0] == name and len(path) == 2}
    group = _Group(
        name=name, commands={word: _command(command) for word, command in members.items()}, help=GROUPS[name],
        rich_markup_mode=None, context_settings=_CONTEXT,
    )  # fmt: skip
    group.examples = [example for command in members.values() for example in command.examples[:1]]
    return group


def _command(command: Command) -> Any:
    def given(**found: Any) -> Values:
        told = {
            key: list(value) if isinstance(value, tuple) else value
            for key, value in found.items()
            if value is not None
        }
        return Values(command, {**defaults(command), **told})

    made = _Command(
        command.path[-1], callback=given, help="\n\n".join(filter(None, (command.help, command.text))),
        short_help=command.help, rich_markup_mode=None, context_settings=_CONTEXT,
        params=[*map(_argument, command.arguments), *map(_option, command.options)],
    )  # fmt: skip
    made.examples = command.examples
    made.spec = command
    return made


def _argument(argument: Argument) -> Any:
    return _Argument(
        param_decls=[argument.key], type=str, required=argument.required, nargs=-1 if argument.many else 1,
        metavar=argument.metavar, show_default=False, hidden=True,
    )  # fmt: skip


def _option(option: Option) -> Any:
    text = option.help
    if option.choices and not all(choice in text for choice in option.choices):
        text = f"{text}  [{'|'.join(option.choices)}]"
    if option.default:
        text = f"{text}  [default: {option.default}]"
    if not option.value:
        return TyperOption(param_decls=[option.key, *option.flags], is_flag=True, default=False, help=text)
    return TyperOption(
        param_decls=[option.key, *option.flags],
        type=str,
        multiple=option.many,
        metavar=option.value,
        help=text,
    )
