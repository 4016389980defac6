"""Where the last sample of a series came from."""

from typing import Literal

import numpy as np

from monitor.fleet import Fleet, Series


def source_of(fleet: Fleet, series: Series) -> Literal["stream", "poll"] | None:
    """Of its metrics' newest points: `stream` when one of them streamed in; None when there is no point."""
    formula = fleet.usages.get(series.place)
    if formula is None:
        return None
    rows = np.array(formula.rows)
    known = rows[~np.isnan(fleet.rings.last[rows])]
    if not known.size:
        return None
    return "stream" if fleet.rings.by_stream[known].any() else "poll"
