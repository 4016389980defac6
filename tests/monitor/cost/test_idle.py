"""Idle purchases, and the amount of each that can be released."""

from typing import Any

import pytest

from monitor.cost.idle import IdlePurchase, idle_purchases
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from rules.limits import LimitSource
from tests.monitor.fleet.fleets import key
from tests.monitor.report.scans import add_used_series, scan_report, stream

MIB = 2.0**20
UNPRICED_REGION, PRICED_REGION = "eu-west-1", "us-east-1"
HOURS_PER_MONTH = 365.25 * 24 / 12
SHARD_DOLLARS = 0.015  # an hour, in PRICED_REGION


def purchases_of(fleet: Fleet) -> list[IdlePurchase]:
    """Return the idle purchases of a fleet."""
    report = scan_report(fleet)
    return idle_purchases(report.rows, report.history_of)


def add_stream(
    fleet: Fleet, name: str, shard_count: int, *runs: tuple[int, float], region: str = PRICED_REGION
) -> None:
    """Add a stream with a number of shards.

    runs: the minutes and the utilization of each period, as in `add_used_series`. The utilization is that of
    the limit on bytes; that of the limit on records is half as high.
    """
    add_used_series(fleet, stream(name, region), *runs, limit=shard_count * MIB)
    record_runs = [(minutes, utilization / 2) for minutes, utilization in runs]
    add_used_series(
        fleet, stream(name, region, "stream_write_records"), *record_runs, limit=shard_count * 1000
    )


@pytest.mark.parametrize(
    ("shard_count", "runs", "spare"),
    [  # with the shards that remain, the peak is at 55 %, the middle of the band, or below
        (8, [(180, 0.08)], 6),
        (8, [(180, 0.30)], 3),
        (8, [(90, 0.50), (90, 0.08)], 0),  # 8 * 0.5 / 0.55 = 7.3 shards are needed: none can be released
        (40, [(1, 0.50), (179, 0.08)], 3),
        (2, [(180, 0.01)], 1),
        (1, [(180, 0.01)], 0),  # the minimum that can be bought
        (8, [(180, 0.45)], 0),  # within the band
        (8, [(180, 0.0)], 7),
    ],
)
def test_after_the_proposed_reduction_the_peak_is_at_most_in_the_middle_of_the_band(
    shard_count: int, runs: list[tuple[int, float]], spare: int
) -> None:
    fleet = Fleet()
    add_stream(fleet, "audit", shard_count, *runs)
    purchases = purchases_of(fleet)
    if not spare:
        assert purchases == []
    else:
        (purchase,) = purchases
        assert purchase.spare_text == ("1 shard" if spare == 1 else f"{spare} shards")
        assert purchase.monthly_dollars == pytest.approx(spare * SHARD_DOLLARS * HOURS_PER_MONTH)


def test_signals_of_one_purchase_are_one_finding() -> None:
    fleet = Fleet()
    add_stream(fleet, "audit", 8, (180, 0.08))
    add_used_series(
        fleet, stream("audit/reader", PRICED_REGION, "efo_read_bytes"), (180, 0.3), limit=8 * 2 * MIB
    )
    add_used_series(
        fleet, stream("audit/shardId-000000000000", PRICED_REGION, "shard_write_bytes"), (180, 0.2), limit=MIB
    )
    (purchase,) = purchases_of(fleet)
    assert (purchase.name, purchase.bought_text, purchase.peak_text, purchase.spare_text) == (
        "audit",
        "8 shards",
        "30 %",
        "3 shards",
    )
    assert purchase.price_text == "$0.015 an hour per shard in us-east-1"
    assert purchase.price_source == "https://aws.amazon.com/kinesis/data-streams/pricing/"


def test_a_purchase_is_not_idle_while_the_usage_of_a_part_is_unknown() -> None:
    fleet = Fleet()
    add_stream(fleet, "audit", 8, (180, 0.08))
    without_samples = stream("audit/asleep", PRICED_REGION, "efo_read_bytes")
    add_used_series(fleet, without_samples, limit=8 * 2 * MIB)
    assert purchases_of(fleet) == []


