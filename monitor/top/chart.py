"""The chart of a series in characters: three hours of usage, limit and target band, and throttled demand.

A character of a curve holds 2 x 4 dots of Braille: https://www.unicode.org/charts/PDF/U2800.pdf
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from math import ceil, isfinite

import numpy as np
from rich.text import Text

from monitor.fleet.ring_columns import WINDOW
from monitor.lib.text import escape_unprintable
from monitor.render.chart import Chart, axis_label, round_step
from monitor.render.sparkline import THROTTLED
from monitor.top.bars import THROTTLED_STYLE, downsample, foreground
from rules.arrays import Floats
from rules.band import Zone

LABEL_WIDTH = 13  # characters left of the chart
FOOTER_HEIGHT = 3  # lines below the chart: throttled demand, times, legend
MIN_SIZE = 4  # lines, and characters per line, of the chart itself
DOTS_ACROSS, DOTS_DOWN = 2, 4  # dots of a character
BLANK_BRAILLE = 0x2800  # Braille without a dot
DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))  # by column, from the top
USAGE_STYLE, BOUND_STYLE = "bold cyan", "dim cyan"
GRID_LINE = ("┈", "dim")
MARK_LINES = {  # characters and styles of lines at shares of the limit; later entries are drawn on top
    "target band": ("┈", foreground(Zone.WITHIN)),
    "near the limit": ("╌", foreground(Zone.ABOVE)),
    "limit": ("─", foreground(Zone.NEAR)),
}
HOUR, HALF_HOUR = 60, 30  # minutes between two time marks
WIDE = 90  # characters: a wider chart has a mark every half hour

StyledCharacter = tuple[str, str]  # a character and its style
BLANK: StyledCharacter = (" ", "")
Position = tuple[int, int]  # row and column of a character


def plot(chart: Chart, width: int, height: int) -> Text:
    """Return the chart in `height` lines of `width` characters, or in the minimum size if that is larger."""
    drawn = TextChart(chart, max(width - LABEL_WIDTH, MIN_SIZE), max(height - FOOTER_HEIGHT, MIN_SIZE))
    lines = [*drawn.chart_lines(), drawn.throttled_line(), drawn.time_line(), drawn.legend_line()]
    return Text("\n", no_wrap=True).join(lines)


@dataclass(frozen=True)
class TextChart:
    """A chart of `rows` lines of `columns` characters."""

    chart: Chart
    columns: int
    rows: int

    @cached_property
    def limits(self) -> Floats:
        """The limit in each column; NaN where it is unknown."""
        return downsample(self.chart.history.limit, self.columns)

    @property
    def has_limit(self) -> bool:
        """True if the limit is known in any column."""
        return bool(np.isfinite(self.limits).any())

    def row(self, value: float) -> int:
        """Return the line that shows a value; 0 is the top."""
        return min(max(int((1 - value / self.chart.top) * self.rows), 0), self.rows - 1)

    def chart_lines(self) -> Iterator[Text]:
        """Yield the lines from the top, each with its label if it has one."""
        characters, labels = self._characters(), self._labels()
        for row in range(self.rows):
            line = label_text(labels.get(row, ""))
            for column in range(self.columns):
                line.append(*characters.get((row, column), BLANK))
            yield line

    def _characters(self) -> Mapping[Position, StyledCharacter]:
        """Return the characters that are not blank: the curves, and the lines behind them."""
        characters: dict[Position, StyledCharacter] = {}
        for line_character, values in self._lines():
            for column, value in enumerate(values.tolist()):
                if isfinite(value):
                    characters[self.row(value), column] = line_character
        for curve, style in (
            (self.chart.history.upper_bound, BOUND_STYLE),
            (self.chart.history.usage, USAGE_STYLE),
        ):
            for position, dots in self._curve(curve).items():
                characters[position] = chr(BLANK_BRAILLE + dots), style
        return characters

    def _lines(self) -> Iterator[tuple[StyledCharacter, Floats]]:
        """Yield each line behind the curves: its character and style, and its value in each column.

        The lines are at shares of the limit; without a limit, at round values.
        """
        if not self.has_limit:
            step = round_step(self.chart.top)
            for number in range(1, int(self.chart.top / step) + 1):
                yield GRID_LINE, np.full(self.columns, step * number, np.float32)
            return
        band = self.chart.band
        shares_by_mark = (band.low, band.high), (band.near,), (1.0,)  # in the order of MARK_LINES
        for mark, shares in zip(MARK_LINES.values(), shares_by_mark, strict=True):
            yield from ((mark, self.limits * share) for share in shares)

    def _labels(self) -> Mapping[int, str]:
        """Return the labels by row: 0, and the newest value of each line."""
        unit, labels = self.chart.unit, {self.rows - 1: "0"}
        for _, values in self._lines():
            newest = float(values[-1])
            if isfinite(newest):
                labels[self.row(newest)] = axis_label(newest, unit)
        return labels

    def _curve(self, values: Floats) -> Mapping[Position, int]:
        """Return the dots of each character of a curve; neighbouring known values are connected."""
        dots_at: defaultdict[Position, int] = defaultdict(int)
        bottom, previous = self.rows * DOTS_DOWN - 1, None
        for x, value in enumerate(downsample(values, self.columns * DOTS_ACROSS).tolist()):
            y = round((1 - value / self.chart.top) * bottom) if isfinite(value) else None
            for dot in dots_between(previous, y):
                dots_at[dot // DOTS_DOWN, x // DOTS_ACROSS] |= DOTS[x % DOTS_ACROSS][dot % DOTS_DOWN]
            previous = y
        return dots_at

    def throttled_line(self) -> Text:
        """Return the line that marks columns with throttled demand, and columns known to have none."""
        line = label_text("throttled")
        rates = downsample(self.chart.history.throttled, self.columns).tolist()
        if not any(map(isfinite, rates)):
            return line.append("not reported", "dim")
        for rate in rates:
            if rate > 0:
                line.append(THROTTLED, THROTTLED_STYLE)
            else:
                line.append("·" if rate == 0 else " ", "dim")
        return line

    def time_line(self) -> Text:
        """Return the line of local times, one at each full hour or half hour."""
        line = [" "] * (LABEL_WIDTH + self.columns + MIN_SIZE)
        history, step = self.chart.history, HALF_HOUR if self.columns > WIDE else HOUR
        for minute in range(ceil(history.start / step) * step, history.end + 1, step):
            at = LABEL_WIDTH + int((minute - history.start) * self.columns / WINDOW)
            time_of_day = f"{datetime.fromtimestamp(minute * 60):%H:%M}"
            line[at : at + len(time_of_day)] = time_of_day
        return Text("".join(line)[: LABEL_WIDTH + self.columns], "dim")

    def legend_line(self) -> Text:
        """Return the legend."""
        marks = dict(reversed(MARK_LINES.items())) if self.has_limit else {}
        symbols = {"usage": ("⠒", USAGE_STYLE), **marks, "throttled": (THROTTLED, THROTTLED_STYLE)}
        line = Text()
        for name, (character, style) in symbols.items():
            line.append(f" {character * 2}", style).append(f" {name}")
        return line


def label_text(text: str) -> Text:
    """Return the label of a line, right-aligned and truncated to LABEL_WIDTH."""
    return Text.assemble((f"{escape_unprintable(text)[: LABEL_WIDTH - 1]:>{LABEL_WIDTH - 1}}│", "dim"))


def dots_between(previous: int | None, y: int | None) -> range:
    """Return the dots of a column that connect `y` with `previous`, the dot of the column to the left."""
    if y is None:
        return range(0)
    if previous is None or previous == y:
        return range(y, y + 1)
    return range(previous + 1, y + 1) if previous < y else range(y, previous)
