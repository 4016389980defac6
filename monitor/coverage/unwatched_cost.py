"""The cost of watching a quota that has no series yet."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from collectors.base import Unobservable
from collectors.registry import Registry
from collectors.service_quotas.count_file import read_counts
from collectors.service_quotas.quota_list import ListedQuota
from collectors.service_quotas.usage_series import CALLS, LEVEL_PERIOD
from monitor.cost.bills import ProjectedCost, project
from monitor.cost.prices import LIST_PRICES, SECONDS_PER_MONTH, Prices
from monitor.lib.partitions import COMMERCIAL


@dataclass(frozen=True, slots=True)
class PollIntervals:
    """Seconds between two requests for a metric.

    shortest: for the metrics of a series near its limit. quiet: for the usage metrics of a series far below
    its limit. throttled: for the metrics of throttled demand of a series far below its limit.
    """

    shortest: float
    quiet: float
    throttled: float


@dataclass(frozen=True, slots=True)
class WatchingCost:
    """The cost of watching a quota for a month.

    monthly_dollars: by list price; None: unknown. note: what AWS charges, or why the cost is unknown.
    """

    monthly_dollars: float | None
    note: str = ""


NOTHING_TO_WATCH = WatchingCost(None)
NO_PRICES = "What CloudWatch charges in this partition is not known; `prices` in the configuration sets it."
NO_COST_DECLARED = "What AWS charges for this setting is not declared with the signal."


def cost_of_settings(reasons: Iterable[Unobservable], partition: str = COMMERCIAL) -> WatchingCost:
    """Return the cost of the AWS settings that make some series observable, each setting once.

    partition: the account's partition. Declared costs are dollars in the commercial partition.
    """
    costs = {reason.enable_command: reason.cost for reason in reasons if reason.enable_command}
    known_costs = [cost for cost in costs.values() if cost]
    note = " ".join(dict.fromkeys(f"{cost.text} ({cost.source}, {cost.read_on})" for cost in known_costs))
    if len(known_costs) < len(costs):
        return WatchingCost(None, note or NO_COST_DECLARED)
    if partition != COMMERCIAL:
        return WatchingCost(None, f"In the commercial regions: {note}" if note else "")
    amounts = [cost.monthly_dollars for cost in known_costs if cost.monthly_dollars is not None]
    return WatchingCost(sum(amounts) if len(amounts) == len(known_costs) else None, note)


def cost_without_series(
    listed: ListedQuota,
    signal_ids: Sequence[str],
    registry: Registry,
    intervals: PollIntervals,
    prices: Prices | None = LIST_PRICES,
) -> WatchingCost:
    """Return what it would cost to watch a quota that has no series.

    signal_ids: the ids of the quota's signals. prices: the account's prices; None: unknown. Calls cost
    nothing, and the usage is assumed to be far below the limit.
    """
    if signal_ids and not all(_needs_no_metric(registry, signal) for signal in signal_ids):
        return _cost_by_resource(intervals, prices)
    if not (signal_ids or listed.usage_metric or listed.quota in read_counts()):
        return NOTHING_TO_WATCH
    is_read_by_calls_alone = bool(signal_ids) or listed.quota in read_counts()
    metrics_by_interval = Counter[float]() if is_read_by_calls_alone else _polls_of_usage(listed, intervals)
    return cost_of_metrics(project(metrics_by_interval, 0, prices), prices)


def _polls_of_usage(listed: ListedQuota, intervals: PollIntervals) -> Counter[float]:
    """Return how many metrics are read at each interval, in seconds, for a quota with a usage metric."""
    # The metric of throttled calls is read, too.
    if listed.usage_metric and listed.usage_metric.name == CALLS:
        return Counter([intervals.quiet, intervals.throttled])
    return Counter([max(intervals.quiet, LEVEL_PERIOD)])


def cost_of_metrics(projected: ProjectedCost, prices: Prices | None) -> WatchingCost:
    """Return the cost of metrics at the prices of an account, in dollars or as a note."""
    requests, updates = projected.monthly_metrics_requested, projected.monthly_updates
    is_free = not requests and not updates
    if is_free or (prices and prices.is_in_dollars):
        return WatchingCost(projected.monthly_dollars)
    amount = prices and prices.amount(metrics=requests, updates=updates)
    if prices is None or amount is None:
        return WatchingCost(None, NO_PRICES)
    return WatchingCost(None, f"{prices.currency} {amount:,.2f} a month by list price.")


def _cost_by_resource(intervals: PollIntervals, prices: Prices | None) -> WatchingCost:
    """Return the cost, as a note, of a signal that reads a metric of each resource."""
    amount = prices and prices.amount(metrics=SECONDS_PER_MONTH / intervals.quiet)
    if prices is None or amount is None:
        return WatchingCost(None, NO_PRICES)
    price = f"${amount:.3g}" if prices.is_in_dollars else f"{prices.currency} {amount:.3g}"
    metric_price = f"a metric costs {price} a month while its usage is low"
    text = f"It depends on how many resources there are: {metric_price}."
    return WatchingCost(None, text)


@cache
def _needs_no_metric(registry: Registry, signal: str) -> bool:
    """Return whether a signal is read by calls only, without any metric."""
    service, name = signal.split(".", 1)
    (collector,) = registry.collectors_of({service})
    reduced_collector = collector.of_signals({name})
    return reduced_collector.signals == {name} and not reduced_collector.metrics
