"""Start another Python with sentinel in it, whatever way this one found it."""

import os
import sys
from pathlib import Path


def command_line(module: str, *arguments: str) -> list[str]:
    """An argument vector that calls `main(*arguments)` of a module of ours.

    The directory that sentinel was imported from comes last in the path, so that it is found in a checkout too
    and shadows nothing of an installation. `-P`: what lies in the working directory is not imported.
    """
    parent = str(Path(__file__).resolve().parent.parent.parent)
    code = f"import sys; sys.path.append({parent!r}); from {module} import main; main(*sys.argv[1:])"
    return [sys.executable, "-P", "-c", code, *arguments]


def spawn_detached(argv: list[str], home: str, log: str, report: int | None = None) -> int:
    """Start a process in a session of its own, its output into a log; `report`: a descriptor it inherits as 3."""
    fd = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        actions: list[tuple[int, int, str, int, int] | tuple[int, int, int] | tuple[int, int]] = [
            (os.POSIX_SPAWN_OPEN, 0, "/dev/null", os.O_RDONLY, 0),
            (os.POSIX_SPAWN_DUP2, fd, 1),
            (os.POSIX_SPAWN_DUP2, fd, 2),
        ]
        if report is not None:
            actions.append((os.POSIX_SPAWN_DUP2, report, 3))
        env = {**os.environ, "SENTINEL_HOME": home}
        return os.posix_spawn(argv[0], argv, env, file_actions=actions, setsid=True)
    finally:
        os.close(fd)
