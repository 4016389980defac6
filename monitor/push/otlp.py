"""OpenTelemetry's protocol over HTTP: gauges, with what they are of on each point.

https://opentelemetry.io/docs/specs/otlp/#otlphttp and opentelemetry/proto/metrics/v1. Receivers that make
Prometheus series of them keep a point's attributes as labels, but not those of the resource.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.columns import Ints
from monitor.exposition import Family
from monitor.fleet import Series
from monitor.push.labels import Labels
from monitor.push.protobuf import FIXED64, LENGTH, field, tag, text, varint
from monitor.telemetry import VERSION

RESOURCE_METRICS = 1  # of a request
RESOURCE, SCOPE_METRICS = 1, 2  # of ResourceMetrics
SCOPE, METRIC = 1, 2  # of ScopeMetrics
NAME, DESCRIPTION, GAUGE = 1, 2, 5  # of a Metric
DATA_POINT: Final = tag(1, LENGTH)  # of a Gauge
ATTRIBUTE, TIME, VALUE = 7, tag(3, FIXED64), tag(4, FIXED64)  # of a NumberDataPoint
SERVICE: Final = "service.name"

TO_NS = 60_000_000_000  # of a minute
POINT: Final = np.dtype([("time tag", "V1"), ("time", "<u8"), ("value tag", "V1"), ("value", "<f8")])


def points(minutes: Ints, values: npt.NDArray[np.float64]) -> npt.NDArray[np.void]:
    """Time and value of NumberDataPoints, tags and all."""
    made = np.empty(minutes.size, POINT)
    made["time tag"], made["time"] = np.void(TIME), minutes.astype(np.uint64) * np.uint64(TO_NS)
    made["value tag"], made["value"] = np.void(VALUE), values
    return made


def key_value(name: str, value: str) -> bytes:
    return field(1, text(name)) + field(2, field(1, text(value)))


def attribute(name: str, value: str) -> bytes:
    return field(ATTRIBUTE, key_value(name, value))


class Writer:
    """An ExportMetricsServiceRequest. A metric has no unit: receivers would make it part of the name."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels
        self._points: dict[str, list[bytes | memoryview]] = {}
        self._help: dict[str, str] = {}
        self.size = 0

    def add(self, family: Family, series: Series, points: memoryview) -> None:
        attributes = self._labels.of(family, series)
        size = len(attributes) + POINT.itemsize
        head, parts = DATA_POINT + varint(size) + attributes, self._points.setdefault(family.name, [])
        self._help[family.name] = family.help
        for at in range(0, len(points), POINT.itemsize):
            parts += head, points[at : at + POINT.itemsize]
            self.size += len(head) + POINT.itemsize

    def message(self) -> bytes:
        scope = field(SCOPE, field(1, b"headroom") + field(2, text(VERSION)))
        metrics = b"".join(field(METRIC, self._metric(name)) for name in self._points)
        resource = field(RESOURCE, field(1, key_value(SERVICE, "headroom")))
        return field(RESOURCE_METRICS, resource + field(SCOPE_METRICS, scope + metrics))

    def _metric(self, name: str) -> bytes:
        about = field(NAME, text(name)) + field(DESCRIPTION, text(self._help[name]))
        return about + field(GAUGE, b"".join(self._points[name]))
