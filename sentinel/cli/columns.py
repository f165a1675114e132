"""Tables of plain text: padded for a pipe, fitted into the width of a terminal."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sentinel.cli.text import BOLD, coloured, escape, fit, has_colour, pad, terminal_size, width

if TYPE_CHECKING:
    from sentinel.cli.output import Output


class Column:
    """One column. `least` is how narrow it may become, `order` which is narrowed first; 0: never.

    `fair`: what it keeps until the others had to give as well.
    """

    __slots__ = ("fair", "least", "order", "right", "title")

    def __init__(self, title: str, *, right: bool = False, least: int = 0, order: int = 0, fair: int = 0) -> None:
        self.title = title
        self.right = right
        self.least = max(least, len(title))
        self.order = order
        self.fair = max(fair, self.least)


class Table:
    """Rows under titles; every cell is made harmless. `colours` are those of cells, by (row, column)."""

    def __init__(
        self, columns: Sequence[Column], rows: Sequence[Sequence[str]], colours: dict[tuple[int, int], str]
    ) -> None:
        self.columns = columns
        self.rows = [[escape(cell) for cell in row] for row in rows]
        self.colours = colours

    def lines(self, columns: int | None = None, *, colour: bool = False) -> list[str]:
        """The table, in at most so many columns of the terminal; None: as wide as it is."""
        widths = [
            max([len(column.title), *(width(row[at]) for row in self.rows)])
            for at, column in enumerate(self.columns)
        ]
        gap = 2 if columns is None else self._narrow(widths, columns)
        titles = [column.title for column in self.columns]
        head = self._row(titles, widths, gap, columns, [BOLD if colour else ""] * len(titles))
        return [head, *self._body(widths, gap, columns, colour)]

    def on(self, out: "Output") -> list[str]:
        """The table as it fits where it is printed."""
        columns = terminal_size(out.out)[0] if out.on_terminal else None
        return self.lines(columns, colour=has_colour(out.out))

    def _body(self, widths: list[int], gap: int, columns: int | None, colour: bool) -> list[str]:
        colours = self.colours if colour else {}
        return [
            self._row(row, widths, gap, columns, [colours.get((y, x), "") for x in range(len(row))])
            for y, row in enumerate(self.rows)
        ]

    def _narrow(self, widths: list[int], columns: int) -> int:
        """Take from the columns that may shrink, in their order, until all fits; the gap between them."""
        for gap in (2, 1):
            over = sum(widths) + gap * (len(widths) - 1) - columns
            for at, floor in self._steps():
                if over > 0:
                    taken = min(over, max(0, widths[at] - floor))
                    widths[at] -= taken
                    over -= taken
            if over <= 0:
                return gap
        return 1

    def _steps(self) -> Iterator[tuple[int, int]]:
        """(column, how narrow it may become in this step)"""
        order = sorted((at for at, column in enumerate(self.columns) if column.order), key=self._order)
        yield from ((at, self.columns[at].fair) for at in order if self.columns[at].fair > self.columns[at].least)
        yield from ((at, self.columns[at].least) for at in order)

    def _order(self, at: int) -> int:
        return self.columns[at].order

    def _row(
        self,
        cells: Sequence[str],
        widths: Sequence[int],
        gap: int,
        columns: int | None,
        colours: Sequence[str],
    ) -> str:
        parts: list[str] = []
        left = columns
        for at, (cell, wide, code) in enumerate(zip(cells, widths, colours, strict=True)):
            text = pad(fit(cell, wide), wide, right=self.columns[at].right)
            if at == len(cells) - 1:
                text = text.rstrip()
            if left is not None:
                text = fit(text, max(0, left))
                left -= width(text) + gap
            parts.append(coloured(text, code) if text else "")
            if left is not None and left <= 0:
                break
        return (" " * gap).join(parts).rstrip()
