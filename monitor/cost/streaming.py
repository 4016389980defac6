"""Finds the metrics that a Metric Stream would deliver for less than it costs to poll them.

A stream is filtered by namespace and name of the metric, so that all metrics of a name are streamed or none.
It is billed by the update, one for each minute in which a metric has a point: metrics without points cost
nothing. A metric of which no point comes stays polled, unless its absent points are zeros.
"""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from math import ceil

import numpy as np
import orjson

from monitor.cost.bills import MetricUse
from monitor.cost.prices import SECONDS_PER_MONTH, Prices
from monitor.fleet.columns import Flags, Floats
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.metric_query import without_abbreviations
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW

MINUTES_PER_MONTH = SECONDS_PER_MONTH / 60
BATCH_SIZE = 20_000  # metrics whose points are counted before other tasks may run: some milliseconds
STREAMED_PERIOD = 60  # seconds: a stream does not tell of how many minutes a point is
STREAMED_STATISTICS = frozenset({"Average", "Maximum", "Minimum", "SampleCount", "Sum"})
STATISTICS_PER_UPDATE = 5  # additional ones, for which AWS bills another update
MIN_SAVED = 0.01  # dollars a month: less is no advice

Name = tuple[str, str]  # of a metric, after its namespace


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamAdvice:
    """The metrics of one namespace that a stream of one account and region would deliver for less.

    names: of the metrics. metrics: how many are polled for them now. polled_dollars: what these cost a month.
    streamed_dollars: what they would cost, with those that stay polled.
    """

    account: str
    region: str
    namespace: str
    names: Sequence[str]
    metrics: int
    polled_dollars: float
    streamed_dollars: float

    @property
    def saved_dollars(self) -> float:
        """The dollars that are saved a month."""
        return self.polled_dollars - self.streamed_dollars


@dataclass(frozen=True, slots=True)
class Activity:
    """The metrics' points, copied for use in another thread.

    share: by row, the share of minutes with a point; NaN if it is not known. is_zero: by row, true where an
    absent point is a zero. queries: of each cell, in the order of `MetricUse.cells`.
    """

    share: Floats
    is_zero: Flags
    queries: Mapping[CellKey, Sequence[bytes]]

    @classmethod
    async def of(cls, fleet: Fleet, cells: Iterable[CellKey]) -> "Activity":
        """Count the points of all metrics, in the event loop, while other tasks may run."""
        rings, size = fleet.rings, fleet.rings.size
        share = np.full(size, np.nan, np.float32)
        queries = {cell: [*fleet.metrics(cell)] for cell in cells}
        is_zero = rings.zero_when_absent[:size].copy()
        for first in range(0, size, BATCH_SIZE):
            some = np.arange(first, min(first + BATCH_SIZE, size))
            stored = rings.points.get(some[:, None], np.arange(WINDOW))
            points = np.count_nonzero(np.isfinite(stored), axis=1)
            share[some] = np.where(rings.read_through[some] == NEVER, np.nan, points / WINDOW)
            await asyncio.sleep(0)
        return cls(share, is_zero, queries)

    @classmethod
    def unknown(cls, fleet: Fleet, cells: Iterable[CellKey]) -> "Activity":
        """Return that nothing is known of the points of any metric."""
        size = fleet.rings.size
        queries = {cell: [*fleet.metrics(cell)] for cell in cells}
        return cls(np.full(size, np.nan, np.float32), fleet.rings.zero_when_absent[:size].copy(), queries)


