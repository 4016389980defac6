"""Small drawings of characters, which say without colours what they say with them."""

import numpy as np
from rich.text import Text

from monitor.columns import Floats
from monitor.course import Course
from monitor.report import STYLES
from monitor.sparkline import REFUSED, sparkline
from rules.band import Zone
from rules.limits import Band

USED, USED_IN_BAND, FREE, FREE_IN_BAND = "█", "▓", "·", "░"
HOT = STYLES[Zone.CRITICAL]  # what is refused


def bar(utilization: float | None, band: Band | None, zone: Zone, width: int) -> Text:
    """The utilization of the whole width, the limit; the band, once known, marked on it."""
    used = round(min(utilization or 0.0, 1.0) * width)
    low, high = (round(min(edge, 1.0) * width) for edge in ((band.low, band.high) if band else (0, 0)))
    cells = [((FREE, FREE_IN_BAND), (USED, USED_IN_BAND))[n < used][low <= n < high] for n in range(width)]
    return Text.assemble(("".join(cells[:used]), bare(zone)), ("".join(cells[used:]), "dim"))


def bare(zone: Zone) -> str:
    """The colour of a zone for what is drawn: its word's, without a background."""
    return STYLES[zone].partition(" on ")[2] or STYLES[zone]


def spark(course: Course, zone: Zone) -> Text:
    """The sparkline of `headroom check`."""
    drawn = Text(sparkline(course), bare(zone))
    drawn.highlight_words([REFUSED], HOT)
    return drawn


def spread(values: Floats, places: int) -> Floats:
    """The values of all minutes over some places: the highest of each, or one in several of them."""
    edges = np.arange(places + 1) * values.size // places
    starts, ends = edges[:-1], np.maximum(edges[1:], edges[:-1] + 1)
    highest = [np.fmax.reduce(values[start:end]) for start, end in zip(starts, ends, strict=True)]
    return np.array(highest, np.float32)
