"""Points of global services, which a metric stream of the home region delivers."""

from dataclasses import replace

import numpy as np
import pytest

from collectors.base import Metric
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.metric_query import metric_query
from monitor.stream.declared_metrics import DeclaredMetrics
from monitor.stream.discovery import Discovery
from monitor.stream.ingest import Ingest, IngestOptions
from tests.global_services import ACCOUNT, GLOBAL_CELL, HOME_CELL, ZONE, global_registry
from tests.monitor.stream.bodies import NOW, Update, delivery, lines
from tests.monitor.stream.fleets import MINUTE, add_series, mark_polled, outcome_count
from tests.telemetries import Telemetries

EUROPE = (ACCOUNT, "eu-west-1")
QUERIES = Metric("AWS/Route53", "DNSQueries", "Sum").of(HostedZoneId=ZONE)
TOPICS, ZONES = (
    Metric("AWS/Usage", "ResourceCount", "Maximum").of(Service=name) for name in ("SNS", "Route 53")
)
QUERY_UPDATE = Update("DNSQueries", "AWS/Route53", QUERIES.dimensions, unit="None", region="us-east-1")
DECLARED = DeclaredMetrics.of(global_registry().collectors)


def usage_update(metric: Metric) -> Update:
    return Update(metric.name, metric.namespace, metric.dimensions, unit="None", region="us-east-1")


def fleet_of(*metrics: tuple[CellKey, Metric]) -> Fleet:
    fleet = Fleet()
    for (account, region), metric in metrics:
        add_series(fleet, metric, account=account, region=region)
    mark_polled(fleet)
    return fleet


def ingest_of(fleet: Fleet, discovery: Discovery) -> Ingest:
    options = replace(IngestOptions(), clock=lambda: NOW)
    return Ingest(fleet, lambda: DECLARED, Telemetries().stream, discovery, options)


async def ingest_updates(fleet: Fleet, *updates: Update, discovery: Discovery | None = None) -> Ingest:
    """Ingest the points of updates, and return the ingest."""
    ingest = ingest_of(fleet, discovery or Discovery())
    await ingest.ingest(delivery(lines(updates)))
    ingest.close()
    return ingest


def value(fleet: Fleet, cell: CellKey, metric: Metric) -> float:
    """Return the value of a metric in the last minute."""
    rows = np.array([fleet.metrics(cell)[metric_query(metric)]], np.int32)
    return float(fleet.rings.at(rows, np.array([MINUTE - 1], np.int32))[0])


async def test_updates_of_a_global_service_belong_to_the_global_cell() -> None:
    fleet = fleet_of((GLOBAL_CELL, QUERIES))
    ingest = await ingest_updates(fleet, QUERY_UPDATE)
    assert value(fleet, GLOBAL_CELL, QUERIES) == 600.0
    assert outcome_count(ingest, "written") == 1


async def test_updates_of_a_global_service_from_another_region_have_no_series() -> None:
    fleet = fleet_of((GLOBAL_CELL, QUERIES))
    ingest = await ingest_updates(fleet, QUERY_UPDATE.but(region="eu-west-1"))
    assert np.isnan(value(fleet, GLOBAL_CELL, QUERIES))
    assert outcome_count(ingest, "unknown") == 1


async def test_a_point_belongs_to_the_service_whose_series_has_its_dimensions() -> None:
    """A global and a regional service may read metrics of one namespace."""
    fleet = fleet_of((GLOBAL_CELL, ZONES), (HOME_CELL, TOPICS), (EUROPE, TOPICS))
    updates = [
        usage_update(ZONES).but(max=3.0),
        usage_update(TOPICS).but(max=4.0),
        usage_update(TOPICS).but(max=5.0, region="eu-west-1"),
    ]
    ingest = await ingest_updates(fleet, *updates)
    assert [
        value(fleet, GLOBAL_CELL, ZONES),
        value(fleet, HOME_CELL, TOPICS),
        value(fleet, EUROPE, TOPICS),
    ] == [
        3,
        4,
        5,
    ]
    assert outcome_count(ingest, "written") == 3


async def test_a_series_found_later_gets_the_points_that_arrive_afterwards() -> None:
    fleet = fleet_of((HOME_CELL, TOPICS))
    ingest = ingest_of(fleet, Discovery())
    await ingest.ingest(delivery(lines([usage_update(ZONES)]), request="a"))
    assert outcome_count(ingest, "unknown") == 1
    add_series(fleet, ZONES, account=GLOBAL_CELL[0], region=GLOBAL_CELL[1])
    await ingest.ingest(delivery(lines([usage_update(ZONES).but(max=9.0)]), request="b"))
    ingest.close()
    assert value(fleet, GLOBAL_CELL, ZONES) == 9.0


@pytest.mark.parametrize("update", [QUERY_UPDATE, usage_update(ZONES)])
async def test_updates_of_a_global_service_wait_for_the_first_inventory(update: Update) -> None:
    running_inventories = {(GLOBAL_CELL, "dns")}
    fleet = fleet_of((HOME_CELL, TOPICS))
    discovery = Discovery(may_discover=lambda cell, service: (cell, service) in running_inventories)
    ingest = ingest_of(fleet, discovery)
    await ingest.ingest(delivery(lines([update]), request="a"))
    assert outcome_count(ingest, "unknown") == 0
    running_inventories.clear()
    metric = QUERIES if update is QUERY_UPDATE else ZONES
    add_series(fleet, metric, account=GLOBAL_CELL[0], region=GLOBAL_CELL[1])
    await ingest.ingest(delivery(lines([usage_update(TOPICS)]), request="b"))
    ingest.close()
    assert value(fleet, GLOBAL_CELL, metric) == (600.0 if update is QUERY_UPDATE else 400.0)


async def test_an_unknown_global_resource_requests_an_inventory_of_the_global_cell() -> None:
    requested = list[tuple[CellKey, str]]()
    discovery = Discovery(request_inventory=lambda cell, service: requested.append((cell, service)))
    fleet = fleet_of((GLOBAL_CELL, QUERIES), (HOME_CELL, TOPICS))
    unknown_zone = QUERY_UPDATE.but(dimensions=(("HostedZoneId", "Z9"),))
    await ingest_updates(fleet, unknown_zone, discovery=discovery)
    assert requested == [(GLOBAL_CELL, "dns")]
