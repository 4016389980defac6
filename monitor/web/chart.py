"""The chart of a series as SVG: usage, limits, throttled demand and the forecast on one axis of time.

Positions are in percent, so that text never stretches; only the SVG paths are in a box that stretches. Each
time has its instant in an attribute, so that the script can show it in the viewer's time zone.
"""

from datetime import UTC, datetime
from itertools import pairwise
from math import ceil, floor, isfinite, log, log10
from typing import Final, NamedTuple

import numpy as np
from markupsafe import Markup

from monitor.fleet.reach import Reach
from monitor.lib.percent import format_percent
from monitor.render.chart import axis_label
from monitor.render.text import format_rate
from monitor.web.chart_data import DAY, ChartData, LimitSpan
from rules.arrays import Floats
from rules.signals import Band, Signal
from rules.units import Unit, UnitKind

MARGIN_ABOVE: Final = 1.1  # the end of the axis, as a multiple of the highest value
MAX_AHEAD: Final = 2.0  # as a multiple of the highest usage or limit; a forecast above it is cut off
MIN_TOP: Final = 1e-9  # the end of the axis when all values are 0, so that nothing is divided by 0
MARKS: Final = 5  # approximate number of marks of an axis of amounts
ROUND_FACTORS: Final = (1, 2, 2.5, 5, 10)  # a round number is one of these times a power of ten
ALMOST: Final = 1 - 1e-9  # a factor that compensates rounding errors
LABEL_DISTANCE: Final = 5.5  # percent of the height between two labels
LABEL_ROOM: Final = 80.0  # percent of the width up to which a label may begin
MIN_GAP_WIDTH: Final = 5.5  # percent of the width; a narrower gap has no text
# Percent of the width; the text of a reach bar that begins further right ends at the bar's right end.
REACH_TEXT_ROOM: Final = 77.5
MIN_BAR_WIDTH, MIN_BAR_HEIGHT = 0.15, 2.0  # percent; a smaller bar could not be seen
MIN_REACH_WIDTH: Final = 0.4  # percent of the width
BAR_SPACE: Final = 0.05  # percent of the width between two bars
SMALL_TICKS: Final = 3  # a narrow window shows every third mark of the axis of time
FIELD, POINT = "~", "|"  # separators of `data-points`


class ChartLabel(NamedTuple):
    """A label beside the plot. name: its CSS class. y: the position of the labelled amount, in percent."""

    name: str
    y: float
    text: str


