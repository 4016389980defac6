"""Builds requests of Firehose from metric updates, in JSON, OpenTelemetry 0.7 and OpenTelemetry 1.0."""

import base64
import gzip
import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from monitor.stream.ingest import FirehoseRequest

ACCOUNT, REGION = "123456789012", "eu-west-1"
NOW = 1_764_000_000  # epoch seconds; a whole minute
SOURCE = f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/headroom"
UCUM = {  # the codes of CloudWatch's units in OpenTelemetry
    "Bytes": "By",
    "Count": "{Count}",
    "None": "1",
    "Milliseconds": "ms",
    "Kilobytes": "kBy",
    "Percent": "%",
}


@dataclass(frozen=True)
class Update:
    """One metric update. minutes_ago: how many minutes before NOW its minute began."""

    metric: str = "IncomingBytes"
    namespace: str = "AWS/Kinesis"
    dimensions: tuple[tuple[str, str], ...] = (("StreamName", "orders"),)
    minutes_ago: int = 1
    sum: float = 600.0
    max: float = 400.0
    min: float = 200.0
    count: int = 2
    unit: str = "Bytes"
    account: str = ACCOUNT
    region: str = REGION
    percentiles: tuple[tuple[float, float], ...] = field(default=())

    @property
    def start(self) -> int:
        """The start of the update's minute, in epoch milliseconds."""
        return (NOW - 60 * self.minutes_ago) * 1000

    def but(self, **changes: Any) -> "Update":
        """Return the update with these fields replaced."""
        return replace(self, **changes)


def line(update: Update) -> bytes:
    """Return an update as a line of JSON."""
    value = {name: getattr(update, name) for name in ("max", "min", "sum", "count")}
    members = {
        "metric_stream_name": "headroom",
        "account_id": update.account,
        "region": update.region,
        "namespace": update.namespace,
        "metric_name": update.metric,
        "dimensions": dict(update.dimensions),
        "timestamp": update.start,
        "value": value | {f"p{quantile * 100:g}": number for quantile, number in update.percentiles},
        "unit": update.unit,
    }
    return json.dumps(members, separators=(",", ":")).encode() + b"\n"


def lines(updates: Iterable[Update]) -> bytes:
    """Return updates as lines of JSON."""
    return b"".join(map(line, updates))


def varint(number: int) -> bytes:
    """Return a number as a varint of protobuf."""
    encoded, remaining = [], number
    while remaining > 0x7F:
        encoded.append(remaining & 0x7F | 0x80)
        remaining >>= 7
    return bytes([*encoded, remaining])


def pb_field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field of protobuf. number: the field's number."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def pb_fixed64(number: int, form: str, value: float) -> bytes:
    """Return a fixed64 field of protobuf; empty for 0, as in proto3. form: as in `struct.pack`."""
    return varint(number << 3 | 1) + struct.pack(form, value) if value else b""


def otlp_attribute(key: str, value: bytes) -> bytes:
    """Return an attribute of OTLP. value: the encoded value."""
    return pb_field(1, key.encode()) + pb_field(2, value)


def otlp_text(value: str) -> bytes:
    """Return a string value of OTLP."""
    return pb_field(1, value.encode())


def attributes_0_7(update: Update) -> bytes:
    """Return the attributes of a point in OpenTelemetry 0.7."""
    labels = (("Namespace", update.namespace), ("MetricName", update.metric), *update.dimensions)
    return b"".join(pb_field(1, otlp_attribute(key, value.encode())) for key, value in labels)


def attributes_1_0(update: Update) -> bytes:
    """Return the attributes of a point in OpenTelemetry 1.0."""
    dimensions = b"".join(
        pb_field(1, otlp_attribute(key, otlp_text(value))) for key, value in update.dimensions
    )
    values = {
        "Namespace": otlp_text(update.namespace),
        "MetricName": otlp_text(update.metric),
        "Dimensions": pb_field(6, dimensions),
    }
    return b"".join(pb_field(7, otlp_attribute(key, value)) for key, value in values.items())


def point_numbers(update: Update) -> bytes:
    """Return the fields of a summary data point of OTLP."""
    quantiles = ((0.0, update.min), *update.percentiles, (1.0, update.max))
    return (
        pb_fixed64(2, "<Q", update.start * 10**6)
        + pb_fixed64(3, "<Q", (update.start + 60_000) * 10**6)
        + pb_fixed64(4, "<Q", update.count)
        + pb_fixed64(5, "<d", update.sum)
        + b"".join(
            pb_field(6, pb_fixed64(1, "<d", quantile) + pb_fixed64(2, "<d", value))
            for quantile, value in quantiles
        )
    )


def message(updates: Sequence[Update], old: bool = False) -> bytes:
    """Return an OTLP export request, preceded by its length. old: OpenTelemetry 0.7 instead of 1.0.

    All updates get the account and region of the first update.
    """
    cell = {
        "cloud.provider": "aws",
        "cloud.account.id": updates[0].account,
        "cloud.region": updates[0].region,
    }
    resource = b"".join(pb_field(1, otlp_attribute(key, otlp_text(value))) for key, value in cell.items())
    metrics = b"".join(
        pb_field(
            2,
            pb_field(1, f"amazonaws.com/{update.namespace}/{update.metric}".encode())
            + pb_field(3, UCUM[update.unit].encode())
            + pb_field(
                11,
                pb_field(
                    1,
                    attributes_0_7(update) + point_numbers(update)
                    if old
                    else point_numbers(update) + attributes_1_0(update),
                ),
            ),
        )
        for update in updates
    )
    request = pb_field(1, pb_field(1, resource) + pb_field(2, metrics))
    return varint(len(request)) + request


def envelope(records: Iterable[bytes], request: str = "r-1") -> bytes:
    """Return the JSON body of a request."""
    data = [{"data": base64.b64encode(record).decode()} for record in records]
    return json.dumps({"requestId": request, "timestamp": NOW * 1000, "records": data}).encode()


def delivery(*records: bytes, request: str = "r-1", gzipped: bool = False) -> FirehoseRequest:
    """Return a request of Firehose with these records."""
    body = envelope(records, request)
    return FirehoseRequest(request, SOURCE, gzip.compress(body, 1) if gzipped else body, gzipped)
