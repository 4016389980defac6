"""Lists of recently active metrics: an idle metric is due at once if a list contains it."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from collectors.base import Metric, per_second
from collectors.registry import ACTIVITY
from monitor.alerting.blind_text import remedies, summary
from monitor.alerting.visibility import blind_spots, observation_targets
from monitor.aws.cell import Cell
from monitor.aws.linked_cell import linked_cell
from monitor.aws.status import MonitorStatus
from monitor.config.config import Config
from monitor.cost.prices import LIST_PRICES, Prices
from monitor.cost.telemetry import CostTelemetry
from monitor.fleet.fleet import Fleet
from monitor.planning.intervals import MAX_INTERVAL, Intervals
from monitor.planning.planner import Planner
from monitor.polling.cell_watcher import CellWatcher
from monitor.polling.idle_watch import LONG_LIST_INTERVAL, IdleWatch
from monitor.polling.plan import due_metrics
from monitor.polling.quota_book import QuotaBook
from monitor.polling.reader import MetricReader
from monitor.polling.timings import DEFAULT_TIMINGS, PollingTimings
from tests.background import background
from tests.fake_aws import FakeAws, denied
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, add, key, traffic
from tests.monitor.polling.inventories import inventory_of
from tests.monitor.polling.linked_aws import LinkedClients
from tests.quick_loop import QUICK_TIMINGS, run
from tests.registries import METRIC_SERVICES, REGISTRY
from tests.telemetries import Telemetries

CELL = (ACCOUNT, REGION)
MAX_USAGE_INTERVAL = 15  # minutes


def list_page(*streams: str, name: str = traffic.name) -> dict[str, Any]:
    """Return a page of ListMetrics with the metrics of these streams."""
    dimensions = [[{"Name": "StreamName", "Value": stream}] for stream in streams]
    return {
        "Metrics": [
            {"Namespace": "AWS/Kinesis", "MetricName": name, "Dimensions": pairs} for pairs in dimensions
        ]
    }


class IdleStreams:
    """A fleet of streams whose metrics were read for three hours and had no point."""

    def __init__(self, answer: Any, streams: int = 10) -> None:
        self.aws, self.fleet = FakeAws(list_metrics=answer), Fleet()
        for n in range(streams):
            usage = per_second(traffic.of(StreamName=f"stream-{n}"))
            add(self.fleet, key(f"stream-{n}"), usage=usage, throttled=None)
        self.planner = Planner(self.fleet, Intervals(1, MAX_USAGE_INTERVAL, 5))
        self.rows = np.fromiter(self.fleet.metrics(CELL).values(), np.int32)
        self.wake_calls = 0
        self.watch = self.watch_of(self.aws.cell)
        self.mark_read(NOW)

    def watch_of(self, cell: Cell) -> IdleWatch:
        """Return an IdleWatch of the fleet that calls AWS through a cell."""
        return IdleWatch(cell, self.fleet, METRIC_SERVICES, self.planner, on_wake=self.wake)

    def wake(self) -> None:
        self.wake_calls += 1

    def mark_read(self, now: int) -> None:
        """Record that all metrics were read up to the minute before `now`, and had no point."""
        self.fleet.rings.mark_requested(self.rows, now - 1)
        self.fleet.rings.mark_read(self.rows, now - 1)
        self.planner.plan(now)

    def update(self, now: int = NOW) -> Sequence[str]:
        """Request the lists, plan, and return the codes of the failures."""
        failures = asyncio.run(self.watch.update(now))
        self.planner.plan(now)
        return [failure.code for failure in failures]

    def due_streams(self, now: int) -> set[int]:
        """Return the numbers of the streams that are due."""
        rows = due_metrics(self.fleet.rings, self.fleet.metrics(CELL), now).values()
        return {self.rows.tolist().index(row) for row in rows}

    @property
    def list_calls(self) -> int:
        """The number of calls of ListMetrics so far."""
        return self.aws.calls.count("cloudwatch:ListMetrics")


def test_an_idle_metric_is_due_at_once_only_if_a_list_contains_it() -> None:
    streams = IdleStreams(lambda **_: list_page("stream-3", "unknown"))
    assert streams.update() == []
    assert streams.wake_calls == 1
    assert streams.due_streams(NOW) == {3}
    streams.fleet.rings.mark_requested(streams.rows[3:4], NOW - 1)
    assert streams.due_streams(NOW) == set()


def test_idle_metrics_that_no_list_contains_wait_for_an_hour() -> None:
    streams = IdleStreams(lambda **_: list_page())
    for minute in range(NOW, NOW + 120, MAX_USAGE_INTERVAL):
        assert streams.update(minute) == []
    assert streams.wake_calls == 0
    assert streams.fleet.rings.cadence[streams.rows].tolist() == [MAX_INTERVAL] * 10


def test_a_list_is_limited_to_the_namespace_and_to_the_name_that_all_its_idle_metrics_share() -> None:
    requested: list[dict[str, Any]] = []

    def answer(**params: Any) -> dict[str, Any]:
        requested.append(params)
        return list_page()

    streams = IdleStreams(answer)
    streams.update()
    assert requested == [{"Namespace": "AWS/Kinesis", "MetricName": traffic.name, "RecentlyActive": "PT3H"}]
    records_metric = Metric("AWS/Kinesis", "IncomingRecords", "Sum")
    add(
        streams.fleet,
        key("more", "kinesis.stream_write_records"),
        usage=per_second(records_metric.of(StreamName="more")),
        throttled=None,
    )
    streams.rows = np.fromiter(streams.fleet.metrics(CELL).values(), np.int32)
    streams.mark_read(NOW)
    streams.update()
    assert requested[-1] == {"Namespace": "AWS/Kinesis", "RecentlyActive": "PT3H"}


def test_a_list_is_requested_only_if_it_costs_less_than_it_saves() -> None:
    one_stream = IdleStreams(lambda **_: list_page(), streams=1)
    two_streams = IdleStreams(lambda **_: list_page(), streams=2)
    for streams in (one_stream, two_streams):
        streams.update()
    assert (one_stream.list_calls, two_streams.list_calls) == (0, 1)


def test_a_namespace_whose_list_costs_more_than_it_saves_is_not_listed_again_for_hours() -> None:
    pages = [list_page(*(f"other-{n}" for n in range(500)))] * 20
    streams = IdleStreams(pages)
    streams.update()
    # Ten metrics that are read hourly, not every 15 minutes, save 7.5 requests per list.
    assert streams.list_calls == 7
    assert streams.fleet.rings.cadence[streams.rows].tolist() == [MAX_USAGE_INTERVAL] * 10
    streams.update(NOW + MAX_USAGE_INTERVAL)
    assert streams.list_calls == 7
    streams.update(NOW + LONG_LIST_INTERVAL)
    assert streams.list_calls == 14


def test_when_lists_are_denied_idle_metrics_keep_their_interval_and_one_failure_is_reported() -> None:
    streams = IdleStreams(denied("ListMetrics", "AccessDenied"))
    for minute in range(NOW, NOW + 60, MAX_USAGE_INTERVAL):
        assert streams.update(minute) == ["AccessDenied"]
    assert streams.fleet.rings.cadence[streams.rows].tolist() == [MAX_USAGE_INTERVAL] * 10


def test_an_invalid_response_is_a_failure_and_makes_no_metric_due() -> None:
    streams = IdleStreams(lambda **_: {"Metrics": [{"Dimensions": [{"Name": "StreamName"}]}]})
    streams.aws.malformed = True
    assert len(streams.update()) == 1
    assert streams.wake_calls == 0


def test_no_list_is_requested_once_the_budget_is_spent() -> None:
    streams = IdleStreams(lambda **_: list_page())

    @asynccontextmanager
    async def grant_nothing(_: int) -> AsyncIterator[int]:
        yield 0

    streams.aws.cell.set_grant(grant_nothing)
    assert streams.update() == []
    assert streams.list_calls == 0


HIGHER_LIST_PRICE = replace(LIST_PRICES, listing=0.1 / 1000)


@pytest.mark.parametrize(
    ("prices", "stream_count", "list_calls"),
    [
        (LIST_PRICES, 10, 1),
        (HIGHER_LIST_PRICE, 10, 0),
        (HIGHER_LIST_PRICE, 20, 1),
        (replace(LIST_PRICES, listing=0.0), 1, 1),
    ],
    ids=["usual price", "ten times the price", "ten times the price and twice the streams", "free"],
)
def test_the_price_of_a_list_decides_whether_the_list_is_requested(
    prices: Prices, stream_count: int, list_calls: int
) -> None:
    streams = IdleStreams(lambda **_: list_page(), stream_count)
    streams.watch = replace(streams.watch, prices=prices)
    streams.update()
    assert streams.list_calls == list_calls


def watcher_of(streams: IdleStreams, timings: PollingTimings = DEFAULT_TIMINGS) -> CellWatcher:
    """Return a watcher of the streams' cell; the cell has no services, and its metrics have no points."""
    streams.aws.now, streams.aws.cell.clients = NOW * 60, LinkedClients(streams.aws)
    streams.aws.answers |= {
        "get_metric_data": lambda **params: {
            "MetricDataResults": [
                {"Id": query["Id"], "Timestamps": [], "Values": [], "StatusCode": "Complete"}
                for query in params["MetricDataQueries"]
            ]
        }
    }
    reader = MetricReader(streams.aws.cell, streams.fleet, METRIC_SERVICES, planner=streams.planner)
    inventory = inventory_of(streams.aws.cell, streams.fleet, quotas=QuotaBook(streams.aws.cell, ()))
    return CellWatcher(inventory, reader, (), Telemetries().process, timings)


