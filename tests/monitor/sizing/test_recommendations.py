"""Recommended sizes of purchases: by the peaks, limits, sizes and prices of the series that share them."""

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
from tests.monitor.fleet.fleets import ACCOUNT, NOW, add, set_judgement
from tests.registries import signal_of

MIB = 2**20
DAY = 96  # quarter-hours
CLICKS, ORDERS = Resource("stream", ("clicks",)), Resource("table", ("orders",))
VOLUME = Resource("volume", ("vol-1",))


class Purchases:
    """A fleet of series whose limits are bought, and the peaks of their demand."""

    def __init__(self) -> None:
        self.fleet, self.peaks = Fleet(), Peaks.unknown(50)

    def buy(self, name: str, peak: float, amount: float, resource: Resource = CLICKS, **more: Any) -> Series:
        """Add a series of the signal `name`, with a limit of this amount and with a peak, in its unit.

        more: `quarters` (the number of quarter-hours with known demand, and the number of all quarter-hours
        since the first of these), `weekly_growth`, `region`, and fields of SeriesSettings.
        """
        quarters = more.pop("quarters", (14 * DAY, 14 * DAY))
        weekly_growth = more.pop("weekly_growth", 0)
        service, _, signal = name.partition(".")
        series_key = Key(ACCOUNT, more.pop("region", "us-east-1"), service, signal, resource)
        settings = SeriesSettings(
            signal=signal_of(series_key),
            limit=Limit(amount, LimitSource.API, NOW * 60),
            band=Band(),
            paid=True,
        )
        series = add(self.fleet, series_key, replace(settings, **more))
        self.fleet.limit[series.slot] = amount
        set_judgement(self.fleet, series, Zone.WITHIN, usage=peak)
        self.peaks.peak[series.slot], self.peaks.weekly_growth[series.slot] = peak, weekly_growth
        self.peaks.known_bins[series.slot], self.peaks.span_bins[series.slot] = quarters
        return series

    def recommendations(self) -> list[Recommendation]:
        slots = np.arange(self.fleet.size, dtype=np.int32)
        return recommendations(Snapshot.of(self.fleet, {}), self.peaks, slots)

    @property
    def recommendation(self) -> Recommendation:
        """The only recommendation."""
        (recommendation,) = self.recommendations()
        return recommendation


def buy_stream(
    purchases: Purchases, shards: int, bytes_used: float, records_used: float, **more: Any
) -> None:
    """Buy a stream. bytes_used, records_used: the peaks of its two series, divided by their limits."""
    purchases.buy("kinesis.stream_write_bytes", bytes_used * shards * MIB, shards * MIB, **more)
    purchases.buy("kinesis.stream_write_records", records_used * shards * 1000, shards * 1000, **more)


def test_a_stream_that_is_idle_by_both_limits_saves_money() -> None:
    purchases = Purchases()
    buy_stream(purchases, 8, 0.08, 0.3)
    recommendation = purchases.recommendation
    assert (recommendation.advice, recommendation.change, recommendation.items) == (
        Advice.LOWER,
        "lower from 8 shards to 5",
        5,
    )
    assert recommendation.key.signal == "stream_write_records"
    assert recommendation.monthly_dollars == pytest.approx(-3 * 0.015 * 730.5)
    assert recommendation.price_text == "$0.015 an hour per shard in us-east-1"
    assert recommendation.command and "--target-shard-count 5" in recommendation.command
    assert len(recommendation.series) == 2


@pytest.mark.parametrize(
    ("utilization", "growth", "advice", "reason"),
    [
        (0.95, 0.082, Advice.RAISE, "grows 8% a week"),
        (0.55, 0.5, Advice.KEEP, "grows 50% a week"),
        (0.1, 1.0, Advice.LOWER, "grows 100% a week or more"),
        (0.55, 0.0, Advice.KEEP, ""),
    ],
)
def test_the_reason_names_the_growth_that_the_peak_contains(
    utilization: float, growth: float, advice: Advice, reason: str
) -> None:
    purchases = Purchases()
    purchases.buy("kinesis.stream_write_bytes", utilization * 8 * MIB, 8 * MIB, weekly_growth=growth)
    recommendation = purchases.recommendation
    assert (recommendation.advice, recommendation.reason) == (advice, reason)
    assert recommendation.weekly_growth == pytest.approx(growth)


