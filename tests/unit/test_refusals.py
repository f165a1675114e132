"""The table of what each engine honours is complete, and what it says is refused is refused."""

import os
from pathlib import Path
from typing import Any

import pytest
from lab import Sentinel

from sentinel.backends import refusal
from sentinel.backends.native.backend import NativeBackend
from sentinel.backends.table import COMMANDS, PLACES, REFUSED, ROWS
from sentinel.cli import commands
from sentinel.errors import Unsupported
from sentinel.model import Group, Limits, LogSettings, Spec
from sentinel.paths import Home

SOMEBODY = 54321  # a uid that is neither root's nor nobody's


def spec(**given: Any) -> Spec:
    return Spec(["true"], "/", **given)


# What asks for each row that some place refuses.
ASKS: dict[tuple[str, str, str], tuple[Spec | None, Group | None]] = {
    ("run", "--user", "another user"): (spec(user="nobody"), None),
    ("run", "--nice", "below 0"): (spec(limits=Limits(nice=-5)), None),
    ("run", "--ionice", "idle, best-effort"): (spec(limits=Limits(ionice="best-effort:3")), None),
    ("run", "--ionice", "realtime"): (spec(limits=Limits(ionice="realtime:0")), None),
    ("run", "--logs", "journal"): (spec(logs=LogSettings("journal")), None),
    ("group create", "--memory-max", ""): (None, Group("g", memory_max=1 << 30)),
    ("group create", "--cpu-quota", ""): (spec(), Group("g", cpu_quota=150.0)),
    ("group create", "--tasks-max", ""): (spec(), Group("g", tasks_max=10)),
}
CHOSEN_ELSEWHERE = {("run", "--backend", "systemd")}  # see sentinel.backends.resolve


@pytest.mark.parametrize("name", ["run", "group create"])
def test_every_option_is_in_the_table(name: str) -> None:
    command = commands.COMMANDS[tuple(name.split())]
    told = {option for row_command, option, _ in ROWS if row_command == name and option.startswith("--")}
    assert told == {option.flags[0] for option in command.options}


def test_the_table_speaks_of_nothing_else() -> None:
    for row in COMMANDS:
        command = commands.COMMANDS[tuple(row.command.split())]
        assert row.option in ("", *(flag for option in command.options for flag in option.flags)), row.key
    assert all(set(row.cells) == set(PLACES) for row in ROWS.values())


def test_every_refusal_of_the_table_is_reached() -> None:
    refusing = {
        key
        for key, row in ROWS.items()
        if row.command in ("run", "group create")
        and any(cell.how == REFUSED or cell.root_only for cell in row.cells.values())
    }
    assert refusing == ASKS.keys() | CHOSEN_ELSEWHERE


@pytest.mark.parametrize("uid", [0, SOMEBODY])
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("key", ASKS, ids=" ".join)
def test_what_the_table_refuses_is_refused(
    key: tuple[str, str, str], place: str, uid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: uid)
    cell = ROWS[key].cells[place]
    if cell.how == REFUSED or (cell.root_only and uid != 0):
        with pytest.raises(Unsupported) as caught:
            refusal.refuse(place, *ASKS[key])
        assert (caught.value.message, caught.value.hint) == (cell.message, cell.hint)
        assert cell.message
        assert cell.hint
    else:
        refusal.refuse(place, *ASKS[key])


def test_what_is_common_is_refused_nowhere() -> None:
    plain = spec(limits=Limits(nice=5, nofile=100, memory_max=1 << 20), logs=LogSettings("file"))
    for place in PLACES:
        refusal.refuse(place, plain, Group("g"))


def test_the_native_engine_asks_the_table(tmp_path: Path) -> None:
    engine = NativeBackend(Home(tmp_path))
    for key in (("run", "--logs", "journal"), ("group create", "--cpu-quota", "")):
        with pytest.raises(Unsupported, match=ROWS[key].cells["native-linux"].message):
            engine.refuse(*ASKS[key])  # type: ignore[arg-type]
    engine.refuse(spec(), None)


def test_the_command_line_refuses_and_leaves_nothing(native: Sentinel) -> None:
    for words in (
        ("run", "--name", "web", "--logs", "journal", "--json", "--", "sleep", "1000"),
        ("group", "create", "g", "--tasks-max", "10", "--json"),
    ):
        assert native.fails(1, *words).error()["code"] == "unsupported"
    assert native.names() == []
    assert native.ok("group", "list", "--json").json() == []
