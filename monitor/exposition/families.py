"""The exported metric families with one sample per series."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from monitor.exposition.labels import Labels, no_labels, unit_and_source_labels, unit_labels
from monitor.fleet.fleet import Series
from monitor.fleet.snapshot import Snapshot
from rules.band import Zone

MaskedValues = np.ma.MaskedArray[Any, np.dtype[Any]]  # by slot; a masked value is not exported


@dataclass(frozen=True, slots=True)
class Family:
    """An exported family with one sample per series.

    values: by slot. labels: the labels of this family, which follow those of the series.
    """

    name: str
    help: str
    values: Callable[[Snapshot], MaskedValues]
    labels: Callable[[Series], Labels] = no_labels


def finite(values: npt.NDArray[Any], masked: npt.NDArray[np.bool_] | bool = False) -> MaskedValues:
    """Mask the values that are not exported: NaN, infinity, and those that `masked` marks."""
    return np.ma.MaskedArray(values, mask=~np.isfinite(values) | masked)


def timestamps(snapshot: Snapshot) -> MaskedValues:
    """Return the epoch seconds of the newest samples, masked for series without one."""
    return np.ma.MaskedArray(snapshot.minute.astype(np.int64) * 60, mask=snapshot.minute < 0)


FAMILIES = (
    Family(
        "headroom_usage",
        "Amount used in the minute of the newest sample, in the unit of the signal.",
        lambda snapshot: finite(snapshot.usage, masked=snapshot.bounded),
        unit_labels,
    ),
    Family(
        "headroom_usage_lower_bound",
        "Lower bound of the usage, where CloudWatch only bounds it; the zone is what the bounds prove.",
        lambda snapshot: finite(snapshot.usage, masked=~snapshot.bounded),
        unit_labels,
    ),
    Family(
        "headroom_usage_upper_bound",
        "Upper bound of the usage, where CloudWatch only bounds it; the zone is what the bounds prove.",
        lambda snapshot: finite(snapshot.upper_bound),
        unit_labels,
    ),
    Family(
        "headroom_limit",
        "Limit in force, in the unit of the signal, and where it was read.",
        lambda snapshot: finite(snapshot.limit),
        unit_and_source_labels,
    ),
    Family(
        "headroom_utilization_ratio",
        "Usage divided by limit: 0.8 is 80 %; may exceed 1.",
        lambda snapshot: finite(snapshot.utilization),
    ),
    Family(
        "headroom_saturation",
        "Demand throttled or delayed, per second; no sample where AWS does not publish it.",
        lambda snapshot: finite(snapshot.saturation),
    ),
    Family(
        "headroom_zone",
        "Zone: below -1, within 0, above 1, near 2, saturated 3; no sample when stale or unobservable.",
        lambda snapshot: np.ma.MaskedArray(snapshot.zone, mask=snapshot.zone < Zone.BELOW),
    ),
    Family(
        "headroom_idle",
        "Purchased limits: 1 when all series of the purchase are below their bands and not throttled.",
        lambda snapshot: np.ma.MaskedArray(
            snapshot.idle.astype(np.int8), mask=~snapshot.paid | (snapshot.zone < Zone.BELOW)
        ),
    ),
    Family(
        "headroom_seconds_to_exhaustion",
        "Budgets that drain: time until the limit is reached at the present rate; no sample when it is not.",
        lambda snapshot: finite(snapshot.seconds_to_exhaustion),
    ),
    Family(
        "headroom_sample_timestamp_seconds",
        "Start of the minute of the newest sample in epoch seconds, unchanged when the series becomes stale.",
        timestamps,
    ),
)
