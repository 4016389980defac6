"""The least-privilege IAM policy for the collectors that are on, computed from their declarations."""

from collections.abc import Iterable
from typing import Any

from collectors import COLLECTORS, quotas
from collectors.base import Collector

ALWAYS = ("cloudwatch:GetMetricData", *quotas.ACTIONS)


def policy(services: Iterable[str], all_regions: bool = False) -> dict[str, Any]:
    """The policy document that watching these services needs; every action only reads.

    all_regions: the regions are to be listed, too. `sts:GetCallerIdentity` needs no permission.
    """
    chosen = [collector for collector in COLLECTORS if collector.service in set(services)]
    statements = [_statement("Headroom", (*ALWAYS, *(["ec2:DescribeRegions"] if all_regions else [])))]
    statements += [
        _statement(f"Headroom{collector.service.capitalize()}", _actions(collector)) for collector in chosen
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def _actions(collector: Collector) -> Iterable[str]:
    return (action for action in collector.actions if action not in ALWAYS)


def _statement(name: str, actions: Iterable[str]) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": "*"}
