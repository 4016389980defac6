"""Rows of series for the API and the pages: their texts and numbers, and their order."""

import math
from typing import Any

import pytest

from collectors.base import Metric, Observed, Unobservable, highest
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.rows import Row, row_of, rows_of
from monitor.fleet.series_settings import SeriesSettings
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.registries import SIGNALS, STREAM_WRITE_BYTES
from tests.resources import resource as resource_of

MINUTE = 29_000_000
METRIC = Metric("AWS/Kinesis", "IncomingBytes", "Sum")


def key(resource: str, signal: str = "stream_write_bytes") -> Key:
    """Return the key of a series of a stream."""
    return Key("123456789012", "eu-west-1", "kinesis", signal, resource)


def put(fleet: Fleet, resource: str, limit: float | None = 100.0, **columns: float) -> Key:
    """Register a series, and set its columns as a judgement would; return its key."""
    usage = highest(METRIC.of(StreamName=resource))
    series_settings = SeriesSettings(
        signal=STREAM_WRITE_BYTES, limit=Limit(limit, LimitSource.API, 0.0) if limit else None, band=Band()
    )
    series = fleet.put(
        key(resource),
        Observed(signal="stream_write_bytes", resource=resource_of(resource), usage=usage),
        series_settings,
        MINUTE,
    )
    for name, value in columns.items():
        getattr(fleet, name)[series.slot] = value
    return series.key


def row_in(fleet: Fleet, series_key: Key) -> Row:
    """Return the row of a series of a fleet."""
    return row_of(fleet, fleet.series[series_key])


def test_a_row_holds_the_values_of_the_columns() -> None:
    fleet = Fleet()
    series_key = put(
        fleet, "orders", usage=55.0, utilization=0.55, saturation=0.0, minute=MINUTE, zone=Zone.WITHIN
    )
    assert row_in(fleet, series_key) == Row(
        key=series_key,
        zone=Zone.WITHIN,
        usage=55.0,
        upper_bound=None,
        limit=100.0,
        source=LimitSource.API,
        signal=STREAM_WRITE_BYTES,
        utilization=0.55,
        throttled=0.0,
        sample_time=MINUTE * 60,
        unobservable=None,
        band=Band(),
        size=STREAM_WRITE_BYTES.size(),
    )


def test_a_number_has_the_fewest_digits_that_give_its_float32() -> None:
    fleet = Fleet()
    row = row_in(fleet, put(fleet, "orders", usage=0.1, utilization=0.9))
    assert (row.usage, row.utilization) == (0.1, 0.9)


def test_a_series_that_was_never_judged_has_no_numbers() -> None:
    fleet = Fleet()
    row = row_in(fleet, put(fleet, "orders", limit=None))
    assert row.zone is Zone.STALE
    numbers = (
        row.usage,
        row.upper_bound,
        row.limit,
        row.source,
        row.utilization,
        row.throttled,
    )
    assert set(numbers) == {None}
    assert row.sample_time is None
    assert row.sample_time_text == ""


def test_a_row_has_the_reason_why_it_is_unobservable() -> None:
    fleet = Fleet()
    reason = Unobservable("request metrics are not enabled", "aws s3api")
    observed = Observed(signal="prefix_write_rate", resource=resource_of("media"), usage=reason)
    unobservable_key = Key("123456789012", "eu-west-1", "s3", "prefix_write_rate", "media")
    fleet.put(
        unobservable_key,
        observed,
        SeriesSettings(signal=SIGNALS["s3.prefix_write_rate"], limit=None, band=Band()),
        MINUTE,
    )
    assert row_in(fleet, unobservable_key).unobservable == reason


@pytest.mark.parametrize(
    ("sample_time", "expected"),
    [(0, "1970-01-01T00:00:00Z"), (1_740_000_000, "2025-02-19T21:20:00Z"), (None, "")],
)
def test_the_minute_of_the_sample_is_in_utc(sample_time: int | None, expected: str) -> None:
    assert row_with(sample_time=sample_time).sample_time_text == expected


def row_with(resource: str = "orders", **fields: Any) -> Row:
    """Return the row of a series within its band."""
    defaults: dict[str, Any] = {
        "key": key(resource),
        "signal": STREAM_WRITE_BYTES,
        "zone": Zone.WITHIN,
        "usage": 1.0,
        "upper_bound": None,
        "limit": 2.0,
        "source": LimitSource.API,
        "utilization": 0.5,
        "throttled": None,
        "sample_time": 0,
        "unobservable": None,
    }
    return Row(**{**defaults, **fields})


def test_the_worst_zone_comes_first_then_the_highest_utilization_then_the_name() -> None:
    fleet = Fleet()
    expected = [
        put(fleet, "z-saturated", zone=Zone.SATURATED, utilization=0.17),
        put(fleet, "near", zone=Zone.NEAR, utilization=0.95),
        put(fleet, "above, high", zone=Zone.ABOVE, utilization=0.89),
        put(fleet, "a-above, lower", zone=Zone.ABOVE, utilization=0.71),
        put(fleet, "within", zone=Zone.WITHIN, utilization=0.5),
        put(fleet, "a-twin", zone=Zone.BELOW, utilization=0.1),
        put(fleet, "b-twin", zone=Zone.BELOW, utilization=0.1),
        put(fleet, "idle", zone=Zone.BELOW, utilization=0.0),
        put(fleet, "stale", zone=Zone.STALE, utilization=math.nan),
        put(fleet, "hidden", zone=Zone.UNOBSERVABLE, utilization=math.nan),
    ]
    assert [row.key for row in rows_of(fleet)] == expected
    shuffled_fleet = Fleet()
    for series_key in sorted(expected):
        slot = fleet.series[series_key].slot
        put(shuffled_fleet, series_key.resource, zone=fleet.zone[slot], utilization=fleet.utilization[slot])
    assert [row.key for row in rows_of(shuffled_fleet)] == expected


def test_only_wanted_series_have_rows() -> None:
    fleet = Fleet()
    put(fleet, "orders")
    clicks_key = put(fleet, "clicks")
    rows = rows_of(fleet, lambda series_key: series_key.resource == "clicks")
    assert [row.key for row in rows] == [clicks_key]
    assert rows_of(Fleet()) == []


def test_the_unit_of_a_row_is_the_unit_of_its_signal() -> None:
    signal = SIGNALS["sqs.standard_in_flight"]
    assert row_with(signal=signal).unit is signal.unit