class UsageChart:
    """The chart of a range of a series. patience: minutes after which the newest sample is overdue."""

    def __init__(self, data: ChartData, signal: Signal, band: Band, reach: Reach, patience: int) -> None:
        self.data, self.signal, self.band, self.reach = data, signal, band, reach
        self.unit, self._patience = signal.unit, patience
        self.step, self.top = axis_of(self._highest, self.unit)
        rates = [span.rate for span in data.throttled if span.rate is not None]
        self.highest_rate = max(rates, default=0.0)

    @property
    def _highest(self) -> float:
        limits = np.array([span.limit for span in self.data.limits])
        past = np.concatenate([self.data.usage, self.data.upper_bound, limits, [self.reach.ceiling or 0.0]])
        highest = float(past[np.isfinite(past)].max(initial=0.0))
        ahead = self.data.forecast.quantiles[np.isfinite(self.data.forecast.quantiles)]
        max_ahead = MAX_AHEAD * highest if highest else np.inf
        return max(highest, min(float(ahead.max(initial=0.0)), max_ahead))

    @property
    def description(self) -> str:
        """The contents of the chart in words."""
        reach_text = self.reach.text(self.data.now)
        title = f"{self.signal.title} in the last {self.data.range.title}, {self.data.range.points}"
        return f"{title}{f'; {reach_text}' if reach_text else ''}. Arrow keys read single points."

    @property
    def now(self) -> Markup:
        """The position of the present minute, in percent of the width."""
        return _percent(self.x(self.data.now))

    def x(self, minute: float) -> float:
        """Return the position of a minute, in percent of the width."""
        return 100 * (minute - self.data.start) / (self.data.end - self.data.start)

    def y(self, value: float) -> float:
        """Return the position of an amount, in percent of the height from the top."""
        return 100 * (1 - min(max(value, 0.0), self.top) / self.top)

    def amounts(self) -> list[ChartLabel]:
        """Return the marks of the axis of amounts."""
        values = [number * self.step for number in range(round(self.top / self.step) + 1)]
        return [ChartLabel("", self.y(value), axis_label(value, self.unit)) for value in values]

    def labels(self) -> list[ChartLabel]:
        """Return the labels of the lines from the top, moved apart so that no label covers another."""
        limit, labels = self.data.limit_at(self.data.now), list[ChartLabel]()
        if self.reach.ceiling:
            labels.append(ChartLabel("ceiling", self.y(self.reach.ceiling), "ceiling"))
        if limit:
            near, middle = limit * self.band.near, limit * (self.band.low + self.band.high) / 2
            labels += [
                ChartLabel("key", self.y(limit), f"limit {axis_label(limit, self.unit)}"),
                ChartLabel("t-near", self.y(near), f"near {axis_label(near, self.unit)}"),
                ChartLabel("t-goal", self.y(middle), "target band"),
            ]
        return _move_apart(sorted(labels, key=lambda label: label.y))

    def ticks(self) -> Markup:
        """Return the marks of the axis of time."""
        is_days = self.data.range.tick >= DAY
        mark = Markup('<text{wide} x="{x}" y="16" text-anchor="middle" {name}="{iso}">{text}</text>')
        marks = []
        for number, minute in enumerate(self._tick_minutes()):
            at = datetime.fromtimestamp(minute * 60, UTC)
            marks.append(
                mark.format(
                    wide=Markup(' class="big-only"') if number % SMALL_TICKS else "",
                    x=_percent(self.x(minute)),
                    name="data-day" if is_days else "data-time",
                    iso=f"{at:%Y-%m-%dT%H:%MZ}",
                    text=f"{at:%-d %b}" if is_days else f"{at:%H:%M}",
                )
            )
        return Markup("").join(marks)

    def _tick_minutes(self) -> range:
        tick, margin = self.data.range.tick, (self.data.end - self.data.start) // 50  # 2 % on each side
        first = ceil((self.data.start + margin) / tick) * tick
        return range(first, self.data.end - margin, tick)

    def background(self) -> Markup:
        """Return the grid, the target band and the times without data."""
        rule = Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>')
        across = [rule.format("0", "100%", _percent(mark.y), _percent(mark.y)) for mark in self.amounts()]
        down = [
            rule.format(x, x, "0", "100%")
            for x in (_percent(self.x(minute)) for minute in self._tick_minutes())
        ]
        return Markup("").join([*self._bands(), *across, *down, self.gaps("no data")])

    def _bands(self) -> list[Markup]:
        area = Markup(
            '<rect class="goal" x="{x}" y="{y}" width="{w}" height="{h}"/>'
            '<line class="goal-edge" x1="{x}" x2="{end}" y1="{y}" y2="{y}"/>'
            '<line class="goal-edge" x1="{x}" x2="{end}" y1="{low}" y2="{low}"/>'
        )
        return [
            area.format(
                x=_percent(self.x(span.begin)),
                end=_percent(self.x(span.end)),
                w=_percent(self.x(span.end) - self.x(span.begin)),
                y=_percent(self.y(span.limit * self.band.high)),
                low=_percent(self.y(span.limit * self.band.low)),
                h=_percent(self.y(span.limit * self.band.low) - self.y(span.limit * self.band.high)),
            )
            for span in self.data.limits
        ]

    def gaps(self, words: str) -> Markup:
        """Return the times without data as hatched areas, with `words` in each area that is wide enough."""
        area = Markup('<rect class="gap" x="{}" width="{}" y="0" height="100%" fill="url(#hatch)"/>')
        text = Markup('<text class="big-only" x="{}" y="97%" text-anchor="middle">{}</text>')
        drawn = []
        for gap in self.data.gaps(self._patience):
            begin, end = self.x(gap.begin), self.x(gap.end)
            drawn.append(area.format(_percent(begin), _percent(end - begin)))
            if words and end - begin >= MIN_GAP_WIDTH:
                drawn.append(text.format(_percent((begin + end) / 2), words))
        return Markup("").join(drawn)

    def paths(self) -> Markup:
        """Return the curves, limits and forecast as paths in a box of 1000 x 1000, which stretches."""
        path, spans = Markup('<path class="{}" d="{}"/>'), self.data.limits
        near_spans = [span._replace(limit=span.limit * self.band.near) for span in spans]
        drawn = [
            *self._fan(),
            ("upper-bound", self._line(self.data.upper_bound)),
            ("near-line", self._steps(near_spans)),
            ("ceiling-line", self._ceiling()),
            ("limit assumed", self._steps([span for span in spans if span.is_assumed])),
            ("limit", self._steps([span for span in spans if not span.is_assumed])),
            ("usage", self._line(self.data.usage)),  # on top, so that usage at the limit is visible
        ]
        return Markup("").join(path.format(name, commands) for name, commands in drawn if commands)

    def _ceiling(self) -> str:
        """Return the line of the effective ceiling; empty if there is no ceiling."""
        return f"M0 {10 * self.y(self.reach.ceiling):.2f}H1000" if self.reach.ceiling else ""

    def _line(self, values: Floats) -> str:
        if not np.isfinite(values).any():
            return ""
        parts = []
        for indices in self.data.connected_runs():
            points = [
                f"{10 * self.x(float(self.data.minutes[index])):.2f} {10 * self.y(float(values[index])):.2f}"
                for index in indices
                if isfinite(values[index])
            ]
            if points:
                dot = "" if len(points) > 1 else "h2"  # a path of one point would not be drawn
                parts.append(f"M{'L'.join(points)}{dot}")
        return "".join(parts)

    def _steps(self, spans: list[LimitSpan]) -> str:
        commands, last = "", None
        for span in spans:
            begin, end, y = 10 * self.x(span.begin), 10 * self.x(span.end), 10 * self.y(span.limit)
            commands += f"{'L' if last == span.begin else 'M'}{begin:.2f} {y:.2f}H{end:.2f}"
            last = span.end
        return commands

    def _fan(self) -> list[tuple[str, str]]:
        """Return the areas of 8 and of 5 in 10 forecast paths, and the median, each as class and commands."""
        if not self.data.has_forecast:
            return []
        lowest, low, middle, high, highest = self.data.forecast.quantiles
        runs = _runs(np.isfinite(middle))
        outer = "".join(self._area(lowest, highest, *run) for run in runs)
        inner = "".join(self._area(low, high, *run) for run in runs)
        line = "".join(f"M{'L'.join(self._points(middle, *run))}" for run in runs)
        return [("fan", outer), ("fan in", inner), ("mid", line)]

    def _points(self, values: Floats, begin: int, end: int) -> list[str]:
        pairs = zip(self.data.forecast.minutes[begin:end].tolist(), values[begin:end].tolist(), strict=True)
        return [f"{10 * self.x(minute):.2f} {10 * self.y(value):.2f}" for minute, value in pairs]

    def _area(self, low: Floats, high: Floats, begin: int, end: int) -> str:
        upper_edge, lower_edge = self._points(high, begin, end), self._points(low, begin, end)[::-1]
        return f"M{'L'.join([*upper_edge, *lower_edge])}Z"

    def reach_bar(self) -> Markup:
        """Return the bar of the times at which the limit, or the effective ceiling, is reached."""
        level = self.reach.ceiling or self.data.limit_at(self.data.now)
        if not level or not self.reach.minutes or self.reach.is_reached:
            return Markup("")
        first, last = self.reach.minutes[0], self.reach.minutes[-1]
        begin, end = max(first, self.data.now), max(last, self.data.now)
        if begin >= self.data.end:
            return Markup("")
        bar = Markup(
            '<line class="reach" x1="{}" x2="{}" y1="{}" y2="{}"/>'
            '<text class="t-near halo" x="{}" y="{}" dy="-8" text-anchor="{}">8 of 10 paths</text>'
        )
        left, right, y = self.x(begin), min(self.x(end), 100), _percent(self.y(level))
        x, anchor = (right, "end") if left > REACH_TEXT_ROOM else (left, "start")
        return bar.format(
            _percent(left), _percent(max(right, left + MIN_REACH_WIDTH)), y, y, _percent(x), y, anchor
        )

    def throttled_bars(self) -> Markup:
        """Return throttled demand as bars as high as its amount; if that is unknown, as high as the chart."""
        bar = Markup('<rect class="refused" x="{}" width="{}" y="{}" height="{}"/>')
        bars = []
        for span in self.data.throttled:
            begin, end = max(self.x(span.begin), 0.0), min(self.x(span.end), self.x(self.data.now))
            if end < 0:
                continue
            is_known = span.rate is not None and self.highest_rate > 0
            height = 100 * (span.rate or 0.0) / self.highest_rate if is_known else 100.0
            width, height = max(end - begin - BAR_SPACE, MIN_BAR_WIDTH), max(height, MIN_BAR_HEIGHT)
            bars.append(bar.format(*map(_percent, (begin, width, 100 - height, height))))
        return Markup("").join(bars)

    def limit_changes(self) -> Markup:
        """Return the labels of the limit changes that are in the chart."""
        text = Markup('<text class="halo" x="{}" dx="6" y="{}" dy="{}">{} to {}</text>')
        drawn = []
        for before, after in pairwise(self.data.limits):
            if before.limit != after.limit and self.x(after.begin) < LABEL_ROOM:
                word, dy = ("raised", -8) if after.limit > before.limit else ("lowered", 16)
                at = _percent(self.x(after.begin)), _percent(self.y(after.limit))
                drawn.append(text.format(*at, dy, word, self.unit.format(after.limit)))
        return Markup("").join(drawn)

    def points(self) -> str:
        """Return the points for the script: each has its minute, the position of its amount, and texts.

        The texts of a past point: usage, limit, utilization, throttled demand; usage is empty without data.
        The texts of a forecast point: `f`, the median, and the range of 8 of 10 forecast paths.
        """
        past = (
            self._past_point(minute, value)
            for minute, value in zip(self.data.minutes.tolist(), self.data.usage.tolist(), strict=True)
        )
        ahead = (
            self._point_ahead(float(minute), self.data.forecast.quantiles[:, number])
            for number, minute in enumerate(self.data.forecast.minutes)
            if isfinite(self.data.forecast.quantiles[2, number])
        )
        return POINT.join(
            FIELD.join(_without_separators(text) for text in fields) for fields in (*past, *ahead)
        )

    def _past_point(self, minute: float, usage: float) -> list[str]:
        half, limit = self.data.range.step / 2, self.data.limit_at(minute)
        throttled_text = ""
        if self.signal.reports_throttling:
            throttled_text = _throttled_text(self.data.throttled_at(minute - half, minute + half))
        limit_text = self.unit.format(limit) if limit else ""
        if not isfinite(usage):
            return [f"{minute:.0f}", "", "", limit_text, "", throttled_text]
        utilization = format_percent(usage / limit) if limit else ""
        return [
            f"{minute:.0f}",
            f"{self.y(usage):.2f}",
            self.unit.format(usage),
            limit_text,
            utilization,
            throttled_text,
        ]

    def _point_ahead(self, minute: float, quantiles: Floats) -> list[str]:
        low, middle, high = (float(quantiles[number]) for number in (0, 2, 4))
        texts = self.unit.format(middle), f"{self.unit.format(low)} to {self.unit.format(high)}"
        return [f"{minute:.0f}", f"{self.y(middle):.2f}", "f", *texts]


