"""docs/backends.md: what each engine does with each option and command, from the table the engines refuse by."""

from collections.abc import Iterator, Sequence

from reference import MADE, table

from sentinel.backends.table import COMMANDS, GROUP_CREATE, PLACES, REFUSED, RUN, Cell, Row
from sentinel.cli import commands

ABOUT = """\
# Backends

Two engines keep the processes running; the commands, their output and their exit status are the same on both.

- **native**: sentinel starts them itself. A small keeper is their parent, so that how they end is known; the daemon
  restarts them. Linux and macOS; neither privileges nor an init system are needed.
- **systemd**: every process is a transient unit `sentinel-NAME.service`, every group a slice
  `sentinel-GROUP.slice` below `sentinel.slice`, and the output is in the journal. systemd restarts what crashes; the
  daemon is only needed for health checks and for rotating log files.

## Which one

`--backend` of `run`, else `SENTINEL_BACKEND`, else `auto`: systemd where a service manager can be reached and
processes would survive a logout, and native elsewhere. A process stays where it was started until
`sentinel move NAME --to native|systemd`. `status` tells which it is.

Root talks to the system's service manager, everybody else to one of their own (`SENTINEL_SYSTEMD_SCOPE` overrides
it). Processes of the latter survive a logout only with lingering (`loginctl enable-linger`).

## An administrator's view

```sh
systemctl --user status 'sentinel-*'      # without --user for root
systemd-cgls --user-unit sentinel.slice
journalctl --user -u sentinel-web.service
systemctl --user stop sentinel-web.service
```

What an administrator stops is shown as stopped, and not started again until somebody asks for it.

## What is honoured where

- **enforced**: it holds, by the kernel, systemd or sentinel itself.
- **emulated**: sentinel does it in another way; the note says what differs.
- **refused**: an error before anything is touched.

Nothing is ignored silently: what a service manager accepts and does not apply is read back after the start, and told.
The code that refuses reads the same table from which this page is made.
"""


def page() -> str:
    return "\n".join([MADE, "", *ABOUT.splitlines(), "", *_tables()]) + "\n"


def _tables() -> Iterator[str]:
    notes: list[str] = []
    yield from ("### `sentinel run`", "")
    yield from _table("Option", [(row, _option(row)) for row in RUN], notes)
    yield from ("", "### `sentinel group create`", "")
    yield from _table("Option", [(row, _option(row)) for row in GROUP_CREATE], notes)
    yield from ("", "### Commands", "")
    yield from _table("Command", list(_commands()), notes)
    yield from ("", "### Notes", "")
    yield from (f"{number}. {note}" for number, note in enumerate(notes, 1))


def _commands() -> Iterator[tuple[Row, str]]:
    """A line for each command, then those for cases of it."""
    for command in commands.COMMANDS.values():
        rows = [row for row in COMMANDS if row.command == command.name]
        if not any(row.option == "" for row in rows):
            yield Row(command.name, "", "", dict.fromkeys(PLACES, Cell("enforced"))), f"`{command.name}`"
        for row in sorted(rows, key=lambda row: row.option):
            yield row, f"`{' '.join(filter(None, (row.command, row.option)))}`" + _case(row)


def _option(row: Row) -> str:
    return f"`{row.option}`" + _case(row)


def _case(row: Row) -> str:
    return f" {row.case}" if row.case else ""


def _table(title: str, rows: Sequence[tuple[Row, str]], notes: list[str]) -> Iterator[str]:
    cells = [(name, *(_cell(row.cells[place], notes) for place in PLACES)) for row, name in rows]
    return table((title, *PLACES.values()), cells)


def _cell(cell: Cell, notes: list[str]) -> str:
    note = cell.message if cell.how == REFUSED else cell.note
    if not note:
        return cell.how
    if cell.root_only:
        return f"{cell.how} ({note})"
    if note not in notes:
        notes.append(note)
    return f"{cell.how} [{notes.index(note) + 1}]"
