"""The chart of a series as SVG: three hours of usage against its limit and band, refusals on the time axis.

Pure: from numbers to markup. Times are marked up so that the script can put them in the viewer's zone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil, floor, log10

import numpy as np
from markupsafe import Markup

from monitor.columns import Floats
from monitor.rings import WINDOW
from monitor.units import amount
from monitor.web.course import Course
from monitor.web.strokes import marks, path
from rules.limits import Band

WIDTH, HEIGHT = 960, 260
LEFT, RIGHT, TOP, BOTTOM = 76, 12, 12, 28
ACROSS, DOWN = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
LINES = 4  # of the grid, about
HALF_HOUR = 30  # minutes between two marks of time
Steps = Sequence[tuple[int, float]]  # from a minute on, the limit


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn. steps: the limit since a minute, ascending; none when it is not known."""

    course: Course
    steps: Steps
    band: Band
    unit: str

    @property
    def top(self) -> float:
        """The highest number on the axis."""
        values = np.concatenate([self.course.usage, self.course.at_most, [limit for _, limit in self.steps]])
        known = values[np.isfinite(values)]
        return max(float(known.max(initial=0.0)) * 1.1, 1e-9)

    def x(self, minute: float) -> float:
        return LEFT + ACROSS * (minute - self.course.start) / (WINDOW - 1)

    def y(self, value: float) -> float:
        return TOP + DOWN * (1 - value / self.top)


def chart(drawn: Chart) -> Markup:
    """The drawing, with a title that says what it shows."""
    parts = [_grid(drawn), _times(drawn), _limits(drawn), _usage(drawn), _refused(drawn)]
    title = f"Usage in the last three hours, in {drawn.unit}"
    head = Markup('<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    return head.format(WIDTH, HEIGHT, title) + Markup("").join(parts) + Markup("</svg>")


def round_step(top: float, lines: int = LINES) -> float:
    """A distance between grid lines that is 1, 2 or 5 times a power of ten."""
    rough = top / lines
    power: float = 10.0 ** floor(log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def _grid(drawn: Chart) -> Markup:
    step = round_step(drawn.top)
    line = Markup(
        '<path class="grid" d="M{left} {y:.1f}H{right}"/>'
        '<text class="axis" x="{at}" y="{y:.1f}" dy=".35em" text-anchor="end">{label}</text>'
    )
    values = [number * step for number in range(ceil(drawn.top / step)) if number * step <= drawn.top]
    return Markup("").join(
        line.format(
            left=LEFT, right=WIDTH - RIGHT, at=LEFT - 8, y=drawn.y(value), label=_short(value, drawn.unit)
        )
        for value in values
    )


def _short(value: float, unit: str) -> str:
    """Without the words of a unit, which the title tells."""
    told = amount(value, unit)
    return told if unit.startswith(("bytes", "milli", "percent")) else told.partition(" ")[0]


def _times(drawn: Chart) -> Markup:
    mark = Markup(
        '<path class="grid" d="M{x:.1f} {top}V{foot}"/>'
        '<text class="axis" x="{x:.1f}" y="{y}" text-anchor="middle" data-time="{iso}">{clock}</text>'
    )
    first = ceil(drawn.course.start / HALF_HOUR) * HALF_HOUR
    found = []
    for minute in range(first, drawn.course.end + 1, HALF_HOUR):
        at = datetime.fromtimestamp(minute * 60, UTC)
        told = {"iso": f"{at:%Y-%m-%dT%H:%MZ}", "clock": f"{at:%H:%M}"}
        found.append(mark.format(x=drawn.x(minute), top=TOP, foot=TOP + DOWN, y=HEIGHT - 9, **told))
    return Markup("").join(found)


def _limits(drawn: Chart) -> Markup:
    """The band as an area, the limit and the critical edge as lines; each with its steps."""
    stretches = list(_stretches(drawn))
    area = Markup('<rect class="band" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
    band = drawn.band
    areas = [
        area.format(
            x, drawn.y(limit * band.high), width, drawn.y(limit * band.low) - drawn.y(limit * band.high)
        )
        for x, width, limit in stretches
    ]
    lines = [
        Markup('<path class="{}" d="{}"/>').format(name, _stairs(drawn, stretches, ratio))
        for name, ratio in (("limit", 1.0), ("critical", band.critical))
        if stretches
    ]
    return Markup("").join(areas + lines)


def _stretches(drawn: Chart) -> Iterator[tuple[float, float, float]]:
    """Where each limit begins, how wide it is, and the limit."""
    starts = [max(minute, drawn.course.start) for minute, _ in drawn.steps]
    for (_, limit), start, end in zip(drawn.steps, starts, [*starts[1:], drawn.course.end], strict=False):
        if end > start:
            yield drawn.x(start), drawn.x(end) - drawn.x(start), limit


def _stairs(drawn: Chart, stretches: Sequence[tuple[float, float, float]], ratio: float) -> str:
    steps = [f"{x:.1f} {drawn.y(limit * ratio):.1f}h{width:.1f}" for x, width, limit in stretches]
    return "M" + "L".join(steps)


def _usage(drawn: Chart) -> Markup:
    drawings = (("bound", drawn.course.at_most), ("line", drawn.course.usage))
    lines = [(name, _line(drawn, values)) for name, values in drawings]
    line = Markup('<path class="{}" d="{}"/>')
    return Markup("").join(line.format(name, told) for name, told in lines if told)


def _line(drawn: Chart, values: Floats) -> str:
    across = drawn.x(drawn.course.start) + np.arange(WINDOW) * (ACROSS / (WINDOW - 1))
    return " ".join(path(across.astype(np.float32), TOP + DOWN * (1 - values / drawn.top)))


def _refused(drawn: Chart) -> Markup:
    flags = drawn.course.saturation > 0
    group = Markup('<g transform="translate({} {})"><path class="refused" d="{}"/></g>')
    told = " ".join(marks(flags, ACROSS / (WINDOW - 1), 4))
    return group.format(LEFT, TOP + DOWN - 2, told) if told else Markup("")
