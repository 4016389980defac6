"""The statistics of the metrics that collectors declare.

This module imports no decoder of points, as the set-up of a metric stream needs none.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from collectors.base import Collector, QualifiedName

Statistics = tuple[str, ...]  # as CloudWatch names them

# By the name of a statistic in CloudWatch, its name in the points of streams.
STATISTIC_FIELDS = {"Sum": "sum", "Maximum": "max", "Minimum": "min", "SampleCount": "count"}
AVERAGE = "Average"  # sum / count


def statistics_by_metric(collectors: Iterable[Collector]) -> Mapping[QualifiedName, Statistics]:
    """Return the statistics that collectors read, by namespace and name of the metric, sorted.

    Metrics with a period of more than a minute are left out, and polled instead: a streamed point does not
    say how many minutes it covers.
    """
    statistics = defaultdict[QualifiedName, set[str]](set)
    for collector in collectors:
        for metric in collector.metrics:
            if metric.period_minutes == 1:
                statistics[metric.namespace, metric.name].add(metric.stat)
    return {metric: tuple(sorted(names)) for metric, names in sorted(statistics.items())}


def additional_statistics(statistics: Iterable[str]) -> Statistics:
    """Return the statistics, such as p99, that a metric stream delivers only if it is configured to."""
    return tuple(sorted({name for name in statistics if name not in STATISTIC_FIELDS and name != AVERAGE}))
