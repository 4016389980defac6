import math

import pytest

from monitor.stream.units import conversion_factor

AGE, BYTES = "GetRecords.IteratorAgeMilliseconds", "IncomingBytes"


@pytest.mark.parametrize("unit", ["", "None", "1", "Count", "{Count}", "Furlongs"])
@pytest.mark.parametrize("metric", [AGE, BYTES, "IncomingRecords"])
def test_plain_numbers_and_unknown_units_are_taken_as_they_are(metric: str, unit: str) -> None:
    assert conversion_factor("AWS/Kinesis", metric, "Sum", unit) == 1.0


@pytest.mark.parametrize(
    ("metric", "units", "expected"),
    [
        (BYTES, ("Bytes", "By"), 1.0),
        (BYTES, ("Kilobytes", "kBy"), 1e3),
        (BYTES, ("Terabytes", "TBy"), 1e12),
        (BYTES, ("Bits", "bit"), 0.125),
        (BYTES, ("Megabits", "Mbit", "MBit"), 125_000.0),
        (AGE, ("Milliseconds", "ms"), 1.0),
        (AGE, ("Seconds", "s"), 1000.0),
        (AGE, ("Microseconds", "us"), 0.001),
        (
            BYTES,
            ("Percent", "%", "Seconds", "ms", "Bytes/Second", "By/s", "Count/Second", "{Count}/s"),
            math.nan,
        ),
        (AGE, ("Kilobytes", "By", "Percent"), math.nan),
        ("IncomingRecords", ("Bytes", "By", "Milliseconds", "%"), math.nan),
    ],
)
def test_scales_are_converted_and_others_contradict(
    metric: str, units: tuple[str, ...], expected: float
) -> None:
    for unit in units:
        assert conversion_factor("AWS/Kinesis", metric, "Maximum", unit) == pytest.approx(
            expected, nan_ok=True
        )


def test_a_count_of_samples_has_no_scale() -> None:
    assert conversion_factor("AWS/Kinesis", BYTES, "SampleCount", "Kilobytes") == 1.0
    assert math.isnan(conversion_factor("AWS/Kinesis", BYTES, "SampleCount", "Percent"))
