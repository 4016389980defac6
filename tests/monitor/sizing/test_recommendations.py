"""Recommendations join what series share with their fortnight, their size and its price."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from collectors.base import Bought, Resource
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from monitor.fleet.snapshot import Snapshot
from monitor.sizing.peaks import Peaks
from monitor.sizing.recommendations import Recommendation, recommendations
from monitor.sizing.totals import SizingTotals
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.right_size import Advice
from rules.signals import Band
from tests.monitor.fleet.fleets import ACCOUNT, NOW, add, judged
from tests.registries import signal_of

MIB, DAY = 2**20, 96
CLICKS, ORDERS = Resource("stream", ("clicks",)), Resource("table", ("orders",))
VOLUME = Resource("volume", ("vol-1",))


class Account:
    """A fleet of purchases, and their peaks."""

    def __init__(self) -> None:
        self.fleet, self.peaks = Fleet(), Peaks.unknown(50)

    def buy(self, name: str, peak: float, has: float, resource: Resource = CLICKS, **more: Any) -> Series:
        """Add a series with a limit and a peak.

        quarters: how many are known, of those since the oldest one. region, and settings of the series.
        """
        quarters = more.pop("quarters", (14 * DAY, 14 * DAY))
        service, _, signal = name.partition(".")
        named = Key(ACCOUNT, more.pop("region", "us-east-1"), service, signal, resource)
        settings = SeriesSettings(
            signal=signal_of(named), limit=Limit(has, LimitSource.API, NOW * 60), band=Band(), paid=True
        )
        series = add(self.fleet, named, replace(settings, **more))
        self.fleet.limit[series.slot] = has
        judged(self.fleet, series, Zone.WITHIN, usage=peak)
        self.peaks.peak[series.slot] = peak
        self.peaks.known[series.slot], self.peaks.span[series.slot] = quarters
        return series

    def found(self) -> list[Recommendation]:
        slots = np.arange(self.fleet.size, dtype=np.int32)
        return recommendations(Snapshot.of(self.fleet, {}), self.peaks, slots)

    @property
    def one(self) -> Recommendation:
        (one,) = self.found()
        return one


def stream(account: Account, shards: int, bytes_used: float, records_used: float, **more: Any) -> None:
    """Buy a stream that uses these shares of its two limits."""
    account.buy("kinesis.stream_write_bytes", bytes_used * shards * MIB, shards * MIB, **more)
    account.buy("kinesis.stream_write_records", records_used * shards * 1000, shards * 1000, **more)


def test_a_stream_that_is_idle_by_both_limits_saves_money() -> None:
    account = Account()
    stream(account, 8, 0.08, 0.3)
    one = account.one
    assert (one.advice, one.change, one.items) == (Advice.LOWER, "lower from 8 shards to 5", 5)
    assert one.key.signal == "stream_write_records"
    assert one.monthly_dollars == pytest.approx(-3 * 0.015 * 730.5)
    assert one.price_text == "$0.015 an hour and shard in us-east-1"
    assert one.command and "--target-shard-count 5" in one.command
    assert len(one.series) == 2


def test_a_stream_that_is_busy_by_one_limit_is_not_idle() -> None:
    account = Account()
    stream(account, 8, 0.01, 0.5)
    assert (account.one.advice, account.one.change) == (Advice.KEEP, "keep 8 shards")


def test_a_raise_is_priced_and_its_command_goes_as_far_as_aws_allows_at_once() -> None:
    account = Account()
    stream(account, 2, 2.0, 0.5)
    one = account.one
    assert (one.advice, one.items) == (Advice.RAISE, 8)
    assert one.monthly_dollars == pytest.approx(6 * 0.015 * 730.5)
    assert one.command and "--target-shard-count 4" in one.command


def test_a_recommendation_without_a_price_has_no_saving() -> None:
    account = Account()
    stream(account, 8, 0.08, 0.08, region="eu-west-3")
    assert account.one.items == 2
    assert (account.one.monthly_dollars, account.one.price_text, account.one.price_source) == (None, "", "")
    totals = SizingTotals.of(account.found())
    assert (totals.saved, totals.unpriced, totals.counts[Advice.LOWER]) == (0, 1, 1)


@pytest.mark.parametrize(("included", "dollars"), [(0.0, -436 * 7.2), (300.0, -200 * 7.2), (None, None)])
def test_what_is_included_is_not_paid_for(included: float | None, dollars: float | None) -> None:
    account = Account()
    bought = Bought(size="provisioned", items=500.0, included=included)
    home = Resource("file_system", ("home",))
    account.buy("efs.throughput", 35 * MIB, 500 * MIB, home, region="ap-northeast-1", bought=bought)
    assert (account.one.advice, account.one.items) == (Advice.LOWER, 64)
    assert account.one.monthly_dollars == pytest.approx(dollars)


def test_a_limit_that_changed_is_compared_with_the_demand_of_all_days() -> None:
    account = Account()
    series = account.buy("kinesis.stream_write_bytes", 1.8 * MIB, 2 * MIB)
    assert account.one.advice is Advice.RAISE
    account.fleet.limit[series.slot] = 4 * MIB
    assert (account.one.advice, account.one.bought) == (Advice.KEEP, 4)


def test_a_table_and_its_index_are_separate_purchases() -> None:
    account = Account()
    account.buy("dynamodb.table_read_capacity", 5, 100, ORDERS)
    account.buy("dynamodb.index_read_capacity", 60, 100, ORDERS.child("index", "by-day"))
    account.buy("dynamodb.table_write_capacity", 5, 100, ORDERS)
    changes = {(one.key.signal, one.change, round(one.monthly_dollars or 0, 2)) for one in account.found()}
    assert changes == {
        ("table_read_capacity", "lower from 100 read units to 10", -8.55),
        ("table_write_capacity", "lower from 100 write units to 10", -42.73),
        ("index_read_capacity", "keep 100 read units", 0),
    }


def test_the_operations_included_in_a_volume_cost_nothing() -> None:
    account = Account()
    bought = Bought(size="gp3", items=6000, maximum=50_000)
    account.buy("ebs.volume_iops", 300, 6000, VOLUME, bought=bought)
    one = account.one
    assert (one.change, one.monthly_dollars) == ("lower from 6,000 gp3 operations/s to 3,000", -15)
    assert one.command and "--iops 3000" in one.command


def test_a_volume_whose_size_decides_has_no_recommendation() -> None:
    account = Account()
    account.buy("ebs.volume_iops", 300, 6000, VOLUME, bought=Bought(size="gp2", items=6000))
    assert account.found() == []


def test_a_deliberate_or_configured_limit_has_no_recommended_change() -> None:
    account = Account()
    account.buy("autoscaling.group_max_size", 4, 4, Resource("group", ("etcd",)), deliberate=True)
    own = Limit(4.0, LimitSource.OVERRIDE, NOW * 60)
    account.buy(
        "lambda.function_provisioned_concurrency",
        0,
        4,
        Resource("function", ("f",)).child("alias", "live"),
        limit=own,
    )
    reasons = {one.key.service: (one.advice, one.reason) for one in account.found()}
    assert reasons["autoscaling"] == (Advice.KEEP, "the limit is set on purpose")
    assert reasons["lambda"][0] is Advice.UNKNOWN


def test_a_group_keeps_its_minimum() -> None:
    account = Account()
    account.buy("kinesis.stream_write_bytes", 0, 8 * MIB, bought=Bought(minimum=3))
    assert account.one.items == 3


def test_a_history_with_holes_is_not_enough() -> None:
    account = Account()
    stream(account, 8, 0.08, 0.08, quarters=(10 * DAY, 14 * DAY))
    assert account.one.advice is Advice.UNKNOWN
    assert account.one.reason.startswith("71% of the last 14 days")


def test_raises_come_first_and_then_the_largest_savings() -> None:
    account = Account()
    stream(account, 8, 0.08, 0.08, resource=Resource("stream", ("small",)))
    stream(account, 80, 0.08, 0.08, resource=Resource("stream", ("large",)))
    stream(account, 2, 0.9, 0.9, resource=Resource("stream", ("short",)))
    assert [one.name for one in account.found()] == ["short", "large", "small"]