@dataclass(slots=True)
class _Candidate:
    """The metrics of one name in one account and region.

    polled: dollars a month now. left: dollars of those that a stream does not end. shares: of the minutes in
    which each distinct metric has a point. additional: statistics that are no part of an update.
    """

    metrics: int = 0
    polled: float = 0.0
    left: float = 0.0
    shares: dict[bytes, float] = field(default_factory=dict)
    additional: set[str] = field(default_factory=set)

    def add(self, metric: bytes, statistic: str, polled: float, share: float, is_zero: bool) -> None:
        """Add a statistic of a metric. share: of the minutes with a point; NaN is taken to be all."""
        self.metrics += 1
        self.polled += polled
        known_share = 1.0 if np.isnan(share) else share
        self.shares[metric] = max(self.shares.get(metric, 0.0), known_share)
        if not known_share and not is_zero:
            self.left += polled
        self.additional |= {statistic} - STREAMED_STATISTICS

    def streamed(self, prices: Prices) -> float:
        """Return the dollars a month with a stream."""
        updates = 1 + ceil(len(self.additional) / STATISTICS_PER_UPDATE)
        streamed = sum(self.shares.values()) * MINUTES_PER_MONTH * updates
        return self.left + (prices.amount(updates=streamed) or 0.0)

    def saved(self, prices: Prices) -> float:
        """Return the dollars that a stream saves a month; a name of which no point comes is not streamed."""
        return self.polled - self.streamed(prices) if any(self.shares.values()) else 0.0


def stream_advice(use: MetricUse, activity: Activity, interval: float) -> list[StreamAdvice]:
    """Return which namespaces to stream, those that save most first.

    interval: the shortest one between two requests, in seconds. Metrics whose points are not known are taken
    to have one each minute, and other metrics of a name than those that are polled, to have none. Call it in
    a thread, as it may take long.
    """
    candidates = _candidates(use, activity, interval)
    by_namespace = defaultdict[tuple[CellKey, str], list[tuple[str, _Candidate]]](list)
    for (payer, (namespace, name)), one in candidates.items():
        if (prices := _streaming_prices(use, payer)) and one.saved(prices) > 0:
            by_namespace[payer, namespace].append((name, one))
    advice = (
        _advice(payer, namespace, some, prices)
        for (payer, namespace), some in by_namespace.items()
        if (prices := _streaming_prices(use, payer))
    )
    worthwhile = [one for one in advice if one.saved_dollars >= MIN_SAVED]
    return sorted(worthwhile, key=lambda one: (-one.saved_dollars, one.account, one.region, one.namespace))


def _streaming_prices(use: MetricUse, payer: CellKey) -> Prices | None:
    """Return the prices of a cell's account; None unless they are in dollars, and those of streams known."""
    prices = use.prices.in_dollars(payer[0])
    return prices if prices and prices.streamed_update is not None else None


def _advice(
    payer: CellKey, namespace: str, some: Sequence[tuple[str, _Candidate]], prices: Prices
) -> StreamAdvice:
    return StreamAdvice(
        account=payer[0],
        region=payer[1],
        namespace=namespace,
        names=sorted(name for name, _ in some),
        metrics=sum(one.metrics for _, one in some),
        polled_dollars=sum(one.polled for _, one in some),
        streamed_dollars=sum(one.streamed(prices) for _, one in some),
    )


def _candidates(
    use: MetricUse, activity: Activity, interval: float
) -> Mapping[tuple[CellKey, Name], _Candidate]:
    candidates = defaultdict[tuple[CellKey, Name], _Candidate](_Candidate)
    parsed: dict[tuple[bytes, bytes], tuple[Name, str, int]] = {}
    for cell, rows in use.cells.items():
        payer = use.payers.get(cell, cell)
        prices = _streaming_prices(use, payer)
        if prices is None:
            continue
        for abbreviated, row in zip(activity.queries[cell], rows.tolist(), strict=True):
            query = without_abbreviations(abbreviated)
            kind = query.partition(b'"Dimensions"')[0], query[query.rindex(b'"Period"') :]
            if kind not in parsed:
                parsed[kind] = _parsed(query)
            name, statistic, period = parsed[kind]
            if period == STREAMED_PERIOD and not use.streamed[row]:
                polled = SECONDS_PER_MONTH / max(interval, int(use.cadence[row]) * 60) * prices.metric
                metric, share = query[: -len(kind[1])], float(activity.share[row])
                candidates[payer, name].add(metric, statistic, polled, share, bool(activity.is_zero[row]))
    return candidates


def _parsed(query: bytes) -> tuple[Name, str, int]:
    """The name, the statistic and the period in seconds of a query."""
    parts = orjson.loads(query)
    return (parts["Metric"]["Namespace"], parts["Metric"]["MetricName"]), parts["Stat"], parts["Period"]
