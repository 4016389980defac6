"""The units of streamed points: what one of them is in the unit that a metric is known by.

JSON has CloudWatch's names, OpenTelemetry the UCUM codes that AWS translates them to:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-metric-streams-formats-opentelemetry-translation-100.html
"""

import math
from collections.abc import Iterator, Mapping
from typing import NamedTuple


class Unit(NamedTuple):
    """What is measured, and how much of its base one is (`number` 1, `bytes` 1, `milliseconds` 1)."""

    kind: str
    size: float


NUMBER, BYTES, MILLISECONDS, PERCENT = "number", "bytes", "milliseconds", "percent"
PLAIN = ("", "None", "1", "Count", "{Count}")  # one metric really has several of these
PREFIXES = (("", "", 1.0), ("Kilo", "k", 1e3), ("Mega", "M", 1e6), ("Giga", "G", 1e9), ("Tera", "T", 1e12))
TIMES = (("Seconds", "s", 1e3), ("Milliseconds", "ms", 1.0), ("Microseconds", "us", 1e-3))

# What a metric is known by where it is no plain number; Headroom's limits are in the bases of these kinds.
KNOWN_BY: Mapping[tuple[str, str], str] = {
    ("AWS/Kinesis", "IncomingBytes"): BYTES,
    ("AWS/Kinesis", "OutgoingBytes"): BYTES,
    ("AWS/Kinesis", "SubscribeToShardEvent.Bytes"): BYTES,
    ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds"): MILLISECONDS,
    ("AWS/EC2", "CPUUtilization"): PERCENT,
}


def _units() -> Iterator[tuple[str, Unit]]:
    for text in PLAIN:
        yield text, Unit(NUMBER, 1.0)
    for text in ("Percent", "%"):
        yield text, Unit(PERCENT, 1.0)
    for name, code, size in TIMES:
        yield from ((text, Unit(MILLISECONDS, size)) for text in (name, code))
    for long, short, size in PREFIXES:
        for per, slash in (("", ""), ("/Second", "/s")):
            names = f"{long}bytes".capitalize() + per, f"{short}By{slash}"
            bits = f"{long}bits".capitalize() + per, f"{short}bit{slash}", f"{short}Bit{slash}"
            yield from ((text, Unit(BYTES + slash, size)) for text in names)
            yield from ((text, Unit(BYTES + slash, size / 8)) for text in bits)
    for text in ("Count/Second", "{Count}/s"):
        yield text, Unit("number/s", 1.0)


UNITS: Mapping[str, Unit] = dict(_units())


def factor(namespace: str, metric: str, statistic: str, unit: str) -> float:
    """What turns a value into the unit that the metric is known by; NaN when the two contradict.

    A plain number, and a unit that nobody knows, is taken to be what the metric is known by. A SampleCount
    counts samples, whatever their unit.
    """
    told = UNITS.get(unit)
    if told is None or told.kind == NUMBER:
        return 1.0
    if told.kind != KNOWN_BY.get((namespace, metric), NUMBER):
        return math.nan
    return 1.0 if statistic == "SampleCount" else told.size
