"""A histogram that is cheap to observe: the turns of the event loop are thousands a minute."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class LagHistogram(Collector):
    """A histogram without labels, to be observed by one thread.

    An observation takes 0.12 us. One of prometheus_client's Histogram takes 0.9 us, as it locks twice.
    bounds: the upper bounds of the buckets, in ascending order.
    """

    def __init__(self, name: str, documentation: str, bounds: Sequence[float]) -> None:
        self._name, self._documentation, self._bounds = name, documentation, tuple(bounds)
        self._counts, self._sum = [0] * (len(bounds) + 1), 0.0

    def observe(self, seconds: float) -> None:
        """Count an observation."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the histogram."""
        bounds = (*map(str, map(float, self._bounds)), "+Inf")
        buckets = [*zip(bounds, accumulate(self._counts), strict=True)]
        family = HistogramMetricFamily(self._name, self._documentation)
        family.add_metric([], buckets, self._sum)
        yield family
