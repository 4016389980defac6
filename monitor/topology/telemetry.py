"""The metrics of request paths."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from monitor.lib.telemetry import SnapshotGauge
from monitor.topology.path_status import LimitStatus, PathStatus

NUMBER_LABELS = ("path", "unit")
WEAKEST_LABELS = ("path", "account", "region", "service", "signal", "resource")


class PathTelemetry:
    """The gauges of what request paths carry, and of their weakest limits. What is unknown has no series."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._usage = SnapshotGauge(
            "headroom_path_usage", "Requests per second at the entrance of a request path.", NUMBER_LABELS
        )
        self._capacity = SnapshotGauge(
            "headroom_path_capacity",
            "Requests per second at the entrance at which the weakest limit of a request path is reached. "
            "Where headroom_path_unknown_hops is not 0, it may be reached earlier.",
            NUMBER_LABELS,
        )
        self._unknown = SnapshotGauge(
            "headroom_path_unknown_hops",
            "Hops of a request path of which a limit, its usage or its part in a request is unknown.",
            ("path",),
        )
        self._weakest = SnapshotGauge(
            "headroom_path_weakest_limit_info",
            "The limit of a request path that is reached first: always 1.",
            WEAKEST_LABELS,
        )
        for gauge in (self._usage, self._capacity, self._unknown, self._weakest):
            registry.register(gauge)

    def show(self, paths: Iterable[PathStatus]) -> None:
        """Export these paths, and no others."""
        shown = [*paths]
        named = {(path.name, path.unit): path for path in shown}
        self._usage.replace({labels: one.flow for labels, one in named.items() if one.flow is not None})
        self._capacity.replace(
            {labels: one.capacity for labels, one in named.items() if one.capacity is not None}
        )
        self._unknown.replace(
            {(one.name,): float(sum(not hop.is_known for hop in one.hops)) for one in shown}
        )
        self._weakest.replace({_weakest(one, one.weakest): 1.0 for one in shown if one.weakest})


def _weakest(path: PathStatus, limit: LimitStatus) -> tuple[str, ...]:
    key = limit.series.key
    return path.name, key.account, key.region, key.service, key.signal, key.resource
