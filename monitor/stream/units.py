"""Converts the units of streamed points to the units that collectors expect.

The JSON format contains CloudWatch's names of units. The OpenTelemetry formats contain UCUM codes, to which
AWS translates the names:
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch-metric-streams-formats-opentelemetry-translation-100.html
"""

import math
from collections.abc import Iterator, Mapping

from rules.units import COUNT, PERCENT, Unit, UnitKind

# AWS may send points of one metric with several of these.
PLAIN_UNITS = ("", "None", "1", "Count", "{Count}")
PREFIXES = (("", "", 1.0), ("Kilo", "k", 1e3), ("Mega", "M", 1e6), ("Giga", "G", 1e9), ("Tera", "T", 1e12))
TIME_UNITS = (("Seconds", "s", 1.0), ("Milliseconds", "ms", 1e-3), ("Microseconds", "us", 1e-6))


def _units_by_text() -> Iterator[tuple[str, Unit]]:
    for text in PLAIN_UNITS:
        yield text, COUNT
    for text in ("Percent", "%"):
        yield text, PERCENT
    for name, code, seconds in TIME_UNITS:
        yield from _texts_of_unit((name, code), UnitKind.DURATION, seconds)
    for prefix, code, factor in PREFIXES:
        for per_name, per_code in (("", ""), ("/Second", "/s")):
            bytes_texts = f"{prefix}bytes".capitalize() + per_name, f"{code}By{per_code}"
            bits_name = f"{prefix}bits".capitalize() + per_name
            bits_texts = bits_name, f"{code}bit{per_code}", f"{code}Bit{per_code}"
            yield from _texts_of_unit(bytes_texts, UnitKind.BYTES, factor, is_rate=bool(per_name))
            yield from _texts_of_unit(bits_texts, UnitKind.BYTES, factor / 8, is_rate=bool(per_name))
    yield from _texts_of_unit(("Count/Second", "{Count}/s"), UnitKind.COUNT, is_rate=True)


def _texts_of_unit(
    texts: tuple[str, ...], kind: UnitKind, scale: float = 1.0, is_rate: bool = False
) -> Iterator[tuple[str, Unit]]:
    """Yield each text of a unit, and the unit. texts: CloudWatch's name, then UCUM codes."""
    unit = Unit(texts[0], texts[1], kind, scale, is_rate)
    return ((text, unit) for text in texts)


UNITS: Mapping[str, Unit] = dict(_units_by_text())


def conversion_factor(text: str, declared: Unit, statistic: str) -> float:
    """Return the factor from a streamed unit to the metric's declared unit; NaN if they are incompatible.

    Plain numbers and unknown units count as the declared unit. A SampleCount has no unit.
    """
    unit = UNITS.get(text, COUNT)
    if unit is COUNT:
        return 1.0
    if (unit.kind, unit.is_rate) != (declared.kind, declared.is_rate):
        return math.nan
    return 1.0 if statistic == "SampleCount" else unit.scale / declared.scale
