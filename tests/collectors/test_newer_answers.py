"""Responses with members that AWS added after botocore's models were made, parsed from bytes."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
from botocore.model import ListShape, MapShape, Shape, StructureShape
from botocore.parsers import create_parser
from moto.core.model import ServiceModel
from moto.core.serialize import SERIALIZERS, get_serializer_class

from collectors.declared import collector_of
from tests.collectors.declared_cases import DECLARATIONS, TABLES, Case, differences, read_cases, run_case
from tests.fake_aws import SERVICE_MODELS

ADDED_MEMBER = "AddedYesterday"
CASES = list(read_cases(TABLES))
PROTOCOLS = {"json", "query", "ec2", "rest-json"}  # the protocols of the clients in the tables, at least


@cache
def newer_model(client: str) -> ServiceModel:
    """Return the model of a service in which every structure has one more member."""
    model = SERVICE_MODELS.get_service_data(client)
    shapes = {
        ADDED_MEMBER: {"type": "structure", "members": {"Text": {"shape": f"{ADDED_MEMBER}Text"}}},
        f"{ADDED_MEMBER}Text": {"type": "string"},
    }
    for name, shape in model["shapes"].items():
        members = (
            {"members": shape["members"] | {ADDED_MEMBER: {"shape": ADDED_MEMBER}}}
            if "members" in shape
            else {}
        )
        shapes[name] = shape | members
    return ServiceModel(model | {"shapes": shapes}, client)


def with_added_members(value: Any, shape: Shape) -> Any:
    """Return a value with the added member in each of its structures."""
    match shape:
        case StructureShape():
            members = {
                name: with_added_members(member, shape.members[name]) for name, member in value.items()
            }
            return members | {ADDED_MEMBER: {"Text": "added"}}
        case ListShape():
            return [with_added_members(item, shape.member) for item in value]
        case MapShape():
            return {name: with_added_members(entry, shape.value) for name, entry in value.items()}
    return value


def parse_with_added_members(key: str, answer: Any) -> Any:
    """Return an answer as botocore parses it from bytes with the added members.

    key: the client and the operation, as in the tables: `sqs.ListQueues`.
    """
    if isinstance(answer, list):
        return [parse_with_added_members(key, page) for page in answer]
    if not isinstance(answer, Mapping):
        return answer
    client, _, name = key.partition("(")[0].partition(".")
    model = newer_model(client)
    operation, protocol = model.operation_model(name), model.resolved_protocol
    if protocol not in SERIALIZERS:  # moto cannot write this protocol, such as CBOR
        return answer
    serialized = get_serializer_class(client, protocol)(operation_model=operation).serialize(
        with_added_members(answer, operation.output_shape)
    )
    body = serialized["body"].encode() if isinstance(serialized["body"], str) else serialized["body"]
    assert body.count(ADDED_MEMBER.encode()) > 0
    response = {"body": body, "headers": serialized["headers"], "status_code": 200}
    output_shape: Any = SERVICE_MODELS.get_service_model(client).operation_model(name).output_shape
    parsed = create_parser(protocol).parse(response, output_shape)
    return {name: value for name, value in parsed.items() if name != "ResponseMetadata"}


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_unknown_members_of_responses_change_no_series(case: Case) -> None:
    answers = {key: parse_with_added_members(key, answer) for key, answer in case.answers.items()}
    collector = collector_of(DECLARATIONS[case.service])
    series, failures = await run_case(replace(case, answers=answers), collector)
    assert differences(series, case.series) == []
    assert sorted(failures) == sorted(case.failures)


def test_the_tables_have_services_of_each_protocol() -> None:
    clients = {key.partition(".")[0] for case in CASES for key in case.answers}
    assert {newer_model(client).resolved_protocol for client in clients} >= PROTOCOLS
