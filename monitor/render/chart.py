"""The geometry of the chart of a series: usage, limit and target band over three hours."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, log10

import numpy as np

from monitor.fleet.history import SeriesHistory
from monitor.fleet.ring_columns import WINDOW
from rules.signals import Band
from rules.units import Unit, UnitKind

WIDTH, HEIGHT = 960, 260  # in user units of the SVG
NARROW_WIDTH = 400  # for small screens
LEFT, RIGHT, TOP, BOTTOM = 76, 12, 12, 28  # margins around the plot
PLOT_HEIGHT = HEIGHT - TOP - BOTTOM
GRID_LINES = 4  # the maximum number of grid lines; see `round_step`
MARGIN_ABOVE = 1.1  # the end of the axis, as a multiple of the highest value
MIN_TOP = 1e-9  # the end of the axis when all values are 0, as values are divided by the end of the axis

LimitSpans = Sequence[tuple[float, float, float]]  # x at which a limit begins, the width, and the limit


@dataclass(frozen=True, slots=True)
class Chart:
    """A chart: the history of a series, its target band, its unit, and the width in user units."""

    history: SeriesHistory
    band: Band
    unit: Unit
    width: int = WIDTH

    @property
    def plot_width(self) -> int:
        """The width between the margins."""
        return self.width - LEFT - RIGHT

    @property
    def top(self) -> float:
        """The value at the upper end of the axis."""
        values = np.concatenate([self.history.usage, self.history.upper_bound, self.history.limit])
        known_values = values[np.isfinite(values)]
        return max(float(known_values.max(initial=0.0)) * MARGIN_ABOVE, MIN_TOP)

    def x(self, minute: float) -> float:
        """Return the x coordinate of a minute."""
        return LEFT + self.plot_width * (minute - self.history.start) / (WINDOW - 1)

    def y(self, value: float) -> float:
        """Return the y coordinate of a value."""
        return TOP + PLOT_HEIGHT * (1 - value / self.top)


def round_step(top: float, lines: int = GRID_LINES) -> float:
    """Return the distance between at most `lines` grid lines up to `top`: 1, 2 or 5 times a power of ten."""
    min_step = top / lines
    power: float = 10.0 ** floor(log10(min_step))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= min_step)


def axis_label(value: float, unit: Unit) -> str:
    """Return an amount without the name of its unit, except units that scale the number (MiB, s, %)."""
    return unit.split(value)[0] if unit.kind is UnitKind.COUNT else unit.format(value)
