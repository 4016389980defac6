"""The monitor's own bill."""

import re
import time
from collections.abc import Mapping

import httpx
import numpy as np
import pytest

from collectors.base import per_second
from monitor.fleet import Fleet
from monitor.telemetry import Telemetry
from monitor.web import cost
from monitor.web.cost import Bill, Names, Reads
from tests.monitor.fleets import ACCOUNT, NOW, REGION, add, key, traffic
from tests.monitor.served import Server
from tests.monitor.web.pages import page


def fleet_of_two() -> Fleet:
    """Two streams that read two metrics each; and a number that an API tells, which costs nothing."""
    fleet = Fleet()
    for name in ("orders", "clicks"):
        add(fleet, key(name))
    add(fleet, key("account", "lambda.account_concurrency"), usage=5.0, refused=None)
    return fleet


def billed(
    fleet: Fleet, interval: float = 300, telemetry: Telemetry | None = None
) -> tuple[Mapping[Names, Bill], Mapping[Names, Bill]]:
    """By service, and by cell."""
    told = cost.measured(telemetry or Telemetry())
    services, cells = cost.bills(Reads.of(fleet), told, interval)
    return {one.names: one for one in services}, {one.names: one for one in cells}


CELL = ACCOUNT, REGION


def test_what_is_polled_costs_by_how_often() -> None:
    services, cells = billed(fleet_of_two())
    plan = cells[CELL].plan
    assert (plan.polled, plan.streamed) == (4, 0)
    assert plan.month == pytest.approx(4 * 0.01 / 1000 * cost.MONTH / 300)
    assert {names: one.plan.polled for names, one in services.items()} == {("kinesis",): 4, ("lambda",): 0}
    _, faster = billed(fleet_of_two(), 60)
    assert faster[CELL].plan.month == pytest.approx(plan.month * 5)


def test_a_metric_that_two_series_share_counts_once() -> None:
    fleet = fleet_of_two()
    shared = per_second(traffic.of(StreamName=key("orders").id))
    add(fleet, key("orders", "kinesis.stream_write_records"), usage=shared, refused=None)
    services, cells = billed(fleet)
    assert (services["kinesis",].plan.polled, cells[CELL].plan.polled) == (4, 4)


def test_what_is_streamed_costs_by_the_update(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = fleet_of_two()
    monkeypatch.setattr(time, "time", lambda: 60.0 * NOW)
    rows = np.array(list(fleet.metrics(CELL).values())[:1], np.int32)
    fleet.rings.mark_read(rows, NOW - 1)
    fleet.rings.write_streamed(rows, np.array([NOW - 1], np.int32), np.ones(1, np.float32), NOW)
    plan = billed(fleet)[1][CELL].plan
    assert (plan.polled, plan.streamed) == (3, 1)
    assert plan.month == pytest.approx(3 * 0.01 / 1000 * cost.MONTH / 300 + 0.003 / 1000 * cost.MONTH / 60)


def test_an_empty_fleet_costs_nothing() -> None:
    assert billed(Fleet()) == ({}, {})


def test_what_was_measured_is_told_by_service_and_by_cell() -> None:
    telemetry = Telemetry()
    telemetry.requested(ACCOUNT, REGION, "kinesis", 500)
    telemetry.requested(ACCOUNT, "us-east-1", "kinesis", 2000)
    telemetry.requested(ACCOUNT, REGION, "lambda", 100)
    telemetry.streamed(ACCOUNT, REGION, "lambda", 3000)
    telemetry.streamed("", "", "", 1000)
    services, cells = billed(fleet_of_two(), telemetry=telemetry)
    kinesis, lambda_ = services["kinesis",].measured, services["lambda",].measured
    assert (kinesis.requested, kinesis.updates) == (2500, 0)
    assert (lambda_.requested, lambda_.updates) == (100, 3000)
    assert [one.dollars for one in (kinesis, lambda_)] == pytest.approx([0.025, 0.01])
    assert cells[CELL].measured.dollars == pytest.approx(0.015)
    assert cells[ACCOUNT, "us-east-1"].measured.dollars == pytest.approx(0.02)
    assert services["",].measured == cells["", ""].measured
    assert services["",].measured.dollars == pytest.approx(0.003)
    assert list(services) == [("kinesis",), ("lambda",), ("",)]  # the dearest first


def test_a_pace_is_told_after_an_hour_from_the_first_that_was_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, second = Telemetry(), Telemetry()
    first.requested(ACCOUNT, REGION, "kinesis", 2000)
    (one,) = cost.measured(first).values()
    assert one.since is not None
    assert one.month is None
    monkeypatch.setattr(time, "time", lambda: (one.since or 0) + cost.MONTH / 2)
    assert one.month == pytest.approx(0.04)
    second.requested(ACCOUNT, REGION, "kinesis", 2000)
    (later,) = cost.measured(second).values()
    assert (one + later).since == one.since
    assert (one + later).month == pytest.approx(0.08)


async def test_the_page_tells_both(server: Server, client: httpx.AsyncClient) -> None:
    add(server.fleet, key("orders"))
    server.telemetry.requested(ACCOUNT, REGION, "kinesis", 1234)
    server.telemetry.streamed("", "", "", 77_000)
    await server.publish()
    await page(client, "/cost")
    words = " ".join(re.sub("<[^>]*>", " ", (await client.get("/cost")).text).split())
    assert "By service Projected Measured so far" in words
    assert "Kinesis Data Streams 2 0 $0.175 1,234 0 $0.0123 after an hour" in words
    assert "Not used" in words and "77,000 $0.231" in words
    assert "production eu-west-1 2 0 $0.175 1,234" in words
