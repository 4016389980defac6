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
UCUM = {
    "Bytes": "By",
    "Count": "{Count}",
    "None": "1",
    "Milliseconds": "ms",
    "Kilobytes": "kBy",
    "Percent": "%",
}


@dataclass(frozen=True)
class Update:
    """One metric update; `ago`: how many minutes before NOW its minute began."""

    metric: str = "IncomingBytes"
    namespace: str = "AWS/Kinesis"
    dimensions: tuple[tuple[str, str], ...] = (("StreamName", "orders"),)
    ago: int = 1
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
        return (NOW - 60 * self.ago) * 1000

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
    return b"".join(map(line, updates))


def varint(number: int) -> bytes:
    """Return a number as a varint of protobuf."""
    encoded, remaining = [], number
    while remaining > 0x7F:
        encoded.append(remaining & 0x7F | 0x80)
        remaining >>= 7
    return bytes([*encoded, remaining])


def part(number: int, content: bytes) -> bytes:
    """Return a length-delimited field of protobuf. number: the field's number."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def fixed(number: int, form: str, value: float) -> bytes:
    """Return a fixed64 field of protobuf; empty for 0, as in proto3. form: of `struct.pack`."""
    return varint(number << 3 | 1) + struct.pack(form, value) if value else b""


def pair(key: str, value: bytes) -> bytes:
    """Return an attribute of OTLP. value: the encoded value."""
    return part(1, key.encode()) + part(2, value)


def text(value: str) -> bytes:
    """Return a string value of OTLP."""
    return part(1, value.encode())


def attributes_0_7(update: Update) -> bytes:
    """Return the attributes of a point in OpenTelemetry 0.7."""
    flat = (("Namespace", update.namespace), ("MetricName", update.metric), *update.dimensions)
    return b"".join(part(1, pair(key, value.encode())) for key, value in flat)


def attributes_1_0(update: Update) -> bytes:
    """Return the attributes of a point in OpenTelemetry 1.0."""
    nested = b"".join(part(1, pair(key, text(value))) for key, value in update.dimensions)
    values = {
        "Namespace": text(update.namespace),
        "MetricName": text(update.metric),
        "Dimensions": part(6, nested),
    }
    return b"".join(part(7, pair(key, value)) for key, value in values.items())


def numbers(update: Update) -> bytes:
    """Return the fields of a summary data point of OTLP."""
    quantiles = ((0.0, update.min), *update.percentiles, (1.0, update.max))
    return (
        fixed(2, "<Q", update.start * 10**6)
        + fixed(3, "<Q", (update.start + 60_000) * 10**6)
        + fixed(4, "<Q", update.count)
        + fixed(5, "<d", update.sum)
        + b"".join(part(6, fixed(1, "<d", quantile) + fixed(2, "<d", value)) for quantile, value in quantiles)
    )


def message(updates: Sequence[Update], old: bool = False) -> bytes:
    """Return an OTLP export request, preceded by its length. old: OpenTelemetry 0.7 instead of 1.0.

    All updates get the account and region of the first.
    """
    cell = {
        "cloud.provider": "aws",
        "cloud.account.id": updates[0].account,
        "cloud.region": updates[0].region,
    }
    resource = b"".join(part(1, pair(key, text(value))) for key, value in cell.items())
    metrics = b"".join(
        part(
            2,
            part(1, f"amazonaws.com/{update.namespace}/{update.metric}".encode())
            + part(3, UCUM[update.unit].encode())
            + part(
                11,
                part(
                    1,
                    attributes_0_7(update) + numbers(update)
                    if old
                    else numbers(update) + attributes_1_0(update),
                ),
            ),
        )
        for update in updates
    )
    request = part(1, part(1, resource) + part(2, metrics))
    return varint(len(request)) + request


def envelope(records: Iterable[bytes], request: str = "r-1") -> bytes:
    """Return the JSON body of a request."""
    data = [{"data": base64.b64encode(record).decode()} for record in records]
    return json.dumps({"requestId": request, "timestamp": NOW * 1000, "records": data}).encode()


def delivery(*records: bytes, request: str = "r-1", zipped: bool = False) -> FirehoseRequest:
    """Return a request of Firehose with these records."""
    body = envelope(records, request)
    return FirehoseRequest(request, SOURCE, gzip.compress(body, 1) if zipped else body, zipped)
