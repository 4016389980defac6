"""The chart of a series as SVG: three hours of usage against its limit and band, refusals on the time axis.

Pure: from numbers to markup. Times are marked up so that the script can put them in the viewer's zone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from math import ceil, floor, log, log10

import numpy as np
from markupsafe import Markup

from monitor.columns import Floats
from monitor.course import Course
from monitor.rings import WINDOW
from monitor.strokes import marks, path
from monitor.units import amount
from rules.limits import Band

WIDTH, HEIGHT = 960, 260
NARROW = 400  # the width for small screens
LEFT, RIGHT, TOP, BOTTOM = 76, 12, 12, 28
DOWN = HEIGHT - TOP - BOTTOM
LINES = 4  # of the grid, about
HALF_HOUR = 30  # minutes between two marks of time
Stretches = Sequence[tuple[float, float, float]]  # where a limit begins, how wide it is, and the limit


@dataclass(frozen=True, slots=True)
class Chart:
    """What is drawn, and how wide."""

    course: Course
    band: Band
    unit: str
    width: int = WIDTH

    @property
    def across(self) -> int:
        return self.width - LEFT - RIGHT

    @property
    def top(self) -> float:
        """The highest number on the axis."""
        values = np.concatenate([self.course.usage, self.course.at_most, self.course.limit])
        known = values[np.isfinite(values)]
        return max(float(known.max(initial=0.0)) * 1.1, 1e-9)

    def x(self, minute: float) -> float:
        return LEFT + self.across * (minute - self.course.start) / (WINDOW - 1)

    def y(self, value: float) -> float:
        return TOP + DOWN * (1 - value / self.top)


def chart(drawn: Chart) -> Markup:
    """The drawing, with a title that says what it shows."""
    parts = [_grid(drawn), _times(drawn), _limits(drawn), _usage(drawn), _refused(drawn)]
    title = f"Usage in the last three hours, in {drawn.unit}"
    head = Markup('<svg class="chart {}" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    size = "small" if drawn.width == NARROW else "large"
    return head.format(size, drawn.width, HEIGHT, title) + Markup("").join(parts) + Markup("</svg>")


def round_step(top: float, lines: int = LINES) -> float:
    """A distance between grid lines that is 1, 2 or 5 times a power of ten."""
    rough = top / lines
    power: float = 10.0 ** floor(log10(rough))
    return next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough)


def _grid(drawn: Chart) -> Markup:
    size = _size(drawn)
    step = round_step(drawn.top / size) * size
    line = Markup(
        '<path class="grid" d="M{left} {y:.1f}H{right}"/>'
        '<text class="axis" x="{at}" y="{y:.1f}" dy=".35em" text-anchor="end">{label}</text>'
    )
    values = [number * step for number in range(ceil(drawn.top / step)) if number * step <= drawn.top]
    return Markup("").join(
        line.format(
            left=LEFT,
            right=drawn.width - RIGHT,
            at=LEFT - 8,
            y=drawn.y(value),
            label=_short(value, drawn.unit),
        )
        for value in values
    )


def _size(drawn: Chart) -> float:
    """What lines are at round numbers of: bytes are told in KiB, MiB and so on."""
    if not drawn.unit.startswith("bytes"):
        return 1.0
    return 1024.0 ** max(floor(log(drawn.top / LINES, 1024)), 0)


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
    stretches = _stretches(drawn)
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


def _stretches(drawn: Chart) -> Stretches:
    """Each limit that is known; a change is drawn at the minute from which on it is in force."""
    limit, start = drawn.course.limit, drawn.course.start
    changes = np.flatnonzero(np.diff(limit) != 0) + 1  # from NaN and to NaN as well
    edges = [0, *changes.tolist(), WINDOW - 1]
    return [
        (drawn.x(start + begin), drawn.x(start + end) - drawn.x(start + begin), float(limit[begin]))
        for begin, end in pairwise(edges)
        if end > begin and np.isfinite(limit[begin])
    ]


def _stairs(drawn: Chart, stretches: Stretches, ratio: float) -> str:
    steps = [f"{x:.1f} {drawn.y(limit * ratio):.1f}h{width:.1f}" for x, width, limit in stretches]
    return "M" + "L".join(steps)


def _usage(drawn: Chart) -> Markup:
    drawings = (("bound", drawn.course.at_most), ("line", drawn.course.usage))
    lines = [(name, _line(drawn, values)) for name, values in drawings]
    line = Markup('<path class="{}" d="{}"/>')
    return Markup("").join(line.format(name, told) for name, told in lines if told)


def _line(drawn: Chart, values: Floats) -> str:
    across = drawn.x(drawn.course.start) + np.arange(WINDOW) * (drawn.across / (WINDOW - 1))
    return " ".join(path(across.astype(np.float32), TOP + DOWN * (1 - values / drawn.top)))


def _refused(drawn: Chart) -> Markup:
    flags = drawn.course.saturation > 0
    group = Markup('<g transform="translate({} {})"><path class="refused" d="{}"/></g>')
    told = " ".join(marks(flags, drawn.across / (WINDOW - 1), 4))
    return group.format(LEFT, TOP + DOWN - 2, told) if told else Markup("")
