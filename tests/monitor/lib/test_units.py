import pytest

from monitor.lib.units import format_amount, format_percent, format_range
from rules.limits import signals


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (0, "shards", "0 shards"),
        (7, "shards", "7 shards"),
        (12.345, "requests/s", "12.3 requests/s"),
        (999.4, "requests/s", "999 requests/s"),
        (999.9, "requests/s", "1k requests/s"),
        (1234, "requests/s", "1.23k requests/s"),
        (999_900, "requests/s", "1M requests/s"),
        (2_500_000_000, "requests/s", "2.5G requests/s"),
        (7e15, "messages", "7000T messages"),
        (0.0167, "requests/s", "0.0167 requests/s"),
        (0.00002, "records/s", "2e-05 records/s"),
        (0, "bytes/s", "0 B/s"),
        (1000, "bytes/s", "1000 B/s"),
        (1023.9, "bytes/s", "1 KiB/s"),
        (1024, "bytes", "1 KiB"),
        (3.6 * 2**20, "bytes/s", "3.6 MiB/s"),
        (1010 * 2**20, "bytes/s", "1010 MiB/s"),
        (1023.99 * 2**20, "bytes/s", "1 GiB/s"),
        (1500 * 2**40, "bytes", "1500 TiB"),
        (0, "milliseconds", "0 ms"),
        (999.7, "milliseconds", "1 s"),
        (1500, "milliseconds", "1.5 s"),
        (59_999, "milliseconds", "1 min"),
        (129_600_000, "milliseconds", "1.5 d"),
        (86_300_000, "milliseconds", "24 h"),
        (365 * 86_400_000, "milliseconds", "365 d"),
        (92.5, "percent", "92.5 %"),
    ],
)
def test_an_amount_is_short_and_has_its_unit(value: float, unit: str, said: str) -> None:
    assert format_amount(value, unit) == said


@pytest.mark.parametrize("unit", sorted({signal.unit for signal in signals()}))
def test_no_unit_of_the_catalogue_is_said_in_powers_of_ten(unit: str) -> None:
    for exponent in range(-3, 15):
        for digits in (1, 1.004, 5.556, 9.994, 9.9951):
            assert "e" not in format_amount(digits * 10**exponent, unit).split()[0], (digits, exponent)


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (None, "-"),
        (0.0, "0 %"),
        (0.0000001, "<0.01 %"),
        (0.0001, "0.01 %"),
        (0.0042, "0.42 %"),
        (0.05, "5 %"),
        (0.0999, "10 %"),
        (0.1, "10 %"),
        (0.914, "91 %"),
        (1.0, "100 %"),
        (12.5, "1250 %"),
    ],
)
def test_a_utilization_is_said_in_percent(ratio: float | None, said: str) -> None:
    assert format_percent(ratio) == said


@pytest.mark.parametrize(
    ("usage", "at_most", "bounded", "said"),
    [
        (80.0, None, False, "80 calls/s"),
        (None, None, False, "-"),
        (None, None, True, "-"),
        (8.0, 80.0, True, "8 to 80 calls/s"),
        (0.0, 80.0, True, "at most 80 calls/s"),
        (0.0, 0.0, True, "at most 0 calls/s"),
        (8.0, None, True, "at least 8 calls/s"),
    ],
)
def test_a_usage_that_is_only_bounded_is_said_by_its_bounds(
    usage: float | None, at_most: float | None, bounded: bool, said: str
) -> None:
    assert format_range(usage, at_most, "calls/s", bounded) == said