def test_the_reason_names_only_the_growth_of_the_limit_that_decides() -> None:
    purchases = Purchases()
    purchases.buy("kinesis.stream_write_bytes", 0.1 * 8 * MIB, 8 * MIB, weekly_growth=0.3)
    purchases.buy("kinesis.stream_write_records", 0.9 * 8000, 8000)
    assert (purchases.recommendation.advice, purchases.recommendation.reason) == (Advice.RAISE, "")


def test_a_stream_that_is_busy_by_one_of_its_limits_keeps_its_size() -> None:
    purchases = Purchases()
    buy_stream(purchases, 8, 0.01, 0.5)
    assert (purchases.recommendation.advice, purchases.recommendation.change) == (
        Advice.KEEP,
        "keep 8 shards",
    )


def test_a_raise_is_priced_and_its_command_goes_as_far_as_aws_allows_at_once() -> None:
    purchases = Purchases()
    buy_stream(purchases, 2, 2.0, 0.5)
    recommendation = purchases.recommendation
    assert (recommendation.advice, recommendation.items) == (Advice.RAISE, 8)
    assert recommendation.monthly_dollars == pytest.approx(6 * 0.015 * 730.5)
    assert recommendation.command and "--target-shard-count 4" in recommendation.command


def test_a_recommendation_without_a_known_price_is_counted_and_has_no_saving() -> None:
    purchases = Purchases()
    buy_stream(purchases, 8, 0.08, 0.08, region="eu-west-3")
    assert purchases.recommendation.items == 2
    assert (
        purchases.recommendation.monthly_dollars,
        purchases.recommendation.price_text,
        purchases.recommendation.price_source,
    ) == (None, "", "")
    totals = SizingTotals.of(purchases.recommendations())
    assert (totals.saved, totals.unpriced, totals.counts[Advice.LOWER]) == (0, 1, 1)


def test_the_maximum_of_a_group_costs_nothing_itself_and_has_no_unknown_price() -> None:
    purchases = Purchases()
    group = Resource("group", ("web",))
    purchases.buy("autoscaling.group_max_size", 12, 12, group, band=Band(low=0.0))
    recommendation = purchases.recommendation
    assert (recommendation.advice, recommendation.size.is_maximum) == (Advice.RAISE, True)
    assert recommendation.monthly_dollars is None
    totals = SizingTotals.of([recommendation])
    assert (totals.unpriced, totals.maximum_changes, totals.needed) == (0, 1, 0)


@pytest.mark.parametrize(("included", "dollars"), [(0.0, -436 * 7.2), (300.0, -200 * 7.2), (None, None)])
def test_included_throughput_is_not_paid_for(included: float | None, dollars: float | None) -> None:
    purchases = Purchases()
    bought = Bought(size="provisioned", items=500.0, included=included)
    home = Resource("file_system", ("home",))
    purchases.buy("efs.throughput", 35 * MIB, 500 * MIB, home, region="ap-northeast-1", bought=bought)
    assert (purchases.recommendation.advice, purchases.recommendation.items) == (Advice.LOWER, 64)
    assert purchases.recommendation.monthly_dollars == pytest.approx(dollars)


def test_the_demand_of_all_days_is_compared_with_the_limit_in_force() -> None:
    purchases = Purchases()
    series = purchases.buy("kinesis.stream_write_bytes", 1.8 * MIB, 2 * MIB)
    assert purchases.recommendation.advice is Advice.RAISE
    purchases.fleet.limit[series.slot] = 4 * MIB
    assert (purchases.recommendation.advice, purchases.recommendation.bought) == (Advice.KEEP, 4)


def test_a_table_and_its_index_are_separate_purchases() -> None:
    purchases, standard = Purchases(), Bought(size="STANDARD")
    purchases.buy("dynamodb.table_read_capacity", 5, 100, ORDERS, bought=standard)
    purchases.buy("dynamodb.index_read_capacity", 60, 100, ORDERS.child("index", "by-day"), bought=standard)
    purchases.buy("dynamodb.table_write_capacity", 5, 100, ORDERS, bought=standard)
    changes = {
        (recommendation.key.signal, recommendation.change, round(recommendation.monthly_dollars or 0, 2))
        for recommendation in purchases.recommendations()
    }
    assert changes == {
        ("table_read_capacity", "lower from 100 read units to 10", -8.55),
        ("table_write_capacity", "lower from 100 write units to 10", -42.73),
        ("index_read_capacity", "keep 100 read units", 0),
    }


