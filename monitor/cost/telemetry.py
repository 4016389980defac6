"""The cost of monitoring so far, derived from the counters of what AWS bills."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from monitor.aws.telemetry import SERVICE_LABELS, AwsTelemetry
from monitor.cost.prices import SECONDS_PER_HOUR, SECONDS_PER_MONTH, AccountPrices, PriceTable

LabelValues = tuple[str, ...]  # a service; or an account and a region; or all three


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCost:
    """The numbers of metrics requested, of calls of ListMetrics and of updates streamed, and their cost.

    dollars: the cost of all that is billed in US dollars at known prices. since: the epoch second at
    which counting began; None if nothing was counted.
    """

    requested: float = 0.0
    listings: float = 0.0
    updates: float = 0.0
    dollars: float = 0.0
    since: float | None = None

    def monthly_dollars_at(self, now: float) -> float | None:
        """Return the dollars a month at the rate so far; None during the first hour. now: an epoch second."""
        seconds = self.measured_seconds(now)
        return None if seconds is None else self.dollars / seconds * SECONDS_PER_MONTH

    def measured_seconds(self, now: float) -> float | None:
        """Return the seconds from `since` until `now`, an epoch second; None during the first hour."""
        seconds = now - self.since if self.since else 0.0
        return seconds if seconds >= SECONDS_PER_HOUR else None

    def __add__(self, other: "MeasuredCost") -> "MeasuredCost":
        return MeasuredCost(
            requested=self.requested + other.requested,
            listings=self.listings + other.listings,
            updates=self.updates + other.updates,
            dollars=self.dollars + other.dollars,
            since=min(filter(None, (self.since, other.since)), default=None),
        )


class CostTelemetry(Collector):
    """Exports the estimated cost of the metrics requested, of ListMetrics and of the updates streamed.

    The family omits accounts that are not billed in dollars, or whose prices are unknown. All counters have
    the labels SERVICE_LABELS.

    aws: the counters of requests, and the partitions of accounts. updates: the counter of streamed updates;
    None if nothing is streamed. prices: the prices that accounts pay.
    """

    def __init__(
        self,
        registry: CollectorRegistry,
        aws: AwsTelemetry,
        updates: Counter | None = None,
    ) -> None:
        self._requested, self._listings, self._updates = aws.metrics_requested, aws.metric_listings, updates
        self.prices = AccountPrices(partitions=aws.partitions)
        # Counts and dollars at the last change of prices.
        self._at_price_change: Mapping[LabelValues, MeasuredCost] = {}
        registry.register(self)

    def set_prices(self, table: PriceTable) -> None:
        """Change the prices of all that is counted from now on."""
        if table != self.prices.table:
            self._at_price_change, self.prices = self.measured(), replace(self.prices, table=table)

    def measured(self) -> Mapping[LabelValues, MeasuredCost]:
        """Return the counts and their cost by account, region and service."""
        costs: dict[LabelValues, MeasuredCost] = {}
        for labels, value, since in _samples(self._requested):
            costs[labels] = MeasuredCost(requested=value, since=since)
        for labels, value, since in _samples(self._listings):
            costs[labels] = costs.get(labels, MeasuredCost()) + MeasuredCost(listings=value, since=since)
        for labels, value, since in _samples(self._updates) if self._updates else ():
            costs[labels] = costs.get(labels, MeasuredCost()) + MeasuredCost(updates=value, since=since)
        return {labels: self._priced(labels, counts) for labels, counts in costs.items()}

    def _priced(self, labels: LabelValues, counts: MeasuredCost) -> MeasuredCost:
        """Return counts with their dollars: counts since the last change of prices at the present prices."""
        before, prices = self._at_price_change.get(labels, MeasuredCost()), self.prices.in_dollars(labels[0])
        if prices is None:
            return replace(counts, dollars=before.dollars)
        added = prices.amount(
            counts.requested - before.requested,
            counts.listings - before.listings,
            counts.updates - before.updates,
        )
        return replace(counts, dollars=before.dollars + (added or 0.0))

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the family of dollars."""
        family = CounterMetricFamily(
            "headroom_estimated_cost_dollars",
            "Estimated cost of the metrics requested, of ListMetrics and of the updates streamed, in US "
            "dollars.",
            labels=SERVICE_LABELS,
        )
        for labels, cost in self.measured().items():
            if self.prices.in_dollars(labels[0]):
                family.add_metric(labels, cost.dollars, created=cost.since)
        yield family


def _samples(counter: Counter) -> Iterator[tuple[LabelValues, float, float]]:
    """Yield the series of a counter: label values, value, and creation time in epoch seconds."""
    samples = [sample for family in counter.collect() for sample in family.samples]
    created = {
        tuple(sample.labels.values()): sample.value for sample in samples if sample.name.endswith("_created")
    }
    for sample in samples:
        if sample.name.endswith("_total"):
            labels = tuple(sample.labels.values())
            yield labels, sample.value, created[labels]
