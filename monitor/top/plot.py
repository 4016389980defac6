"""The chart of a series in characters: three hours of usage against its limit and band, refusals below it.

A cell of a curve holds 2 x 4 dots of Braille: https://www.unicode.org/charts/PDF/U2800.pdf
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import isfinite

import numpy as np
from rich.text import Text

from monitor.columns import Floats
from monitor.report import printable
from monitor.rings import WINDOW
from monitor.sparkline import REFUSED
from monitor.top.strokes import HOT, bare, spread
from monitor.units import amount
from monitor.web.chart import Chart, round_step
from rules.band import Zone

LABEL = 13  # cells left of the chart
FOOT = 3  # lines below it: refusals, times, and what all of it means
LEAST = 4  # lines of the chart, and cells of its width
ACROSS, DOWN = 2, 4  # dots of a cell
BLANK = 0x2800  # Braille without a dot
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # by column, from the top
USAGE, BOUND = "bold cyan", "dim cyan"
GRID = ("┈", "dim")
LINES = {  # what is drawn at a share of the limit, the last on top of the others
    "target band": ("┈", bare(Zone.WITHIN)),
    "critical from here": ("╌", bare(Zone.ABOVE)),
    "limit": ("─", bare(Zone.CRITICAL)),
}
HOUR, HALF_HOUR, ROOM = 60, 30, 90  # minutes between two marks of time; cells that have room for more of them

Cell = tuple[str, str]  # a character and its style


def plot(chart: Chart, width: int, height: int) -> Text:
    """The drawing, `height` lines of `width` cells; more, where that is too little to draw anything."""
    drawn = Plot(chart, max(width - LABEL, LEAST), max(height - FOOT, LEAST))
    lines = [*drawn.lines(), drawn.refusals(), drawn.times(), drawn.key()]
    return Text("\n", no_wrap=True).join(lines)


@dataclass(frozen=True)
class Plot:
    """A chart of so many cells."""

    chart: Chart
    columns: int
    rows: int

    @cached_property
    def limits(self) -> Floats:
        """The limit in each column; NaN where it is not known."""
        return spread(self.chart.course.limit, self.columns)

    @property
    def limited(self) -> bool:
        return bool(np.isfinite(self.limits).any())

    def row(self, value: float) -> int:
        return min(max(int((1 - value / self.chart.top) * self.rows), 0), self.rows - 1)

    def lines(self) -> Iterator[Text]:
        """From the top, each with its number where it has one."""
        cells, labels = self._cells(), self._labels()
        for row in range(self.rows):
            line = label(labels.get(row, ""))
            for character, style in (cells.get((row, column), (" ", "")) for column in range(self.columns)):
                line.append(character, style)
            yield line

    def _cells(self) -> Mapping[tuple[int, int], Cell]:
        cells: dict[tuple[int, int], Cell] = {}
        for name, value in self._marks():
            values = self.limits * value if name else np.full(self.columns, value)
            for column, at in enumerate(values.tolist()):
                if isfinite(at):
                    cells[self.row(at), column] = LINES.get(name, GRID)
        for curve, style in ((self.chart.course.at_most, BOUND), (self.chart.course.usage, USAGE)):
            cells |= {place: (chr(BLANK + dots), style) for place, dots in self._curve(curve).items()}
        return cells

    def _marks(self) -> Iterator[tuple[str, float]]:
        """Lines by what they are, each at a share of the limit; without a limit, at round numbers."""
        if not self.limited:
            step = round_step(self.chart.top)
            yield from (("", step * number) for number in range(1, int(self.chart.top / step) + 1))
            return
        band = self.chart.band
        for name, shares in zip(LINES, ((band.low, band.high), (band.critical,), (1.0,)), strict=True):
            yield from ((name, share) for share in shares)

    def _labels(self) -> Mapping[int, str]:
        unit, labels = self.chart.unit, {self.rows - 1: "0"}
        for name, value in self._marks():
            at = value * float(self.limits[-1]) if name else value
            if isfinite(at):
                labels[self.row(at)] = short(at, unit)
        return labels

    def _curve(self, values: Floats) -> Mapping[tuple[int, int], int]:
        """The dots in each cell of a curve, without gaps between neighbours that are known."""
        found: defaultdict[tuple[int, int], int] = defaultdict(int)
        lowest, before = self.rows * DOWN - 1, None
        for x, value in enumerate(spread(values, self.columns * ACROSS).tolist()):
            y = round((1 - value / self.chart.top) * lowest) if isfinite(value) else None
            for dot in between(before, y):
                found[dot // DOWN, x // ACROSS] |= DOTS[x % ACROSS][dot % DOWN]
            before = y
        return found

    def refusals(self) -> Text:
        """Where demand was refused, and where it is known that none was."""
        line = label("refused")
        told = spread(self.chart.course.saturation, self.columns).tolist()
        if not any(map(isfinite, told)):
            return line.append("not told", "dim")
        for refused in told:
            mark = (REFUSED, HOT) if refused > 0 else ("·" if refused == 0 else " ", "dim")
            line.append(*mark)
        return line

    def times(self) -> Text:
        """The time of day here, where it is round."""
        line = [" "] * (LABEL + self.columns + LEAST)
        course, step = self.chart.course, HALF_HOUR if self.columns > ROOM else HOUR
        for minute in range(-(-course.start // step) * step, course.end + 1, step):
            at = LABEL + int((minute - course.start) * self.columns / WINDOW)
            line[at : at + 5] = f"{datetime.fromtimestamp(minute * 60):%H:%M}"
        return Text("".join(line)[: LABEL + self.columns], "dim")

    def key(self) -> Text:
        """What is what."""
        known = dict(reversed(LINES.items())) if self.limited else {}
        drawn = {"usage": ("⠒", USAGE), **known, "demand refused": (REFUSED, HOT)}
        line = Text()
        for name, (character, style) in drawn.items():
            line.append(f" {character * 2}", style).append(f" {name}")
        return line


def label(text: str) -> Text:
    """What is left of a line; cut where no number that occurs is so long."""
    return Text.assemble((f"{printable(text)[: LABEL - 1]:>{LABEL - 1}}│", "dim"))


def between(before: int | None, y: int | None) -> range:
    """The dots of one column that lead to `y` from the column before."""
    if y is None:
        return range(0)
    if before is None or before == y:
        return range(y, y + 1)
    return range(before + 1, y + 1) if before < y else range(y, before)


def short(value: float, unit: str) -> str:
    """Without the words of a unit, which are told beside the chart."""
    told = amount(value, unit)
    return told if unit.startswith(("bytes", "milli", "percent")) else told.partition(" ")[0]
