"""Refuses what the table says that an engine can't honour."""

import os
import sys
from collections.abc import Iterator

from sentinel.errors import Unsupported
from sentinel.model import Group, Spec

Key = tuple[str, str, str]


def native_place() -> str:
    return "native-linux" if sys.platform == "linux" else "native-macos"


def refuse(place: str, spec: Spec | None, group: Group | None) -> None:
    """Touches nothing.

    Raises:
        Unsupported: the first of what is asked for that can't be honoured in this place.
    """
    asked = [*_of_process(spec), *_of_group(group)]
    if not asked:
        return
    from sentinel.backends.table import REFUSED, ROWS

    for key in asked:
        cell = ROWS[key].cells[place]
        if cell.how == REFUSED or (cell.root_only and os.geteuid() != 0):
            raise Unsupported(cell.message, cell.hint)


def _of_process(spec: Spec | None) -> Iterator[Key]:
    """The rows that this asks for, where some place refuses them."""
    if spec is None:
        return
    limits = spec.limits
    if spec.user is not None:
        yield "run", "--user", "oneself" if _is_me(spec.user) else "another user"
    if limits.nice is not None:
        yield "run", "--nice", "below 0" if limits.nice < 0 else "0 to 19"
    if limits.ionice is not None:
        realtime = limits.ionice.partition(":")[0] == "realtime"
        yield "run", "--ionice", "realtime" if realtime else "idle, best-effort"
    if spec.logs.kind == "journal":
        yield "run", "--logs", "journal"


def _of_group(group: Group | None) -> Iterator[Key]:
    if group is not None:
        limits = {
            "--memory-max": group.memory_max,
            "--cpu-quota": group.cpu_quota,
            "--tasks-max": group.tasks_max,
        }
        yield from (("group create", option, "") for option, limit in limits.items() if limit is not None)


def _is_me(user: str) -> bool:
    import pwd

    try:
        found = pwd.getpwuid(int(user)) if user.isdigit() else pwd.getpwnam(user)
    except KeyError:
        return False
    return found.pw_uid == os.geteuid()
