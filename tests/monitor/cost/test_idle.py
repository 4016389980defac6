"""Idle purchases, and what of them can be given back."""

from typing import Any

import pytest

from monitor.cost.idle import IdlePurchase, idle_purchases
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from rules.limits import LimitSource
from tests.monitor.fleet.fleets import key
from tests.monitor.report.scans import scan_report, stream, use

MIB = 2.0**20
HERE, PRICED = "eu-west-1", "us-east-1"
HOURS = 365.25 * 24 / 12  # of a month


def purchases_of(fleet: Fleet) -> list[IdlePurchase]:
    """Return the idle purchases of a fleet."""
    made = scan_report(fleet)
    return idle_purchases(made.rows, made.history_of)


def shards(fleet: Fleet, name: str, number: int, *runs: tuple[int, float], region: str = PRICED) -> None:
    """Use a part of the bytes of a stream with so many shards (by minutes), and half of it of its records."""
    use(fleet, stream(name, region), *runs, limit=number * MIB)
    halves = [(length, value / 2) for length, value in runs]
    use(fleet, stream(name, region, "stream_write_records"), *halves, limit=number * 1000)


@pytest.mark.parametrize(
    ("number", "runs", "spare"),
    [  # with the shards that are left, the peak is at 55 %, the middle of the band, or below
        (8, [(180, 0.08)], 6),
        (8, [(180, 0.30)], 3),
        (8, [(90, 0.50), (90, 0.08)], 0),  # 8 * 0.5 / 0.55 = 7.3: not one can go
        (40, [(1, 0.50), (179, 0.08)], 3),
        (2, [(180, 0.01)], 1),
        (1, [(180, 0.01)], 0),  # the least that can be bought
        (8, [(180, 0.45)], 0),  # within the band
        (8, [(180, 0.0)], 7),
    ],
)
def test_after_the_proposed_reduction_the_peak_is_in_the_middle_of_the_band(
    number: int, runs: list[tuple[int, float]], spare: int
) -> None:
    fleet = Fleet()
    shards(fleet, "audit", number, *runs)
    idle = purchases_of(fleet)
    assert [one.spare_text for one in idle] == ([f"{spare} shard{'s' if spare > 1 else ''}"] if spare else [])
    assert [one.monthly_dollars for one in idle] == ([pytest.approx(spare * 0.015 * HOURS)] if spare else [])


def test_signals_of_one_purchase_are_one_finding() -> None:
    fleet = Fleet()
    shards(fleet, "audit", 8, (180, 0.08))
    use(fleet, stream("audit/reader", PRICED, "efo_read_bytes"), (180, 0.3), limit=8 * 2 * MIB)
    use(fleet, stream("audit/shardId-000000000000", PRICED, "shard_write_bytes"), (180, 0.2), limit=MIB)
    (idle,) = purchases_of(fleet)
    assert (idle.name, idle.bought_text, idle.peak_text, idle.spare_text) == (
        "audit",
        "8 shards",
        "30 %",
        "3 shards",
    )
    assert idle.price_text == "$0.015 an hour and shard in us-east-1"
    assert idle.price_source == "https://aws.amazon.com/kinesis/data-streams/pricing/"


def test_a_purchase_is_not_idle_while_the_usage_of_a_part_is_unknown() -> None:
    fleet = Fleet()
    shards(fleet, "audit", 8, (180, 0.08))
    use(fleet, stream("audit/asleep", PRICED, "efo_read_bytes"), limit=8 * 2 * MIB)
    assert purchases_of(fleet) == []


@pytest.mark.parametrize(
    ("signal", "resource", "limit"),
    [
        ("stream_write_records", "audit", 8000.0),
        ("efo_read_bytes", "audit/reader", 16 * MIB),
        ("shard_write_bytes", "audit/shardId-000000000000", MIB),
    ],
)
def test_a_purchase_is_not_idle_if_one_of_its_series_is_used(
    signal: str, resource: str, limit: float
) -> None:
    fleet = Fleet()
    use(fleet, stream("audit", PRICED), (180, 0.08), limit=8 * MIB)
    use(fleet, stream(resource, PRICED, signal), (180, 0.6), limit=limit)
    assert purchases_of(fleet) == []


def test_streams_of_one_name_in_two_regions_are_two() -> None:
    fleet = Fleet()
    shards(fleet, "audit", 8, (180, 0.08))
    shards(fleet, "audit", 4, (180, 0.08), region=HERE)
    assert [(one.key.region, one.bought_text) for one in purchases_of(fleet)] == [
        (PRICED, "8 shards"),
        (HERE, "4 shards"),
    ]


def test_a_purchase_of_a_global_service_has_the_price_of_its_home_region() -> None:
    fleet = Fleet()
    use(fleet, stream("audit", "global"), (180, 0.08), limit=8 * MIB, home_region=PRICED)
    (idle,) = purchases_of(fleet)
    assert (idle.key.region, idle.price_text) == ("global", "$0.015 an hour and shard in us-east-1")


def test_an_unknown_price_is_shown_as_unknown() -> None:
    fleet = Fleet()
    shards(fleet, "audit", 8, (180, 0.08), region=HERE)
    (idle,) = purchases_of(fleet)
    assert (idle.spare_text, idle.monthly_dollars, idle.price_text, idle.price_source) == (
        "6 shards",
        None,
        "price not known for eu-west-1",
        "",
    )


def unknown_purchase(**more: Any) -> tuple[Key, dict[str, Any]]:
    """Return a series whose purchase is not known."""
    return key("etl/live", "rds.iops"), {"limit": 150.0, **more}


def test_an_idle_purchase_without_a_price_is_shown_with_its_limit() -> None:
    fleet = Fleet()
    named, more = unknown_purchase()
    use(fleet, named, (180, 0.2), **more)
    (idle,) = purchases_of(fleet)
    assert (idle.name, idle.bought_text, idle.peak_text) == (
        "etl/live",
        "a limit of 150 operations/s",
        "20 %",
    )
    assert (idle.spare_text, idle.monthly_dollars, idle.price_text) == (
        "",
        None,
        "price not known",
    )


def test_an_idle_purchase_with_an_override_as_its_limit_has_no_price() -> None:
    fleet = Fleet()
    use(fleet, stream("audit", PRICED), (180, 0.08), limit=8 * MIB, source=LimitSource.OVERRIDE)
    (idle,) = purchases_of(fleet)
    assert (idle.bought_text, idle.monthly_dollars, idle.price_text) == (
        "a limit of 8 MiB/s",
        None,
        "price not known",
    )


def test_quotas_and_stale_series_are_no_idle_purchases() -> None:
    fleet = Fleet()
    use(fleet, key("", "lambda.account_concurrency"), (180, 0.01), limit=1000.0)
    use(fleet, stream("silent", PRICED), limit=8 * MIB)
    assert purchases_of(fleet) == []


def test_the_dearest_come_first_and_those_without_a_price_last() -> None:
    fleet = Fleet()
    named, more = unknown_purchase()
    use(fleet, named, (180, 0.2), **more)
    shards(fleet, "small", 3, (180, 0.08))
    shards(fleet, "large", 30, (180, 0.08))
    assert [one.name for one in purchases_of(fleet)] == ["large", "small", "etl/live"]
