"""Hops are found in a fleet by name or id, in an account and a region, and where that is ambiguous."""

import pytest

from collectors.base import Metric
from monitor.topology.resolver import Place, PlacedHop, metric_of
from rules.hops import hop_kinds
from tests.monitor.topology.placed import CELL, OTHER, PathFleet

ORDERS = "paths: [{name: x, hops: [{service: kinesis, resource: orders}]}]"


async def found(some: PathFleet, text: str) -> PlacedHop:
    """The first hop of the only path."""
    (placed,) = await some.placed(text)
    return placed.hops[0]


def in_two_places() -> PathFleet:
    some = PathFleet()
    for cell in (CELL, OTHER):
        some.put("kinesis.stream_write_records", ("orders",), 10, cell=cell)
    return some


async def test_a_resource_in_several_places_needs_its_account_or_region() -> None:
    hop = await found(in_two_places(), ORDERS)
    assert hop.place is None
    assert (
        "several resources are called orders" in hop.problem and "name account, region or id" in hop.problem
    )


@pytest.mark.parametrize(
    ("place", "cell"),
    [
        ("region: us-east-1", OTHER),
        (f"account: {CELL[0]}", CELL),
        ("account: test", OTHER),
        (f"account: {int(CELL[0])}", CELL),
    ],
)
async def test_account_by_id_or_name_and_region_choose_one(place: str, cell: tuple[str, str]) -> None:
    hop = await found(in_two_places(), ORDERS.replace("hops:", f"{place}, hops:"))
    assert hop.place and hop.place.cell == cell
    alone = await found(in_two_places(), ORDERS.replace("orders}", f"orders, {place}}}"))
    assert alone.place and alone.place.cell == cell


async def test_a_hop_without_a_place_is_in_the_cell_of_the_hop_before() -> None:
    some = in_two_places()
    some.put("sqs.standard_in_flight", ("jobs",), 10, cell=OTHER)
    text = "paths: [{name: x, hops: [{service: sqs, resource: jobs}, {service: kinesis, resource: orders}]}]"
    (placed,) = await some.placed(text)
    assert placed.hops[1].place and placed.hops[1].place.cell == OTHER


@pytest.mark.parametrize("resource", ["orders/by-customer", "t-1/i-1", "t-1/i-1/"])
async def test_a_resource_is_named_by_its_names_or_its_ids(resource: str) -> None:
    some = PathFleet()
    some.put("dynamodb.index_read_capacity", ("t-1", "i-1"), 10, names=("orders", "by-customer"))
    some.put("sqs.standard_in_flight", ("q",), 10)
    hops = f"[{{service: sqs, resource: q}}, {{service: dynamodb, resource: {resource}}}]"
    text = f"paths: [{{name: x, hops: {hops}}}]"
    (placed,) = await some.placed(text)
    assert placed.hops[1].place and placed.hops[1].place.path == ("t-1", "i-1")


async def test_a_part_of_a_resource_has_the_limits_of_the_part_alone() -> None:
    some = PathFleet()
    for path in (("b", "x/"), ("b", "y/")):
        some.put("s3.prefix_write_rate", path, 10)
    hop = await found(some, "paths: [{name: x, hops: [{service: s3, resource: b/x/}]}]")
    assert [series.key.resource for limit in hop.limits for series in limit.series] == ["b/x/"]
    assert hop.flow and hop.flow.key.resource == "b/x/"
    bucket = await found(some, "paths: [{name: x, hops: [{service: s3, resource: b}]}]")
    assert len([series for limit in bucket.limits for series in limit.series]) == 2
    assert bucket.flow is None  # two prefixes are no requests to the bucket


async def test_a_resource_without_series_is_a_problem_of_its_hop() -> None:
    hop = await found(PathFleet(), ORDERS)
    assert hop.problem == "no series of the Kinesis stream orders is watched"
    hop = await found(
        in_two_places(), ORDERS.replace("resource: orders", "resource: nope, region: eu-west-1")
    )
    assert hop.problem == "no series of the Kinesis stream nope is watched in eu-west-1"


async def test_unobservable_series_provide_no_flow() -> None:
    some = PathFleet()
    some.put("kinesis.stream_write_records", ("orders",), unobservable="off")
    hop = await found(some, ORDERS)
    assert hop.flow is None
    assert [metric.name for _, metric in hop.flow_metrics] == ["IncomingRecords"]


def test_metrics_have_the_dimensions_of_the_resource() -> None:
    kinds = hop_kinds()
    api = Place(CELL, ("a1", "prod", "POST /checkout"), ("shop", "prod", "POST /checkout"))
    dimensions = [
        dict(metric.dimensions)
        for source in kinds["apigateway"].flow
        if source.of_metric and (metric := metric_of(source.of_metric, api))
    ]
    method = {"Stage": "prod", "Resource": "/checkout", "Method": "POST"}
    assert dimensions == [{"ApiName": "shop"} | method, {"ApiId": "a1"} | method]
    machine = Place(CELL, ("billing",), ("billing",))
    (source,) = kinds["states"].flow
    assert source.of_metric and metric_of(source.of_metric, machine) == Metric(
        "AWS/States", "ExecutionsStarted", "Sum", period=300
    ).of(StateMachineArn="arn:aws:states:eu-west-1:123456789012:stateMachine:billing")


def test_a_resource_with_too_few_parts_has_no_metric() -> None:
    rule = hop_kinds()["events"].flow[0].of_metric
    assert rule and metric_of(rule, Place(CELL, ("nightly",), ("nightly",))) is None
