"""The page: Markdown tables of medians, spreads and ratios, with how they were come by."""

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from measures import Bench, Results

REFERENCE = "supervisord"


@dataclass(frozen=True, slots=True)
class Row:
    key: str
    title: str
    unit: str
    digits: int = 3  # significant ones
    plotted: bool = True


def rows(count: int) -> list[Row]:
    return [
        Row("crash", "Crash to running again", "ms"),
        Row("run", "Run one more process", "ms"),
        Row("up", f"{count} up at once", "ms"),
        Row("list", f"`list` of {count}, piped", "ms"),
        Row("json", f"`list` of {count}, as JSON", "ms", plotted=False),
        Row("terminal", f"`list` of {count}, on a terminal", "ms"),
        Row("status", "`status` of one", "ms"),
        Row("stop", "`stop` of one", "ms"),
        Row("start", "`start` of one", "ms", plotted=False),
        Row("stopall", f"`stopall`, {count}", "ms"),
        Row("startall", f"`startall`, {count}", "ms"),
        Row("memory-1", "Memory (PSS) with 1 process", "MB", plotted=False),
        Row("memory", f"Memory (PSS) with {count}", "MB"),
        Row("idle-cpu", f"Idle with {count}: CPU per second", "ms"),
        Row("idle-wakeups", f"Idle with {count}: wake-ups per second", ""),
        Row("log", "Logs: time to write", "s"),
        Row("log-cpu", "Logs: CPU of the supervisor", "s", plotted=False),
    ]


FACTS = [
    ("survived", "Processes that go on running"),
    ("copies", "Copies of one after the supervisor is started again"),
    ("status kept", "Exit status of one that ended meanwhile is known"),
    ("restarted again", "One that survived is restarted when it crashes later"),
    ("lines lost", "Lines of output lost"),
]


def number(value: float, digits: int = 3) -> str:
    if value == 0:
        return "0"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return (
        f"{value:.{digits - (2 if abs(value) >= 10 else 1)}f}"
        if abs(value) >= 1
        else f"{value:.{digits - 1}g}"
    )


def spread(samples: Sequence[float]) -> tuple[float, float]:
    """From the 10th to the 90th percentile; of few samples all of it."""
    if len(samples) < 5:
        return min(samples), max(samples)
    cuts = statistics.quantiles(samples, n=10, method="inclusive")
    return cuts[0], cuts[-1]


def cell(samples: Sequence[float], reference: float | None, digits: int) -> str:
    middle = statistics.median(samples)
    text = number(middle, digits)
    if len(samples) > 1:
        low, high = spread(samples)
        text += f" ({number(low, digits)}–{number(high, digits)})"
    if reference:
        text += f" · {number(middle / reference, 2)}×"
    return text


def table(header: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in (header, rule, *lines))


def numbers(results: Results, shown: Sequence[Row], columns: Sequence[str]) -> str:
    lines = []
    for row in shown:
        found = results.samples.get(row.key, {})
        if not any(name in found for name in columns):
            continue
        title = f"{row.title}, {row.unit}" if row.unit else row.title
        base = statistics.median(found[REFERENCE]) if REFERENCE in found else None
        lines.append(
            [
                title,
                *(
                    cell(found[name], None if name == REFERENCE else base, row.digits)
                    if name in found
                    else "–"
                    for name in columns
                ),
            ]
        )
    return table(["", *columns], lines)


def facts(results: Results) -> str:
    columns = list(dict.fromkeys(name for key, _ in FACTS for name in results.facts.get(key, {})))
    lines = [
        [title, *(results.facts.get(key, {}).get(name, "–") for name in columns)] for key, title in FACTS
    ]
    return table(["After `kill -9`", *columns], lines) if columns else ""


def floors(results: Results) -> str:
    crash = results.samples.get("crash", {}).get("shell loop")
    log = results.samples.get("log", {}).get("direct file")
    said = []
    if crash:
        said.append(f"a bare shell loop restarts in {cell(crash, None, 3)} ms")
    if log:
        said.append(f"the same lines go straight to a file in {cell(log, None, 3)} s")
    return f"Floors: {'; '.join(said)}." if said else ""


def machine(load: float) -> str:
    with open("/proc/cpuinfo") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    model = f" ({models[0]})" if models else ""
    kernel = platform.release().partition("-")[0]
    busy = f", load average {load:.1f} before it began"
    return f"{os.cpu_count()} cores{model}, Linux {kernel}, Python {platform.python_version()}{busy}"


PAGE = """\
# Benchmark

<!-- made by contrib/bench/bench.py: run it again instead of editing this -->

Sentinel's native backend beside other supervisors, measured in one run on one machine, taking turns
(`uv run python contrib/bench/bench.py --tools {names} --out docs/benchmark.md`).
Read the ratios: the times are the machine's.

Machine: {machine}. Versions: {versions}.

Each cell: median (10th to 90th percentile) · ratio to supervisord. Less is better everywhere.

{numbers}

{floors}

{plot}

{facts}

## How it is measured

- Each tool is installed in a directory of its own and asked through its own command line. In every round each has
  its turn, in random order, so that noise meets all alike.
- Set up: {kept}.
- Crash: SIGKILL of a process that was up for more than a second, until the first line of its next run.
- `run`, `start`, `stop` and the like: until the command has returned *and* the processes run or are gone.
- On a terminal: 120 columns.
- Memory, CPU time and wake-ups (voluntary context switches of all threads): of the supervisor's own processes
  ({processes}); PSS divides shared pages among those who share them.
- Logs: {megabytes:.0f} MB of lines of 100 bytes in writes of 64 KiB through one process, without rotation; what
  arrived is compared byte by byte: {lost}.
{problems}"""

KILLED = """\
## What a SIGKILL of the supervisor costs

Three processes: one that stays, one that ends with status 7 while nobody looks, one that writes numbered lines.

{table}"""


def page(bench: Bench, versions: dict[str, str], plot: str | None) -> str:
    results = bench.results
    columns = [tool.name for tool in bench.tools]
    lost = [name for name, values in results.samples.get("log-lost", {}).items() if any(values)]
    table_of_facts = facts(results)
    text = PAGE.format(
        names=",".join(columns),
        machine=machine(bench.load),
        versions=", ".join(f"{name} {versions[name]}" for name in columns),
        numbers=numbers(results, rows(bench.count), columns),
        floors=floors(results),
        plot=f"![The same as bars]({plot})" if plot else "",
        facts=KILLED.format(table=table_of_facts) if table_of_facts else "",
        kept="; ".join(f"{tool.name}: {tool.keeps}" for tool in bench.tools),
        processes=", ".join(f"{name}: {count}" for name, count in results.facts.get("processes", {}).items()),
        megabytes=bench.log_bytes / 1e6,
        lost=f"not the same with {', '.join(lost)}" if lost else "nothing was lost or torn",
        problems="".join(f"- Not measured, since it failed: {problem}\n" for problem in results.problems),
    )
    while "\n\n\n" in text:
        text = text.replace("\n\n\n", "\n\n")
    return text
