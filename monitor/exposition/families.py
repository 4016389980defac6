"""The exported metric families with one sample per series."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from monitor.exposition.labels import (
    LabelPairs,
    constant_label,
    no_labels,
    unit_and_source_labels,
    unit_labels,
)
from monitor.fleet.fleet import Series
from monitor.fleet.snapshot import Snapshot
from rules.arrays import Flags
from rules.band import Zone
from rules.forecast import QUANTILES
from rules.forecast_features import HORIZON_TEXTS, HORIZONS


class FamilyValues(NamedTuple):
    """The values of a family by slot, and whether each of them is exported.

    numpy's masked arrays would take a megabyte more memory.
    """

    values: npt.NDArray[Any]
    is_exported: Flags

    def part(self, slots: slice) -> "FamilyValues":
        """Return the values of some slots."""
        return FamilyValues(self.values[slots], self.is_exported[slots])


@dataclass(frozen=True, slots=True)
class Family:
    """An exported family with one sample per series, or a part of a family with several samples per series.

    values: the values by slot. labels: the labels of this family, which follow the labels of the series. The
    parts of a family follow each other, and have the same name and different labels.
    """

    name: str
    help: str
    values: Callable[[Snapshot], FamilyValues]
    labels: Callable[[Series], LabelPairs] = no_labels


def finite(values: npt.NDArray[Any], where: Flags | bool = True) -> FamilyValues:
    """Return the values; those that are finite, and whose flag is true, are exported."""
    return FamilyValues(values, np.isfinite(values) & where)


def timestamps(snapshot: Snapshot) -> FamilyValues:
    """Return the time of the newest sample of each series in epoch seconds, if it has a sample."""
    return FamilyValues(snapshot.minute.astype(np.int64) * 60, snapshot.minute >= 0)


def _reach_probability(snapshot: Snapshot, horizon_index: int) -> FamilyValues:
    return finite(snapshot.reach.probability[:, horizon_index])


def _reach_timestamps(snapshot: Snapshot, quantile_index: int) -> FamilyValues:
    minutes = snapshot.reach.minutes[:, quantile_index].astype(np.int64)
    return FamilyValues(minutes * 60, minutes >= 0)


def _reach_families() -> Iterator[Family]:
    """Yield the families of forecasts: one sample for each horizon, and one for each percentile."""
    for index, horizon in enumerate(HORIZONS):
        yield Family(
            "headroom_limit_reach_probability",
            "Probability that the limit is reached within the horizon; no sample before 2 days of history.",
            partial(_reach_probability, horizon_index=index),
            constant_label("horizon", HORIZON_TEXTS[horizon]),
        )
    for index, quantile in enumerate(QUANTILES):
        yield Family(
            "headroom_limit_reach_timestamp_seconds",
            "Percentile of the time when the limit is reached, in epoch seconds; no sample if improbable.",
            partial(_reach_timestamps, quantile_index=index),
            constant_label("percentile", f"{100 * quantile:g}"),
        )


FAMILIES = (
    Family(
        "headroom_usage",
        "Amount used in the minute of the newest sample, in the unit of the signal.",
        lambda snapshot: finite(snapshot.usage, where=~snapshot.bounded),
        unit_labels,
    ),
    Family(
        "headroom_usage_lower_bound",
        "Lower bound of the usage, where CloudWatch gives only bounds; "
        "the zone is the one that both bounds imply.",
        lambda snapshot: finite(snapshot.usage, where=snapshot.bounded),
        unit_labels,
    ),
    Family(
        "headroom_usage_upper_bound",
        "Upper bound of the usage, where CloudWatch gives only bounds; "
        "the zone is the one that both bounds imply.",
        lambda snapshot: finite(snapshot.upper_bound),
        unit_labels,
    ),
    Family(
        "headroom_limit",
        "Limit in force, in the unit of the signal, with its source.",
        lambda snapshot: finite(snapshot.limit),
        unit_and_source_labels,
    ),
    Family(
        "headroom_utilization_ratio",
        "Usage divided by the limit: 0.8 is 80 %; may exceed 1.",
        lambda snapshot: finite(snapshot.utilization),
    ),
    Family(
        "headroom_saturation",
        "Throttled or delayed demand, per second; no sample where AWS does not publish throttling.",
        lambda snapshot: finite(snapshot.saturation),
    ),
    Family(
        "headroom_zone",
        "Zone: below -1, within 0, above 1, near 2, saturated 3; no sample when stale or unobservable.",
        lambda snapshot: FamilyValues(snapshot.zone, snapshot.zone >= Zone.BELOW),
    ),
    Family(
        "headroom_idle",
        "1 when all series of a purchase are below their bands and not throttled; only for purchased limits.",
        lambda snapshot: FamilyValues(
            snapshot.idle.astype(np.int8), snapshot.paid & (snapshot.zone >= Zone.BELOW)
        ),
    ),
    Family(
        "headroom_seconds_to_exhaustion",
        "Seconds until a budget, such as burst credits, is exhausted at the rate of the last hour; no sample "
        "while it does not drain.",
        lambda snapshot: finite(snapshot.seconds_to_exhaustion),
    ),
    Family(
        "headroom_sample_timestamp_seconds",
        "Start of the minute of the newest sample in epoch seconds, unchanged when the series becomes stale.",
        timestamps,
    ),
    *_reach_families(),
    Family(
        "headroom_effective_ceiling",
        "Lowest usage at which demand was throttled in 14 days, if below the limit: an inferred ceiling.",
        lambda snapshot: finite(snapshot.reach.ceiling),
        unit_labels,
    ),
)
