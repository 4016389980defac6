"""Finding hops in a fleet by name or id, account and region; ambiguous hops; metrics of hops."""

import pytest

from collectors.base import Metric
from monitor.topology.resolver import Place, PlacedHop, metric_of
from rules.hops import hop_kinds
from tests.monitor.topology.path_fleet import CELL, OTHER_CELL, PathFleet

ORDERS = "paths: [{name: x, hops: [{service: kinesis, resource: orders}]}]"


async def first_hop(path_fleet: PathFleet, text: str) -> PlacedHop:
    """Return the first hop of the only path of a file."""
    (placed,) = await path_fleet.place(text)
    return placed.hops[0]


def fleet_of_two_cells() -> PathFleet:
    """Return a fleet with a stream `orders` in each of two cells."""
    path_fleet = PathFleet()
    for cell in (CELL, OTHER_CELL):
        path_fleet.put("kinesis.stream_write_records", ("orders",), 10, cell=cell)
    return path_fleet


async def test_a_resource_in_several_cells_is_ambiguous_without_account_or_region() -> None:
    hop = await first_hop(fleet_of_two_cells(), ORDERS)
    assert hop.place is None
    assert (
        "several resources are called orders" in hop.problem and "name account, region or id" in hop.problem
    )


@pytest.mark.parametrize(
    ("account_or_region", "cell"),
    [
        ("region: us-east-1", OTHER_CELL),
        (f"account: {CELL[0]}", CELL),
        ("account: test", OTHER_CELL),
        (f"account: {int(CELL[0])}", CELL),
    ],
)
async def test_an_account_id_an_account_name_or_a_region_selects_one_cell(
    account_or_region: str, cell: tuple[str, str]
) -> None:
    hop = await first_hop(fleet_of_two_cells(), ORDERS.replace("hops:", f"{account_or_region}, hops:"))
    assert hop.place and hop.place.cell == cell
    hop_of_cell = await first_hop(
        fleet_of_two_cells(), ORDERS.replace("orders}", f"orders, {account_or_region}}}")
    )
    assert hop_of_cell.place and hop_of_cell.place.cell == cell


async def test_a_hop_without_account_and_region_is_in_the_cell_of_the_hop_before() -> None:
    path_fleet = fleet_of_two_cells()
    path_fleet.put("sqs.standard_in_flight", ("jobs",), 10, cell=OTHER_CELL)
    text = "paths: [{name: x, hops: [{service: sqs, resource: jobs}, {service: kinesis, resource: orders}]}]"
    (placed,) = await path_fleet.place(text)
    assert placed.hops[1].place and placed.hops[1].place.cell == OTHER_CELL


@pytest.mark.parametrize("resource", ["orders/by-customer", "t-1/i-1", "t-1/i-1/"])
async def test_a_resource_is_found_by_its_names_or_its_ids(resource: str) -> None:
    path_fleet = PathFleet()
    path_fleet.put("dynamodb.index_read_capacity", ("t-1", "i-1"), 10, names=("orders", "by-customer"))
    path_fleet.put("sqs.standard_in_flight", ("q",), 10)
    hops = f"[{{service: sqs, resource: q}}, {{service: dynamodb, resource: {resource}}}]"
    text = f"paths: [{{name: x, hops: {hops}}}]"
    (placed,) = await path_fleet.place(text)
    assert placed.hops[1].place and placed.hops[1].place.path == ("t-1", "i-1")


async def test_a_part_of_a_resource_has_only_the_limits_of_the_part() -> None:
    path_fleet = PathFleet()
    for path in (("b", "x/"), ("b", "y/")):
        path_fleet.put("s3.prefix_write_rate", path, 10)
    hop = await first_hop(path_fleet, "paths: [{name: x, hops: [{service: s3, resource: b/x/}]}]")
    assert [series.key.resource for limit in hop.limits for series in limit.series] == ["b/x/"]
    assert hop.flow and hop.flow.key.resource == "b/x/"
    bucket = await first_hop(path_fleet, "paths: [{name: x, hops: [{service: s3, resource: b}]}]")
    assert len([series for limit in bucket.limits for series in limit.series]) == 2
    assert bucket.flow is None  # the flows of two prefixes are not the flow of the bucket


async def test_a_resource_without_series_is_a_problem_of_its_hop() -> None:
    hop = await first_hop(PathFleet(), ORDERS)
    assert hop.problem == "no series of the Kinesis stream orders is watched"
    hop = await first_hop(
        fleet_of_two_cells(), ORDERS.replace("resource: orders", "resource: nope, region: eu-west-1")
    )
    assert hop.problem == "no series of the Kinesis stream nope is watched in eu-west-1"


async def test_unobservable_series_provide_no_flow() -> None:
    path_fleet = PathFleet()
    path_fleet.put("kinesis.stream_write_records", ("orders",), unobservable="off")
    hop = await first_hop(path_fleet, ORDERS)
    assert hop.flow is None
    assert [metric.name for _, metric in hop.flow_metrics] == ["IncomingRecords"]


def test_the_metrics_of_a_hop_have_the_dimensions_of_its_resource() -> None:
    kinds = hop_kinds()
    api = Place(CELL, ("a1", "prod", "POST /checkout"), ("shop", "prod", "POST /checkout"))
    dimensions = [
        dict(metric.dimensions)
        for source in kinds["apigateway"].flow
        if source.hop_metric and (metric := metric_of(source.hop_metric, api))
    ]
    method = {"Stage": "prod", "Resource": "/checkout", "Method": "POST"}
    assert dimensions == [{"ApiName": "shop"} | method, {"ApiId": "a1"} | method]
    machine = Place(CELL, ("billing",), ("billing",))
    (source,) = kinds["states"].flow
    assert source.hop_metric and metric_of(source.hop_metric, machine) == Metric(
        "AWS/States", "ExecutionsStarted", "Sum", period=300
    ).of(StateMachineArn="arn:aws:states:eu-west-1:123456789012:stateMachine:billing")


def test_a_resource_with_too_few_parts_has_no_metric() -> None:
    rule = hop_kinds()["events"].flow[0].hop_metric
    assert rule and metric_of(rule, Place(CELL, ("nightly",), ("nightly",))) is None
