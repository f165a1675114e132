"""The picture of `top`: a pure function of the model and the size of the screen."""

from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from sentinel.cli.look import STATUS_COLOURS, shown_status
from sentinel.cli.text import BOLD, DIM, RED, coloured, escape, fit, pad, width
from sentinel.cli.top.keys import HELP, HELP_FOLLOWING
from sentinel.cli.top.model import Model, Trace
from sentinel.plain import dataclass
from sentinel.quantities import human_duration, human_size
from sentinel.supervisor.api import ProcessView

REVERSE = "7"
BARS, PLAIN_BARS = "▁▂▃▄▅▆▇█", "_.,-=+*#"
LEAST_CPU = 5.0  # percent: less than this does not fill a bar, so that noise stays low
HEADROOM = 1.25
MOST_GROUPS = 4


@dataclass(frozen=True, slots=True)
class Style:
    """What the terminal can show."""

    colour: bool = True
    bars: bool = True  # block characters

    def paint(self, text: str, code: str) -> str:
        return coloured(text, code) if self.colour and text else text


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table; its width is fixed, 0: what is left is shared out."""

    title: str
    width: int
    cell: Callable[[ProcessView, Trace], str]
    right: bool = False


def render(model: Model, columns: int, lines: int, style: Style) -> list[str]:
    """At most `lines` lines of at most `columns` columns."""
    top = [_summary(model, columns, style)]
    bottom = [_footer(model, columns, style)]
    room = max(0, lines - len(top) - len(bottom))
    body = _log(model, columns, room, style) if model.following else _overview(model, columns, room, style)
    body += [""] * (room - len(body))
    return [*top, *body[:room], *bottom][: max(lines, 0)] if lines > 1 else bottom[:lines]


def spark(values: Iterable[float | None], wide: int, high: float, style: Style) -> str:
    """The latest values as bars, the newest at the right; `high` fills one."""
    bars = BARS if style.bars else PLAIN_BARS
    known = list(values)[-wide:] if wide > 0 else []
    drawn = (" " if one is None else bars[min(len(bars) - 1, int(one / high * len(bars)))] for one in known)
    return "".join(drawn).rjust(max(0, wide))


def cpu_bars(trace: Trace, wide: int, style: Style) -> str:
    shown = [one for one in islice(reversed(trace.cpu), wide) if one is not None]
    return spark(trace.cpu, wide, max([LEAST_CPU, *shown]), style)


def memory_bars(trace: Trace, wide: int, style: Style) -> str:
    shown = [one for one in islice(reversed(trace.memory), wide) if one is not None]
    return spark(trace.memory, wide, max([1.0, *shown]) * HEADROOM, style)


# the parts


def _summary(model: Model, columns: int, style: Style) -> str:
    running = sum(one.pid is not None for one in model.processes)
    sick = sum(shown_status(one) in ("failed", "unhealthy", "backoff") for one in model.processes)
    cpu = sum(one.cpu_percent or 0.0 for one in model.processes)
    memory = sum(one.memory_bytes or 0 for one in model.processes)
    said = [
        f"sentinel: {running} of {len(model.processes)} running" if model.loaded else "sentinel: looking …",
        *([f"{sick} in trouble"] if sick else []),
        f"CPU {cpu:.1f}%",
        f"MEM {human_size(memory)}",
        "daemon on" if model.daemon else "no daemon",
        f"by {model.sort}",
    ]
    return style.paint(pad(fit("  ".join(said), columns), columns), REVERSE if style.colour else "")


def _footer(model: Model, columns: int, style: Style) -> str:
    if model.filtering:
        return fit(f"/{escape(model.filter)}_   enter keeps it, escape drops it", columns)
    if model.trouble or model.message:
        return style.paint(fit(escape(model.trouble or model.message), columns), BOLD)
    keys = HELP_FOLLOWING if model.following else HELP
    kept = f"filter: {escape(model.filter)}  " if model.filter else ""
    return style.paint(fit(kept + keys, columns), DIM)


def _overview(model: Model, columns: int, room: int, style: Style) -> list[str]:
    groups = _groups(model, columns, style)[: max(0, room - 4)]
    log_room = max(0, min(max(4, room // 3), room - len(groups) - 4))
    table = _table(model, columns, max(1, room - len(groups) - log_room), style)
    return [*table, *groups, *_log(model, columns, room - len(groups) - len(table), style)]


def _table(model: Model, columns: int, room: int, style: Style) -> list[str]:
    shape = _widths(_columns(columns, style), columns)
    head = " ".join(pad(fit(one.title, wide), wide, right=one.right) for one, wide in shape)
    shown, selection = model.visible(), model.selection()
    model.page = max(1, room - 1)
    if selection is None:
        empty = "no process matches the filter" if model.filter else "no processes yet; see: sentinel run --help"
        return [style.paint(fit("  " + head, columns), BOLD), fit(f"  {empty if model.loaded else ''}", columns)][:room]
    at = next(place for place, one in enumerate(shown) if one.id == selection.id)
    first = max(0, min(at - model.page // 2, len(shown) - model.page))
    rows = [
        _row(one, model.traces.get(one.id) or Trace(), shape, columns, style, selected=one.id == selection.id)
        for one in shown[first : first + model.page]
    ]
    return [style.paint(fit("  " + head, columns), BOLD), *rows][:room]


def _row(
    one: ProcessView,
    trace: Trace,
    shape: Sequence[tuple[Column, int]],
    columns: int,
    style: Style,
    *,
    selected: bool,
) -> str:
    cells = [pad(fit(escape(each.cell(one, trace)), wide), wide, right=each.right) for each, wide in shape]
    if selected:
        return style.paint(fit("> " + " ".join(cells), columns), REVERSE)
    line = fit("  " + " ".join(cells), columns)
    status = cells[1]
    code = STATUS_COLOURS.get(shown_status(one), "")
    before = 3 + width(cells[0])
    if not style.colour or not code or columns < before + width(status):
        return line
    return f"  {cells[0]} {coloured(status, code)}" + line[3 + len(cells[0]) + len(status) :]


def _columns(columns: int, style: Style) -> list[Column]:
    """What there is room for."""
    bars = 8 if columns < 100 else 14 if columns < 150 else 24
    restarts = "RST" if columns < 100 else "RESTARTS"
    shown = [
        Column("NAME", 0, lambda one, trace: one.name),
        Column("STATUS", 9, lambda one, trace: shown_status(one)),
        Column("CPU", 6, lambda one, trace: "-" if one.cpu_percent is None else f"{one.cpu_percent:.1f}%", right=True),
        Column("", bars, lambda one, trace: cpu_bars(trace, bars, style)),
        Column("MEM", 9, lambda one, trace: human_size(one.memory_bytes), right=True),
        Column("", bars, lambda one, trace: memory_bars(trace, bars, style)),
        Column(restarts, len(restarts), lambda one, trace: str(one.restarts), right=True),
        Column("UPTIME", 7, lambda one, trace: human_duration(one.uptime_seconds), right=True),
    ]  # fmt: skip
    if columns >= 90:
        shown.append(Column("HEALTH", 9, lambda one, trace: one.health or "-"))
    if columns >= 110:
        shown.append(Column("GROUP", 12, lambda one, trace: one.group or "-"))
    if columns >= 140:
        shown.append(Column("PID", 7, lambda one, trace: "-" if one.pid is None else str(one.pid), right=True))
        shown.append(Column("COMMAND", 0, lambda one, trace: one.command))
    return shown


def _widths(shown: Sequence[Column], columns: int) -> list[tuple[Column, int]]:
    """What is left is shared out between the columns without a width of their own."""
    left = columns - 2 - (len(shown) - 1) - sum(one.width for one in shown)
    open_ones = sum(not one.width for one in shown)
    return [(one, one.width or max(4, left // open_ones)) for one in shown]


def _groups(model: Model, columns: int, style: Style) -> list[str]:
    found = model.groups()
    if not found:
        return []
    bars = 8 if columns < 100 else 24
    most = MOST_GROUPS if len(found) <= MOST_GROUPS else MOST_GROUPS - 1
    lines = [_rule("groups", columns, style)]
    for group in found[:most]:
        trace = model.group_traces.get(group.name) or Trace()
        name = pad(fit(escape(group.name), 20), 20)
        said = f"{group.running:>4}/{len(group.members):<4} CPU {group.cpu:>6.1f}% {cpu_bars(trace, bars, style)}"
        line = f"  {name} {said}  MEM {human_size(group.memory):>9} {memory_bars(trace, bars, style)}"
        lines.append(fit(line, columns))
    if len(found) > most:
        lines.append(fit(f"  … and {len(found) - most} more groups", columns))
    return lines


def _log(model: Model, columns: int, room: int, style: Style) -> list[str]:
    """The last lines of the selected process, under a title."""
    one = model.selection()
    if one is None or room < 1:
        return []
    lines = model.log if model.log_of == one.id else []
    shown = _latest(lines, room - 1)
    title = _rule(f"{escape(one.name)}: what it wrote", columns, style)
    return [title, *(style.paint(fit(text, columns), RED if stream == "stderr" else "") for stream, text in shown)]


def _latest(lines: Sequence[tuple[str, str]], room: int) -> list[tuple[str, str]]:
    """The last lines that there is room for.

    Files keep no times, so that all of stdout comes before all of stderr: then each gets its share.
    """
    stderr = [line for line in lines if line[0] == "stderr"]
    stdout = [line for line in lines if line[0] == "stdout"]
    if [*stdout, *stderr] != list(lines):
        return list(lines[len(lines) - min(room, len(lines)) :])
    share = min(len(stderr), max(room // 2, room - len(stdout)))
    rest = min(len(stdout), room - share)
    return stdout[len(stdout) - rest :] + stderr[len(stderr) - share :]


def _rule(title: str, columns: int, style: Style) -> str:
    line = "─" if style.bars else "-"
    text = fit(f"{line * 2} {title} ", columns)
    return style.paint(text + line * (columns - width(text)), DIM)
