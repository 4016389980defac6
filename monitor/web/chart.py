"""The chart of a series as SVG: three hours of usage against limit and target band, throttling at the bottom.

Times carry their instant in an attribute, so that the script can show them in the viewer's time zone.
"""

from datetime import UTC, datetime
from itertools import pairwise
from math import ceil, floor, log

import numpy as np
from markupsafe import Markup

from monitor.fleet.columns import Floats
from monitor.fleet.ring_columns import WINDOW
from monitor.render.chart import (
    GRID_LINES,
    HEIGHT,
    LEFT,
    NARROW_WIDTH,
    PLOT_HEIGHT,
    RIGHT,
    TOP,
    Chart,
    LimitSpans,
    axis_label,
    round_step,
)
from monitor.render.svg import line_path, run_marks
from rules.units import Unit, UnitKind

TICK_MINUTES = 30  # between two ticks of the time axis


def chart_svg(chart: Chart) -> Markup:
    """Return the drawing of a chart."""
    parts = [_grid(chart), _ticks(chart), _limits(chart), _usage(chart), _throttled(chart)]
    title = f"Usage in the last three hours, in {chart.unit.name}"
    head = Markup('<svg class="chart {}" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    size = "small" if chart.width == NARROW_WIDTH else "large"
    return head.format(size, chart.width, HEIGHT, title) + Markup("").join(parts) + Markup("</svg>")


def _grid(chart: Chart) -> Markup:
    return amount_lines(chart.top, chart.unit, chart.width)


def amount_lines(top: float, unit: Unit, width: int) -> Markup:
    """Return the horizontal lines of a chart, with their amounts. top: the end of the axis."""
    scale = _scale(top, unit)
    step = round_step(top / scale) * scale
    line = Markup(
        '<path class="grid" d="M{left} {y:.1f}H{right}"/>'
        '<text class="axis" x="{at}" y="{y:.1f}" dy=".35em" text-anchor="end">{label}</text>'
    )
    values = [number * step for number in range(ceil(top / step))]
    return Markup("").join(
        line.format(
            left=LEFT,
            right=width - RIGHT,
            at=LEFT - 8,
            y=TOP + PLOT_HEIGHT * (1 - value / top),
            label=axis_label(value, unit),
        )
        for value in values
    )


def _scale(top: float, unit: Unit) -> float:
    """Return the unit in which grid lines have round numbers: for bytes a power of 1024, else 1."""
    if unit.kind is not UnitKind.BYTES:
        return 1.0
    return 1024.0 ** max(floor(log(top / GRID_LINES, 1024)), 0)


def _ticks(chart: Chart) -> Markup:
    tick = Markup(
        '<path class="grid" d="M{x:.1f} {top}V{bottom}"/>'
        '<text class="axis" x="{x:.1f}" y="{y}" text-anchor="middle" data-time="{iso}">{clock}</text>'
    )
    first = ceil(chart.history.start / TICK_MINUTES) * TICK_MINUTES
    ticks = []
    for minute in range(first, chart.history.end + 1, TICK_MINUTES):
        at = datetime.fromtimestamp(minute * 60, UTC)
        texts = {"iso": f"{at:%Y-%m-%dT%H:%MZ}", "clock": f"{at:%H:%M}"}
        ticks.append(tick.format(x=chart.x(minute), top=TOP, bottom=TOP + PLOT_HEIGHT, y=HEIGHT - 9, **texts))
    return Markup("").join(ticks)


def _limits(chart: Chart) -> Markup:
    """Return the target band as areas, and the limit and the lower edge of zone `near` as stepped lines."""
    spans = _limit_spans(chart)
    area = Markup('<rect class="band" x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}"/>')
    band = chart.band
    edges = [(x, width, chart.y(limit * band.high), chart.y(limit * band.low)) for x, width, limit in spans]
    areas = [area.format(x, top, width, bottom - top) for x, width, top, bottom in edges]
    lines = [
        Markup('<path class="{}" d="{}"/>').format(name, _stepped_line(chart, spans, ratio))
        for name, ratio in (("limit", 1.0), ("near", band.near))
        if spans
    ]
    return Markup("").join(areas + lines)


def _limit_spans(chart: Chart) -> LimitSpans:
    """Return each known limit and where it was in force."""
    limit, start = chart.history.limit, chart.history.start
    changes = np.flatnonzero(np.diff(limit) != 0) + 1  # also where it becomes known or unknown
    edges = [0, *changes.tolist(), WINDOW - 1]
    return [
        (chart.x(start + begin), chart.x(start + end) - chart.x(start + begin), float(limit[begin]))
        for begin, end in pairwise(edges)
        if end > begin and np.isfinite(limit[begin])
    ]


def _stepped_line(chart: Chart, spans: LimitSpans, ratio: float) -> str:
    steps = [f"{x:.1f} {chart.y(limit * ratio):.1f}h{width:.1f}" for x, width, limit in spans]
    return "M" + "L".join(steps)


def _usage(chart: Chart) -> Markup:
    """Return the usage, and its upper bound where it has one, as lines."""
    values = (("bound", chart.history.upper_bound), ("line", chart.history.usage))
    lines = [(name, _line(chart, column)) for name, column in values]
    element = Markup('<path class="{}" d="{}"/>')
    return Markup("").join(element.format(name, commands) for name, commands in lines if commands)


def _line(chart: Chart, values: Floats) -> str:
    xs = chart.x(chart.history.start) + np.arange(WINDOW) * (chart.plot_width / (WINDOW - 1))
    return " ".join(line_path(xs.astype(np.float32), TOP + PLOT_HEIGHT * (1 - values / chart.top)))


def _throttled(chart: Chart) -> Markup:
    is_throttled = chart.history.throttled > 0
    group = Markup('<g transform="translate({} {})"><path class="throttled" d="{}"/></g>')
    commands = " ".join(run_marks(is_throttled, step=chart.plot_width / (WINDOW - 1), bottom=4))
    return group.format(LEFT, TOP + PLOT_HEIGHT - 2, commands) if commands else Markup("")
