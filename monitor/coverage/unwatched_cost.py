"""The cost of watching a quota of which there is no series yet."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from collectors.registry import Registry
from collectors.service_quotas.count_file import read_counts
from collectors.service_quotas.quota_list import ListedQuota
from collectors.service_quotas.usage_series import CALLS, LEVEL_PERIOD
from monitor.cost.bills import project


@dataclass(frozen=True, slots=True)
class PollIntervals:
    """Seconds between two requests for a metric.

    shortest: for a series near its limit. quiet, throttled: far below it, for the metrics of its usage and of
    its throttled demand.
    """

    shortest: float
    quiet: float
    throttled: float


def dollars_without_series(
    listed: ListedQuota, declared: Sequence[str], registry: Registry, intervals: PollIntervals
) -> float | None:
    """Return US dollars of a month, by list price; None where it is not known how many metrics it takes.

    declared: the ids of its signals. Calls cost nothing, and a metric is taken to be quiet.
    """
    if declared:
        return 0.0 if all(_needs_no_metric(registry, signal) for signal in declared) else None
    if listed.quota in read_counts():
        return 0.0
    if not listed.usage:
        return None
    polled = Counter[float]()
    if listed.usage.name == CALLS:  # beside which the refused calls are read
        polled[intervals.quiet] += 1
        polled[intervals.throttled] += 1
    else:
        polled[max(intervals.quiet, LEVEL_PERIOD)] += 1
    return project(polled, 0).monthly_dollars


@cache
def _needs_no_metric(registry: Registry, signal: str) -> bool:
    """Return whether a signal is known to be read by calls alone."""
    service, name = signal.split(".", 1)
    (collector,) = registry.collectors_of({service})
    alone = collector.of_signals({name})
    return alone.signals == {name} and not alone.metrics
