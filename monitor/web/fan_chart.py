"""The chart of a forecast as SVG: the last day, the fan of the next one, and when the limit is reached."""

from datetime import UTC, datetime
from itertools import pairwise
from math import ceil

import numpy as np
from markupsafe import Markup

from monitor.fleet.columns import Floats
from monitor.fleet.fan import Fan
from monitor.fleet.reach import Reach
from monitor.render.chart import HEIGHT, LEFT, MARGIN_ABOVE, MIN_TOP, NARROW_WIDTH, PLOT_HEIGHT, RIGHT, TOP
from monitor.render.svg import line_path
from monitor.web.chart import amount_lines
from rules.analogs import BIN_MINUTES
from rules.signals import Band
from rules.units import Unit

TICKS = 8  # of the time axis, about


class FanChart:
    """A chart of a fan. limit: in force; None if it is unknown. width: in user units."""

    def __init__(self, fan: Fan, reach: Reach, limit: float | None, band: Band, unit: Unit) -> None:
        self.fan, self.reach, self.limit, self.band, self.unit = fan, reach, limit, band, unit
        known = np.concatenate([fan.past, fan.ahead.ravel(), [self.limit or 0.0]])
        known = known[np.isfinite(known)]
        self.top = max(float(known.max(initial=0.0)) * MARGIN_ABOVE, MIN_TOP)
        self._span = fan.past.size * BIN_MINUTES

    def svg(self, width: int) -> Markup:
        """Return the drawing."""
        parts = [
            amount_lines(self.top, self.unit, width),
            self._ticks(width),
            self._limits(width),
            self._fan(width),
            self._past(width),
            self._reach(width),
        ]
        size = "small" if width == NARROW_WIDTH else "large"
        head = Markup('<svg class="chart {}" viewBox="0 0 {} {}" role="img" aria-label="{}">')
        return head.format(size, width, HEIGHT, self.label) + Markup("").join(parts) + Markup("</svg>")

    @property
    def label(self) -> str:
        """The drawing in words."""
        hours = self._span // 60
        ahead = self.reach.text(self.fan.now) or "no forecast"
        return f"Usage of the last {hours} hours and of the next {hours}, in {self.unit.name}: {ahead}"

    def _x(self, minute: float, width: int) -> float:
        start = self.fan.now - self._span
        return LEFT + (width - LEFT - RIGHT) * (minute - start) / (2 * self._span)

    def _y(self, value: float) -> float:
        return TOP + PLOT_HEIGHT * (1 - min(max(value, 0), self.top) / self.top)

    def _ticks(self, width: int) -> Markup:
        tick = Markup(
            '<path class="grid" d="M{x:.1f} {top}V{bottom}"/>'
            '<text class="axis" x="{x:.1f}" y="{y}" text-anchor="middle" data-time="{iso}">{clock}</text>'
        )
        hours = ceil(2 * self._span / 60 / (TICKS if width != NARROW_WIDTH else TICKS // 2))
        step, start = hours * 60, self.fan.now - self._span
        minutes = range(ceil(start / step) * step, self.fan.now + self._span + 1, step)
        ticks = []
        for minute in minutes:
            at = datetime.fromtimestamp(minute * 60, UTC)
            texts = {"iso": f"{at:%Y-%m-%dT%H:%MZ}", "clock": f"{at:%H:%M}"}
            x = self._x(minute, width)
            ticks.append(tick.format(x=x, top=TOP, bottom=TOP + PLOT_HEIGHT, y=HEIGHT - 9, **texts))
        now = Markup('<path class="now" d="M{:.1f} {}V{}"/>')
        return Markup("").join(ticks) + now.format(self._x(self.fan.now, width), TOP, TOP + PLOT_HEIGHT)

    def _limits(self, width: int) -> Markup:
        if not self.limit:
            return Markup("")
        right, line = width - RIGHT, Markup('<path class="{}" d="M{} {:.1f}H{}"/>')
        low, high = self._y(self.limit * self.band.low), self._y(self.limit * self.band.high)
        area = Markup('<rect class="band" x="{}" y="{:.1f}" width="{}" height="{:.1f}"/>')
        edges = (("limit", 1.0), ("near", self.band.near))
        lines = [line.format(name, LEFT, self._y(self.limit * edge), right) for name, edge in edges]
        return area.format(LEFT, high, right - LEFT, low - high) + Markup("").join(lines)

    def _fan(self, width: int) -> Markup:
        """Return the areas of eight and of five in ten, and the median."""
        lowest, low, middle, high, highest = self.fan.ahead
        area = Markup('<path class="{}" d="{}"/>')
        outlines = (
            ("fan", self._area(lowest, highest, width)),
            ("fan inner", self._area(low, high, width)),
        )
        drawn = [area.format(name, outline) for name, outline in outlines if outline]
        line = self._line(self.fan.now, middle, width)
        return Markup("").join(drawn) + (area.format("median", line) if line else Markup(""))

    def _area(self, low: Floats, high: Floats, width: int) -> str:
        """Return the outline between two edges, of each run of quarters that are known."""
        known = np.isfinite(low) & np.isfinite(high)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], known, [False]]).astype(np.int8)))
        return " ".join(
            self._outline(low[start:end], high[start:end], int(start), width)
            for start, end in pairwise(edges.tolist())
            if known[start]
        )

    def _outline(self, low: Floats, high: Floats, start: int, width: int) -> str:
        xs = [self._x(self.fan.now + (start + n + 0.5) * BIN_MINUTES, width) for n in range(low.size)]
        there = [f"{x:.1f} {self._y(value):.1f}" for x, value in zip(xs, high.tolist(), strict=True)]
        back = [f"{x:.1f} {self._y(value):.1f}" for x, value in zip(xs, low.tolist(), strict=True)]
        return "M" + "L".join([*there, *reversed(back)]) + "Z"

    def _past(self, width: int) -> Markup:
        line = self._line(self.fan.now - self._span, self.fan.past, width)
        return Markup('<path class="line" d="{}"/>').format(line) if line else Markup("")

    def _line(self, start: int, values: Floats, width: int) -> str:
        xs = [self._x(start + (n + 0.5) * BIN_MINUTES, width) for n in range(values.size)]
        ys = TOP + PLOT_HEIGHT * (1 - np.clip(values, 0, self.top) / self.top)
        return " ".join(line_path(np.array(xs, np.float32), ys.astype(np.float32)))

    def _reach(self, width: int) -> Markup:
        """Return the bar on the limit, or on the effective ceiling, of the times at which it is reached."""
        level = self.reach.ceiling or self.limit
        if not level or not self.reach.minutes or self.reach.is_reached:
            return Markup("")
        first, last = (min(max(one, self.fan.now), self.fan.now + self._span) for one in self._times)
        if first >= self.fan.now + self._span:
            return Markup("")
        bar = Markup('<path class="reach" d="M{:.1f} {:.1f}H{:.1f}"/>')
        begin, end = self._x(first, width), self._x(last, width)
        return bar.format(begin, self._y(level), max(end, begin + 3))

    @property
    def _times(self) -> tuple[int, int]:
        return self.reach.minutes[0], self.reach.minutes[-1]
