"""Utilization as bars and sparklines of characters."""

import numpy as np
from rich.text import Text

from monitor.fleet.history import SeriesHistory
from monitor.render.sparkline import THROTTLED, sparkline
from monitor.render.styles import STYLES
from rules.arrays import Floats
from rules.band import Zone
from rules.signals import Band

ERROR_STYLE = STYLES[Zone.SATURATED]
USED, USED_IN_BAND, FREE, FREE_IN_BAND = "█", "▓", "·", "░"
THROTTLED_STYLE = STYLES[Zone.NEAR]


def bar(utilization: float | None, band: Band | None, zone: Zone, width: int) -> Text:
    """Return a bar whose full width is the limit, with the target band marked if it is known."""
    used = round(min(utilization or 0.0, 1.0) * width)
    edges = (band.low, band.high) if band else (0.0, 0.0)
    low, high = (round(min(edge, 1.0) * width) for edge in edges)

    def characters(start: int, end: int, outside: str, inside: str) -> str:
        return "".join(inside if low <= column < high else outside for column in range(start, end))

    return Text.assemble(
        (characters(0, used, USED, USED_IN_BAND), foreground(zone)),
        (characters(used, width, FREE, FREE_IN_BAND), "dim"),
    )


def foreground(zone: Zone) -> str:
    """Return the style of a zone for graphics: its background colour if it has one, else its whole style."""
    return STYLES[zone].partition(" on ")[2] or STYLES[zone]


def sparkline_text(history: SeriesHistory, zone: Zone) -> Text:
    """Return the same sparkline as `headroom check` shows, in the colour of the zone."""
    text = Text(sparkline(history), foreground(zone))
    text.highlight_words([THROTTLED], THROTTLED_STYLE)
    return text


def downsample(values: Floats, buckets: int) -> Floats:
    """Return the highest value of each of `buckets` equal spans; NaN where all values of a span are NaN.

    If there are fewer values than spans, values are repeated.
    """
    edges = np.arange(buckets + 1) * values.size // buckets
    starts, ends = edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)
    highest = [np.fmax.reduce(values[start:end]) for start, end in zip(starts, ends, strict=True)]
    return np.array(highest, np.float32)
