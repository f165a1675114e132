"""What the table of backends says is refused is refused where the commands really run, before anything is touched."""

import os

import pytest
from lab import Sentinel

from sentinel.backends import refusal
from sentinel.backends.table import REFUSED, ROWS

OPTIONS = {
    ("run", "--user", "another user"): ("--user", "nobody", "--cwd", "/"),
    ("run", "--nice", "below 0"): ("--nice", "-5"),
    ("run", "--ionice", "realtime"): ("--ionice", "realtime:4"),
    ("run", "--logs", "journal"): ("--logs", "journal"),
    ("group create", "--tasks-max", ""): ("--tasks-max", "100"),
}


def place(backend: str) -> str:
    if backend == "native":
        return refusal.native_place()
    return "systemd-" + os.environ.get("SENTINEL_SYSTEMD_SCOPE", "system" if os.geteuid() == 0 else "user")


@pytest.mark.parametrize("key", OPTIONS, ids=" ".join)
def test_it_is_refused_where_the_table_says_so(key: tuple[str, str, str], sentinel: Sentinel) -> None:
    cell = ROWS[key].cells[place(sentinel.backend)]
    if key[0] == "run":
        words = ("run", "--name", "web", "--json", *OPTIONS[key], "--", "/bin/sleep", "1000")
    else:
        words = ("group", "create", "g", "--json", *OPTIONS[key])
    result = sentinel(*words)
    code = "" if result.code == 0 else result.error()["code"]
    if cell.how == REFUSED or (cell.root_only and os.geteuid() != 0):
        assert code in ("unsupported", "launch"), str(result)
        assert sentinel.names() == []
        assert sentinel.ok("group", "list", "--json").json() == []
    else:
        assert code in ("", "launch"), str(result)  # a container may lack what root needs for it
