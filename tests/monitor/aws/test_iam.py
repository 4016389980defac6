import json
import re
from itertools import chain, combinations

import pytest

from collectors import quotas
from collectors.base import Collector
from monitor.aws.iam import policy
from tests.fake_aws import SERVICE_MODELS
from tests.registries import REGISTRY

SERVICES = REGISTRY.service_names
ALWAYS = {"cloudwatch:GetMetricData", *quotas.ACTIONS}

# Service prefixes of the Service Authorization Reference.
MODELS = [SERVICE_MODELS.get_service_model(name) for name in SERVICE_MODELS.get_available_services()]
SIGNING_NAMES = {name for one in MODELS for name in (one.endpoint_prefix, one.signing_name)}
PREFIXES = SIGNING_NAMES | {"cloudwatch", "tag"}  # IAM's, which are the same but for these


def actions(*services: str, all_regions: bool = False, with_tags: bool = False) -> list[str]:
    statements = policy(REGISTRY.collectors_of(services), all_regions, with_tags)["Statement"]
    return [action for statement in statements for action in statement["Action"]]


@pytest.mark.parametrize("services", [*chain.from_iterable(combinations(SERVICES, n) for n in (0, 1, 2, 6))])
def test_it_allows_exactly_what_the_collectors_that_are_on_need(services: tuple[str, ...]) -> None:
    asked = {action for one in REGISTRY.collectors if one.service in services for action in one.iam_actions}
    allowed = actions(*services)
    assert set(allowed) == asked | ALWAYS
    assert len(allowed) == len(set(allowed))


def test_to_list_the_regions_is_allowed_only_when_all_are_watched() -> None:
    assert set(actions("kinesis", all_regions=True)) - set(actions("kinesis")) == {"ec2:DescribeRegions"}


def test_to_read_the_tags_of_all_services_is_allowed_only_when_tags_are_wanted() -> None:
    assert set(actions("kinesis", with_tags=True)) - set(actions("kinesis")) == {"tag:GetResources"}


@pytest.mark.parametrize("action", sorted(actions(*SERVICES, all_regions=True, with_tags=True)))
def test_every_action_only_reads(action: str) -> None:
    prefix, _, name = action.partition(":")
    assert prefix in PREFIXES
    assert action == "apigateway:GET" or re.fullmatch(r"(Get|List|Describe)[A-Za-z]+", name)


def test_the_document_is_what_iam_takes() -> None:
    document = policy(REGISTRY.collectors, all_regions=True, with_tags=True)
    assert set(document) == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
    assert len(sids) == len(set(sids))
    for statement in document["Statement"]:
        assert set(statement) == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        assert statement["Resource"] == "*"
        assert statement["Action"] == sorted(statement["Action"])
    assert len(json.dumps(document, separators=(",", ":"))) < 6144  # of a managed policy


def test_a_service_that_needs_nothing_of_its_own_has_no_empty_statement() -> None:
    metrics_only = Collector(
        service="kinesis", scans=(), metrics=(), iam_actions=("cloudwatch:GetMetricData",)
    )
    document = policy([metrics_only])
    assert [statement["Sid"] for statement in document["Statement"]] == ["Headroom"]
