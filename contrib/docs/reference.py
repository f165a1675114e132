"""docs/reference.md: every command, from the table of the command line."""

from collections.abc import Iterator, Sequence

import facts

from sentinel.cli import spec
from sentinel.cli.commands import COMMANDS, GROUP_SECTION, GROUPS, SECTIONS
from sentinel.cli.spec import Argument, Command, Option

SHARED = {"Keys of a process": facts.PROCESS, "Keys of what was done": facts.DONE}
MADE = "<!-- Made by contrib/docs/make.py from the code. -->"


def page() -> str:
    return "\n".join(lines()) + "\n"


def lines() -> Iterator[str]:
    yield from (MADE, "", "# Reference", "")
    yield from (
        "`sentinel COMMAND --help` tells the same. TIME is in seconds or as `500ms`, `10s`, `5m`, `1h`; SIZE in",
        "bytes or as `512K`, `100M`, `2G`. Processes are named by name or id.",
        "",
    )
    for section, commands in sections():
        yield f"- {section}: " + ", ".join(f"[{one.name}](#{anchor(one)})" for one in commands)
    yield from ("", "## Exit status", "")
    yield from table(("Status", "Meaning"), list(facts.EXITS.items()))
    yield ""
    for section, commands in sections():
        yield from (f"## {section}", "")
        for command in commands:
            yield from _command(command)
    yield from ("## JSON", "", facts.ERROR_JSON, "")
    for title, keys in SHARED.items():
        yield from (f"### {title}", "")
        yield from _keys(keys)
    yield from ("## Environment", "")
    yield from table(("Variable", "Meaning"), [(_code(key), text) for key, text in facts.VARIABLES.items()])


def sections() -> list[tuple[str, list[Command]]]:
    """The commands by task, in the order of the help."""
    found = [(section, [one for one in COMMANDS.values() if one.section == section]) for section in SECTIONS]
    members = [one for name in GROUPS for one in COMMANDS.values() if one.path[0] == name and len(one.path) == 2]
    return [
        (section, [*commands, *members] if section == GROUP_SECTION else commands) for section, commands in found
    ]


def usage(command: Command) -> str:
    options = ["[OPTIONS]"] if command.options else []
    return " ".join(("sentinel", *command.path, *options, *map(argument, command.arguments)))


def argument(one: Argument) -> str:
    return one.metavar if one.required or one.metavar.startswith("[") else f"[{one.metavar}]"


def option_name(option: Option) -> str:
    value = f" [{option.value}]" if option.optional else f" {option.value}" if option.value else ""
    if option.optional and option.value.startswith("["):
        value = f" {option.value}"
    return ", ".join(option.flags) + value


def option_text(option: Option) -> str:
    said = [option.help]
    if option.choices and not all(choice in option.help for choice in option.choices):
        said.append(f"One of: {', '.join(option.choices)}.")
    if option.default:
        said.append(f"Default: {option.default}.")
    return " ".join(said)


def anchor(command: Command) -> str:
    return command.name.replace(" ", "-")


def _command(command: Command) -> Iterator[str]:
    yield from (f"### {command.name}", "", f"`{usage(command)}`", "")
    yield command.help
    if command.text:
        yield from ("", command.text)
    if command.aliases:
        yield from ("", f"Also: {', '.join(f'`{alias}`' for alias in command.aliases)}.")
    yield ""
    for title, options in spec.sections(command).items():
        heading = "Option" if title == "Options" else title
        yield from table((heading, "Meaning"), [(f"`{option_name(one)}`", option_text(one)) for one in options])
        yield ""
    if command.examples:
        yield from ("```sh", *command.examples, "```", "")
    if command.name in facts.JSON:
        yield from _json(*facts.JSON[command.name])


def _json(what: str, keys: dict[str, str]) -> Iterator[str]:
    for title, shared in SHARED.items():
        if keys is shared:
            yield from (f"`--json`: {what}, with [these keys](#{title.lower().replace(' ', '-')}).", "")
            return
    yield from (f"`--json`: {what}.", "")
    yield from _keys(keys)


def _keys(keys: dict[str, str]) -> Iterator[str]:
    yield from table(("Key", "Value"), [(_code(key), text) for key, text in keys.items()])
    yield ""


def _code(words: str) -> str:
    return ", ".join(f"`{word}`" for word in words.split(", "))


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    for cells in (titles, ["---"] * len(titles), *rows):
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
