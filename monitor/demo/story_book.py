"""The stories of declared services as metrics and answers of AWS, by region."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from collectors.base import Observed
from monitor.demo.answers import AnswerKey, AnswerTable, aws_error, operation_model
from monitor.demo.inversion import MetricValues, MinuteFunction
from monitor.demo.metric import StoriedMetric
from monitor.demo.region import ACCOUNT, DemoQuota, DemoRegion, DemoService, RequestParams
from monitor.demo.traffic import QUIET, Minutes, Traffic
from rules.arrays import Float64s

ASSUMED_LIMIT = 1.0  # a factor: where no limit is known, traffic is the usage itself, no share of a limit


@dataclass(frozen=True, slots=True)
class StoriedSeries:
    """A series with its story.

    name: service, signal, and name of the resource. limit: the limit in force at the start; None if unknown.
    """

    name: str
    observed: Observed
    limit: float | None
    traffic: Traffic

    @property
    def is_quiet(self) -> bool:
        """True if the series has no story."""
        return self.traffic is QUIET

    def usage(self, minutes: Minutes) -> Float64s:
        """Return the usage in each minute, in the signal's unit.

        The usage is at most the limit if throttled demand is counted, or the limit cannot be exceeded.
        """
        demand = self.traffic.demand(self.name, minutes)
        is_capped = self.limit and (self.observed.throttled or self.observed.hard_limit)
        return (np.minimum(demand, 1.0) if is_capped else demand) * (self.limit or ASSUMED_LIMIT)

    def throttled_demand(self, minutes: Minutes) -> Float64s:
        """Return the demand above the limit in each minute, in the signal's unit."""
        demand = self.traffic.demand(self.name, minutes)
        return np.maximum(demand - 1.0, 0.0) * (self.limit or ASSUMED_LIMIT)


@dataclass(slots=True)
class RegionBook:
    """The stories of all services in one region."""

    answers: AnswerTable
    quotas: dict[str, float] = field(default_factory=dict)  # the applied values, by quota code
    series: dict[str, StoriedSeries] = field(default_factory=dict)  # the series with a story, by name
    values: MetricValues = field(default_factory=MetricValues)

    def metrics(self) -> Iterator[StoriedMetric]:
        """Yield the metrics of all series."""
        statistics: dict[tuple[str, str, tuple[tuple[str, str], ...]], dict[str, MinuteFunction]] = {}
        for metric, values in self.values.functions.items():
            functions = statistics.setdefault((metric.namespace, metric.name, metric.dimensions), {})
            functions[metric.stat] = partial(_without_zeros, values) if metric.zero_when_absent else values
        for (namespace, name, dimensions), functions in statistics.items():
            yield StoriedMetric(namespace, name, dict(dimensions), functions)


@dataclass(frozen=True, slots=True)
class StoryBook:
    """The stories of all services, in one account.

    regions: the stories by region. quotas: the services' quotas that `monitor.demo.services.quotas` lacks.
    """

    regions: Mapping[str, RegionBook]
    quotas: tuple[DemoQuota, ...] = ()

    def with_quotas(self, region: DemoRegion) -> DemoRegion:
        """Return a region with the quotas of the services."""
        book = self._book(region)
        applied = book.quotas if book else {}
        return replace(region, quotas=self.quotas, applied_quotas={**region.applied_quotas, **applied})

    def services(self) -> Iterator[DemoService]:
        """Yield a simulation of each client that the services are read with, and one of all their metrics."""
        operations: dict[str, set[str]] = {}
        for book in self.regions.values():
            for client, operation in book.answers.operations:
                operations.setdefault(client, set()).add(operation)
        for client, names in sorted(operations.items()):
            handlers = {name: partial(self._respond, client, name) for name in sorted(names)}
            signing_name = operation_model(AnswerKey(client, min(names))).service_model.signing_name
            yield DemoService(name=client, signing_name=signing_name, operations=handlers)
        yield DemoService(name="stories", metrics=self._metrics)

    def _book(self, region: DemoRegion) -> RegionBook | None:
        return self.regions.get(region.name) if region.account == ACCOUNT else None

    def _metrics(self, region: DemoRegion) -> Iterable[StoriedMetric]:
        book = self._book(region)
        return book.metrics() if book else ()

    def _respond(
        self, client: str, operation: str, region: DemoRegion, params: RequestParams, _: float
    ) -> Mapping[str, Any]:
        if (book := self._book(region)) is None:
            raise aws_error("AccessDenied", client, operation)
        return book.answers.respond(client, operation, params)


def _without_zeros(values: MinuteFunction, minutes: Minutes) -> Float64s:
    """Return the values of a metric that AWS does not publish while it is 0."""
    published = values(minutes)
    return np.where(published > 0, published, np.nan)
