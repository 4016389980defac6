import json
import re
from itertools import pairwise

import pytest

from collectors import quotas
from collectors.base import Collector
from collectors.iam_actions import PREFIXES
from monitor.aws.iam import policy, split_policy
from tests.fake_aws import SERVICE_MODELS
from tests.registries import REGISTRY

SERVICES = REGISTRY.service_names
READS = re.compile("(Get|List|Describe|Search)[A-Za-z0-9]+")
HTTP_GET = ("apigateway", "GET")
REPORT = ("servicequotas", "StartQuotaUtilizationReport")  # has AWS make a report, and changes nothing
NO_SIGNING_NAMES = {"cloudwatch", "tag"}  # prefixes that AWS signs nothing with
ALWAYS = {"cloudwatch:GetMetricData", *quotas.ACTIONS}


def actions(*services: str, **options: bool) -> list[str]:
    statements = policy(REGISTRY.collectors_of(services), **options)["Statement"]
    return [action for statement in statements for action in statement["Action"]]


@pytest.mark.parametrize("services", [(), *((one,) for one in SERVICES), *pairwise(SERVICES), SERVICES])
def test_it_allows_exactly_what_the_collectors_that_are_on_need(services: tuple[str, ...]) -> None:
    asked = {action for one in REGISTRY.collectors if one.service in services for action in one.iam_actions}
    allowed = actions(*services)
    assert set(allowed) == asked | ALWAYS
    assert len(allowed) == len(set(allowed))


def test_to_list_the_regions_is_allowed_only_when_all_are_watched() -> None:
    assert set(actions("kinesis", all_regions=True)) - set(actions("kinesis")) == {"ec2:DescribeRegions"}


def test_to_read_the_tags_of_all_services_is_allowed_only_when_tags_are_wanted() -> None:
    assert set(actions("kinesis", with_tags=True)) - set(actions("kinesis")) == {"tag:GetResources"}


def test_links_are_read_only_for_a_monitoring_account() -> None:
    added = set(actions("kinesis", with_links=True)) - set(actions("kinesis"))
    oam = {"oam:GetLink", "oam:ListAttachedLinks", "oam:ListLinks", "oam:ListSinks"}
    assert added == {*oam, "cloudwatch:ListMetrics"}


def test_every_action_only_reads() -> None:
    every = actions(*SERVICES, all_regions=True, with_tags=True, with_links=True)
    allowed = [action.partition(":")[::2] for action in every]
    others = [action for action in allowed if not READS.fullmatch(action[1])]
    assert {*others} == {HTTP_GET, REPORT}


def test_every_action_has_a_prefix_of_the_service_authorization_reference() -> None:
    clients = {prefix: client for client, prefix in PREFIXES.items()}
    prefixes = {action.partition(":")[0] for action in actions(*SERVICES, with_tags=True, with_links=True)}
    for prefix in prefixes - NO_SIGNING_NAMES:
        model = SERVICE_MODELS.get_service_model(clients.get(prefix, prefix))
        assert prefix in (model.signing_name, model.endpoint_prefix)


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


def test_the_policy_of_all_services_fits_into_ten_managed_policies() -> None:
    document = policy(REGISTRY.collectors, all_regions=True, with_tags=True)
    parts = split_policy(document)
    assert [one for part in parts for one in part["Statement"]] == document["Statement"]
    assert 1 < len(parts) <= 10
    assert {part["Version"] for part in parts} == {"2012-10-17"}
    assert max(len(json.dumps(part, separators=(",", ":"))) for part in parts) <= 6144


def test_a_short_policy_has_one_part() -> None:
    document = policy(REGISTRY.collectors_of(["kinesis"]))
    assert split_policy(document) == [document]


def test_a_service_that_needs_nothing_of_its_own_has_no_empty_statement() -> None:
    metrics_only = Collector(
        service="kinesis", scans=(), metrics=(), iam_actions=("cloudwatch:GetMetricData",)
    )
    document = policy([metrics_only])
    assert [statement["Sid"] for statement in document["Statement"]] == ["Headroom"]
