"""The IAM policy allows exactly the actions that Headroom needs, in a form that IAM accepts."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import quotas
from collectors.base import Collector
from collectors.iam_actions import iam_action
from collectors.service_quotas.count_file import read_counts
from monitor.aws.access_policy import ASSUME_ACTION, LISTING_ACTIONS, TAGS_ACTION, UNIT_LISTING_ACTIONS
from monitor.aws.iam import (
    MAX_POLICIES_OF_ROLE,
    MAX_POLICY_SIZE,
    NO_OPTIONS,
    PolicyOptions,
    policy,
    split_policy,
)
from monitor.config.signal_settings import known_service_codes
from monitor.topology.discovery import needed_actions
from tests.registries import REGISTRY

SERVICES = REGISTRY.service_names
READ_NAME = re.compile("(Get|List|Describe|Search)[A-Za-z0-9]*")
# Actions that only read, though their names do not say so.
OTHER_READ_ACTIONS = {
    ("apigateway", "GET"),
    ("servicequotas", "StartQuotaUtilizationReport"),  # AWS makes a report, and changes no resource
    ("cassandra", "Select"),  # only on system tables, which list the other tables
}
# The actions of AWS's service authorization reference, in lower case.
KNOWN_ACTIONS = {*(Path(__file__).parent / "iam_actions.txt").read_text().lower().splitlines()}
COUNTS = read_counts()
ALL_READS = PolicyOptions(all_regions=True, tags=True, links=True, counted=known_service_codes(REGISTRY))
ALWAYS_ALLOWED = {"cloudwatch:GetMetricData", "cloudwatch:ListMetrics", *quotas.ACTIONS}


def actions(*services: str, options: PolicyOptions = NO_OPTIONS) -> list[str]:
    """Return the actions that the policy for these services allows."""
    statements = policy(REGISTRY.collectors_of(services), options)["Statement"]
    return [action for statement in statements for action in statement["Action"]]


def added_actions(options: PolicyOptions) -> set[str]:
    """Return the actions that options add to the policy for kinesis."""
    return {*actions("kinesis", options=options)} - {*actions("kinesis")}


@pytest.mark.parametrize(
    "services", [(), *((service,) for service in SERVICES), *pairwise(SERVICES), SERVICES]
)
def test_the_policy_allows_exactly_the_actions_of_the_enabled_collectors(services: tuple[str, ...]) -> None:
    collectors = [collector for collector in REGISTRY.collectors if collector.service in services]
    declared_actions = {action for collector in collectors for action in collector.iam_actions}
    allowed_actions = actions(*services)
    assert set(allowed_actions) == declared_actions | ALWAYS_ALLOWED
    assert len(allowed_actions) == len(set(allowed_actions))


def test_listing_regions_is_allowed_only_with_the_option_all_regions() -> None:
    assert added_actions(PolicyOptions(all_regions=True)) == {"ec2:DescribeRegions"}


def test_reading_tags_is_allowed_only_with_the_option_tags() -> None:
    assert added_actions(PolicyOptions(tags=True)) == {"tag:GetResources"}


def test_reading_links_is_allowed_only_with_the_option_links() -> None:
    oam = {"oam:GetLink", "oam:ListAttachedLinks", "oam:ListLinks", "oam:ListSinks"}
    assert added_actions(PolicyOptions(links=True)) == oam


def test_every_action_is_read_only() -> None:
    allowed_actions = [tuple(action.split(":")) for action in actions(*SERVICES, options=ALL_READS)]
    other_actions = {(service, name) for service, name in allowed_actions if not READ_NAME.fullmatch(name)}
    assert other_actions == OTHER_READ_ACTIONS


def test_every_action_is_in_the_service_authorization_reference() -> None:
    paths = needed_actions(SERVICES)
    all_actions = actions(*SERVICES, options=replace(ALL_READS, quota_requests=True, path_actions=paths))
    all_actions += [*LISTING_ACTIONS, *UNIT_LISTING_ACTIONS, TAGS_ACTION, ASSUME_ACTION]
    assert [action for action in all_actions if action.lower() not in KNOWN_ACTIONS] == []


def test_discovering_paths_adds_the_actions_of_readers_of_enabled_services() -> None:
    path_actions = needed_actions(["lambda", "s3"])
    assert path_actions == {
        "lambda:ListEventSourceMappings",
        "s3:GetBucketNotification",
        "s3:ListAllMyBuckets",
    }
    assert added_actions(PolicyOptions(path_actions=path_actions)) == path_actions
    assert all(
        READ_NAME.fullmatch(action.partition(":")[2])
        for action in needed_actions(SERVICES) - {"apigateway:GET"}
    )


def test_counting_adds_only_the_actions_of_the_given_service_codes() -> None:
    glue_counts = [count for quota, count in COUNTS.items() if quota.service == "glue"]
    glue_actions = {iam_action(*call) for count in glue_counts for call in count.calls}
    assert {"glue:GetDatabases", "glue:GetTables"} <= glue_actions
    assert added_actions(PolicyOptions(counted={"glue"})) == glue_actions


def test_every_count_and_the_lists_of_its_parents_are_allowed() -> None:
    count_actions = {iam_action(*call) for count in COUNTS.values() for call in count.calls}
    assert count_actions <= set(actions(*SERVICES, options=ALL_READS))


def test_the_policy_allows_to_list_the_tables_of_keyspaces_but_not_to_read_them() -> None:
    statements = policy([], PolicyOptions(counted={"cassandra"}))["Statement"]
    (select,) = [statement for statement in statements if "cassandra:Select" in statement["Action"]]
    assert (select["Action"], select["Resource"]) == (
        ["cassandra:Select"],
        "arn:*:cassandra:*:*:/keyspace/system*",
    )


def test_the_document_has_the_form_of_an_iam_policy() -> None:
    document = policy(REGISTRY.collectors, ALL_READS)
    assert set(document) == {"Version", "Statement"}
    assert document["Version"] == "2012-10-17"
    sids = [statement["Sid"] for statement in document["Statement"]]
    assert all(re.fullmatch("[A-Za-z0-9]+", sid) for sid in sids)
    assert len(sids) == len(set(sids))
    for statement in document["Statement"]:
        assert set(statement) == {"Sid", "Effect", "Action", "Resource"}
        assert statement["Effect"] == "Allow"
        assert statement["Resource"] == "*" or statement["Action"] == ["cassandra:Select"]
        assert statement["Action"] == sorted(statement["Action"])


def allowed_by(*documents: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the actions that documents allow, each with its resource."""
    statements = [statement for document in documents for statement in document["Statement"]]
    return [(action, statement["Resource"]) for statement in statements for action in statement["Action"]]


