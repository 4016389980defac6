"""Requests of Firehose by hand: updates of metrics in three formats, packed as wanted."""

import base64
import gzip
import json
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from monitor.stream.ingest import FirehoseRequest

ACCOUNT, REGION = "123456789012", "eu-west-1"
NOW = 1_764_000_000  # seconds; a full minute
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
        """Milliseconds."""
        return (NOW - 60 * self.ago) * 1000

    def but(self, **others: Any) -> "Update":
        """Return the update with other fields."""
        return replace(self, **others)


def line(update: Update) -> bytes:
    """JSON."""
    value = {name: getattr(update, name) for name in ("max", "min", "sum", "count")}
    members = {
        "metric_stream_name": "headroom",
        "account_id": update.account,
        "region": update.region,
        "namespace": update.namespace,
        "metric_name": update.metric,
        "dimensions": dict(update.dimensions),
        "timestamp": update.start,
        "value": value | {f"p{at * 100:g}": number for at, number in update.percentiles},
        "unit": update.unit,
    }
    return json.dumps(members, separators=(",", ":")).encode() + b"\n"


def lines(updates: Iterable[Update]) -> bytes:
    return b"".join(map(line, updates))


def varint(number: int) -> bytes:
    """Return a number as a varint of protobuf."""
    more, last = [], number
    while last > 0x7F:
        more.append(last & 0x7F | 0x80)
        last >>= 7
    return bytes([*more, last])


def part(number: int, content: bytes) -> bytes:
    """Return a field of protobuf with a length. number: of the field."""
    return varint(number << 3 | 2) + varint(len(content)) + content


def fixed(number: int, form: str, value: float) -> bytes:
    """Encode a fixed64 field; 0 is left out, as in proto3."""
    return varint(number << 3 | 1) + struct.pack(form, value) if value else b""


def pair(key: str, value: bytes) -> bytes:
    """Return an attribute, as its key and the bytes of its value."""
    return part(1, key.encode()) + part(2, value)


def text(value: str) -> bytes:
    """Return a value of OTLP that is a text."""
    return part(1, value.encode())


def labels(update: Update) -> bytes:
    """0.7."""
    flat = (("Namespace", update.namespace), ("MetricName", update.metric), *update.dimensions)
    return b"".join(part(1, pair(key, value.encode())) for key, value in flat)


def attributes(update: Update) -> bytes:
    """1.0."""
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
        + b"".join(part(6, fixed(1, "<d", at) + fixed(2, "<d", value)) for at, value in quantiles)
    )


def message(updates: Sequence[Update], old: bool = False) -> bytes:
    """An export request with the length before it; all updates are of the cell of the first."""
    cell = {
        "cloud.provider": "aws",
        "cloud.account.id": updates[0].account,
        "cloud.region": updates[0].region,
    }
    resource = b"".join(part(1, pair(key, text(value))) for key, value in cell.items())
    metrics = b"".join(
        part(
            2,
            part(1, f"amazonaws.com/{one.namespace}/{one.metric}".encode())
            + part(3, UCUM[one.unit].encode())
            + part(11, part(1, labels(one) + numbers(one) if old else numbers(one) + attributes(one))),
        )
        for one in updates
    )
    request = part(1, part(1, resource) + part(2, metrics))
    return varint(len(request)) + request


def envelope(records: Iterable[bytes], request: str = "r-1") -> bytes:
    """The body of a request."""
    data = [{"data": base64.b64encode(record).decode()} for record in records]
    return json.dumps({"requestId": request, "timestamp": NOW * 1000, "records": data}).encode()


def delivery(*records: bytes, request: str = "r-1", zipped: bool = False) -> FirehoseRequest:
    """Return a request of Firehose with these records."""
    body = envelope(records, request)
    return FirehoseRequest(request, SOURCE, gzip.compress(body, 1) if zipped else body, zipped)
