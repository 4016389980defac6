"""Kinds of resources that are listed only if a signal needs them, such as VPCs and Availability Zones."""

from typing import Any

import pytest

from collectors.declaration_error import DeclarationError
from collectors.declaration_file import parse_declaration
from tests.collectors.declared_runs import run, unobservable_usages
from tests.fake_aws import denied

ENDPOINTS = """
service: demo
namespace: AWS/PrivateLinkEndpoints
resources:
  vpc:
    foreign: true
    list: {call: ec2.DescribeVpcs, items: Vpcs}
    id: VpcId
  zone:
    list: {call: ec2.DescribeAvailabilityZones, items: AvailabilityZones}
    id: ZoneName
    facts: {messages: length(Messages)}
  endpoint:
    list: {call: ec2.DescribeVpcEndpoints, items: VpcEndpoints}
    id: VpcEndpointId
    facts: {of_vpc: VpcId, zone_name: ServiceName}  # the fake answers name a zone there
    refers: {vpc: of_vpc, zone: zone_name}
  connection:
    list: {call: ec2.DescribeVpcEndpointConnections, items: VpcEndpointConnections}
    id: VpcEndpointConnectionId
    facts: {of_endpoint: VpcEndpointId}
    refers: {endpoint: of_endpoint}
signals:
  endpoints: {usage: count(endpoint)}
  per_vpc: {resource: vpc, usage: count(endpoint)}
  connections: {resource: endpoint, usage: count(connection)}
  in_zone: {resource: endpoint, usage: zone.messages}
"""
LIST_VPCS, LIST_ZONES, LIST_ENDPOINTS, LIST_CONNECTIONS = (
    f"ec2:Describe{name}" for name in ("Vpcs", "AvailabilityZones", "VpcEndpoints", "VpcEndpointConnections")
)


def answers(*endpoints: str, **others: Any) -> dict[str, Any]:
    """Return answers of AWS with these endpoints in a VPC. others: answers that replace these, by method."""
    described = [{"VpcEndpointId": id_, "VpcId": "vpc-1", "ServiceName": "eu-west-1a"} for id_ in endpoints]
    return {
        "describe_vpcs": {"Vpcs": [{"VpcId": "vpc-1"}, {"VpcId": "vpc-2"}]},
        "describe_availability_zones": {"AvailabilityZones": [{"ZoneName": "eu-west-1a", "Messages": [{}]}]},
        "describe_vpc_endpoints": {"VpcEndpoints": described},
        "describe_vpc_endpoint_connections": {
            "VpcEndpointConnections": [{"VpcEndpointConnectionId": "c-1", "VpcEndpointId": "e-1"}]
        },
        **others,
    }


async def test_all_lists_that_resources_need_are_requested_once() -> None:
    result = await run(ENDPOINTS, **answers("e-1", "e-2"))
    assert result.usage == {
        "endpoints": 2,
        "per_vpc vpc-1": 2,
        "per_vpc vpc-2": 0,
        **{"connections e-1": 1, "connections e-2": 0, "in_zone e-1": 1, "in_zone e-2": 1},
    }
    assert sorted(result.calls) == sorted([LIST_VPCS, LIST_ZONES, LIST_ENDPOINTS, LIST_CONNECTIONS])
    assert result.errors == result.failures == []


async def test_lists_that_only_signals_of_endpoints_use_are_not_requested_without_an_endpoint() -> None:
    result = await run(ENDPOINTS, **answers())
    assert result.usage == {"endpoints": 0, "per_vpc vpc-1": 0, "per_vpc vpc-2": 0}
    assert sorted(result.calls) == sorted([LIST_ENDPOINTS, LIST_VPCS])


async def test_a_failed_list_on_demand_is_one_error_and_makes_usages_unknown() -> None:
    result = await run(ENDPOINTS, **answers("e-1", "e-2", describe_availability_zones=denied()))
    assert result.errors == ["AccessDeniedException"]
    assert result.usage == {
        **{"endpoints": 2, "per_vpc vpc-1": 2, "per_vpc vpc-2": 0},
        **{"connections e-1": 1, "connections e-2": 0},
        **unobservable_usages("zone", "in_zone e-1", "in_zone e-2"),
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("    refers: {vpc: of_vpc, zone: zone_name}", "    refers: {zone: zone_name}"),
        ("    foreign: true", "    foreign: true\n    parent: zone"),
    ],
)
def test_a_foreign_kind_with_a_parent_or_without_a_reference_to_it_is_refused(
    before: str, after: str
) -> None:
    with pytest.raises(DeclarationError, match="foreign"):
        parse_declaration(ENDPOINTS.replace(before, after).encode(), "demo.yaml")
