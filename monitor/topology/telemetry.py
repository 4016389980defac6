"""The exported gauges of request paths."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry

from monitor.lib.telemetry import SnapshotGauge
from monitor.topology.path_status import LimitStatus, PathStatus

PATH_LABELS = ("path", "unit")
WEAKEST_LABELS = ("path", "account", "region", "service", "signal", "resource")


class PathTelemetry:
    """The gauges of usage, capacity and weakest limits of request paths. An unknown value is not exported."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._usage = SnapshotGauge(
            "headroom_path_usage", "Requests per second at the entrance of a request path.", PATH_LABELS
        )
        self._capacity = SnapshotGauge(
            "headroom_path_capacity",
            "Requests per second at the entrance at which the weakest limit of a request path is reached. "
            "If headroom_path_unknown_hops is not 0, a limit may be reached earlier.",
            PATH_LABELS,
        )
        self._unknown_hops = SnapshotGauge(
            "headroom_path_unknown_hops",
            "Hops of a request path with an unknown limit, usage of a limit, or usage by a request.",
            ("path",),
        )
        self._weakest = SnapshotGauge(
            "headroom_path_weakest_limit_info",
            "Always 1; the labels name the limit of a request path that is reached first.",
            WEAKEST_LABELS,
        )
        for gauge in (self._usage, self._capacity, self._unknown_hops, self._weakest):
            registry.register(gauge)

    def show(self, paths: Iterable[PathStatus]) -> None:
        """Export only these paths from now on."""
        exported = [*paths]
        by_labels = {(path.name, path.unit): path for path in exported}
        self._usage.replace(
            {labels: path.flow for labels, path in by_labels.items() if path.flow is not None}
        )
        self._capacity.replace(
            {labels: path.capacity for labels, path in by_labels.items() if path.capacity is not None}
        )
        self._unknown_hops.replace(
            {(path.name,): float(sum(not hop.is_known for hop in path.hops)) for path in exported}
        )
        self._weakest.replace({_weakest_labels(path, path.weakest): 1.0 for path in exported if path.weakest})


def _weakest_labels(path: PathStatus, limit: LimitStatus) -> tuple[str, ...]:
    key = limit.series.key
    return path.name, key.account, key.region, key.service, key.signal, key.resource
