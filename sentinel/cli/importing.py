"""import: shows what became of every option, then what was created."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sentinel.cli.call import Call, done_data, with_identity
from sentinel.cli.columns import Column, Table
from sentinel.cli.text import BOLD, DIM, GREEN, RED, YELLOW, coloured, escape, has_colour, terminal_size, width

if TYPE_CHECKING:
    from sentinel.importing.report import Imported, Section
    from sentinel.supervisor.api import Done, Outcome

COLUMNS = (
    Column("LINE", right=True),
    Column("OPTION", least=12, order=3),
    Column("VALUE", least=12, order=1),
    Column("RESULT", least=7),
    Column("BECOMES", least=8, order=4),
    Column("NOTE", least=12, order=2),
)
COLOURS = {"mapped": GREEN, "approximated": YELLOW, "dropped": RED}


def import_file(call: Call) -> int:
    from sentinel.supervisor.importing import ImportRequest

    values = call.values
    if values.flag("dry_run") and values.flag("start"):
        from sentinel.errors import UsageError

        raise UsageError("--dry-run and --start contradict each other", "leave one of them away")
    request = ImportRequest(
        path=values.required("file"),
        format=values.text("format"),
        backend=values.text("backend"),
        pm2_env=values.text("pm2_env"),
        run_node=values.flag("run_node"),
        dry_run=values.flag("dry_run"),
        start=values.flag("start"),
    )
    with call.progress("starting") as progress:
        result = call.supervisor.import_file(request, progress)
    if call.out.json:
        call.out.data(as_data(result.imported, result.outcome, dry_run=request.dry_run))
    else:
        _report(call, result.imported)
        for one in result.outcome.done:
            if one.error is None:
                call.out.line(_told(one))
        if request.dry_run:
            call.out.line(f"Nothing was created: {_count(len(result.imported.wanted))} would be")
        elif not request.start:
            call.out.note("They are stopped; start them with: sentinel start NAME...")
    call.out.warnings(f"{one.name}: {note}" for one in result.outcome.done for note in one.notes)
    call.out.warnings(result.outcome.warnings)
    failures = [(one.name, one.error) for one in result.outcome.done if one.error]
    call.out.errors(failures)
    return 1 if failures else 0


def _told(one: "Done") -> str:
    return with_identity("Created" if one.pid is None else "Created and started", one, group=True)


def _count(number: int) -> str:
    return "1 process" if number == 1 else f"{number} processes"


def _report(call: Call, imported: "Imported") -> None:
    """A table for each section of the file."""
    columns = terminal_size(call.out.out)[0] if call.out.on_terminal else None
    colour = has_colour(call.out.out)
    for section in imported.sections:
        made = ", ".join(one.name for one in section.wanted)
        title = escape(f"{section.title}: {made}" if made and made != section.title else section.title)
        call.out.raw(coloured(title, BOLD) + "\n" if colour else title + "\n")
        if section.entries:
            call.out.raw("\n".join(_lines(section, columns, colour=colour)) + "\n")
        call.out.raw("\n")


def _lines(section: "Section", columns: int | None, *, colour: bool) -> list[str]:
    """The table; where a terminal is too narrow for the notes, each stands under its option."""
    wide = _table(section, COLUMNS).lines(None)
    if columns is None or max(map(width, wide)) <= columns:
        return _table(section, COLUMNS).lines(columns, colour=colour)
    import textwrap

    head, *rows = _table(section, COLUMNS[:-1]).lines(columns, colour=colour)
    lines = [head]
    for row, entry in zip(rows, section.entries, strict=True):
        lines.append(row)
        notes = textwrap.wrap(escape(entry.note), max(20, columns - 6))
        lines += [f"      {coloured(note, DIM) if colour else note}" for note in notes]
    return lines


def _table(section: "Section", columns: Sequence[Column]) -> Table:
    rows = [
        ["-" if e.line is None else str(e.line), e.option, _short(e.value), e.verdict.value, e.to or "-", e.note]
        for e in section.entries
    ]
    colours = {(y, 3): COLOURS[entry.verdict.value] for y, entry in enumerate(section.entries)}
    return Table(columns, [row[: len(columns)] for row in rows], colours)


def _short(value: str) -> str:
    line = " ".join(value.split())
    return line if len(line) <= 48 else line[:47] + "…"


def as_data(imported: "Imported", outcome: "Outcome", *, dry_run: bool) -> dict[str, Any]:
    return {
        "format": imported.format,
        "dry_run": dry_run,
        "groups": list(imported.groups),
        "sections": [
            {
                "title": section.title,
                "line": section.line,
                "processes": [one.name for one in section.wanted],
                "options": [
                    {
                        "line": entry.line, "option": entry.option, "value": entry.value,
                        "verdict": entry.verdict.value, "to": entry.to or None, "note": entry.note,
                    }
                    for entry in section.entries
                ],
            }
            for section in imported.sections
        ],
        "processes": [done_data(one) for one in outcome.done],
        "warnings": outcome.warnings,
    }  # fmt: skip