def axis_of(highest: float, unit: Unit) -> tuple[float, float]:
    """Return the distance of the marks of an axis of amounts, and its end; both are round numbers."""
    top = max(highest * MARGIN_ABOVE, MIN_TOP)
    scale = 1.0
    if unit.kind is UnitKind.BYTES:  # marks are round numbers of KiB, MiB and so on
        scale = 1024.0 ** max(floor(log(top, 1024)), 0)
    rough_step = top / scale / MARKS
    power = 10.0 ** floor(log10(rough_step))
    step = next(factor * power for factor in ROUND_FACTORS if factor * power >= rough_step * ALMOST) * scale
    return step, ceil(top / step * ALMOST) * step


def _move_apart(labels: list[ChartLabel]) -> list[ChartLabel]:
    """Move down labels that would cover the label above; then move up labels that would leave the chart."""
    placed: list[ChartLabel] = []
    for label in labels:
        min_y = placed[-1].y + LABEL_DISTANCE if placed else 0.0
        placed.append(label._replace(y=max(label.y, min_y)))
    max_y = 100.0
    for number in range(len(placed) - 1, -1, -1):
        placed[number] = placed[number]._replace(y=min(placed[number].y, max_y))
        max_y = placed[number].y - LABEL_DISTANCE
    return placed


def _runs(flags: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> list[tuple[int, int]]:
    """Return the begin and the end of each run of true flags; the end is the first index after the run."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))).tolist()
    return list(zip(edges[::2], edges[1::2], strict=True))


def _throttled_text(rate: float | None) -> str:
    """Return throttled demand in words. rate: per second; None: demand was throttled by an unknown amount."""
    if rate is None:
        return "yes"
    return format_rate(rate) if rate else "none"


def _percent(value: float) -> Markup:
    return Markup(f"{value:.2f}".rstrip("0").rstrip(".") + "%")


def _without_separators(text: str) -> str:
    return text.replace(FIELD, " ").replace(POINT, " ")
