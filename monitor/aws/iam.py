"""The least-privilege IAM policy for the collectors that are on, computed from their declarations."""

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import accumulate, chain, count
from typing import Any

import orjson

from collectors import quota_requests, quotas, tags
from collectors.base import Collector
from collectors.iam_actions import ARNS_OF_ACTIONS
from collectors.service_quotas.count_file import actions_of_counts
from monitor.aws import links

# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
MAX_POLICY_SIZE = 6144  # characters of one managed policy, without white space
MAX_POLICIES_OF_ROLE = 10  # managed policies of one role, by default
VERSION = "2012-10-17"  # of the policy language
BASE_ACTIONS = ("cloudwatch:GetMetricData", "cloudwatch:ListMetrics", *quotas.ACTIONS)


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyOptions:
    """The features of Headroom that need permissions beside those of the collectors.

    all_regions: the regions of an account are listed. tags: the tags of resources are read. links: a
    monitoring account reads the metrics of linked accounts. quota_requests: increases of quotas are
    requested; without it, all actions are read-only. path_actions: the actions with which request paths are
    discovered. counted: the service codes whose resources are counted by `counts.yaml`.
    """

    all_regions: bool = False
    tags: bool = False
    links: bool = False
    quota_requests: bool = False
    path_actions: Set[str] = frozenset()
    counted: Set[str] = frozenset()

    @property
    def base_actions(self) -> Set[str]:
        """The actions that do not belong to a single service."""
        return {
            *BASE_ACTIONS,
            *(["ec2:DescribeRegions"] if self.all_regions else ()),
            *(tags.ACTIONS if self.tags else ()),
            *((*links.ACTIONS, *links.SOURCE_ACTIONS) if self.links else ()),
        }


NO_OPTIONS = PolicyOptions()


def policy(collectors: Iterable[Collector], options: PolicyOptions = NO_OPTIONS) -> dict[str, Any]:
    """Return the policy document that these collectors and options need.

    An action that several collectors need is in the statement of the first collector.
    `sts:GetCallerIdentity` needs no permission.
    """
    actions = {"Headroom": {*options.base_actions}}
    allowed = {*actions["Headroom"]}
    for collector in collectors:
        name = "".join(part.capitalize() for part in collector.service.split("_"))  # a Sid has no underscore
        actions[f"Headroom{name}"] = {*collector.iam_actions} - allowed
        allowed.update(collector.iam_actions)
    if options.counted:
        actions["HeadroomCounts"] = {*actions_of_counts(options.counted)} - allowed
    if options.path_actions:
        actions["HeadroomPaths"] = {*options.path_actions} - allowed
    if options.quota_requests:
        actions["HeadroomQuotaRequests"] = {*quota_requests.ACTIONS}
    statements = [statement for name, added in actions.items() for statement in _statements(name, added)]
    return {"Version": VERSION, "Statement": statements}


def split_policy(document: Mapping[str, Any], max_size: int = MAX_POLICY_SIZE) -> list[dict[str, Any]]:
    """Return a policy split into documents of at most `max_size` characters.

    A statement that is too long for one document is split into several statements with numbered names.
    """
    parts: list[dict[str, Any]] = []
    room = max_size - policy_size({**document, "Statement": []})
    split_statements = (_split_statement(statement, room) for statement in document["Statement"])
    for statement in chain.from_iterable(split_statements):
        if not parts or policy_size(parts[-1]) + len(",") + policy_size(statement) > max_size:
            parts.append({**document, "Statement": []})
        parts[-1]["Statement"].append(statement)
    return parts


def _split_statement(statement: Mapping[str, Any], max_size: int) -> Iterator[dict[str, Any]]:
    """Yield a statement in pieces of at most max_size characters."""
    if policy_size(statement) <= max_size:
        yield {**statement}
        return
    key = max(("Action", "Resource"), key=lambda name: policy_size(statement[name]))
    numbers, remaining = count(1), [*statement[key]]
    while remaining:
        piece = {**statement, "Sid": f"{statement['Sid']}{next(numbers)}", key: []}
        fitting = _number_that_fits(remaining, max_size - policy_size(piece))
        yield {**piece, key: remaining[:fitting]}
        remaining = remaining[fitting:]


def _number_that_fits(texts: Sequence[str], room: int) -> int:
    """Return how many texts, from the first on, fit into a JSON list of `room` characters; at least 1."""
    sizes_with_commas = accumulate(policy_size(text) + len(",") for text in texts)
    number = sum(size - len(",") <= room for size in sizes_with_commas)  # no comma follows the last text
    return max(number, 1)


def policy_size(document: Any) -> int:
    """Return the number of characters of JSON without white space, which IAM counts."""
    return len(orjson.dumps(document))


def _statements(name: str, actions: Set[str]) -> Iterator[dict[str, Any]]:
    """Yield a statement for the actions on all resources, and one for each action on some resources only."""
    if on_all_resources := actions - ARNS_OF_ACTIONS.keys():
        yield _statement(name, on_all_resources, "*")
    for number, action in enumerate(sorted(actions & ARNS_OF_ACTIONS.keys()), 1):
        yield _statement(f"{name}Limited{number}", {action}, ARNS_OF_ACTIONS[action])


def _statement(name: str, actions: Iterable[str], resource: str) -> dict[str, Any]:
    return {"Sid": name, "Effect": "Allow", "Action": sorted(actions), "Resource": resource}
