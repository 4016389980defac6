"""Finds the metrics that a Metric Stream would deliver for less than it costs to poll them.

A stream is filtered by namespace and name of the metric, so that all metrics of a name are streamed or none.
AWS bills each update: one for each minute in which a metric has a point. Metrics without points cost nothing.
A metric without any point is still polled, unless its absent points mean zero.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np
import orjson

from collectors.base import QualifiedName
from monitor.cost.bills import MetricUse
from monitor.cost.prices import MINUTES_PER_MONTH, SECONDS_PER_MONTH, Prices
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.metric_query import without_abbreviations
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from rules.arrays import Flags, Floats

BATCH_SIZE = 20_000  # metrics whose points are counted, in some milliseconds, before other tasks may run
STREAMED_PERIOD = 60  # seconds; metrics of longer periods stay polled, as a stream does not tell periods
STREAMED_STATISTICS = frozenset({"Average", "Maximum", "Minimum", "SampleCount", "Sum"})
STATISTICS_PER_UPDATE = 5  # AWS bills another update for five additional statistics
MIN_SAVED_DOLLARS = 0.01  # a month; a stream that saves less is not advised


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamAdvice:
    """The metrics of one namespace that a stream of one account and region would deliver for less.

    names: the names of the metrics. metric_count: the number of polled metrics of these names.
    polled_dollars: the monthly cost of polling these metrics. streamed_dollars: the monthly cost with a
    stream, including the cost of metrics which stay polled.
    """

    account: str
    region: str
    namespace: str
    names: Sequence[str]
    metric_count: int
    polled_dollars: float
    streamed_dollars: float

    @property
    def saved_dollars(self) -> float:
        """The dollars that are saved a month."""
        return self.polled_dollars - self.streamed_dollars


@dataclass(frozen=True, slots=True)
class Activity:
    """A copy, for use in another thread, of how often each metric has points.

    share: by row, the share of minutes with a point; NaN if it is not known. absent_is_zero: by row, true
    where an absent point is a zero. queries: by cell, its metrics, in the order of the rows in
    `MetricUse.cells`.
    """

    share: Floats
    absent_is_zero: Flags
    queries: Mapping[CellKey, Sequence[bytes]]

    @classmethod
    async def of(cls, fleet: Fleet, cells: Iterable[CellKey]) -> "Activity":
        """Count the points of all metrics, in the event loop, while other tasks may run."""
        rings, size = fleet.rings, fleet.rings.size
        share = np.full(size, np.nan, np.float32)
        queries = {cell: [*fleet.metrics(cell)] for cell in cells}
        absent_is_zero = rings.zero_when_absent[:size].copy()
        for first in range(0, size, BATCH_SIZE):
            rows = np.arange(first, min(first + BATCH_SIZE, size))
            stored_points = rings.points.get(rows[:, None], np.arange(WINDOW))
            point_counts = np.count_nonzero(np.isfinite(stored_points), axis=1)
            share[rows] = np.where(rings.read_through[rows] == NEVER, np.nan, point_counts / WINDOW)
            await asyncio.sleep(0)
        return cls(share, absent_is_zero, queries)

    @classmethod
    def unknown(cls, fleet: Fleet, cells: Iterable[CellKey]) -> "Activity":
        """Return the activity of metrics whose points are all unknown."""
        size = fleet.rings.size
        queries = {cell: [*fleet.metrics(cell)] for cell in cells}
        return cls(np.full(size, np.nan, np.float32), fleet.rings.zero_when_absent[:size].copy(), queries)


@dataclass(slots=True)
class _Candidate:
    """The metrics of one name in one account and region.

    metric_count: the number of polled metrics; each statistic of a metric counts as one. polled_dollars: what
    polling them costs a month now. still_polled_dollars: the part of polled_dollars for metrics that stay
    polled. shares: by metric, without regard to its statistics, the share of minutes with a point.
    additional_statistics: the statistics that an update does not include.
    """

    metric_count: int = 0
    polled_dollars: float = 0.0
    still_polled_dollars: float = 0.0
    shares: dict[bytes, float] = field(default_factory=dict)
    additional_statistics: set[str] = field(default_factory=set)

    def add(
        self, metric: bytes, statistic: str, polled_dollars: float, share: float, absent_is_zero: bool
    ) -> None:
        """Add a statistic of a metric. share: the share of minutes with a point; NaN counts as 1."""
        self.metric_count += 1
        self.polled_dollars += polled_dollars
        assumed_share = 1.0 if np.isnan(share) else share
        self.shares[metric] = max(self.shares.get(metric, 0.0), assumed_share)
        if not assumed_share and not absent_is_zero:
            self.still_polled_dollars += polled_dollars
        self.additional_statistics |= {statistic} - STREAMED_STATISTICS

    def streamed_dollars(self, prices: Prices) -> float:
        """Return the dollars a month with a stream."""
        updates_per_point = 1 + ceil(len(self.additional_statistics) / STATISTICS_PER_UPDATE)
        updates = sum(self.shares.values()) * MINUTES_PER_MONTH * updates_per_point
        return self.still_polled_dollars + (prices.amount(updates=updates) or 0.0)

    def saved_dollars(self, prices: Prices) -> float:
        """Return the dollars that a stream saves a month; 0 if no metric of the name has points."""
        return self.polled_dollars - self.streamed_dollars(prices) if any(self.shares.values()) else 0.0


def stream_advice(use: MetricUse, activity: Activity, interval: float) -> list[StreamAdvice]:
    """Return which metric names to stream, by namespace, the highest saving first.

    interval: the shortest interval between two requests for a metric, in seconds. A metric whose points are
    unknown is assumed to have one each minute. Call it in a thread, as it may take long.
    """
    candidates = _candidates(use, activity, interval)
    by_namespace = defaultdict[tuple[CellKey, str], list[tuple[str, _Candidate]]](list)
    for (payer, (namespace, name)), candidate in candidates.items():
        if (prices := _streaming_prices(use, payer)) and candidate.saved_dollars(prices) > 0:
            by_namespace[payer, namespace].append((name, candidate))
    advice = (
        _advice(payer, namespace, named_candidates, prices)
        for (payer, namespace), named_candidates in by_namespace.items()
        if (prices := _streaming_prices(use, payer))
    )
    worthwhile = [item for item in advice if item.saved_dollars >= MIN_SAVED_DOLLARS]
    return sorted(
        worthwhile, key=lambda item: (-item.saved_dollars, item.account, item.region, item.namespace)
    )


def _streaming_prices(use: MetricUse, payer: CellKey) -> Prices | None:
    """Return the prices of a cell's account; None unless they are in dollars and include streams."""
    prices = use.prices.in_dollars(payer[0])
    return prices if prices and prices.streamed_update is not None else None


