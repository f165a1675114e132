"""A user's command: executed directly, or through the shell where its syntax asks for one."""

from collections.abc import Sequence

from sentinel.backends.base import Account


def resolve(
    argv: Sequence[str], cwd: str, path_env: str | None, account: Account | None = None
) -> tuple[str, list[str]]:
    """(absolute path of the program, its argv). LaunchError: "cannot start: no such program: foo"."""
    raise NotImplementedError


def words(line: str) -> list[str] | None:
    """A command line without shell syntax, split as sh would; None: only a shell can run it."""
    raise NotImplementedError


def display(argv: Sequence[str]) -> str:
    """For people, on one line: the COMMAND column."""
    raise NotImplementedError
