"""The drawings of the pages' lists: the gauge of a utilization, three hours as a line, the time to a limit.

Colours come from the style sheet, by class. Places are in percent, so that nothing but paths is stretched.
"""

from collections.abc import Iterator
from itertools import pairwise
from math import isfinite, log
from typing import Final, TypeVar

import numpy as np
from markupsafe import Markup

from monitor.fleet.columns import Flags, Floats
from monitor.fleet.reach import DAY_MINUTES, Reach
from rules.forecast import LIKELY
from rules.signals import Band

STEP: Final = 6  # minutes of one step of a line, which shows their highest value
BOTTOM, TOP = 44, 4  # of a line, in user units of half a pixel; the limit is at TOP
MARK_HEIGHT: Final = 4  # of throttled steps, in user units
WIDTH: Final = 100  # percent
MIN_TIME, MAX_TIME = 10, 14 * DAY_MINUTES  # minutes: the ends of the scale of times, which is logarithmic
MIN_WIDTH: Final = 2.5  # percent, of a range of times

# A hundred rows with three drawings each are most of a page, so the style sheet draws whatever is the same in
# all rows: the default band, the limit at TOP, the scale of times. Drawings without a text have no name, and
# screen readers leave them out. The placeholders are numbers and markup of this module: none needs escaping.
GAUGE: Final = '<svg class="gauge"><rect width="{fill:.3g}%"/></svg>'
OWN_BAND_GAUGE: Final = (
    '<svg class="gauge own"><rect width="{fill:.3g}%"/><rect x="{low:.3g}%" width="{width:.3g}%"/></svg>'
)
SPARK: Final = '<svg class="spark{over}">{gaps}{limit}<path class="u" d="{line}"/>{throttled}</svg>'
RUNWAY: Final = '<svg class="runway">{mark}</svg>'
DEFAULT_BAND: Final = Band()
AnyRatio = TypeVar("AnyRatio", float, Floats)
NO_SAMPLE = Markup('<span class="mute">no sample</span>')


def gauge(utilization: float, band: Band) -> Markup:
    """Return a bar whose full width is the limit, with the target band below it."""
    fill = min(max(utilization, 0.0), 1.0) * WIDTH
    if (band.low, band.high) == (DEFAULT_BAND.low, DEFAULT_BAND.high):
        return Markup(GAUGE.format(fill=fill))
    low, high = min(band.low, 1.0) * WIDTH, min(band.high, 1.0) * WIDTH
    return Markup(OWN_BAND_GAUGE.format(fill=fill, low=low, width=high - low))


def spark(utilization: Floats, throttled: Floats) -> Markup:
    """Return the utilization of each minute as a line below the limit; words where no minute has any.

    Minutes without a sample are grey, those with throttled demand are marked at the bottom.
    """
    steps = np.fmax.reduce(utilization.reshape(-1, STEP), axis=1)
    known = np.isfinite(steps)
    if not known.any():
        return NO_SAMPLE
    top = max(1.0, float(steps[known].max()))
    ys = _y(np.clip(steps, 0, None), top)
    marked = np.fmax.reduce(throttled.reshape(-1, STEP), axis=1) > 0
    return Markup(
        SPARK.format(
            over=" over" if top > 1 else "",
            limit=f'<path d="M0 {_y(1.0, top):.0f}H{steps.size}"/>' if top > 1 else "",
            gaps=_runs("gap", _inner_gaps(known), BOTTOM // 2),
            line="".join(_line(ys)),
            throttled=_runs("ref", marked, BOTTOM - MARK_HEIGHT // 2),
        )
    )


def _y(ratio: AnyRatio, top: float) -> AnyRatio:
    """Return where a utilization is. top: the highest one."""
    return (BOTTOM - MARK_HEIGHT) - (BOTTOM - MARK_HEIGHT - TOP) * (ratio / top)


def _inner_gaps(known: Flags) -> Flags:
    """Return the unknown steps, without a last one, which is the delay of CloudWatch."""
    gaps = ~known
    gaps[-1] = gaps[-1] and bool(gaps[-2:].all())
    return gaps


def _line(ys: Floats) -> Iterator[str]:
    """Yield path commands, each step to its end, relative to the one before; equal ones together."""
    before, drawn = 0, -1  # the height and the step of the last point; -1: none
    for step, y in enumerate(ys.tolist()):
        if not isfinite(y):
            drawn = -1
            continue
        height, is_last = round(y), step + 1 == ys.size or not isfinite(ys[step + 1])
        if drawn < 0:
            yield f"M{step} {height}l"
            before, drawn = height, step
        elif height != before:
            yield f"{step - drawn}{height - before:+d} ".replace("+", " ")
            before, drawn = height, step
        if is_last:
            yield f"{step + 1 - drawn} 0"


def _runs(name: str, flags: Flags, y: int) -> str:
    """Return a path of lines at a height, one for each run of steps; nothing where there is none."""
    if not flags.any():
        return ""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))).tolist()
    lines = (f"M{start} {y}h{end - start}" for start, end in [*pairwise(edges)][::2])
    return f'<path class="{name}" d="{"".join(lines)}"/>'


def place(minutes: float) -> float:
    """Return where a time from now is on the scale of ten minutes to 14 days, in percent."""
    position = log(min(max(minutes, MIN_TIME), MAX_TIME) / MIN_TIME) / log(MAX_TIME / MIN_TIME)
    return round(position * 100, 1)


def runway(reach: Reach, now: int) -> Markup:
    """Return when a series reaches its limit, on the scale of times; pale if improbable. now: the minute."""
    if reach.is_reached:
        return Markup(RUNWAY.format(mark='<rect class="now"/>'))
    if not reach.minutes:
        return Markup(RUNWAY.format(mark=""))
    first, last = place(reach.minutes[0] - now), place(reach.minutes[-1] - now)
    name, start = (
        "span" if reach.probability[reach.horizon] >= LIKELY else "maybe",
        min(first, 100 - MIN_WIDTH),
    )
    mark = f'<rect class="{name}" x="{start}%" width="{max(last - first, MIN_WIDTH):.3g}%"/>'
    return Markup(RUNWAY.format(mark=mark))
