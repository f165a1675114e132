"""Bars as SVG: one panel for each measurement, one bar for each tool. Nothing but text is needed."""

import statistics
from collections.abc import Mapping, Sequence
from html import escape

from report import Row, number

COLUMNS, PANEL, BAR, GAP, LABEL = 3, 320, 14, 5, 84
COLOURS = {"sentinel": "#1f6fb2", "supervisord": "#8c97a1"}
OTHER = "#c3cad0"


def text(
    x: float, y: float, words: str, *, size: int = 11, weight: str = "normal", anchor: str = "start"
) -> str:
    return (
        f'<text x="{x:g}" y="{y:g}" font-size="{size}" font-weight="{weight}" text-anchor="{anchor}">'
        f"{escape(words)}</text>"
    )


def panel(
    x: float, y: float, row: Row, found: Mapping[str, Sequence[float]], tools: Sequence[str]
) -> list[str]:
    unit = f" ({row.unit})" if row.unit else ""
    parts = [text(x, y + 12, row.title.replace("`", "") + unit, size=12, weight="bold")]
    medians = {name: statistics.median(found[name]) for name in tools if name in found}
    longest = max(medians.values(), default=0.0) or 1.0
    room = PANEL - LABEL - 70
    for index, name in enumerate(tools):
        top = y + 22 + index * (BAR + GAP)
        parts.append(text(x + LABEL - 8, top + BAR - 3, name, anchor="end"))
        if name not in medians:
            parts.append(text(x + LABEL, top + BAR - 3, "–"))
            continue
        width = max(1.0, medians[name] / longest * room)
        parts.append(
            f'<rect x="{x + LABEL:g}" y="{top:g}" width="{width:.1f}" height="{BAR}" '
            f'fill="{COLOURS.get(name, OTHER)}" rx="2"/>'
        )
        parts.append(text(x + LABEL + width + 5, top + BAR - 3, number(medians[name])))
    return parts


def svg(
    samples: Mapping[str, Mapping[str, Sequence[float]]], shown: Sequence[Row], tools: Sequence[str]
) -> str:
    chosen = [row for row in shown if row.plotted and any(name in samples.get(row.key, {}) for name in tools)]
    height = 34 + len(tools) * (BAR + GAP) + 16
    lines = -(-len(chosen) // COLUMNS)
    width, full = COLUMNS * PANEL + 40, lines * height + 40
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{full}" '
        f'viewBox="0 0 {width} {full}" '
        'font-family="Helvetica, Arial, sans-serif" fill="#222" role="img">',
        "<title>Medians of the benchmark; shorter is better</title>",
        f'<rect width="{width}" height="{full}" fill="#fff"/>',
    ]
    for index, row in enumerate(chosen):
        x, y = 20 + index % COLUMNS * PANEL, 24 + index // COLUMNS * height
        parts += panel(x, y, row, samples[row.key], tools)
    return "\n".join([*parts, "</svg>", ""])
