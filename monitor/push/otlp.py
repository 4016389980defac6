"""Encodes samples for OpenTelemetry's protocol over HTTP: gauges, with all labels on each point.

https://opentelemetry.io/docs/specs/otlp/#otlphttp and opentelemetry/proto/metrics/v1. Receivers that
convert points to Prometheus series keep a point's attributes as labels, but drop the resource's attributes.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.exposition.families import Family
from monitor.fleet.fleet import Series
from monitor.lib.version import VERSION
from monitor.push.label_encoder import LabelEncoder
from monitor.push.protobuf_writer import FIXED64, LENGTH, field, tag, text, varint
from rules.arrays import Ints

# Field numbers and tags, by message.
RESOURCE_METRICS = 1  # of a request
RESOURCE, SCOPE_METRICS = 1, 2  # of ResourceMetrics
SCOPE, METRIC = 1, 2  # of ScopeMetrics
NAME, DESCRIPTION, GAUGE = 1, 2, 5  # of a Metric
DATA_POINT: Final = tag(1, LENGTH)  # of a Gauge
ATTRIBUTE, TIME, VALUE = 7, tag(3, FIXED64), tag(4, FIXED64)  # of a NumberDataPoint
KEY, ANY_VALUE = 1, 2  # of a KeyValue
STRING_VALUE = 1  # of an AnyValue
ATTRIBUTES = 1  # of a Resource
SCOPE_NAME, SCOPE_VERSION = 1, 2  # of an InstrumentationScope
SERVICE_NAME: Final = "service.name"  # the key of a resource's attribute

NS_PER_MINUTE = 60_000_000_000
POINT: Final = np.dtype([("time tag", "V1"), ("time", "<u8"), ("value tag", "V1"), ("value", "<f8")])


def encode_points(minutes: Ints, values: npt.NDArray[np.float64]) -> npt.NDArray[np.void]:
    """Encode time and value of NumberDataPoints, each after its protobuf tag."""
    encoded = np.empty(minutes.size, POINT)
    encoded["time tag"], encoded["time"] = np.void(TIME), minutes.astype(np.uint64) * np.uint64(NS_PER_MINUTE)
    encoded["value tag"], encoded["value"] = np.void(VALUE), values
    return encoded


def encode_key_value(name: str, value: str) -> bytes:
    """Encode a KeyValue whose value is a string."""
    return field(KEY, text(name)) + field(ANY_VALUE, field(STRING_VALUE, text(value)))


def encode_attribute(name: str, value: str) -> bytes:
    """Encode a label as an attribute of a NumberDataPoint."""
    return field(ATTRIBUTE, encode_key_value(name, value))


class OtlpWriter:
    """Writes an ExportMetricsServiceRequest. Metrics have no unit: receivers would append it to the name."""

    def __init__(self, labels: LabelEncoder) -> None:
        self._labels = labels
        self._points: dict[str, list[bytes | memoryview]] = {}
        self._help: dict[str, str] = {}
        self.size = 0

    def add(self, family: Family, series: Series, points: memoryview) -> None:
        """See `MessageWriter.add`."""
        attributes = self._labels.encode(family, series)
        data_point_size = len(attributes) + POINT.itemsize
        head = DATA_POINT + varint(data_point_size) + attributes
        family_points = self._points.setdefault(family.name, [])
        self._help[family.name] = family.help
        for start in range(0, len(points), POINT.itemsize):
            family_points += head, points[start : start + POINT.itemsize]
            self.size += len(head) + POINT.itemsize

    def message(self) -> bytes:
        """See `MessageWriter.message`."""
        scope = field(SCOPE, field(SCOPE_NAME, b"headroom") + field(SCOPE_VERSION, text(VERSION)))
        metrics = b"".join(field(METRIC, self._metric(name)) for name in self._points)
        resource = field(RESOURCE, field(ATTRIBUTES, encode_key_value(SERVICE_NAME, "headroom")))
        return field(RESOURCE_METRICS, resource + field(SCOPE_METRICS, scope + metrics))

    def _metric(self, name: str) -> bytes:
        metadata = field(NAME, text(name)) + field(DESCRIPTION, text(self._help[name]))
        return metadata + field(GAUGE, b"".join(self._points[name]))
