"""The source of the newest sample of a series."""

from typing import Literal

import numpy as np

from monitor.fleet.fleet import Fleet, Series


def source_of(fleet: Fleet, series: Series) -> Literal["stream", "poll"] | None:
    """Return `stream` if the newest point of any metric was streamed, else `poll`; None without a point.

    The metrics are those of the usage, or of the throttled demand if the usage has no formula.
    """
    formula = fleet.usages.get(series.slot) or fleet.throttled.get(series.slot)
    if formula is None:
        return None
    rows = np.array(formula.rows)
    known = rows[~np.isnan(fleet.rings.latest_value[rows])]
    if not known.size:
        return None
    return "stream" if fleet.rings.by_stream[known].any() else "poll"
