"""The least-privilege IAM policy for the collectors that are on, computed from their declarations."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from collectors import quota_requests, quotas, tags
from collectors.base import Collector
from monitor.aws import links

# Characters of a managed policy, without white space; ten policies can be attached to a role.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MAX_POLICY_SIZE = 6144
VERSION = "2012-10-17"  # of the language of policies
BASE_ACTIONS = ("cloudwatch:GetMetricData", *quotas.ACTIONS)


def policy(
    collectors: Iterable[Collector],
    all_regions: bool = False,
    with_tags: bool = False,
    with_links: bool = False,
    with_quota_requests: bool = False,
) -> dict[str, Any]:
    """The policy document that these collectors need.

    An action that several collectors need is in the statement of the first of them.

    all_regions: the regions of an account are listed. with_tags: the tags of resources are read. with_links:
    the metrics of linked accounts are read by a monitoring account. with_quota_requests: increases of quotas
    are requested; without it, all actions are read-only.
    `sts:GetCallerIdentity` needs no permission.
    """
    optional_actions = [
        *(["ec2:DescribeRegions"] if all_regions else ()),
        *(tags.ACTIONS if with_tags else ()),
        *((*links.ACTIONS, *links.SOURCE_ACTIONS) if with_links else ()),
    ]
    actions = {"Headroom": {*BASE_ACTIONS, *optional_actions}}
    allowed = {*actions["Headroom"]}
    for collector in collectors:
        name = "".join(part.capitalize() for part in collector.service.split("_"))  # a Sid has letters only
        actions[f"Headroom{name}"] = {*collector.iam_actions} - allowed
        allowed.update(collector.iam_actions)
    if with_quota_requests:
        actions["HeadroomQuotaRequests"] = {*quota_requests.ACTIONS}
    statements = [
        _statement(name, actions_of_statement)
        for name, actions_of_statement in actions.items()
        if actions_of_statement
    ]
    return {"Version": VERSION, "Statement": statements}


def split_policy(document: Mapping[str, Any], max_size: int = MAX_POLICY_SIZE) -> list[dict[str, Any]]:
    """Return a policy as documents of at most `max_size` characters, as a managed policy may have.

    A statement that alone is longer is a document of its own.
    """
    parts: list[dict[str, Any]] = []
    for statement in document["Statement"]:
        if not parts or policy_size(parts[-1]) + len(",") + policy_size(statement) > max_size:
            parts.append({**document, "Statement": []})
        parts[-1]["Statement"].append(statement)
    return parts


def policy_size(document: Mapping[str, Any]) -> int:
    """Return the number of characters without white space, which IAM counts."""
    return len(orjson.dumps(document))


def _statement(name: str, actions: Iterable[str]) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
