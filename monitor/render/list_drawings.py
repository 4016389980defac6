"""Drawings in the pages' lists: a gauge of utilization, a line of three hours, the time to a limit.

Colours come from the style sheet, by class. Positions are in percent, so that only paths are stretched.
"""

from collections.abc import Iterator
from itertools import pairwise
from math import isfinite, log
from typing import Final, TypeVar

import numpy as np
from markupsafe import Markup

from monitor.fleet.reach import DAY_MINUTES, Reach
from rules.arrays import Flags, Floats
from rules.forecast import LIKELY
from rules.forecast_features import HORIZONS
from rules.signals import DEFAULT_BAND, Band

STEP: Final = 6  # minutes of one step of a line; the step shows the highest value of these minutes
BOTTOM, TOP = 44, 4  # y of a line, in user units of half a pixel; the limit is at TOP
MARK_HEIGHT: Final = 4  # height of the marks of throttled steps, in user units
WIDTH: Final = 100  # percent
MIN_TIME, MAX_TIME = 10, 14 * DAY_MINUTES  # minutes: the ends of the logarithmic scale of times
MIN_WIDTH: Final = 2.5  # percent; the minimum width of a range of times

# A hundred rows with three drawings each are most of a page, so the style sheet draws whatever is the same in
# all rows: the default band, the limit at TOP, the scale of times. The drawings have no accessible name, so
# that screen readers leave them out. The placeholders get numbers and markup of this module, which need no
# escaping.
GAUGE: Final = '<svg class="gauge"><rect width="{fill:.3g}%"/></svg>'
OWN_BAND_GAUGE: Final = (
    '<svg class="gauge own"><rect width="{fill:.3g}%"/><rect x="{low:.3g}%" width="{width:.3g}%"/></svg>'
)
SPARKLINE: Final = '<svg class="spark{over}">{gaps}{limit}<path class="u" d="{line}"/>{throttled}</svg>'
TIME_TO_LIMIT: Final = '<svg class="runway">{mark}</svg>'
AnyRatio = TypeVar("AnyRatio", float, Floats)
NO_SAMPLE = Markup('<span class="mute">no sample</span>')


def gauge(utilization: float, band: Band) -> Markup:
    """Return a bar whose full width is the limit, with the target band below it."""
    fill = min(max(utilization, 0.0), 1.0) * WIDTH
    if (band.low, band.high) == (DEFAULT_BAND.low, DEFAULT_BAND.high):
        return Markup(GAUGE.format(fill=fill))
    low, high = min(band.low, 1.0) * WIDTH, min(band.high, 1.0) * WIDTH
    return Markup(OWN_BAND_GAUGE.format(fill=fill, low=low, width=high - low))


def sparkline_drawing(utilization: Floats, throttled: Floats) -> Markup:
    """Return the utilization of three hours as a line, with the limit; NO_SAMPLE if no minute has a sample.

    Minutes without a sample are grey; minutes with throttled demand are marked at the bottom.
    """
    steps = np.fmax.reduce(utilization.reshape(-1, STEP), axis=1)
    is_known = np.isfinite(steps)
    if not is_known.any():
        return NO_SAMPLE
    top = max(1.0, float(steps[is_known].max()))
    ys = _y(np.clip(steps, 0, None), top)
    is_throttled = np.fmax.reduce(throttled.reshape(-1, STEP), axis=1) > 0
    return Markup(
        SPARKLINE.format(
            over=" over" if top > 1 else "",
            limit=f'<path d="M0 {_y(1.0, top):.0f}H{steps.size}"/>' if top > 1 else "",
            gaps=_runs("gap", _inner_gaps(is_known), BOTTOM // 2),
            line="".join(_line(ys)),
            throttled=_runs("ref", is_throttled, BOTTOM - MARK_HEIGHT // 2),
        )
    )


def _y(ratio: AnyRatio, top: float) -> AnyRatio:
    """Return the y of a utilization. top: the utilization at the upper end of the scale."""
    return (BOTTOM - MARK_HEIGHT) - (BOTTOM - MARK_HEIGHT - TOP) * (ratio / top)


def _inner_gaps(is_known: Flags) -> Flags:
    """Return the unknown steps, without the last step if the step before it is known.

    CloudWatch publishes late, so the last step alone may be unknown without a gap.
    """
    gaps = ~is_known
    gaps[-1] = gaps[-1] and bool(gaps[-2:].all())
    return gaps


def _line(ys: Floats) -> Iterator[str]:
    """Yield path commands, relative to the previous point; consecutive steps of equal height are one line.

    Unknown steps are NaN; the line is interrupted there.
    """
    last_height, last_step = 0, -1  # the previous point; step -1: there is none, so that a new line begins
    for step, y in enumerate(ys.tolist()):
        if not isfinite(y):
            last_step = -1
            continue
        height, is_last = round(y), step + 1 == ys.size or not isfinite(ys[step + 1])
        if last_step < 0:
            yield f"M{step} {height}l"
            last_height, last_step = height, step
        elif height != last_height:
            yield f"{step - last_step}{height - last_height:+d} ".replace("+", " ")
            last_height, last_step = height, step
        if is_last:
            yield f"{step + 1 - last_step} 0"


def _runs(css_class: str, flags: Flags, y: int) -> str:
    """Return a path with a line at `y` for each run of true flags; empty if no flag is true."""
    if not flags.any():
        return ""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))).tolist()
    lines = (f"M{start} {y}h{end - start}" for start, end in [*pairwise(edges)][::2])
    return f'<path class="{css_class}" d="{"".join(lines)}"/>'


def time_position(minutes: float) -> float:
    """Return the position of a duration on the scale from ten minutes to 14 days, in percent."""
    position = log(min(max(minutes, MIN_TIME), MAX_TIME) / MIN_TIME) / log(MAX_TIME / MIN_TIME)
    return round(position * 100, 1)


def time_to_limit(reach: Reach, now: int) -> Markup:
    """Return a mark on the scale of times for when the limit is reached, pale if that is improbable.

    now: the present minute.
    """
    if reach.is_reached:
        return Markup(TIME_TO_LIMIT.format(mark='<rect class="now"/>'))
    if not reach.minutes and not reach.is_possible:
        return Markup(TIME_TO_LIMIT.format(mark=""))
    if reach.minutes:
        earliest, latest = reach.minutes[0] - now, reach.minutes[-1] - now
    else:
        earliest, latest = 0, HORIZONS[reach.horizon_index]
    first, last = time_position(earliest), time_position(latest)
    start, width = min(first, 100 - MIN_WIDTH), max(last - first, MIN_WIDTH)
    css_class = "span" if reach.probability[reach.horizon_index] >= LIKELY else "maybe"
    mark = f'<rect class="{css_class}" x="{start}%" width="{width:.3g}%"/>'
    return Markup(TIME_TO_LIMIT.format(mark=mark))
