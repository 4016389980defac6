"""Small SVG drawings: the bar of a utilization with its target band, and the sparkline of three hours.

Colours come from the style sheet, by class.
"""

from collections.abc import Iterator
from math import isfinite

import numpy as np
from markupsafe import Markup

from monitor.lib.percent import format_percent
from rules.arrays import Flags, Floats
from rules.signals import Band

BUCKET = 3  # minutes per step of a sparkline; the step shows the highest value of these minutes
WIDTH, HEIGHT = 120, 28  # size of a sparkline in user units of the SVG, as in SPARKLINE
BAR_WIDTH = 100  # width of a bar in user units, as in BAR; the full width is the limit
MARGIN_ABOVE = 1.08  # the end of a sparkline's scale, as a multiple of the highest value

BAR = Markup(
    '<svg class="bar" viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label="{label}">'
    '<rect class="track" width="100" height="12"/>'
    '<rect class="fill {zone}" y="2" width="{fill:.1f}" height="8"/>'
    '<rect class="band" x="{low:.1f}" width="{width:.1f}" height="12"/></svg>'
)
SPARKLINE = Markup(
    '<svg class="sparkline" viewBox="0 0 120 28" preserveAspectRatio="none" role="img" aria-label="{label}">'
    '<rect class="band" y="{top:.1f}" width="120" height="{height:.1f}"/>'
    '<path class="limit" d="M0 {limit:.1f}H120"/>'
    '<path class="line" d="{line}"/><path class="throttled" d="{throttled}"/></svg>'
)


def utilization_bar(utilization: float | None, band: Band, zone: str) -> Markup:
    """Return a bar whose full width is the limit, with the target band marked. zone: the zone's word."""
    target = f"{format_percent(band.low)} to {format_percent(band.high)}"
    label = f"{format_percent(utilization)} of the limit, target {target}"
    low, high = min(band.low, 1.0) * BAR_WIDTH, min(band.high, 1.0) * BAR_WIDTH
    fill = min(utilization or 0.0, 1.0) * BAR_WIDTH
    return BAR.format(label=label, zone=zone, fill=fill, low=low, width=high - low)


def utilization_sparkline(utilization: Floats, throttled: Floats, band: Band) -> Markup:
    """Return the utilization of three hours as a line, in front of the target band.

    Throttled minutes are marked at the bottom.
    """
    steps = np.fmax.reduce(utilization.reshape(-1, BUCKET), axis=1)
    known_steps = steps[np.isfinite(steps)]
    if not known_steps.size:
        return Markup('<span class="muted">unknown</span>')
    top = max(1.0, float(known_steps.max())) * MARGIN_ABOVE
    lowest, highest = format_percent(float(known_steps.min())), format_percent(float(known_steps.max()))
    label = f"three hours: {lowest} to {highest} of the limit"
    xs = np.arange(steps.size, dtype=np.float32) * np.float32(WIDTH / steps.size)
    line = " ".join(line_path(xs, HEIGHT - HEIGHT * np.minimum(steps, top) / np.float32(top)))
    is_throttled = np.fmax.reduce(throttled.reshape(-1, BUCKET), axis=1) > 0
    return SPARKLINE.format(
        label=label + (", throttled at times" if is_throttled.any() else ""),
        top=_y(band.high, top),
        height=_y(band.low, top) - _y(band.high, top),
        limit=_y(1.0, top),
        line=line,
        throttled=" ".join(run_marks(is_throttled, step=WIDTH / is_throttled.size, bottom=HEIGHT)),
    )


def _y(ratio: float, top: float) -> float:
    """Return the y of a utilization. top: the utilization at the upper end of the scale."""
    return HEIGHT - HEIGHT * min(ratio, top) / top


def line_path(xs: Floats, ys: Floats) -> Iterator[str]:
    """Yield the path commands of a line through points, with gaps where y is NaN.

    A line begins with a stroke of one unit, so that a single point is visible.
    """
    continues = False
    for x, y in zip(xs.tolist(), ys.tolist(), strict=True):
        is_known = isfinite(y)
        if is_known:
            yield f"{'L' if continues else 'M'}{x:.4g} {y:.3g}" + ("" if continues else "h1")
        continues = is_known


def run_marks(flags: Flags, step: float, bottom: float) -> Iterator[str]:
    """Yield the path commands of a stroke at the bottom for each run of true flags.

    step: the width of one flag. bottom: the y of the lower edge.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))).tolist()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        yield f"M{start * step:.4g} {bottom - 1.5:.4g}H{end * step:.4g}"