def _advice(
    payer: CellKey, namespace: str, named_candidates: Sequence[tuple[str, _Candidate]], prices: Prices
) -> StreamAdvice:
    return StreamAdvice(
        account=payer[0],
        region=payer[1],
        namespace=namespace,
        names=sorted(name for name, _ in named_candidates),
        metric_count=sum(candidate.metric_count for _, candidate in named_candidates),
        polled_dollars=sum(candidate.polled_dollars for _, candidate in named_candidates),
        streamed_dollars=sum(candidate.streamed_dollars(prices) for _, candidate in named_candidates),
    )


def _candidates(
    use: MetricUse, activity: Activity, interval: float
) -> Mapping[tuple[CellKey, QualifiedName], _Candidate]:
    candidates = defaultdict[tuple[CellKey, QualifiedName], _Candidate](_Candidate)
    parsed: dict[tuple[bytes, bytes], tuple[QualifiedName, str, int]] = {}
    for cell, rows in use.cells.items():
        payer = use.payers.get(cell, cell)
        prices = _streaming_prices(use, payer)
        if prices is None:
            continue
        for abbreviated, row in zip(activity.queries[cell], rows.tolist(), strict=True):
            query = without_abbreviations(abbreviated)
            # All but the dimensions: queries that differ in these alone have one name, statistic and period.
            kind = query.partition(b'"Dimensions"')[0], query[query.rindex(b'"Period"') :]
            if kind not in parsed:
                parsed[kind] = _parse_query(query)
            name, statistic, period = parsed[kind]
            if period == STREAMED_PERIOD and not use.streamed[row]:
                polled_dollars = SECONDS_PER_MONTH / max(interval, int(use.cadence[row]) * 60) * prices.metric
                metric, share = query[: -len(kind[1])], float(activity.share[row])
                candidates[payer, name].add(
                    metric, statistic, polled_dollars, share, bool(activity.absent_is_zero[row])
                )
    return candidates


def _parse_query(query: bytes) -> tuple[QualifiedName, str, int]:
    """Return the name, the statistic and the period in seconds of a query."""
    parsed_query = orjson.loads(query)
    return (
        (parsed_query["Metric"]["Namespace"], parsed_query["Metric"]["MetricName"]),
        parsed_query["Stat"],
        parsed_query["Period"],
    )
