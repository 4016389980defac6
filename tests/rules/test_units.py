"""Units: how amounts are written, and how names of units are read."""

import pytest
from grafana_foundation_sdk.models import units as grafana

from rules.units import PERCENT, UNITS, UnitKind, parse_unit, unit_named
from tests.registries import REGISTRY


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
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
        (0.5, "seconds", "0.5 s"),
        (59, "seconds", "59 s"),
        (90, "seconds", "1.5 min"),
        (86_400, "seconds", "1 d"),
        (92.5, "percent", "92.5 %"),
    ],
)
def test_an_amount_is_written_with_a_prefix_and_its_unit(value: float, unit: str, expected: str) -> None:
    assert unit_named(unit).format(value) == expected


def test_amounts_in_units_of_the_catalogue_are_written_without_an_exponent() -> None:
    amounts = [
        digits * 10**exponent for exponent in range(-3, 15) for digits in (1, 1.004, 5.556, 9.994, 9.9951)
    ]
    for unit in {signal.unit.name for signal in REGISTRY.signals}:
        assert [amount for amount in amounts if "e" in unit_named(unit).split(amount)[0]] == [], unit


@pytest.mark.parametrize(
    ("unit", "usage", "upper_bound", "bounded", "expected"),
    [
        ("calls/s", 80.0, None, False, "80 calls/s"),
        ("calls/s", None, None, False, "-"),
        ("calls/s", None, None, True, "-"),
        ("calls/s", 8.0, 80.0, True, "8 to 80 calls/s"),
        ("calls/s", 0.0, 80.0, True, "at most 80 calls/s"),
        ("calls/s", 0.0, 0.0, True, "at most 0 calls/s"),
        ("calls/s", 8.0, None, True, "at least 8 calls/s"),
        ("bytes/s", 2048.0, 4096.0, True, "2 to 4 KiB/s"),
        ("bytes/s", 2.0, 4096.0, True, "2 B/s to 4 KiB/s"),
    ],
)
def test_a_usage_that_is_only_bounded_is_written_as_a_range(
    unit: str, usage: float | None, upper_bound: float | None, bounded: bool, expected: str
) -> None:
    assert unit_named(unit).format_range(usage, upper_bound, bounded) == expected


@pytest.mark.parametrize(
    ("unit", "usage", "limit", "expected"),
    [
        ("requests/s", 3500.0, 4000.0, "3.5k of 4k requests/s"),
        ("concurrent executions", 12.0, 1000.0, "12 of 1k concurrent executions"),
        ("percent", 5.0, 70.0, "5 of 70 %"),
        ("milliseconds", 3_600_000.0, 10_800_000.0, "1 of 3 h"),
        ("milliseconds", 1_800_000.0, 10_800_000.0, "30 min of 3 h"),
        ("seconds", 1800.0, 86_400.0, "30 min of 1 d"),
        ("bytes/s", 3.6 * 2**20, 4 * 2**20, "3.6 MiB/s of 4 MiB/s"),
    ],
)
def test_a_common_unit_of_usage_and_limit_is_written_once_unless_it_is_in_bytes(
    unit: str, usage: float, limit: float, expected: str
) -> None:
    assert unit_named(unit).format_fraction(usage, limit) == expected