def run_watcher(streams: IdleStreams, hours: float) -> CellWatcher:
    """Run a watcher of the streams' cell for some hours of simulated time; return the watcher."""
    watcher = watcher_of(streams, QUICK_TIMINGS)

    async def run_until_timeout() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(hours * 3600):
                await watcher.run(Config())

    run(run_until_timeout())
    return watcher


async def test_the_watcher_of_a_cell_requests_a_list_and_reads_the_idle_metrics_in_it() -> None:
    streams = IdleStreams(lambda **_: list_page("stream-3"))
    watcher = watcher_of(streams)
    async with background(watcher.run(Config())), asyncio.timeout(60):
        while (
            "cloudwatch:GetMetricData" not in streams.aws.calls
            or streams.fleet.rings.listed_again[streams.rows].any()
        ):
            await asyncio.sleep(0.01)
        assert streams.list_calls == 1
        assert watcher.status().collectors[ACTIVITY].succeeded_at


def test_the_watcher_of_a_cell_requests_lists_at_the_longest_interval() -> None:
    streams = IdleStreams(lambda **_: list_page())
    run_watcher(streams, 1.1)
    assert 4 <= streams.list_calls <= 6  # every 15 minutes


def test_without_idle_metrics_no_list_is_requested_and_the_status_has_no_success() -> None:
    streams = IdleStreams(lambda **_: list_page(), streams=0)
    activity = run_watcher(streams, 0.2).status().collectors[ACTIVITY]
    assert streams.list_calls == 0
    assert activity.ended_at and activity.succeeded_at is None


