"""Counts resources: makes the calls of counts, and adds up the lengths of the lists in their responses."""

import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from collectors.errors import ResourceNotFoundError
from collectors.expression import ExpressionError
from collectors.service_quotas.call_budget import BudgetedCalls
from collectors.service_quotas.count_file import CountCall, CountDeclaration, CountOf
from monitor.lib.errors import HeadroomError
from rules.limits import Quota

MAX_PARENTS = 1000  # of one count, as each costs a call

Ids = Mapping[str, str]  # what stands for the placeholders in the params of a call


class TooManyParentsError(HeadroomError):
    """A count needs more than MAX_PARENTS calls."""


@dataclass(frozen=True, slots=True)
class CountGroup:
    """Counts of one service code that are taken from the same responses."""

    service: str
    counts: Mapping[Quota, CountDeclaration]

    @property
    def one(self) -> CountDeclaration:
        """One of the counts, whose calls are those of all."""
        return next(iter(self.counts.values()))


def group_counts(counts: Mapping[Quota, CountDeclaration]) -> list[CountGroup]:
    """Return the counts in groups, in the order of the first of each."""
    groups: dict[str, dict[Quota, CountDeclaration]] = {}
    for quota, one in counts.items():
        chain = json.dumps([quota.service, one.region, one.empty, *_call_chain(one)])
        groups.setdefault(chain, {})[quota] = one
    return [CountGroup(next(iter(group)).service, group) for group in groups.values()]


def _call_chain(call: CountCall) -> Iterable[object]:
    """Yield what decides the responses to a call."""
    yield call.call, call.params
    if call.parent:
        yield call.parent.items.text, call.parent.id and call.parent.id.text
        yield from _call_chain(call.parent)


async def count(calls: BudgetedCalls, group: CountGroup) -> dict[Quota, float]:
    """Return the counts of a group. Raises as calls do, TooManyParentsError and ExpressionError."""
    lengths: dict[Quota, float] = dict.fromkeys(group.counts, 0.0)
    for ids in await _parents(calls, group.one.parent):
        of_parent: dict[Quota, float] = dict.fromkeys(group.counts, 0.0)
        try:
            async for page in _pages(calls, group.one, ids):
                for quota, one in group.counts.items():
                    of_parent[quota] = _combined(one.count, of_parent[quota], _lengths(one, page))
        except ResourceNotFoundError:
            if not ids:
                raise
            continue  # the parent was deleted after it was listed
        for quota, one in group.counts.items():
            length = of_parent[quota]
            lengths[quota] = (
                lengths[quota] + length if one.count is CountOf.ALL else max(lengths[quota], length)
            )
    return lengths


def _combined(count_of: CountOf, so_far: float, lengths: Sequence[int]) -> float:
    """The count of one parent after a further page: lists go on over pages, those within items do not."""
    return max([so_far, *lengths]) if count_of is CountOf.PER_ITEM else so_far + sum(lengths)


def _lengths(one: CountDeclaration, page: Mapping[str, Any]) -> list[int]:
    items = _as_list(one.items.search(page), one)
    return [len(_as_list(item, one)) for item in items] if one.count is CountOf.PER_ITEM else [len(items)]


def _as_list(found: Any, call: CountCall) -> list[Any]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise ExpressionError(f"expected a list in {call.call[1]}, found {type(found).__name__}")
    return found


async def _pages(calls: BudgetedCalls, call: CountDeclaration, ids: Ids) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the responses to a call; none where its error says that there is nothing."""
    try:
        async for page in calls.paginate(
            *call.call, **_filled(call.params, {**ids, "account_id": calls.aws.account})
        ):
            yield page
    except ClientError as error:
        if error.response["Error"]["Code"] != call.empty:
            raise


async def _parents(calls: BudgetedCalls, parent: CountCall | None) -> Sequence[Ids]:
    """Return the ids of each item of a parent; a single empty one without a parent.

    Other counts of the scan that have the same parent do not list it again.
    """
    if parent is None:
        return [{}]
    key = json.dumps([*_call_chain(parent), parent.items.text, parent.id and parent.id.text])
    if key not in calls.parents:
        calls.parents[key] = [ids async for ids in _listed_parents(calls, parent)]
    return calls.parents[key]


async def _listed_parents(calls: BudgetedCalls, parent: CountCall) -> AsyncIterator[Ids]:
    number = 0
    for above in await _parents(calls, parent.parent):
        params = _filled(parent.params, {**above, "account_id": calls.aws.account})
        async for page in calls.paginate(*parent.call, **params):
            for item in _as_list(parent.items.search(page), parent):
                number += 1
                if number > MAX_PARENTS:
                    raise TooManyParentsError(f"expected at most {MAX_PARENTS:,} items of {parent.call[1]}")
                yield {"parent": _identity(parent, item), "grandparent": above.get("parent", "")}


def _identity(parent: CountCall, item: Any) -> str:
    identity = parent.id.search(item) if parent.id else item
    if isinstance(identity, bool) or not isinstance(identity, str | int) or identity == "":
        raise ExpressionError(f"expected an id in {parent.call[1]}, found {identity!r}")
    return str(identity)


def _filled(params: Any, ids: Ids) -> Any:
    """Return params with their placeholders replaced."""
    if isinstance(params, Mapping):
        return {name: _filled(value, ids) for name, value in params.items()}
    if isinstance(params, list | tuple):
        return [_filled(value, ids) for value in params]
    if isinstance(params, str) and params.startswith("{"):
        return ids[params[1:-1]]
    return params
