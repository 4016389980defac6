"""The conversion of streamed units to the units that collectors declare."""

import math

import pytest

from monitor.stream.units import conversion_factor
from rules.units import BYTES, COUNT, MILLISECONDS, PERCENT, SECONDS, Unit


@pytest.mark.parametrize("text", ["", "None", "1", "Count", "{Count}", "Furlongs"])
@pytest.mark.parametrize("declared", [MILLISECONDS, BYTES, PERCENT, COUNT])
def test_plain_numbers_and_unknown_units_count_as_the_declared_unit(declared: Unit, text: str) -> None:
    assert conversion_factor(text, declared, "Sum") == 1.0


@pytest.mark.parametrize(
    ("declared", "texts", "expected"),
    [
        (BYTES, ("Bytes", "By"), 1.0),
        (BYTES, ("Kilobytes", "kBy"), 1e3),
        (BYTES, ("Terabytes", "TBy"), 1e12),
        (BYTES, ("Bits", "bit"), 0.125),
        (BYTES, ("Megabits", "Mbit", "MBit"), 125_000.0),
        (MILLISECONDS, ("Milliseconds", "ms"), 1.0),
        (MILLISECONDS, ("Seconds", "s"), 1000.0),
        (MILLISECONDS, ("Microseconds", "us"), 0.001),
        (SECONDS, ("Seconds", "s"), 1.0),
        (SECONDS, ("Milliseconds", "ms"), 0.001),
        (PERCENT, ("Percent", "%"), 1.0),
        (
            BYTES,
            ("Percent", "%", "Seconds", "ms", "Bytes/Second", "By/s", "Count/Second", "{Count}/s"),
            math.nan,
        ),
        (MILLISECONDS, ("Kilobytes", "By", "Percent"), math.nan),
        (COUNT, ("Bytes", "By", "Milliseconds", "%", "Count/Second", "{Count}/s"), math.nan),
    ],
)
def test_units_of_the_same_kind_are_converted_and_others_are_incompatible(
    declared: Unit, texts: tuple[str, ...], expected: float
) -> None:
    for text in texts:
        assert conversion_factor(text, declared, "Maximum") == pytest.approx(expected, nan_ok=True)


def test_a_sample_count_is_not_scaled() -> None:
    assert conversion_factor("Kilobytes", BYTES, "SampleCount") == 1.0
    assert math.isnan(conversion_factor("Percent", BYTES, "SampleCount"))
