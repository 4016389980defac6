"""The drawings of the pages' lists: the gauge of a utilization, three hours as a line, the time to a limit.

Colours come from the style sheet, by class. Places are in percent, so that nothing but paths is stretched.
"""

from collections.abc import Iterator
from itertools import pairwise
from math import isfinite, log
from typing import Final

import numpy as np
from markupsafe import Markup

from monitor.fleet.columns import Flags, Floats
from monitor.fleet.reach import DAY_MINUTES, Reach
from rules.forecast import LIKELY
from rules.signals import Band

STEP: Final = 4  # minutes of one step of a line, which shows their highest value
WIDTH, BOTTOM, TOP = 100, 22, 2  # of a line, in user units; the limit is at TOP
MIN_TIME, MAX_TIME = 10, 14 * DAY_MINUTES  # minutes: the ends of the scale of times, which is logarithmic
MIN_WIDTH: Final = 2.5  # percent, of a range of times

GAUGE = Markup(
    '<svg class="gauge" aria-hidden="true"><rect class="track" width="100%" height="6" rx="1.5"/>'
    '<rect class="fill" width="{fill:.4g}%" height="6" rx="1.5"/>'
    '<rect class="goal" x="{low:.4g}%" y="8" width="{width:.4g}%" height="2"/></svg>'
)
SPARK = Markup(
    '<svg class="spark" viewBox="0 0 100 22" preserveAspectRatio="none" aria-hidden="true">'
    '{gaps}<path class="lim" d="M0 {limit:.3g}H100"/><path class="u" d="{line}"/>{throttled}</svg>'
)
RUNWAY = Markup('<svg class="runway" aria-hidden="true"><use href="#runway"/>{mark}</svg>')
NO_SAMPLE = Markup('<span class="mute">no sample</span>')


def gauge(utilization: float, band: Band) -> Markup:
    """Return a bar whose full width is the limit, with the target band below it."""
    low, high = min(band.low, 1.0) * WIDTH, min(band.high, 1.0) * WIDTH
    return GAUGE.format(fill=min(max(utilization, 0.0), 1.0) * WIDTH, low=low, width=high - low)


def spark(utilization: Floats, throttled: Floats) -> Markup:
    """Return the utilization of each minute as a line below the limit; words where no minute has any.

    Minutes without a sample are grey, those with throttled demand are marked at the bottom.
    """
    steps = np.fmax.reduce(utilization.reshape(-1, STEP), axis=1)
    known = np.isfinite(steps)
    if not known.any():
        return NO_SAMPLE
    top = max(1.0, float(steps[known].max()))
    width = WIDTH / steps.size
    ys = BOTTOM - 1 - (BOTTOM - 1 - TOP) * np.clip(steps, 0, None) / np.float32(top)
    marked = np.fmax.reduce(throttled.reshape(-1, STEP), axis=1) > 0
    return SPARK.format(
        limit=BOTTOM - 1 - (BOTTOM - 1 - TOP) / top,
        gaps=Markup("").join(_runs("gap", _inner_gaps(known), width, 0, BOTTOM)),
        line=" ".join(_line(ys, width)),
        throttled=Markup("").join(_runs("ref", marked, width, BOTTOM - 2, 2)),
    )


def _inner_gaps(known: Flags) -> Flags:
    """Return the unknown steps, without a last one, which is the delay of CloudWatch."""
    gaps = ~known
    gaps[-1] = gaps[-1] and bool(gaps[-2:].all())
    return gaps


def _line(ys: Floats, width: float) -> Iterator[str]:
    last, drawing = ys.size - 1, False
    for step, y in enumerate(ys.tolist()):
        if not isfinite(y):
            drawing = False
            continue
        x = f"{step * width:.4g}" if step < last else f"{WIDTH}"
        yield f"{'L' if drawing else 'M'}{x} {y:.3g}" + ("" if drawing else "h.5")
        drawing = True


def _runs(name: str, flags: Flags, width: float, y: float, height: float) -> Iterator[Markup]:
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))).tolist()
    for start, end in [*pairwise(edges)][::2]:
        yield Markup('<rect class="{}" x="{:.4g}" y="{:g}" width="{:.4g}" height="{:g}"/>').format(
            name, start * width, y, (end - start) * width, height
        )


def place(minutes: float) -> float:
    """Return where a time from now is on the scale of ten minutes to 14 days, in percent."""
    position = log(min(max(minutes, MIN_TIME), MAX_TIME) / MIN_TIME) / log(MAX_TIME / MIN_TIME)
    return round(position * 100, 1)


def runway(reach: Reach, now: int) -> Markup:
    """Return when a series reaches its limit, on the scale of times; pale if improbable. now: the minute."""
    if reach.is_reached:
        return RUNWAY.format(mark=Markup('<rect class="span" width="4" y="1" height="12" rx="1"/>'))
    if not reach.minutes:
        return RUNWAY.format(mark="")
    first, last = place(reach.minutes[0] - now), place(reach.minutes[-1] - now)
    mark = Markup('<rect class="{}" x="{}%" y="3" width="{:.4g}%" height="8" rx="2"/>').format(
        "span" if reach.probability[reach.horizon] >= LIKELY else "maybe",
        min(first, 100 - MIN_WIDTH),
        max(last - first, MIN_WIDTH),
    )
    return RUNWAY.format(mark=mark)