@pytest.mark.parametrize(
    ("signal", "resource", "limit"),
    [
        ("stream_write_records", "audit", 8000.0),
        ("efo_read_bytes", "audit/reader", 16 * MIB),
        ("shard_write_bytes", "audit/shardId-000000000000", MIB),
    ],
)
def test_a_purchase_is_not_idle_if_one_of_its_series_is_within_its_band(
    signal: str, resource: str, limit: float
) -> None:
    fleet = Fleet()
    add_used_series(fleet, stream("audit", PRICED_REGION), (180, 0.08), limit=8 * MIB)
    add_used_series(fleet, stream(resource, PRICED_REGION, signal), (180, 0.6), limit=limit)
    assert purchases_of(fleet) == []


def test_streams_of_one_name_in_two_regions_are_two_purchases() -> None:
    fleet = Fleet()
    add_stream(fleet, "audit", 8, (180, 0.08))
    add_stream(fleet, "audit", 4, (180, 0.08), region=UNPRICED_REGION)
    assert [(purchase.key.region, purchase.bought_text) for purchase in purchases_of(fleet)] == [
        (PRICED_REGION, "8 shards"),
        (UNPRICED_REGION, "4 shards"),
    ]


def test_a_purchase_of_a_global_service_has_the_price_of_its_home_region() -> None:
    fleet = Fleet()
    add_used_series(fleet, stream("audit", "global"), (180, 0.08), limit=8 * MIB, home_region=PRICED_REGION)
    (purchase,) = purchases_of(fleet)
    assert (purchase.key.region, purchase.price_text) == ("global", "$0.015 an hour per shard in us-east-1")


def test_an_unknown_price_is_shown_as_unknown() -> None:
    fleet = Fleet()
    add_stream(fleet, "audit", 8, (180, 0.08), region=UNPRICED_REGION)
    (purchase,) = purchases_of(fleet)
    assert (purchase.spare_text, purchase.monthly_dollars, purchase.price_text, purchase.price_source) == (
        "6 shards",
        None,
        "price not known for eu-west-1",
        "",
    )


def unpriced_series() -> tuple[Key, dict[str, Any]]:
    """Return a key and arguments of `add_used_series` for a series whose purchase has no known price."""
    return key("etl/live", "rds.iops"), {"limit": 150.0}


def test_an_idle_purchase_without_a_price_is_shown_with_its_limit() -> None:
    fleet = Fleet()
    unpriced, arguments = unpriced_series()
    add_used_series(fleet, unpriced, (180, 0.2), **arguments)
    (purchase,) = purchases_of(fleet)
    assert (purchase.name, purchase.bought_text, purchase.peak_text) == (
        "etl/live",
        "a limit of 150 operations/s",
        "20 %",
    )
    assert (purchase.spare_text, purchase.monthly_dollars, purchase.price_text) == (
        "",
        None,
        "price not known",
    )


def test_an_idle_purchase_whose_limit_is_an_override_has_no_price() -> None:
    fleet = Fleet()
    add_used_series(
        fleet, stream("audit", PRICED_REGION), (180, 0.08), limit=8 * MIB, source=LimitSource.OVERRIDE
    )
    (purchase,) = purchases_of(fleet)
    assert (purchase.bought_text, purchase.monthly_dollars, purchase.price_text) == (
        "a limit of 8 MiB/s",
        None,
        "price not known",
    )


def test_quotas_and_stale_series_are_no_idle_purchases() -> None:
    fleet = Fleet()
    add_used_series(fleet, key("", "lambda.account_concurrency"), (180, 0.01), limit=1000.0)
    add_used_series(fleet, stream("silent", PRICED_REGION), limit=8 * MIB)
    assert purchases_of(fleet) == []


def test_the_most_expensive_purchases_come_first_and_unpriced_ones_last() -> None:
    fleet = Fleet()
    unpriced, arguments = unpriced_series()
    add_used_series(fleet, unpriced, (180, 0.2), **arguments)
    add_stream(fleet, "small", 3, (180, 0.08))
    add_stream(fleet, "large", 30, (180, 0.08))
    assert [purchase.name for purchase in purchases_of(fleet)] == ["large", "small", "etl/live"]
