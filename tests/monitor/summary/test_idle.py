"""What is bought and idle, and what of it could be given back."""

from typing import Any

import pytest

from monitor.fleet import Fleet, Key
from monitor.summary.idle import Idle, idle
from rules.limits import Source
from tests.monitor.fleets import key
from tests.monitor.summary.looks import look, stream, use

MIB = 2.0**20
HERE, PRICED = "eu-west-1", "us-east-1"
HOURS = 365.25 * 24 / 12  # of a month


def found(fleet: Fleet) -> list[Idle]:
    made = look(fleet)
    return idle(made.rows, made.course)


def shards(fleet: Fleet, name: str, number: int, *runs: tuple[int, float], region: str = PRICED) -> None:
    """A stream of so many shards, its bytes used so much; of records it takes half of that."""
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
def test_what_can_be_given_back_leaves_the_peak_in_the_middle_of_the_band(
    number: int, runs: list[tuple[int, float]], spare: int
) -> None:
    fleet = Fleet()
    shards(fleet, "audit", number, *runs)
    told = found(fleet)
    assert [one.spare for one in told] == ([f"{spare} shard{'s' if spare > 1 else ''}"] if spare else [])
    assert [one.month for one in told] == ([pytest.approx(spare * 0.015 * HOURS)] if spare else [])


def test_signals_of_one_purchase_are_one_finding() -> None:
    fleet = Fleet()
    shards(fleet, "audit", 8, (180, 0.08))
    use(fleet, stream("audit/reader", PRICED, "efo_read_bytes"), (180, 0.3), limit=8 * 2 * MIB)
    use(fleet, stream("audit/shardId-000000000000", PRICED, "shard_write_bytes"), (180, 0.2), limit=MIB)
    (told,) = found(fleet)
    assert (told.name, told.bought, told.peak, told.spare) == ("audit", "8 shards", "30 %", "3 shards")
    assert told.price == "$0.015 an hour and shard in us-east-1"
    assert told.source == "https://aws.amazon.com/kinesis/data-streams/pricing/"


def test_a_series_without_samples_neither_needs_nor_spares_anything() -> None:
    fleet = Fleet()
    shards(fleet, "audit", 8, (180, 0.08))
    use(fleet, stream("audit/asleep", PRICED, "efo_read_bytes"), limit=8 * 2 * MIB)
    assert [one.spare for one in found(fleet)] == ["6 shards"]


@pytest.mark.parametrize(
    ("signal", "resource", "limit"),
    [
        ("stream_write_records", "audit", 8000.0),
        ("efo_read_bytes", "audit/reader", 16 * MIB),
        ("shard_write_bytes", "audit/shardId-000000000000", MIB),
    ],
)
def test_what_one_of_its_series_needs_is_not_idle(signal: str, resource: str, limit: float) -> None:
    fleet = Fleet()
    use(fleet, stream("audit", PRICED), (180, 0.08), limit=8 * MIB)
    use(fleet, stream(resource, PRICED, signal), (180, 0.6), limit=limit)
    assert found(fleet) == []


def test_streams_of_one_name_in_two_regions_are_two() -> None:
    fleet = Fleet()
    shards(fleet, "audit", 8, (180, 0.08))
    shards(fleet, "audit", 4, (180, 0.08), region=HERE)
    assert [(one.key.region, one.bought) for one in found(fleet)] == [
        (PRICED, "8 shards"),
        (HERE, "4 shards"),
    ]


def test_where_no_price_is_known_none_is_told() -> None:
    fleet = Fleet()
    shards(fleet, "audit", 8, (180, 0.08), region=HERE)
    (told,) = found(fleet)
    assert (told.spare, told.month, told.price, told.source) == (
        "6 shards",
        None,
        "price not known for eu-west-1",
        "",
    )


def of_nobody_knows_what(**more: Any) -> tuple[Key, dict[str, Any]]:
    return key("etl/live", "lambda.function_provisioned_concurrency"), {"limit": 150.0, **more}


def test_what_has_no_price_is_told_with_its_limit() -> None:
    fleet = Fleet()
    named, more = of_nobody_knows_what()
    use(fleet, named, (180, 0.2), **more)
    (told,) = found(fleet)
    assert (told.name, told.bought, told.peak) == (
        "etl/live",
        "a limit of 150 execution environments",
        "20 %",
    )
    assert (told.spare, told.month, told.price) == ("", None, "price not known")


def test_a_limit_set_by_hand_says_nothing_of_what_was_bought() -> None:
    fleet = Fleet()
    use(fleet, stream("audit", PRICED), (180, 0.08), limit=8 * MIB, source=Source.OVERRIDE)
    (told,) = found(fleet)
    assert (told.bought, told.month, told.price) == ("a limit of 8 MiB/s", None, "price not known")


def test_quotas_and_what_cannot_be_judged_are_not_money() -> None:
    fleet = Fleet()
    use(fleet, key("account", "lambda.account_concurrency"), (180, 0.01), limit=1000.0)
    use(fleet, stream("silent", PRICED), limit=8 * MIB)
    assert found(fleet) == []


def test_the_dearest_come_first_and_those_without_a_price_last() -> None:
    fleet = Fleet()
    named, more = of_nobody_knows_what()
    use(fleet, named, (180, 0.2), **more)
    shards(fleet, "small", 3, (180, 0.08))
    shards(fleet, "large", 30, (180, 0.08))
    assert [one.name for one in found(fleet)] == ["large", "small", "etl/live"]
