"""Tables that are printed: in columns where the terminal is wide enough, else as a list of entries."""

from collections.abc import Collection, Iterable, Sequence
from typing import TextIO

from rich.console import Console
from rich.measure import Measurement
from rich.table import Column, Table
from rich.text import Text

PIPED_WIDTH = 2**20  # characters, more than any line has: without a terminal, no line is wrapped
GAP = 2  # characters between two columns

TableRows = Sequence[Sequence[Text]]


def console_of(out: TextIO) -> Console:
    """Return a console that writes to `out`; without a terminal, it wraps nothing."""
    return Console(file=out, highlight=False, soft_wrap=True, width=None if out.isatty() else PIPED_WIDTH)


def print_table(
    console: Console, columns: Sequence[str], rows: Iterable[Sequence[Text]], numeric: Collection[str] = ()
) -> None:
    """Print rows as a table; in a terminal too narrow for its longest words, as a list of entries.

    Nothing is left out: cells of the table that are too long for a line are wrapped between words.
    numeric: the columns that are aligned to the right, whose cells are not wrapped.
    """
    cells = [[*row] for row in rows]
    widths = _widths(console, columns, cells, numeric)
    if widths is None:
        _print_entries(console, columns, cells)
        return
    headers = [
        Column(name, justify="right" if name in numeric else "left", width=width)
        for name, width in zip(columns, widths, strict=True)
    ]
    table = Table(*headers, box=None, pad_edge=False, header_style="bold")
    for row in cells:
        table.add_row(*row)
    console.print(table)


def _widths(
    console: Console, columns: Sequence[str], rows: TableRows, numeric: Collection[str]
) -> list[int] | None:
    """Return the width of each column; None if the terminal cannot fit every column's longest word.

    A column is at least as wide as its longest word, and at most as wide as its longest cell.
    """
    min_widths, max_widths = [], []
    for index, name in enumerate(columns):
        header, *cells = (_measure(console, text) for text in (Text(name), *(row[index] for row in rows)))
        max_widths.append(max(cell.maximum for cell in (header, *cells)))
        longest_word = max((cell.maximum if name in numeric else cell.minimum for cell in cells), default=0)
        min_widths.append(max(header.minimum, longest_word))
    spare_width = console.width - GAP * (len(columns) - 1) - sum(min_widths)
    if spare_width < 0:
        return None
    missing_width = sum(max_widths) - sum(min_widths)
    share = 1.0 if missing_width <= spare_width else spare_width / missing_width
    return [low + int((high - low) * share) for low, high in zip(min_widths, max_widths, strict=True)]


def _measure(console: Console, text: Text) -> Measurement:
    return Measurement.get(console, console.options.update(width=PIPED_WIDTH), text)


def _print_entries(console: Console, columns: Sequence[str], rows: TableRows) -> None:
    """Print each row as lines of a column's name and the cell."""
    names = Column(style="dim", max_width=console.width // 2 - GAP)
    for row in rows:
        entry = Table(names.copy(), Column(overflow="fold"), box=None, show_header=False, pad_edge=False)
        for name, cell in zip(columns, row, strict=True):
            entry.add_row(name, cell)
        console.print(entry)
        console.print()
