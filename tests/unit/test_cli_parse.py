"""The quick parser reads a command line as typer does, or leaves it to typer; every command has its help."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sentinel.cli.app import main
from sentinel.cli.commands import ALIASES, COMMANDS, GROUPS, find
from sentinel.cli.parse import parse, spelled_out
from sentinel.cli.spec import Command, Values
from sentinel.cli.typer_app import read
from sentinel.errors import UsageError

WORDS = [
    "--",
    "-",
    "",
    "web",
    "api",
    "8080",
    "-x",
    "-n",
    "-nweb",
    "-n=web",
    "-r",
    "-rn",
    "-f",
    "-fn3",
    "-rnweb",
    "--name",
    "--name=web",
    "--name=",
    "--json",
    "--json=1",
    "--jso",
    "--restart",
    "--env",
    "--env=A=1",
    "-EA=1",
    "A=1",
    "--port",
    "--port=8080",
    "--lines",
    "--group",
    "-g",
    "--force",
    "--to",
    "native",
    "--nice",
    "-5",
    "--stream=both",
    "--no",
]


def both(command: Command, words: list[str]) -> tuple[Any, Any]:
    """What each of the parsers makes of it; None: the quick one passes, the other refuses."""
    words = spelled_out(command, words)
    try:
        quick = parse(command, words)
    except UsageError:
        return None, None  # a choice that there is not, which both check in the same place
    try:
        slow = read([*command.path, *words])
    except UsageError:
        slow = None
    return quick and quick.given, slow and slow.given


@settings(deadline=None, max_examples=150)
@given(st.sampled_from(sorted(COMMANDS)), st.lists(st.sampled_from(WORDS), max_size=7))
def test_both_parsers_agree(path: tuple[str, ...], words: list[str]) -> None:
    quick, slow = both(COMMANDS[path], words)
    assert quick is None or quick == slow


@pytest.mark.parametrize(
    "words",
    [
        "list --json -g workers",
        "stop web api --force",
        "run cmd -n web -E A=1 -EB=2 --port -r",
        "run -- a --json",
        "logs web -fn 3 --stream=stderr",
        "group add workers a b",
        "port allocate 80 -n x",
        "daemon start",
    ],
)
def test_the_quick_parser_reads_what_is_well_formed(words: str) -> None:
    found = find(words.split())
    assert found
    quick, slow = both(*found)
    assert quick is not None
    assert quick == slow


@pytest.mark.parametrize(
    ("words", "port"),
    [
        ("--port cmd", ["auto"]),
        ("--port A= cmd", ["A="]),
        ("cmd --port", ["auto"]),
        ("cmd --port=B", ["B"]),
        ("cmd --port --port A=", ["auto", "A="]),
        ("cmd --port 80", ["80"]),
        ("--port -- cmd --port 80", ["auto"]),
    ],
)
def test_a_port_needs_no_value(words: str, port: list[str]) -> None:
    command = COMMANDS[("run",)]
    values = parse(command, spelled_out(command, words.split()))
    assert isinstance(values, Values)
    assert values.words("port") == port
    assert values.words("command")[0] == "cmd"


def unused(home: Any) -> Any:
    raise AssertionError("help needs no supervisor")


@pytest.mark.parametrize("path", sorted([*COMMANDS, *ALIASES]))
def test_every_command_has_help_with_examples(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    for flag in ("--help", "-h"):
        assert main([*path, flag], unused) == 0
        said = capsys.readouterr()
        assert said.out.startswith(f"Usage: sentinel {' '.join(find(list(path))[0].path)}")  # type: ignore[index]
        assert "\nExamples:\n  sentinel " in said.out
        assert said.err == ""


@pytest.mark.parametrize("words", [[], ["--help"], ["-h"]])
def test_the_help_of_all_lists_every_command_by_task(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(words, unused) == 0
    out = capsys.readouterr().out
    for section in ("Processes:", "Look:", "Groups, ports, daemon:", "Examples:"):
        assert f"\n{section}\n" in out
    for path in COMMANDS:
        assert f"\n  {path[0]}" in out


@pytest.mark.parametrize("group", GROUPS)
def test_a_family_alone_shows_its_help(group: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([group], unused) == 0
    assert f"Usage: sentinel {group}" in capsys.readouterr().out


def test_every_example_is_one_that_the_parser_reads() -> None:
    import shlex

    for command in COMMANDS.values():
        assert command.examples
        for example in command.examples:
            program, *words = shlex.split(example)
            found = find(words)
            assert program == "sentinel"
            assert found is not None
            assert found[0] is command
            assert parse(command, spelled_out(command, found[1])) is not None, example


def test_every_handler_is_there() -> None:
    from importlib import import_module

    for command in COMMANDS.values():
        module, _, function = command.handler.partition(":")
        assert callable(getattr(import_module(f"sentinel.cli.{module}"), function))