def test_the_policy_of_all_services_and_counts_fits_on_one_role() -> None:
    document = policy(REGISTRY.collectors, ALL_READS)
    parts = split_policy(document)
    assert allowed_by(*parts) == allowed_by(document)
    assert 1 < len(parts) <= MAX_POLICIES_OF_ROLE
    assert {part["Version"] for part in parts} == {"2012-10-17"}
    assert max(len(json.dumps(part, separators=(",", ":"))) for part in parts) <= MAX_POLICY_SIZE
    sids = [statement["Sid"] for part in parts for statement in part["Statement"]]
    assert len(sids) == len(set(sids))


@given(st.lists(st.text("abcXYZ:", min_size=1, max_size=40), min_size=1, max_size=60), st.integers(150, 400))
def test_a_statement_of_any_length_is_split_without_losing_an_action(names: list[str], size: int) -> None:
    statement = {"Sid": "Long", "Effect": "Allow", "Action": names, "Resource": "*"}
    parts = split_policy({"Version": "2012-10-17", "Statement": [statement]}, size)
    assert [action for action, _ in allowed_by(*parts)] == names
    assert max(len(json.dumps(part, separators=(",", ":"))) for part in parts) <= size


def test_a_short_policy_is_not_split() -> None:
    document = policy(REGISTRY.collectors_of(["kinesis"]))
    assert split_policy(document) == [document]


def test_a_collector_without_actions_of_its_own_has_no_statement() -> None:
    metrics_only = Collector(
        service="kinesis", scans=(), metrics=(), iam_actions=("cloudwatch:GetMetricData",)
    )
    document = policy([metrics_only])
    assert [statement["Sid"] for statement in document["Statement"]] == ["Headroom"]
