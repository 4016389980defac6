"""Exports the planned delay until samples are read, and the number of metrics that are rarely requested."""

from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from prometheus_client import CollectorRegistry

from monitor.fleet.fleet import Fleet
from monitor.fleet.rings import Rings
from monitor.lib.telemetry import SnapshotGauge
from rules.arrays import Ints

QUANTILES = (0.5, 0.99, 1.0)
NOT_POLLED = -1


class PlanTelemetry:
    """Exports the planned delays, and the number of pruned metrics, of each account."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._delay = SnapshotGauge(
            "headroom_planned_delay_seconds",
            "Longest planned delay from a sample's publication to its read, by percentile of series.",
            ("account", "percentile"),  # Prometheus reserves `quantile` for summaries
        )
        self._pruned = SnapshotGauge(
            "headroom_pruned_metrics",
            "Metrics that are rarely requested because an aggregate of CloudWatch is 0 or low enough.",
            ("account",),
        )
        registry.register(self._delay)
        registry.register(self._pruned)

    def show(self, fleet: Fleet, poll_interval: float) -> None:
        """Export a fleet's planned delays and its pruned metrics. poll_interval: see `planned_delays`."""
        self._pruned.replace({(account,): float(number) for account, number in pruned_metrics(fleet).items()})
        delays = planned_delays(fleet, poll_interval)
        self._delay.replace(
            {
                (account, f"{100 * quantile:g}"): seconds
                for account, quantiles in delays.items()
                for quantile, seconds in quantiles.items()
            }
        )


def pruned_metrics(fleet: Fleet) -> Mapping[str, int]:
    """Return, by account, the number of metrics that are pruned or proven safe by a metric of the whole."""
    counts = Counter[str]()
    for cell in {group[:2] for group in fleet.groups}:
        rows = np.fromiter(fleet.metrics(cell).values(), np.int32)
        is_spared = fleet.rings.pruned[rows] | ~np.isnan(fleet.rings.safe_below[rows])
        counts[cell[0]] += int(np.count_nonzero(is_spared))
    return counts


def planned_delays(fleet: Fleet, poll_interval: float) -> Mapping[str, Mapping[float, float]]:
    """Return, by account, the quantiles of the longest planned delay of a series, in seconds.

    The longest delay of a series is the time between two of its reads. A series with several metrics is read
    when all its metrics are read. poll_interval: seconds between two polls, and the least delay.
    """
    minutes = np.full(fleet.size, NOT_POLLED, np.int32)
    for block in fleet.usages:
        minutes[block.slots] = minutes_between_reads(fleet.rings, block.rows).max(axis=0)
    index_by_account = {
        account: index for index, account in enumerate(sorted({group[0] for group in fleet.groups}))
    }
    account_by_group = np.array([index_by_account[group[0]] for group in fleet.groups], np.int32)
    polled = np.flatnonzero(minutes != NOT_POLLED)
    counts = np.zeros((len(index_by_account), minutes.max(initial=0) + 1), np.int64)
    np.add.at(counts, (account_by_group[fleet.group[polled]], minutes[polled]), 1)
    return {account: _quantiles(counts[index], poll_interval) for account, index in index_by_account.items()}


def minutes_between_reads(rings: Rings, rows: Ints) -> Ints:
    """Return the planned minutes between two reads of each metric.

    A metric that is proven safe by a metric of the whole has the minutes of the metric of the whole.
    """
    is_safe = ~np.isnan(rings.safe_below[rows])
    minutes: Ints = np.where(is_safe, rings.cadence[rings.whole[rows]], rings.cadence[rows])
    return minutes


def _quantiles(counts: npt.NDArray[np.int64], poll_interval: float) -> Mapping[float, float]:
    """Return the quantiles in seconds. counts: the number of series, by planned minutes."""
    series_within = np.cumsum(counts)
    if not series_within[-1]:
        return {}
    return {
        quantile: max(60.0 * int(np.searchsorted(series_within, quantile * series_within[-1])), poll_interval)
        for quantile in QUANTILES
    }
