"""The least-privilege IAM policy for the collectors that are on, computed from their declarations."""

from collections.abc import Iterable
from typing import Any

from collectors import quotas, tags
from collectors.base import Collector

BASE_ACTIONS = ("cloudwatch:GetMetricData", *quotas.ACTIONS)


def policy(
    collectors: Iterable[Collector],
    all_regions: bool = False,
    with_tags: bool = False,
) -> dict[str, Any]:
    """The policy document that these collectors need; all of its actions are read-only.

    all_regions: the regions of an account are listed. with_tags: the tags of resources are read.
    `sts:GetCallerIdentity` needs no permission.
    """
    optional_actions = [
        *(["ec2:DescribeRegions"] if all_regions else ()),
        *(tags.ACTIONS if with_tags else ()),
    ]
    actions = {"Headroom": {*BASE_ACTIONS, *optional_actions}}
    for collector in collectors:
        actions[f"Headroom{collector.service.capitalize()}"] = {*collector.iam_actions} - {*BASE_ACTIONS}
    statements = [
        _statement(name, actions_of_statement)
        for name, actions_of_statement in actions.items()
        if actions_of_statement
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(name: str, actions: Iterable[str]) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
