"""The cost of monitoring so far, derived from the counters of what AWS bills."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from monitor.aws.telemetry import SERVICE_LABELS
from monitor.cost.prices import DOLLARS_PER_METRIC, DOLLARS_PER_UPDATE, SECONDS_PER_HOUR, SECONDS_PER_MONTH

LabelValues = tuple[str, ...]  # a service; or an account and a region; or all three


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredCost:
    """Metrics requested, updates streamed and their dollars, since an epoch second."""

    requested: float = 0.0
    updates: float = 0.0
    since: float | None = None

    @property
    def dollars(self) -> float:
        """The list price of both, in US dollars."""
        return self.requested * DOLLARS_PER_METRIC + self.updates * DOLLARS_PER_UPDATE

    def monthly_dollars_at(self, now: float) -> float | None:
        """US dollars of a month at the rate until an epoch second; None during the first hour."""
        watched = now - self.since if self.since else 0.0
        return self.dollars / watched * SECONDS_PER_MONTH if watched >= SECONDS_PER_HOUR else None

    def __add__(self, other: "MeasuredCost") -> "MeasuredCost":
        return MeasuredCost(
            requested=self.requested + other.requested,
            updates=self.updates + other.updates,
            since=min(filter(None, (self.since, other.since)), default=None),
        )


class CostTelemetry(Collector):
    """Exports the estimated cost of the metrics requested and of the updates streamed.

    Both counters have the labels SERVICE_LABELS. updates: None where nothing is streamed.
    """

    def __init__(
        self, registry: CollectorRegistry, requested: Counter, updates: Counter | None = None
    ) -> None:
        self._requested, self._updates = requested, updates
        registry.register(self)

    def measured(self) -> Mapping[LabelValues, MeasuredCost]:
        """The counters' values by account, region and service."""
        costs: dict[LabelValues, MeasuredCost] = {}
        for labels, value, since in _samples(self._requested):
            costs[labels] = MeasuredCost(requested=value, since=since)
        for labels, value, since in _samples(self._updates) if self._updates else ():
            costs[labels] = costs.get(labels, MeasuredCost()) + MeasuredCost(updates=value, since=since)
        return costs

    def collect(self) -> Iterator[CounterMetricFamily]:
        """The family of dollars."""
        family = CounterMetricFamily(
            "headroom_estimated_cost_dollars",
            "Estimated cost of the metrics requested and of the updates streamed, in US dollars.",
            labels=SERVICE_LABELS,
        )
        for labels, cost in self.measured().items():
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