def test_a_poll_without_new_metrics_leaves_the_failures_of_the_poll_before() -> None:
    streams = IdleStreams(lambda **_: list_page())
    streams.fleet.rings.requested_through[streams.rows] = NOW - 60  # so that all metrics are due
    watcher = watcher_of(streams, QUICK_TIMINGS)
    streams.aws.answers["get_metric_data"] = denied("GetMetricData")

    async def run_until_timeout() -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(5):
                await watcher.run(Config())

    run(run_until_timeout())
    assert streams.aws.calls.count("cloudwatch:GetMetricData") == 1
    assert watcher.pending == []
    assert [failure.code for failure in watcher.poll_status.failures] == ["AccessDeniedException"]
    assert watcher.poll_status.succeeded_at is None


def test_a_denied_list_is_one_blind_spot_of_activity_and_of_no_series() -> None:
    streams = IdleStreams(denied("ListMetrics", "AccessDenied"))
    cell = run_watcher(streams, 1.1).status()
    assert [failure.code for failure in cell.collectors[ACTIVITY].failures] == ["AccessDenied"]
    targets = [*observation_targets(MonitorStatus(cells=[cell]), 0.0, (600, 60))]
    (spot,) = blind_spots(targets, time.time() + 600)
    assert [target.place for target in spot.targets] == [(REGION, ACTIVITY)]
    assert summary(spot, REGISTRY) == (
        f"AccessDenied of cloudwatch:ListMetrics in {REGION} of {ACCOUNT}: not authorized to perform "
        "ListMetrics. Metrics without points are read there as often as others, which costs more."
    )
    assert "`headroom iam-policy`" in remedies(spot)[0]


def test_the_cost_of_a_list_counts_each_page() -> None:
    streams = IdleStreams([list_page("a"), list_page("b")])
    streams.update()
    telemetry = streams.aws.cell.telemetry
    assert telemetry.listings_by_account[ACCOUNT] == 2
    cost = CostTelemetry(streams.aws.registry, telemetry)
    assert cost.measured()[*CELL, "cloudwatch"].dollars == 2 * 0.01 / 1000


def test_the_request_for_the_list_of_a_linked_account_names_the_account() -> None:
    requested: list[dict[str, Any]] = []

    def answer(**params: Any) -> dict[str, Any]:
        requested.append(params)
        return list_page("stream-1")

    streams = IdleStreams(answer)
    monitoring_cell = streams.aws.cell
    monitoring_cell.account = "999999999999"
    streams.watch = streams.watch_of(linked_cell(monitoring_cell, ACCOUNT))
    streams.update()
    assert (requested[0]["OwningAccount"], requested[0]["IncludeLinkedAccounts"]) == (ACCOUNT, True)
    assert streams.due_streams(NOW) == {1}
