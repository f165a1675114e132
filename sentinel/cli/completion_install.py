"""Puts a completion script where its shell finds it, with a line in its start-up file if needed."""

import os
from pathlib import Path

from sentinel.cli.completion import script
from sentinel.errors import SentinelError


def install(shell: str) -> Path:
    """Where the script is now. Doing it twice changes nothing."""
    try:
        return {"bash": _bash, "zsh": _zsh, "fish": _fish}[shell]()
    except OSError as error:
        reason = os.strerror(error.errno or 0).lower()
        raise SentinelError(
            f"cannot install the completion: {error.filename}: {reason}",
            f"put what 'sentinel --show-completion {shell}' prints where your shell reads it",
        ) from error


def _bash() -> Path:
    path = _directory("XDG_DATA_HOME", ".local/share") / "bash-completion/completions/sentinel"
    _write(path, script("bash"))
    _add_line(
        Path.home() / ".bashrc", f"[ -r {_quoted(path)} ] && . {_quoted(path)}  # sentinel's completion"
    )
    return path


def _zsh() -> Path:
    path = Path.home() / ".zfunc/_sentinel"
    _write(path, script("zsh"))
    rc = Path(os.environ.get("ZDOTDIR") or Path.home()) / ".zshrc"
    _add_line(rc, "fpath+=~/.zfunc; autoload -Uz compinit; compinit  # sentinel's completion")
    return path


def _fish() -> Path:
    path = _directory("XDG_CONFIG_HOME", ".config") / "fish/completions/sentinel.fish"
    _write(path, script("fish"))
    return path


def _directory(variable: str, otherwise: str) -> Path:
    return Path(os.environ.get(variable) or Path.home() / otherwise)


def _quoted(path: Path) -> str:
    import shlex

    return shlex.quote(str(path))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _add_line(path: Path, line: str) -> None:
    present = path.read_text(errors="surrogateescape") if path.exists() else ""
    if line in present.splitlines():
        return
    with path.open("a") as file:
        file.write(f"\n{line}\n" if present and not present.endswith("\n") else f"{line}\n")
