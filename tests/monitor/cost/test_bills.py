"""The bills of monitoring, by service and by cell."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from collectors.base import per_second
from monitor.cost.bills import Bill, MetricUse, bills
from monitor.cost.prices import (
    LIST_PRICES,
    LIST_PRICES_OF_ACCOUNTS,
    PRICES,
    SECONDS_PER_HOUR,
    SECONDS_PER_MONTH,
    PriceTable,
)
from monitor.cost.telemetry import LabelValues
from monitor.fleet.fleet import Fleet
from monitor.fleet.ring_columns import NO_BOUND, NOT_READ, PRUNED_INTERVAL
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, add, key, traffic
from tests.monitor.planning.simulation import SUM_OF_STREAMS
from tests.telemetries import Telemetries

UPDATE_DOLLARS = LIST_PRICES.amount(updates=1) or 0.0  # for an update with its delivery
METRIC_DOLLARS = 0.01 / 1000  # for a requested metric


def fleet_of_two_streams() -> Fleet:
    """Return a fleet with two metrics for each of two streams, and a usage without metrics, which is free."""
    fleet = Fleet()
    for name in ("orders", "clicks"):
        add(fleet, key(name))
    add(fleet, key("", "lambda.account_concurrency"), usage=5.0, throttled=None)
    return fleet


def bills_by_labels(
    fleet: Fleet, interval: float = 300, telemetry: Telemetries | None = None
) -> tuple[Mapping[LabelValues, Bill], Mapping[LabelValues, Bill]]:
    """Return the bills by service, and by cell. The bill of updates that no series uses has empty labels."""
    measured = (telemetry or Telemetries()).cost.measured()
    prices = telemetry.cost.prices if telemetry else LIST_PRICES_OF_ACCOUNTS
    services, cells = bills(MetricUse.of(fleet, NOW, prices), measured, interval)
    return {bill.labels: bill for bill in services}, {bill.labels: bill for bill in cells}


CELL = ACCOUNT, REGION


def test_polling_at_a_fifth_of_the_interval_costs_five_times_as_much() -> None:
    services, cells = bills_by_labels(fleet_of_two_streams())
    projected_cost = cells[CELL].projected
    assert (projected_cost.polled_metrics, projected_cost.streamed_metrics) == (4, 0)
    assert projected_cost.monthly_dollars == pytest.approx(4 * METRIC_DOLLARS * SECONDS_PER_MONTH / 300)
    assert {labels: bill.projected.polled_metrics for labels, bill in services.items()} == {
        ("kinesis",): 4,
        ("lambda",): 0,
    }
    _, faster = bills_by_labels(fleet_of_two_streams(), 60)
    assert faster[CELL].projected.monthly_dollars == pytest.approx(projected_cost.monthly_dollars * 5)


@pytest.mark.parametrize(("interval", "billed_interval"), [(60, 300), (300, 300), (600, 600)])
def test_a_metric_of_a_longer_period_is_billed_once_a_period(interval: float, billed_interval: int) -> None:
    fleet = Fleet()
    slow_metric = replace(traffic.of(StreamName="orders"), period=300)
    add(fleet, key("orders"), usage=per_second(slow_metric), throttled=None)
    projected_cost = bills_by_labels(fleet, interval)[1][CELL].projected
    assert projected_cost.polled_metrics == 1
    assert projected_cost.monthly_dollars == pytest.approx(
        METRIC_DOLLARS * SECONDS_PER_MONTH / billed_interval
    )


def test_a_metric_that_two_series_share_counts_once() -> None:
    fleet = fleet_of_two_streams()
    usage_of_orders = per_second(traffic.of(StreamName=key("orders").id))
    add(fleet, key("orders", "kinesis.stream_write_records"), usage=usage_of_orders, throttled=None)
    services, cells = bills_by_labels(fleet)
    assert (services["kinesis",].projected.polled_metrics, cells[CELL].projected.polled_metrics) == (4, 4)


def test_a_streamed_metric_costs_its_updates_instead_of_its_requests() -> None:
    fleet = fleet_of_two_streams()
    rows = np.array(list(fleet.metrics(CELL).values())[:1], np.int32)
    fleet.rings.write_streamed(rows, np.array([NOW - 1], np.int32), np.ones(1, np.float32), NOW)
    fleet.rings.mark_read(rows, NOW - 1)
    projected_cost = bills_by_labels(fleet)[1][CELL].projected
    assert (projected_cost.polled_metrics, projected_cost.streamed_metrics) == (3, 1)
    assert projected_cost.monthly_dollars == pytest.approx(
        3 * METRIC_DOLLARS * SECONDS_PER_MONTH / 300 + UPDATE_DOLLARS * SECONDS_PER_MONTH / 60
    )


def test_an_empty_fleet_costs_nothing() -> None:
    assert bills_by_labels(Fleet()) == ({}, {})


def test_measured_requests_are_summed_by_service_and_by_cell() -> None:
    telemetry = Telemetries()
    telemetry.aws.count_requested_metrics(ACCOUNT, REGION, "kinesis", 500)
    telemetry.aws.count_requested_metrics(ACCOUNT, "us-east-1", "kinesis", 2000)
    telemetry.aws.count_requested_metrics(ACCOUNT, REGION, "lambda", 100)
    telemetry.stream.count_updates(ACCOUNT, REGION, "lambda", 3000)
    telemetry.stream.count_updates("", "", "", 1000)
    services, cells = bills_by_labels(fleet_of_two_streams(), telemetry=telemetry)
    kinesis, lambda_ = services["kinesis",].measured, services["lambda",].measured
    assert (kinesis.requested, kinesis.updates) == (2500, 0)
    assert (lambda_.requested, lambda_.updates) == (100, 3000)
    # Firehose adds less than 1 % to the price of updates.
    assert [kinesis.dollars, lambda_.dollars] == pytest.approx([0.025, 0.01], rel=0.01)
    assert cells[CELL].measured.dollars == pytest.approx(0.015, rel=0.01)
    assert cells[ACCOUNT, "us-east-1"].measured.dollars == pytest.approx(0.02)
    assert services["",].measured == cells["", ""].measured
    assert services["",].measured.dollars == pytest.approx(0.003, rel=0.01)
    assert list(services) == [("kinesis",), ("lambda",), ("",)]  # the most expensive first


def test_updates_that_no_series_uses_add_up_equally_by_service_and_by_cell() -> None:
    telemetry = Telemetries()
    telemetry.stream.count_updates(ACCOUNT, REGION, "lambda", 3000)
    telemetry.stream.count_updates("", "", "lambda", 500)  # of an account that nobody watches
    telemetry.stream.count_updates("", "", "", 1000)  # of a metric that no signal reads
    services, cells = bills_by_labels(fleet_of_two_streams(), telemetry=telemetry)
    assert services["",].measured == cells["", ""].measured
    assert services["",].measured.updates == 1500
    assert services["lambda",].measured.updates == cells[CELL].measured.updates == 3000


def test_the_monthly_rate_is_shown_from_one_hour_after_the_first_counted_request() -> None:
    first, second = Telemetries(), Telemetries()
    first.aws.count_requested_metrics(ACCOUNT, REGION, "kinesis", 2000)
    (first_cost,) = first.cost.measured().values()
    assert first_cost.since is not None
    later = first_cost.since + SECONDS_PER_MONTH / 2
    assert first_cost.monthly_dollars_at(first_cost.since + SECONDS_PER_HOUR - 1) is None
    assert first_cost.monthly_dollars_at(later) == pytest.approx(0.04)
    second.aws.count_requested_metrics(ACCOUNT, REGION, "kinesis", 2000)
    (second_cost,) = second.cost.measured().values()
    assert (first_cost + second_cost).since == first_cost.since
    assert (first_cost + second_cost).monthly_dollars_at(later) == pytest.approx(0.08)


def test_changed_prices_apply_only_to_later_requests() -> None:
    telemetry = Telemetries()
    labels = {"aws_account": ACCOUNT, "aws_region": REGION, "aws_service": "kinesis"}

    def dollars() -> float | None:
        return telemetry.registry.get_sample_value("headroom_estimated_cost_dollars_total", labels)

    telemetry.aws.count_requested_metrics(ACCOUNT, REGION, "kinesis", 1000)
    telemetry.cost.set_prices({"aws": replace(LIST_PRICES, metric=0.005 / 1000, listing=0.1 / 1000)})
    assert dollars() == pytest.approx(0.01)  # a counter never falls
    telemetry.aws.count_requested_metrics(ACCOUNT, REGION, "kinesis", 1000)
    assert dollars() == pytest.approx(0.015)
    for _ in range(1000):
        telemetry.aws.count_metric_listing(ACCOUNT, REGION, "kinesis")
    assert dollars() == pytest.approx(0.115)
    (cell,) = bills_by_labels(Fleet(), telemetry=telemetry)[1].values()
    assert (cell.measured.requested, cell.measured.listings) == (2000, 1000)
    assert cell.measured.dollars == pytest.approx(0.115)


# An account in each partition, with its region.
REGIONS_BY_ACCOUNT = {"1": "cn-north-1", "2": "us-gov-west-1", "3": REGION}
PARTITIONS = {"1": "aws-cn", "2": "aws-us-gov", "3": "aws"}
MONTHLY_REQUESTS = 2 * SECONDS_PER_MONTH / 300  # for the two metrics of a stream


def fleet_of_partitions(table: PriceTable = PRICES) -> tuple[Fleet, Telemetries]:
    """Return the fleet and the telemetry of three accounts with a stream in their region and in `global`.

    Each account has requested 1000 metrics in `global` and made one listing in its region.
    """
    fleet, telemetry = Fleet(), Telemetries()
    telemetry.cost.set_prices(table)
    telemetry.aws.partitions |= PARTITIONS
    for account, region in REGIONS_BY_ACCOUNT.items():
        for cell_region in (region, "global"):
            add(fleet, key("orders")._replace(account=account, region=cell_region))
        telemetry.aws.count_requested_metrics(account, "global", "kinesis", 1000)
        telemetry.aws.count_metric_listing(account, region, "kinesis")
    return fleet, telemetry


def test_each_account_pays_the_prices_of_its_partition_and_dollars_alone_are_added_up() -> None:
    fleet, telemetry = fleet_of_partitions()
    services, cells = bills_by_labels(fleet, telemetry=telemetry)
    assert {labels: bill.currency for labels, bill in cells.items()} == {
        (account, cell_region): {"1": "CNY", "2": "", "3": "USD"}[account]
        for account, region in REGIONS_BY_ACCOUNT.items()
        for cell_region in (region, "global")
    }
    china, gov, commercial = (cells[account, "global"] for account in REGIONS_BY_ACCOUNT)
    assert china.monthly_amount == pytest.approx(MONTHLY_REQUESTS * 0.0651 / 1000)
    assert china.measured_amount == pytest.approx(0.0651)
    assert cells["1", "cn-north-1"].measured_amount == pytest.approx(0.0622 / 1000)
    assert (gov.monthly_amount, gov.measured_amount) == (None, None)
    assert commercial.monthly_amount == pytest.approx(MONTHLY_REQUESTS * 0.01 / 1000)
    assert commercial.measured_amount == pytest.approx(0.01)
    assert services["kinesis",].projected.polled_metrics == 4
    assert services["kinesis",].projected.monthly_dollars == pytest.approx(2 * MONTHLY_REQUESTS * 0.01 / 1000)
    assert services["kinesis",].measured.requested == 1000
    accounts_in_dollars = {
        sample.labels["aws_account"]
        for family in telemetry.cost.collect()
        for sample in family.samples
        if sample.name == "headroom_estimated_cost_dollars_total"
    }
    assert accounts_in_dollars == {"3"}


def test_updates_at_an_unknown_price_cost_an_unknown_amount() -> None:
    fleet, telemetry = fleet_of_partitions()
    telemetry.stream.count_updates("1", "cn-north-1", "kinesis", 1000)
    _, cells = bills_by_labels(fleet, telemetry=telemetry)
    assert cells["1", "cn-north-1"].measured_amount is None


def test_costs_at_configured_and_at_list_prices_in_dollars_are_added_up() -> None:
    fleet, telemetry = fleet_of_partitions({**PRICES, "aws-us-gov": replace(LIST_PRICES, metric=0.02 / 1000)})
    services, cells = bills_by_labels(fleet, telemetry=telemetry)
    assert cells["2", "global"].measured_amount == pytest.approx(0.02)
    assert services["kinesis",].measured.dollars == pytest.approx(0.02 + 0.01 + 2 * 0.01 / 1000)
    assert services["kinesis",].projected.monthly_dollars == pytest.approx(
        2 * MONTHLY_REQUESTS * (0.02 + 0.01) / 1000
    )


def test_a_service_billed_only_in_another_currency_has_no_bill_in_dollars() -> None:
    telemetry = Telemetries()
    telemetry.aws.partitions[ACCOUNT] = "aws-cn"
    services, cells = bills_by_labels(fleet_of_two_streams(), telemetry=telemetry)
    assert [*services] == [("lambda",)]  # it has no metrics, so costs nothing in any currency
    assert cells[CELL].monthly_amount == pytest.approx(2 * MONTHLY_REQUESTS * 0.0651 / 1000)


def test_a_pruned_metric_costs_only_rare_checks_and_its_aggregate_costs_only_while_it_is_read() -> None:
    fleet = Fleet()
    fleet.set_bounds(SUM_OF_STREAMS)
    for number in range(4):
        add(fleet, key(str(number)))
    rings = fleet.rings
    rings.cadence[: rings.size] = 5
    has_aggregate = rings.bound[: rings.size] != NO_BOUND
    full_cost = bills_by_labels(fleet)[1][CELL].projected
    assert full_cost.polled_metrics == 9  # two of each stream, and the aggregate
    assert (full_cost.pruned_metrics, full_cost.pruned_dollars) == (0, 0)
    rings.pruned[: rings.size] = has_aggregate
    services, cells = bills_by_labels(fleet)
    pruned_cost = cells[CELL].projected
    saved_dollars = 4 * METRIC_DOLLARS * SECONDS_PER_MONTH / 60 * (1 / 5 - 1 / PRUNED_INTERVAL)
    assert pruned_cost.pruned_metrics == 4
    assert pruned_cost.pruned_dollars == pytest.approx(saved_dollars)
    assert pruned_cost.monthly_dollars == pytest.approx(full_cost.monthly_dollars - saved_dollars)
    assert services["kinesis",].projected == pruned_cost
    rings.pruned[: rings.size] = False
    # The aggregate, which the series of all four streams use, is read no longer.
    rings.cadence[: rings.size][rings.use_count[: rings.size] == 4] = NOT_READ
    assert bills_by_labels(fleet)[1][CELL].projected.polled_metrics == 8


def test_idle_metrics_cost_less_and_their_listing_is_billed() -> None:
    fleet = Fleet()
    for number in range(4):
        add(fleet, key(str(number)), throttled=None)
    rings = fleet.rings
    rings.cadence[: rings.size] = rings.cadence_if_active[: rings.size] = 15
    full_cost = bills_by_labels(fleet)[1][CELL].projected
    assert (full_cost.idle_metrics, full_cost.idle_dollars, full_cost.listed_dollars) == (0, 0, 0)
    rings.idle_since[:3], rings.cadence[:3] = 1, 60
    fleet.monthly_lists[CELL] = 3000.0
    listing_dollars = 3000 * 0.01 / 1000
    services, cells = bills_by_labels(fleet)
    idle_cost = cells[CELL].projected
    saved_dollars = 3 * METRIC_DOLLARS * SECONDS_PER_MONTH / 60 * (1 / 15 - 1 / 60)
    assert idle_cost.idle_metrics == 3
    assert idle_cost.idle_dollars == pytest.approx(saved_dollars)
    assert idle_cost.listed_dollars == pytest.approx(listing_dollars)
    assert idle_cost.monthly_dollars == pytest.approx(
        full_cost.monthly_dollars - saved_dollars + listing_dollars
    )
    assert services["cloudwatch",].projected.monthly_dollars == pytest.approx(listing_dollars)
