"""Names of processes, groups and ports: which are allowed, which are free, and whom they mean."""

from collections.abc import Iterable, Sequence

from sentinel.model import Record, State


def printable(text: str, limit: int = 80) -> str:
    """Any text in a form that is safe in a message of one line: escapes, no lone surrogates, cut at `limit`."""
    raise NotImplementedError


def check_name(kind: str, name: str) -> str:
    """The name itself, or UsageError saying what is wrong with it. `kind`: "process", "group", "port"."""
    raise NotImplementedError


def check_free(kind: str, name: str, taken: Iterable[str]) -> str:
    """The name, or Conflict if it, or one that differs only by case or Unicode form, is taken."""
    raise NotImplementedError


def unique(base: str, taken: Iterable[str]) -> str:
    """`base`, or `base-2`, `base-3`, … : the first that is free."""
    raise NotImplementedError


def default_name(argv: Sequence[str]) -> str:
    """A name for a command: its program's, sanitised."""
    raise NotImplementedError


def instance_names(name: str, n: int) -> list[str]:
    """name-1 … name-n, each checked."""
    raise NotImplementedError


def find(state: State, token: str) -> Record:
    """The process of that name, else of that id; NotFound."""
    raise NotImplementedError


def find_many(state: State, tokens: Sequence[str]) -> list[Record]:
    """In order, each once; one NotFound that names all that are missing."""
    raise NotImplementedError
