"""Small drawings as SVG: the bar of a utilization with its band, and the sparkline of three hours.

Pure: from numbers to markup. Colours come from the style sheet, by class.
"""

from collections.abc import Iterator
from math import isfinite

import numpy as np
from markupsafe import Markup

from monitor.columns import Flags, Floats
from monitor.units import percent
from rules.limits import Band

BUCKET = 3  # minutes that one step of a sparkline stands for: their highest
WIDTH, HEIGHT = 120, 28
FULL = 100  # the width of a bar at the limit

BAR = Markup(
    '<svg class="bar" viewBox="0 0 100 12" preserveAspectRatio="none" role="img" aria-label="{label}">'
    '<rect class="track" width="100" height="12"/>'
    '<rect class="fill {zone}" y="2" width="{fill:.1f}" height="8"/>'
    '<rect class="band" x="{low:.1f}" width="{width:.1f}" height="12"/></svg>'
)
SPARK = Markup(
    '<svg class="spark" viewBox="0 0 120 28" preserveAspectRatio="none" role="img" aria-label="{label}">'
    '<rect class="band" y="{top:.1f}" width="120" height="{height:.1f}"/>'
    '<path class="limit" d="M0 {limit:.1f}H120"/>'
    '<path class="line" d="{line}"/><path class="refused" d="{refused}"/></svg>'
)


def bar(utilization: float | None, band: Band, zone: str) -> Markup:
    """The utilization of the whole width, the limit; the band marked on it."""
    label = f"{percent(utilization)} of the limit, wanted {percent(band.low)} to {percent(band.high)}"
    low, high = min(band.low, 1.0) * FULL, min(band.high, 1.0) * FULL
    fill = min(utilization or 0.0, 1.0) * FULL
    return BAR.format(label=label, zone=zone, fill=fill, low=low, width=high - low)


def spark(utilization: Floats, saturation: Floats, band: Band) -> Markup:
    """Three hours of utilization against the limit, the band behind it, refusals marked at the foot."""
    steps = np.fmax.reduce(utilization.reshape(-1, BUCKET), axis=1)
    known = steps[np.isfinite(steps)]
    if not known.size:
        return Markup('<span class="muted">not known</span>')
    top = max(1.0, float(known.max())) * 1.08
    label = f"three hours: {percent(float(known.min()))} to {percent(float(known.max()))} of the limit"
    across = np.arange(steps.size, dtype=np.float32) * np.float32(WIDTH / steps.size)
    line = " ".join(path(across, HEIGHT - HEIGHT * np.minimum(steps, top) / np.float32(top)))
    refused = np.fmax.reduce(saturation.reshape(-1, BUCKET), axis=1) > 0
    return SPARK.format(
        label=label + (", with refusals" if refused.any() else ""),
        top=_down(band.high, top),
        height=_down(band.low, top) - _down(band.high, top),
        limit=_down(1.0, top),
        line=line,
        refused=" ".join(marks(refused, WIDTH / refused.size, HEIGHT)),
    )


def _down(ratio: float, top: float) -> float:
    return HEIGHT - HEIGHT * min(ratio, top) / top


def path(across: Floats, down: Floats) -> Iterator[str]:
    """The commands of a line through points, with gaps where one is not known."""
    drawing = False
    for x, y in zip(across.tolist(), down.tolist(), strict=True):
        known = isfinite(y)
        if known:
            yield f"{'L' if drawing else 'M'}{x:.4g} {y:.3g}" + ("" if drawing else "h1")
        drawing = known


def marks(flags: Flags, step: float, foot: float) -> Iterator[str]:
    """A stroke along the foot under each run of flags."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))).tolist()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        yield f"M{start * step:.4g} {foot - 1.5:.4g}H{end * step:.4g}"
