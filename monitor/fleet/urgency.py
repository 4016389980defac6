"""The order of urgency: the worst zone first, then the highest utilization."""

import numpy as np
import numpy.typing as npt

from monitor.fleet.snapshot import Snapshot
from rules.arrays import Flags, Indices
from rules.band import Zone
from rules.forecast import LIKELY, MIN_PROBABILITY
from rules.forecast_features import HORIZONS

SortColumn = npt.NDArray[np.float64]

ZONE_SPACING = np.float32(10)  # between the scores of adjacent zones; utilization adds at most half of this


def urgency_key(zone: Zone, utilization: float | None) -> tuple[int, float]:
    """Return the sort key of one series, the most urgent first; an unknown utilization counts as 0."""
    return -zone, -(utilization or 0.0)


def urgency_columns(snapshot: Snapshot, slots: Indices, *, descending: bool = True) -> list[SortColumn]:
    """Return the columns to sort series by, the most significant first.

    Series whose utilization is unknown come last within their zone. In ascending order, stale and
    unobservable series come last as well.
    """
    zone = snapshot.zone[slots].astype(np.float64)
    utilization = snapshot.utilization[slots].astype(np.float64)
    if not descending:
        zone[zone < Zone.BELOW] *= -len(Zone)
    utilization[~(utilization >= 0)] = -np.inf if descending else np.inf
    return [zone, utilization]


def reach_columns(snapshot: Snapshot, slots: Indices, *, descending: bool = True) -> list[SortColumn]:
    """Return the columns that sort series by how soon they reach their limits, the most significant first.

    The first column ranks the shortest horizon within which a series is likely to reach its limit; the next
    columns are the probabilities by horizon. Series without a forecast come last.
    """
    probability = snapshot.reach.probability[slots].astype(np.float64)
    horizon_rank = np.where(probability >= LIKELY, np.arange(len(HORIZONS), 0, -1), 0).max(axis=1, initial=0)
    unknown = np.isnan(probability).any(axis=1)
    columns = [horizon_rank.astype(np.float64), *probability.T]
    for column in columns:
        column[unknown] = -np.inf if descending else np.inf
    return columns


def soonest_to_limit(snapshot: Snapshot, selected: Flags, max_count: int) -> list[int]:
    """Return at most `max_count` of the selected series that may reach their limits, the soonest first.

    Series at their limits are left out, and so are series that are unlikely to reach their limits.
    """
    probability = snapshot.reach.probability
    may_reach = selected & (probability[:, -1] >= MIN_PROBABILITY) & ~(probability[:, 0] >= 1)
    slots = np.flatnonzero(may_reach)
    order = np.lexsort((slots, *(-column for column in reach_columns(snapshot, slots)[::-1])))
    return [int(slot) for slot in slots[order[:max_count]]]


def most_urgent(snapshot: Snapshot, selected: Flags, max_count: int) -> list[int]:
    """Return the slots of at most `max_count` of the selected series, the most urgent first, ties by slot."""
    slots = np.flatnonzero(selected)
    if slots.size > max_count:  # sort only the series that can be among the first
        utilization_score = np.nan_to_num(snapshot.utilization[slots], nan=-1.0)
        score = snapshot.zone[slots] * ZONE_SPACING + np.minimum(utilization_score, ZONE_SPACING / 2)
        slots = slots[score >= np.partition(score, slots.size - max_count)[slots.size - max_count]]
    zone, utilization = urgency_columns(snapshot, slots)
    order = np.lexsort((slots, -utilization, -zone))[:max_count]
    return [int(slot) for slot in slots[order]]
