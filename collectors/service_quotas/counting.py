"""Counts resources: makes the declared calls, and adds up the lengths of the lists in their responses."""

import heapq
import json
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any

from botocore.exceptions import ClientError

from collectors.errors import ResourceNotFoundError
from collectors.expression import ExpressionError
from collectors.service_quotas.call_budget import BudgetedCalls
from collectors.service_quotas.count_file import CountCall, CountDeclaration, CountOf
from monitor.lib.errors import HeadroomError
from rules.signals import Quota

MAX_PARENTS = 1000  # of one count: each parent costs a call
MAX_OWNERS = 100  # of one count: parents or items whose numbers are stored

PlaceholderValues = Mapping[str, str]  # values of the placeholders in the params of a call


class TooManyParentsError(HeadroomError):
    """A count needs more than MAX_PARENTS calls."""


@dataclass(frozen=True, slots=True)
class CountGroup:
    """Counts of one service code that are taken from the same responses."""

    service: str
    counts: Mapping[Quota, CountDeclaration]

    @property
    def first_declaration(self) -> CountDeclaration:
        """The first of the declarations; all make the same calls."""
        return next(iter(self.counts.values()))


def group_counts(counts: Mapping[Quota, CountDeclaration]) -> list[CountGroup]:
    """Return the counts in groups that make the same calls, ordered by the first count of each group."""
    groups: dict[str, dict[Quota, CountDeclaration]] = {}
    for quota, declaration in counts.items():
        chain = json.dumps(
            [quota.service, declaration.region, declaration.empty_error_code, *_call_chain(declaration)]
        )
        groups.setdefault(chain, {})[quota] = declaration
    return [CountGroup(next(iter(group)).service, group) for group in groups.values()]


def _call_chain(call: CountCall) -> Iterable[object]:
    """Yield the parts of a declaration that determine which calls are made."""
    yield call.call, call.params
    if call.parent:
        yield call.parent.items.text, call.parent.id and call.parent.id.text
        yield from _call_chain(call.parent)


@dataclass(frozen=True, slots=True)
class Count:
    """The result of a count.

    number: how many resources there are; if the quota holds for each owner (a parent or an item), the largest
    count of one owner. owners: the MAX_OWNERS largest counts of one owner, by the ids of parents and item;
    empty if the quota limits the number of all resources.
    """

    number: float
    owners: Mapping[tuple[str, ...], float] = field(default_factory=dict)


async def count(calls: BudgetedCalls, group: CountGroup) -> dict[Quota, Count | ExpressionError]:
    """Return each count of a group, or the error that affects this count alone.

    Raises the errors of the calls, TooManyParentsError, and ExpressionError where a parent has no id.
    """
    tallies = {quota: _Tally(declaration) for quota, declaration in group.counts.items()}
    for ids in await _parent_ids(calls, group.first_declaration.parent):
        try:
            async for page in _pages(calls, group.first_declaration, ids):
                for tally in tallies.values():
                    tally.add(ids, page)
        except ResourceNotFoundError:
            if not ids:
                raise
            for tally in tallies.values():  # the parent was deleted after it was listed
                tally.forget(ids)
    return {quota: tally.error or tally.count for quota, tally in tallies.items()}