@pytest.mark.parametrize("bought", [Bought(size="STANDARD_INFREQUENT_ACCESS"), None])
def test_a_table_of_the_infrequent_access_or_an_unknown_class_has_a_size_and_no_price(
    bought: Bought | None,
) -> None:
    purchases = Purchases()
    purchases.buy("dynamodb.table_read_capacity", 5, 100, ORDERS, bought=bought)
    recommendation = purchases.recommendation
    assert (recommendation.change, recommendation.monthly_dollars) == (
        "lower from 100 read units to 10",
        None,
    )
    assert (recommendation.price_text, recommendation.price_source, recommendation.price_read_on) == (
        "",
        "",
        "",
    )


@pytest.mark.parametrize(
    ("region", "dollars", "page", "day"),
    [
        ("eu-west-1", -48.32, "https://aws.amazon.com/dynamodb/pricing/provisioned/", "2025-08-28"),
        ("eu-central-1", -52.13, "https://github.com/awslabs/amazon-dynamodb-tools/", "2024-11-20"),
    ],
)
def test_the_price_of_a_region_has_its_own_source_and_day(
    region: str, dollars: float, page: str, day: str
) -> None:
    purchases = Purchases()
    bought = Bought(size="STANDARD")
    purchases.buy("dynamodb.table_write_capacity", 5, 100, ORDERS, region=region, bought=bought)
    recommendation = purchases.recommendation
    assert recommendation.monthly_dollars == pytest.approx(dollars, abs=0.01)
    assert recommendation.price_source.startswith(page) and recommendation.price_read_on == day


def test_the_operations_included_in_a_volume_cost_nothing() -> None:
    purchases = Purchases()
    bought = Bought(size="gp3", items=6000, maximum=50_000)
    purchases.buy("ebs.volume_iops", 300, 6000, VOLUME, bought=bought)
    recommendation = purchases.recommendation
    assert (recommendation.change, recommendation.monthly_dollars) == (
        "lower from 6,000 gp3 operations/s to 3,000",
        -15,
    )
    assert recommendation.command and "--iops 3000" in recommendation.command


def test_a_volume_whose_iops_follow_from_its_size_has_no_recommendation() -> None:
    purchases = Purchases()
    purchases.buy("ebs.volume_iops", 300, 6000, VOLUME, bought=Bought(size="gp2", items=6000))
    assert purchases.recommendations() == []


def test_a_deliberate_or_configured_limit_has_no_recommended_change() -> None:
    purchases = Purchases()
    purchases.buy("autoscaling.group_max_size", 4, 4, Resource("group", ("etcd",)), deliberate=True)
    configured_limit = Limit(4.0, LimitSource.OVERRIDE, NOW * 60)
    purchases.buy(
        "lambda.function_provisioned_concurrency",
        0,
        4,
        Resource("function", ("f",)).child("alias", "live"),
        limit=configured_limit,
    )
    reasons = {
        recommendation.key.service: (recommendation.advice, recommendation.reason)
        for recommendation in purchases.recommendations()
    }
    assert reasons["autoscaling"] == (Advice.KEEP, "the limit is set on purpose")
    assert reasons["lambda"][0] is Advice.UNKNOWN


def test_a_purchase_keeps_its_minimum() -> None:
    purchases = Purchases()
    purchases.buy("kinesis.stream_write_bytes", 0, 8 * MIB, bought=Bought(minimum=3))
    assert purchases.recommendation.items == 3


def test_with_gaps_in_the_known_demand_no_size_is_recommended() -> None:
    purchases = Purchases()
    buy_stream(purchases, 8, 0.08, 0.08, quarters=(10 * DAY, 14 * DAY))
    assert purchases.recommendation.advice is Advice.UNKNOWN
    assert purchases.recommendation.reason.startswith("71% of the last 14 days")


def test_recommendations_to_raise_come_first_and_then_the_largest_savings() -> None:
    purchases = Purchases()
    buy_stream(purchases, 8, 0.08, 0.08, resource=Resource("stream", ("small",)))
    buy_stream(purchases, 80, 0.08, 0.08, resource=Resource("stream", ("large",)))
    buy_stream(purchases, 2, 0.9, 0.9, resource=Resource("stream", ("short",)))
    assert [recommendation.name for recommendation in purchases.recommendations()] == [
        "short",
        "large",
        "small",
    ]
