"""A user's command: executed directly, or through the shell where its syntax asks for one."""

import os
import re
import stat
from collections.abc import Sequence

from sentinel.backends.base import Account
from sentinel.errors import LaunchError, UsageError
from sentinel.names import printable

SHELL = "/bin/sh"
_SPECIAL = frozenset("|&;<>()$`*?[]{}\n")  # mean something to a shell wherever they stand unquoted
_SPECIAL_FIRST = frozenset("#~!")  # only at the start of a word
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\+?=")
_RESERVED = frozenset(
    (
        "case", "do", "done", "elif", "else", "esac", "fi", "for", "function", "if", "in", "select", "then",
        "time", "until", "while",
    )
)  # fmt: skip
_BUILTINS = frozenset(
    (
        ".", ":", "alias", "bg", "break", "builtin", "cd", "command", "continue", "declare", "eval", "exec",
        "exit", "export", "fc", "fg", "getopts", "hash", "jobs", "local", "read", "readonly", "return", "set",
        "shift", "source", "times", "trap", "type", "typeset", "ulimit", "umask", "unalias", "unset", "wait",
    )
)  # fmt: skip


class _Unfinished(Exception):
    """A quote that is never closed."""


def resolve(
    argv: Sequence[str], cwd: str, path_env: str | None, account: Account | None = None
) -> tuple[str, list[str]]:
    """(absolute path of the program, its argv).

    Raises:
        LaunchError: "cannot start: no such program: foo".
        UsageError: there is no command in it.
    """
    if not argv or not argv[0].strip():
        raise UsageError("no command given", "write it like: sentinel run 'python3 -m http.server'")
    if any("\0" in word for word in argv):
        raise UsageError("a command cannot contain a NUL character", "leave it out")
    if not os.path.isdir(cwd):
        raise LaunchError(f"cannot start: no such directory: {printable(cwd, 4096)}", "make it, or use --cwd")
    vector = list(argv)
    if len(argv) == 1:
        try:
            split = _scan(argv[0])
        except _Unfinished:
            raise LaunchError(
                f"cannot start: a quote is never closed in {printable(argv[0])}",
                "close it, or escape it with \\",
            ) from None
        vector = split if split else [SHELL, "-c", argv[0]]
    program = _look_up(vector[0], cwd, path_env, account)
    if _is_plain_script(program):  # the kernel refuses it; every shell and execvp(3) give it to sh
        return SHELL, [SHELL, program, *vector[1:]]
    return program, vector


def words(line: str) -> list[str] | None:
    """A command line without shell syntax, split as sh would; None: only a shell can run it."""
    try:
        return _scan(line)
    except _Unfinished:
        return None


def display(argv: Sequence[str]) -> str:
    """For people, on one line: the COMMAND column."""
    if len(argv) == 1:
        return printable(argv[0], 1 << 20)
    import shlex

    return printable(shlex.join(argv), 1 << 20)


def _scan(line: str) -> list[str] | None:
    found: list[str] = []
    word: list[str] | None = None  # None: between two words; quotes make an empty one
    at, quoted_first = 0, False
    while at < len(line):
        char = line[at]
        if char in " \t":
            if word is not None:
                found.append("".join(word))
                word = None
            at += 1
            continue
        if char in _SPECIAL or (word is None and char in _SPECIAL_FIRST):
            return None
        if line.startswith("\\\n", at):  # a continued line, not even the end of a word
            at += 2
            continue
        word = [] if word is None else word
        part, at, quoted = _part(line, at)
        if part is None:
            return None
        word.append(part)
        quoted_first |= quoted and not found
    if word is not None:
        found.append("".join(word))
    return None if not found or _needs_shell(found[0], quoted_first) else found


def _needs_shell(first: str, quoted: bool) -> bool:
    """Quotes take its meaning from a reserved word, but not from a builtin."""
    return bool(_ASSIGNMENT.match(first)) or first in _BUILTINS or (first in _RESERVED and not quoted)


def _part(line: str, at: int) -> tuple[str | None, int, bool]:
    """(text, where it ends, whether it was quoted) of a string or a single character; None: for a shell."""
    char = line[at]
    if char == "'":
        end = line.find("'", at + 1)
        if end < 0:
            raise _Unfinished
        return line[at + 1 : end], end + 1, True
    if char == '"':
        return _double_quoted(line, at + 1)
    if char == "\\":
        if at + 1 == len(line):
            return "\\", at + 1, True
        return line[at + 1], at + 2, True
    return char, at + 1, False


def _double_quoted(line: str, at: int) -> tuple[str | None, int, bool]:
    text: list[str] = []
    while at < len(line):
        char = line[at]
        if char == '"':
            return "".join(text), at + 1, True
        if char in "$`":
            return None, at, True
        if char == "\\" and line[at + 1 : at + 2] in ("$", "`", '"', "\\", "\n"):
            text.append("" if line[at + 1] == "\n" else line[at + 1])
            at += 1
        else:
            text.append(char)
        at += 1
    raise _Unfinished


def _look_up(name: str, cwd: str, path_env: str | None, account: Account | None) -> str:
    shown = printable(name, 4096)
    if "/" in name:
        candidates = [os.path.join(cwd, name.removeprefix("./"))]
    else:
        folders = (os.defpath if path_env is None else path_env).split(":")
        candidates = [os.path.join(cwd, folder, name) for folder in folders] if name else []
    problem = f"no such program: {shown}"
    for path in candidates:
        try:
            found = os.stat(path)
        except (OSError, ValueError):
            continue
        if stat.S_ISDIR(found.st_mode):
            problem = f"{shown} is a directory" if "/" in name else problem
        elif stat.S_ISREG(found.st_mode) and _may_execute(path, found, account):
            return path
        else:
            problem = f"{shown} is not executable" + (f" by {account.name}" if account else "")
    raise LaunchError(f"cannot start: {problem}", "check its path, its permissions and PATH")


def _may_execute(path: str, found: os.stat_result, account: Account | None) -> bool:
    if account is None:
        return os.access(path, os.X_OK)
    if account.uid == 0:
        return bool(found.st_mode & 0o111)
    if found.st_uid == account.uid:
        return bool(found.st_mode & 0o100)
    if found.st_gid == account.gid or found.st_gid in account.groups:
        return bool(found.st_mode & 0o010)
    return bool(found.st_mode & 0o001)


def _is_plain_script(path: str) -> bool:
    """Text without a #! line."""
    try:
        with open(path, "rb") as file:
            start = file.read(256)
    except OSError:
        return False  # it may be executed without being readable
    return start[:2] != b"#!" and b"\0" not in start
