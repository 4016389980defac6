"""The least-privilege IAM policy for the collectors that are on, computed from their declarations."""

from collections.abc import Collection, Iterable
from typing import Any

from collectors import COLLECTORS, quotas

ALWAYS = ("cloudwatch:GetMetricData", *quotas.ACTIONS)


def policy(services: Collection[str], all_regions: bool = False) -> dict[str, Any]:
    """The policy document that watching these services needs; every action only reads.

    all_regions: the regions are to be listed, too. `sts:GetCallerIdentity` needs no permission.
    """
    actions = {"Headroom": {*ALWAYS, *(["ec2:DescribeRegions"] if all_regions else ())}}
    for collector in COLLECTORS:
        if collector.service in services:
            actions[f"Headroom{collector.service.capitalize()}"] = {*collector.actions} - {*ALWAYS}
    statements = [_statement(name, some) for name, some in actions.items() if some]
    return {"Version": "2012-10-17", "Statement": statements}


def _statement(name: str, actions: Iterable[str]) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
