"""start, stop and restart from within `top`: each a command of its own, that goes on when `top` is left."""

import subprocess
import sys
import threading
from collections.abc import Callable

from sentinel.supervisor.python import command_line


def begin(verb: str, name: str, tell: Callable[[str], None]) -> str:
    """Begin it; what to show meanwhile. `tell` gets what came of it, from another thread."""
    threading.Thread(target=_do, args=(verb, name, tell), name=verb, daemon=True).start()
    doing = {"start": "starting", "stop": "stopping", "restart": "restarting"}[verb]
    return f"{doing} {name} …"


def _do(verb: str, name: str, tell: Callable[[str], None]) -> None:
    try:
        done = subprocess.run(
            command_line("sentinel.cli.top.actions", verb, name),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            start_new_session=True,
            check=False,
        )
        tell(" ".join((done.stdout + done.stderr).decode(errors="replace").split()))
    except OSError as error:
        tell(f"cannot {verb} {name}: {error.strerror}")


def main(*words: str) -> None:
    """Entry point of that command."""
    from sentinel.cli.app import run

    sys.argv[1:] = words
    run()
