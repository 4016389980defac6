"""The monitor's own bill."""

import time

import numpy as np
import pytest

from collectors.base import per_second
from monitor.fleet import Fleet
from monitor.telemetry import Telemetry
from monitor.web import cost
from monitor.web.cost import Reads
from tests.monitor.fleets import ACCOUNT, NOW, REGION, add, key, traffic


def fleet_of_two() -> Fleet:
    """Two streams that read two metrics each; and a number that an API tells, which costs nothing."""
    fleet = Fleet()
    for name in ("orders", "clicks"):
        add(fleet, key(name))
    add(fleet, key("account", "lambda.account_concurrency"), usage=5.0, refused=None)
    return fleet


def test_what_is_polled_costs_by_how_often() -> None:
    cells, services = cost.projected(Reads.of(fleet_of_two()), 300)
    (cell,) = cells
    assert (cell.names, cell.polled, cell.streamed) == ((ACCOUNT, REGION), 4, 0)
    assert cell.month == pytest.approx(4 * 0.01 / 1000 * cost.MONTH / 300)
    assert [(one.names, one.polled) for one in services] == [(("kinesis",), 4), (("lambda",), 0)]
    faster, _ = cost.projected(Reads.of(fleet_of_two()), 60)
    assert faster[0].month == pytest.approx(cell.month * 5)


def test_a_metric_that_two_series_share_counts_once() -> None:
    fleet = fleet_of_two()
    shared = per_second(traffic.of(StreamName=key("orders").id))
    add(fleet, key("orders", "kinesis.stream_write_records"), usage=shared, refused=None)
    (cell,), services = cost.projected(Reads.of(fleet), 300)
    assert (services[0].polled, cell.polled) == (4, 4)


def test_what_is_streamed_costs_by_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of_two()
    monkeypatch.setattr(time, "time", lambda: 60.0 * NOW)
    rows = np.array(list(fleet.metrics((ACCOUNT, REGION)).values())[:1], np.int32)
    fleet.rings.mark_read(rows, NOW - 1)
    fleet.rings.write_streamed(rows, np.array([NOW - 1], np.int32), np.ones(1, np.float32), NOW)
    (cell,), _ = cost.projected(Reads.of(fleet), 300)
    assert (cell.polled, cell.streamed) == (3, 1)
    assert cell.month == pytest.approx(3 * 0.01 / 1000 * cost.MONTH / 300 + 0.003 / 1000 * cost.MONTH / 60)


def test_an_empty_fleet_costs_nothing() -> None:
    assert cost.projected(Reads.of(Fleet()), 300) == ([], [])


def test_what_was_measured_is_the_counters(monkeypatch: pytest.MonkeyPatch) -> None:
    telemetry = Telemetry()
    telemetry.requested(ACCOUNT, REGION, 500)
    telemetry.requested(ACCOUNT, "us-east-1", 2000)
    first, second = cost.measured(telemetry)
    assert (first.region, first.requested, first.dollars) == ("us-east-1", 2000, 0.02)
    assert (second.region, second.requested, second.dollars) == (REGION, 500, 0.005)
    assert first.month is None
    monkeypatch.setattr(time, "time", lambda: first.since + cost.MONTH / 2)
    assert first.month == pytest.approx(0.04)