@pytest.mark.parametrize(
    ("name", "kind", "scale", "is_rate", "grafana_id"),
    [
        ("bytes", UnitKind.BYTES, 1.0, False, grafana.BytesIEC),
        ("bytes/s", UnitKind.BYTES, 1.0, True, grafana.BytesPerSecondIEC),
        ("milliseconds", UnitKind.DURATION, 0.001, False, grafana.Milliseconds),
        ("seconds", UnitKind.DURATION, 1.0, False, grafana.Seconds),
        ("percent", UnitKind.PERCENT, 1.0, False, grafana.Percent),
        ("requests/s", UnitKind.COUNT, 1.0, True, grafana.RequestsPerSecond),
        ("requests/period", UnitKind.COUNT, 1.0, False, grafana.Short),
        ("execution environments per 10 s", UnitKind.COUNT, 1.0, False, grafana.Short),
        ("shards", UnitKind.COUNT, 1.0, False, grafana.Short),
        ("queues", UnitKind.COUNT, 1.0, False, grafana.Short),
        ("read units/s", UnitKind.COUNT, 1.0, True, grafana.Short),
        ("vCPUs", UnitKind.COUNT, 1.0, False, grafana.Short),
    ],
)
def test_a_unit_is_read_by_its_name(
    name: str, kind: UnitKind, scale: float, is_rate: bool, grafana_id: str
) -> None:
    unit = parse_unit(name)
    assert (unit.name, str(unit), unit) == (name, name, unit_named(name))
    assert (unit.kind, unit.scale, unit.is_rate, unit.grafana) == (kind, scale, is_rate, grafana_id)


@pytest.mark.parametrize(
    ("name", "suggested"),
    [
        ("byts/s", "bytes/s"),
        ("Bytes/s", "bytes/s"),
        ("bytes/sec", "bytes/s"),
        ("bytes per second", None),
        ("kilobytes", "bytes"),
        ("bites", "bytes"),
        ("gigabits", None),
        ("ms", None),
        ("miliseconds", "milliseconds"),
        ("secnds", "seconds"),
        ("hours", None),
        ("percents", "percent"),
        ("percent/s", "percent"),
        ("%", None),
        ("request/s", "requests/s"),
        ("requests/ s", "requests/s"),
        ("shard", "shards"),
        ("shards ", "shards"),
        ("", None),
    ],
)
def test_an_unknown_unit_is_refused_with_the_nearest_name(name: str, suggested: str | None) -> None:
    with pytest.raises(ValueError, match=r"^expected a unit such as bytes, .*, found '") as caught:
        parse_unit(name)
    assert str(caught.value).partition("; ")[2] == (f"did you mean {suggested}?" if suggested else "")


def test_every_unit_is_parsed_from_its_own_name() -> None:
    assert all(parse_unit(name) is unit and unit.name == name for name, unit in UNITS.items())


def test_an_unknown_unit_counts_the_things_in_its_name() -> None:
    assert unit_named("furlongs/s").format(1200) == "1.2k furlongs/s"
    assert unit_named("percent") is PERCENT


@pytest.mark.parametrize(
    ("unit", "text", "amount"),
    [
        ("shards", "2000", 2000),
        ("shards", "2,000", 2000),
        ("shards", " 2k ", 2000),
        ("requests/s", "1.5M", 1.5e6),
        ("bytes", "40TiB", 40 * 2**40),
        ("bytes/s", "4 MiB/s", 4 * 2**20),
        ("bytes/s", "1000", 1000),
        ("percent", "80", 80),
    ],
)
def test_an_amount_is_parsed_with_its_prefix(unit: str, text: str, amount: float) -> None:
    assert UNITS[unit].parse(text) == amount


@pytest.mark.parametrize(
    ("unit", "text"),
    [("shards", "-1"), ("shards", "2Ki"), ("bytes", "4k"), ("shards", "nan"), ("shards", "")],
)
def test_an_invalid_amount_is_refused_with_an_example(unit: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"^expected an amount such as (40TiB|2000 or 2k), found '"):
        UNITS[unit].parse(text)


@pytest.mark.parametrize(
    ("name", "is_load"),
    [
        ("requests/s", True),
        ("bytes/s", True),
        ("furlongs/s", True),
        ("percent", True),
        ("connections", True),
        ("concurrent executions", True),
        ("requests/period", True),
        ("bytes", False),
        ("shards", False),
        ("tables", False),
        ("milliseconds", False),
    ],
)
def test_amounts_of_work_grow_with_traffic_and_numbers_of_things_do_not(name: str, is_load: bool) -> None:
    assert parse_unit(name).is_load is is_load