@dataclass(slots=True)
class _Tally:
    """The numbers counted so far, by the ids of parents and item. error: why the count is unknown."""

    declaration: CountDeclaration
    numbers: dict[tuple[str, ...], float] = field(default_factory=dict)
    error: ExpressionError | None = None

    def add(self, ids: PlaceholderValues, page: Mapping[str, Any]) -> None:
        """Add the items of a response, or store the error in it."""
        try:
            self._add(ids, page)
        except ExpressionError as error:
            self.error = error

    def _add(self, ids: PlaceholderValues, page: Mapping[str, Any]) -> None:
        """Add the items of a response. A parent's list spans pages; a list within an item does not."""
        owner, items = _owner(ids), _as_list(self.declaration.items.search(page), self.declaration)
        if self.declaration.list_in_item is None or self.declaration.id is None:
            self.numbers[owner] = self.numbers.get(owner, 0.0) + len(items)
            return
        for item in items:
            name = self.declaration.id.search(item)
            item_owner = (*owner, "" if name is None else str(name))
            length = len(_as_list(self.declaration.list_in_item.search(item), self.declaration))
            self.numbers[item_owner] = max(self.numbers.get(item_owner, 0.0), length)
        self._keep_largest()

    def forget(self, ids: PlaceholderValues) -> None:
        """Remove the numbers of a parent and of its items."""
        owner = _owner(ids)
        for key in [key for key in self.numbers if key[: len(owner)] == owner]:
            del self.numbers[key]

    @property
    def count(self) -> Count:
        """The count of all added items."""
        if self.declaration.count is CountOf.ALL:
            return Count(sum(self.numbers.values()))
        self._keep_largest()
        return Count(max(self.numbers.values(), default=0.0), dict(self.numbers))

    def _keep_largest(self) -> None:
        if len(self.numbers) > MAX_OWNERS:
            self.numbers = dict(heapq.nlargest(MAX_OWNERS, self.numbers.items(), key=itemgetter(1)))


def _owner(ids: PlaceholderValues) -> tuple[str, ...]:
    """Return the parents' ids, the outer parent's first; empty without a parent."""
    return tuple(ids[name] for name in ("grandparent", "parent") if ids.get(name))


def _as_list(found: Any, call: CountCall) -> list[Any]:
    if found is None:
        return []
    if not isinstance(found, list):
        raise ExpressionError(f"expected a list in {call.operation}, found {type(found).__name__}")
    return found


async def _pages(
    calls: BudgetedCalls, call: CountDeclaration, ids: PlaceholderValues
) -> AsyncIterator[Mapping[str, Any]]:
    """Yield the responses to a call; none after the error code that means that there are no items."""
    try:
        async for page in calls.paginate(
            *call.call, **_fill_placeholders(call.params, {**ids, "account_id": calls.aws.account})
        ):
            yield page
    except ClientError as error:
        if error.response["Error"]["Code"] != call.empty_error_code:
            raise


async def _parent_ids(calls: BudgetedCalls, parent: CountCall | None) -> Sequence[PlaceholderValues]:
    """Return the ids of all parents that the call `parent` lists; one empty mapping without such a call.

    All counts of the scan with the same parent share its list.
    """
    if parent is None:
        return [{}]
    key = json.dumps([*_call_chain(parent), parent.items.text, parent.id and parent.id.text])
    if key not in calls.parents:
        calls.parents[key] = [ids async for ids in _list_parent_ids(calls, parent)]
    return calls.parents[key]


async def _list_parent_ids(calls: BudgetedCalls, parent: CountCall) -> AsyncIterator[PlaceholderValues]:
    parent_count = 0
    for outer_ids in await _parent_ids(calls, parent.parent):
        params = _fill_placeholders(parent.params, {**outer_ids, "account_id": calls.aws.account})
        async for page in calls.paginate(*parent.call, **params):
            for item in _as_list(parent.items.search(page), parent):
                parent_count += 1
                if parent_count > MAX_PARENTS:
                    raise TooManyParentsError(f"expected at most {MAX_PARENTS:,} items of {parent.operation}")
                yield {"parent": _identity(parent, item), "grandparent": outer_ids.get("parent", "")}


def _identity(parent: CountCall, item: Any) -> str:
    identity = parent.id.search(item) if parent.id else item
    if isinstance(identity, bool) or not isinstance(identity, str | int) or identity == "":
        raise ExpressionError(f"expected an id in {parent.operation}, found {identity!r}")
    return str(identity)


def _fill_placeholders(params: Any, ids: PlaceholderValues) -> Any:
    """Return the params with each placeholder replaced by its id."""
    if isinstance(params, Mapping):
        return {name: _fill_placeholders(value, ids) for name, value in params.items()}
    if isinstance(params, list | tuple):
        return [_fill_placeholders(value, ids) for value in params]
    if isinstance(params, str) and params.startswith("{"):
        return ids[params[1:-1]]
    return params
