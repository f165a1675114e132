"""The environment of a process: captured at `run`, and what is laid over it at every start."""

import json
import os
import re
import stat
from collections.abc import Mapping
from contextlib import suppress

from sentinel.backends.base import Account
from sentinel.errors import LaunchError, StateError, UsageError
from sentinel.files import AnyPath, open_private, read_private, reason, write_atomic
from sentinel.model import Group, Record
from sentinel.names import printable
from sentinel.paths import Home

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LARGEST = 1 << 20
_OURS = frozenset(("SENTINEL_HOME", "SENTINEL_BACKEND", "SENTINEL_PORTABLE"))  # the user's
# What tells a process about its own supervisor would be a lie in one that sentinel starts.
CONTROL = frozenset(
    (
        "NOTIFY_SOCKET", "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "WATCHDOG_PID", "WATCHDOG_USEC",
        "INVOCATION_ID", "JOURNAL_STREAM", "MAINPID", "MANAGERPID", "SYSTEMD_EXEC_PID", "CREDENTIALS_DIRECTORY",
        "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE",
    )
)  # fmt: skip


def check_variable(text: str) -> tuple[str, str]:
    """ "K=V" -> (K, V); UsageError."""
    name, equals, value = text.partition("=")
    hint = "write it like NAME=value, the name of letters, digits and _"
    if not equals:
        raise UsageError(f"not a variable: {printable(text)!r} has no =", hint)
    if not _VARIABLE.fullmatch(name):
        raise UsageError(f"not a variable name: {printable(name)!r}", hint)
    if "\0" in value:
        raise UsageError(f"the value of {name} cannot contain a NUL character", hint)
    return name, value


def capture(home: Home, id: int, environ: Mapping[str, str], *, durable: bool = False) -> None:
    """Keep the environment of a process, for its owner alone. StateError."""
    kept = {name: value for name, value in environ.items() if not _is_control(name)}
    path = home.environment(id)
    try:
        write_atomic(path, json.dumps(kept).encode("ascii"), durable=durable)
    except OSError as error:
        raise StateError(f"cannot save {path}: {reason(error)}", "free some space") from error


def load_captured(home: Home, id: int) -> dict[str, str] | None:
    """None: nothing was captured (a process of an earlier version). LaunchError: it can't be read."""
    hint = "'sentinel restart --update-env' captures it anew"
    try:
        found = json.loads(read_private(home.environment(id)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LaunchError(
            f"cannot read the captured environment of process {id}: {reason(error)}", hint
        ) from None
    except (ValueError, RecursionError):
        found = None
    if type(found) is not dict or not all(type(value) is str for value in found.values()):
        raise LaunchError(f"the captured environment of process {id} is damaged", hint)
    return found


def forget(home: Home, id: int) -> None:
    """Remove what was captured; a missing file is no error."""
    with suppress(OSError):
        os.unlink(home.environment(id))


def resolve(home: Home, record: Record, group: Group | None, account: Account | None) -> dict[str, str]:
    """All variables of the next run, the stronger laid over the weaker (see docs: environment).

    Raises:
        LaunchError: names an env file that is missing or can't be read.
    """
    spec = record.spec
    captured = load_captured(home, record.id)
    env = captured if captured is not None else {k: v for k, v in os.environ.items() if not _is_control(k)}
    if "PWD" in env:
        env["PWD"] = spec.cwd
    if account is not None:
        env |= {"HOME": account.home, "USER": account.name, "LOGNAME": account.name, "SHELL": account.shell}
    _lay_over(env, _read_home_file(home.dotenv), home.dotenv)
    directory_file = os.path.join(spec.cwd, ".env")
    _lay_over(env, _read_directory_file(directory_file, account), directory_file)
    if group is not None:
        env |= group.env
        _lay_over(env, _read_asked_for(group.env_file), group.env_file or "")
    _lay_over(env, _read_asked_for(spec.env_file), spec.env_file or "")
    env |= spec.env
    env |= {variable: str(port) for variable, port in spec.ports.items()}
    return env


def _is_control(name: str) -> bool:
    return name in CONTROL or (name.startswith("SENTINEL_") and name not in _OURS)


# dotenv files


def dotenv_variables(text: str, environ: Mapping[str, str]) -> dict[str, str]:
    """What a dotenv file of this text would set over `environ`."""
    env = dict(environ)
    names: list[str] = []
    _lay_over(env, text.encode("utf-8", "surrogateescape"), "the file", names)
    return {name: env[name] for name in names}


def _lay_over(env: dict[str, str], data: bytes | None, path: AnyPath, names: list[str] | None = None) -> None:
    """Add the variables of a dotenv file, and their names; ${NAME} in it is what is weaker, or stands above it."""
    if not data:
        return
    if len(data) > _LARGEST:
        raise LaunchError(f"cannot use {_shown(path)}: it is larger than 1 MB", "is it an env file?")
    from io import StringIO

    from dotenv.parser import parse_stream
    from dotenv.variables import parse_variables

    text = data.decode("utf-8", "surrogateescape").removeprefix("\ufeff")
    for binding in parse_stream(StringIO(text)):
        if binding.error or not binding.key or binding.value is None:
            continue  # as python-dotenv does
        value = "".join(atom.resolve(env) for atom in parse_variables(binding.value))
        if "\0" in value or "\0" in binding.key:
            raise LaunchError(f"cannot use {_shown(path)}: it contains a NUL character", "is it a text file?")
        env[binding.key] = value
        if names is not None:
            names.append(binding.key)


def _read_asked_for(path: str | None) -> bytes | None:
    """A file that somebody named: it has to be there."""
    if path is None:
        return None
    try:
        return _read(path, 0)
    except FileNotFoundError:
        raise LaunchError(
            f"cannot start: no such env file: {_shown(path)}", "make it, or change --env-file"
        ) from None
    except OSError as error:
        raise _unreadable(path, error) from error


def _read_home_file(path: AnyPath) -> bytes | None:
    try:
        fd = open_private(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error) from error
    with open(fd, "rb") as file:
        return file.read(_LARGEST + 1)


def _read_directory_file(path: str, account: Account | None) -> bytes | None:
    """The .env of the working directory, if it is a file.

    Root reads none that belongs to anybody but itself and the user that the program runs as: who can write into
    the directory must not choose what gets in, nor have root open a FIFO or what a symlink points to.
    """
    guarded = os.geteuid() == 0
    owners = (0, account.uid) if account is not None else (0,)
    try:
        nofollow = os.O_NOFOLLOW if guarded and account is not None else 0
        return _read(path, nofollow, owners if guarded else None)
    except (FileNotFoundError, NotADirectoryError, _NotAFile):
        return None
    except OSError as error:
        if guarded:
            return None
        raise _unreadable(path, error) from error


class _NotAFile(OSError):
    """Something else has that name: a directory, a FIFO."""


def _read(path: str, flags: int, owners: tuple[int, ...] | None = None) -> bytes | None:
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | flags)
    try:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise _NotAFile(0, "it is not a regular file", path)
        if owners is not None and found.st_uid not in owners:
            return None
        with open(fd, "rb", closefd=False) as file:
            return file.read(_LARGEST + 1)
    finally:
        os.close(fd)


def _unreadable(path: AnyPath, error: OSError) -> LaunchError:
    return LaunchError(f"cannot start: cannot read {_shown(path)}: {reason(error)}", "check its permissions")


def _shown(path: AnyPath) -> str:
    return printable(os.fspath(path), 4096)
