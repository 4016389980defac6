"""Converts the units of streamed points to the units that collectors expect.

JSON contains CloudWatch's names of units, OpenTelemetry the UCUM codes to which AWS translates them:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-metric-streams-formats-opentelemetry-translation-100.html
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class StreamUnit(NamedTuple):
    """A unit. kind: its base unit (number, bytes, milliseconds, percent). factor: base units per unit."""

    kind: str
    factor: float


NUMBER, BYTES, MILLISECONDS, PERCENT = "number", "bytes", "milliseconds", "percent"
PLAIN_UNITS = ("", "None", "1", "Count", "{Count}")  # AWS sends several of these for one metric
PREFIXES = (("", "", 1.0), ("Kilo", "k", 1e3), ("Mega", "M", 1e6), ("Giga", "G", 1e9), ("Tera", "T", 1e12))
TIME_UNITS = (("Seconds", "s", 1e3), ("Milliseconds", "ms", 1.0), ("Microseconds", "us", 1e-3))

# The kinds of metrics that are not plain numbers; their limits are in the base unit of the kind.
METRIC_KINDS: Mapping[tuple[str, str], str] = {
    ("AWS/Kinesis", "IncomingBytes"): BYTES,
    ("AWS/Kinesis", "OutgoingBytes"): BYTES,
    ("AWS/Kinesis", "SubscribeToShardEvent.Bytes"): BYTES,
    ("AWS/Kinesis", "SubscribeToShardEvent.MillisBehindLatest"): MILLISECONDS,
    ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds"): MILLISECONDS,
    ("AWS/EC2", "CPUUtilization"): PERCENT,
}


def _units() -> Iterator[tuple[str, StreamUnit]]:
    for text in PLAIN_UNITS:
        yield text, StreamUnit(NUMBER, 1.0)
    for text in ("Percent", "%"):
        yield text, StreamUnit(PERCENT, 1.0)
    for name, code, size in TIME_UNITS:
        yield from ((text, StreamUnit(MILLISECONDS, size)) for text in (name, code))
    for long, short, size in PREFIXES:
        for per, slash in (("", ""), ("/Second", "/s")):
            names = f"{long}bytes".capitalize() + per, f"{short}By{slash}"
            bits = f"{long}bits".capitalize() + per, f"{short}bit{slash}", f"{short}Bit{slash}"
            yield from ((text, StreamUnit(BYTES + slash, size)) for text in names)
            yield from ((text, StreamUnit(BYTES + slash, size / 8)) for text in bits)
    for text in ("Count/Second", "{Count}/s"):
        yield text, StreamUnit("number/s", 1.0)


UNITS: Mapping[str, StreamUnit] = dict(_units())


def conversion_factor(namespace: str, metric: str, statistic: str, unit: str) -> float:
    """Return the factor from `unit` to the base unit of a metric's kind; NaN for a unit of another kind.

    Plain numbers and unknown units count as the base unit. A SampleCount has no unit.
    """
    stream_unit = UNITS.get(unit)
    if stream_unit is None or stream_unit.kind == NUMBER:
        return 1.0
    if stream_unit.kind != METRIC_KINDS.get((namespace, metric), NUMBER):
        return math.nan
    return 1.0 if statistic == "SampleCount" else stream_unit.factor
