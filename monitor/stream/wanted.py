"""What of a stream is wanted: the metrics that collectors declare, and the statistics they read of each."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from collectors import COLLECTORS
from collectors.base import Collector
from monitor.stream.points import BASE

Statistics = tuple[str, ...]  # as CloudWatch names them

COLUMNS = {"Sum": "sum", "Maximum": "max", "Minimum": "min", "SampleCount": "count"}  # how streams call them
AVERAGE = "Average"  # sum / count


def declared(collectors: Iterable[Collector] = COLLECTORS) -> Mapping[tuple[str, str], Statistics]:
    """Namespace and name of every metric that the collectors may use, with the statistics they read."""
    statistics = defaultdict[tuple[str, str], set[str]](set)
    for collector in collectors:
        for metric in collector.metrics:
            statistics[metric.namespace, metric.name].add(metric.stat)
    return {metric: tuple(sorted(read)) for metric, read in sorted(statistics.items())}


def extra(statistics: Iterable[str]) -> Statistics:
    """Those that a metric stream tells only when it is asked to, such as p99."""
    return tuple(sorted({one for one in statistics if one not in COLUMNS and one != AVERAGE}))


def services_of(collectors: Iterable[Collector] = COLLECTORS) -> Mapping[str, frozenset[str]]:
    """By namespace, the services whose collectors read metrics of it."""
    services = defaultdict[str, set[str]](set)
    for collector in collectors:
        for metric in collector.metrics:
            services[metric.namespace].add(collector.service)
    return {namespace: frozenset(some) for namespace, some in services.items()}


WANTED = declared()
SERVICES = services_of()
DECODED: Statistics = (*BASE, *extra(one for some in WANTED.values() for one in some))
WIDTH = max(map(len, WANTED.values()))  # statistics that are read of one metric, at most
