"""Makes the calls of a scan of a declared service.

Calls with equal parameters are made once; a batch call is made for several resources.
"""

import asyncio
from collections.abc import (
    AsyncIterator,
    Awaitable,
    Callable,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from contextlib import suppress
from itertools import islice
from typing import Any, NamedTuple

from botocore.exceptions import ClientError, ParamValidationError

from collectors.base import Aws
from collectors.declaration import (
    ID,
    TIMES,
    CallDeclaration,
    ListDeclaration,
    ResourceDeclaration,
    batch_parameter,
    placeholders,
)
from collectors.declared_resources import NodeScope
from collectors.errors import ResourceNotFoundError
from collectors.expression import ExpressionError
from collectors.found_item import FoundItem, found_item

Facts = dict[str, Any]
CallParams = Mapping[str, Any]
CallKey = tuple[Hashable, Hashable]  # the identity of a declared call, and the values in its parameters


class FactsOfCall(NamedTuple):
    """The facts of a call. read_at: the start of the inventory that made the call, in epoch seconds."""

    facts: Facts
    read_at: float


class BatchEntry(NamedTuple):
    """The entry of one resource in a batch.

    batch: identifies the batch. params: the parameters that all its resources share. value: names the
    resource in the batch's list of resources.
    """

    batch: CallKey
    params: CallParams
    value: str


class DeclaredCalls:
    """Makes the calls of one scan."""

    def __init__(self, aws: Aws) -> None:
        self._aws, self._started_at = aws, aws.now
        self._futures: dict[CallKey, asyncio.Future[FactsOfCall]] = {}
        # By `batch` and `value` of a BatchEntry.
        self._results_of_batches: dict[tuple[CallKey, str], Facts | Exception] = {}

    async def items(
        self, declared: CallDeclaration | ListDeclaration, scope: NodeScope
    ) -> AsyncIterator[Any]:
        """Yield the items of all pages of a call."""
        first, params = scope.render_params(declared.first), scope.render_params(declared.params)
        async for item in self._items(declared, first, params):
            yield item

    async def parts(self, kind: str, declared: ResourceDeclaration, scope: NodeScope) -> list[FoundItem]:
        """List the parts of a resource that are of this kind.

        scope: the scope of the resource. Raises NotReadYetError if they were never listed, and it is not
        their turn.
        """
        listed = declared.list
        assert listed  # every kind except the account has a list

        async def read() -> list[FoundItem]:
            return [found_item(declared, item) async for item in self.items(listed, scope)]

        return await self._aws.in_turn((kind, _identifying_values(listed, scope)), scope.node.resource, read)

    async def facts(self, call: CallDeclaration, scope: NodeScope) -> FactsOfCall:
        """Return the facts of a call; all are None if its condition does not hold.

        Calls with equal parameters are made once, because many resources may need the same response. Raises
        NotReadYetError if the call was never made, and it is not its turn.
        """
        if call.when and not call.when.evaluate(scope):
            return FactsOfCall(dict.fromkeys(call.facts), self._started_at)
        if call.batch:
            return FactsOfCall(self._facts_of_batch(call, scope), self._started_at)
        first, params = scope.render_params(call.first), scope.render_params(call.params)
        key = call.identity, _identifying_values(call, scope)

        async def read() -> FactsOfCall:
            return FactsOfCall(await self._read(call, first, params), self._started_at)

        async def take_turn() -> FactsOfCall:
            # True if the parameters name this resource: then no other resource uses the response.
            is_own = not {ID, scope.node.kind}.isdisjoint(placeholders([call.first, call.params]))
            every, resource = call.every or 0.0, scope.node.resource
            return await self._aws.in_turn(key, resource, read, every, is_shared=not is_own)

        return await self._read_once(key, take_turn)

    def is_of_earlier_inventory(self, facts: FactsOfCall) -> bool:
        """Return whether an earlier inventory read these facts."""
        return facts.read_at < self._started_at

    async def _read(self, call: CallDeclaration, first: CallParams, params: CallParams) -> Facts:
        assert call.call
        try:
            if call.items:
                response: Any = [item async for item in self._items(call, first, params)]
            else:
                response = await self._aws_for(call).call(*call.call, **params)
        except ClientError as error:
            if error.response["Error"]["Code"] not in call.none_when:
                raise
            return dict.fromkeys(call.facts)
        return {name: path.search(response) for name, path in call.facts.items()}

    async def _items(
        self, declared: CallDeclaration | ListDeclaration, first: CallParams, params: CallParams
    ) -> AsyncIterator[Any]:
        assert declared.call and declared.items
        service, operation = declared.call
        async for page in self._aws_for(declared).paginate(service, operation, first, **params):
            for item in as_list(declared.items.search(page), operation):
                yield item

    def _aws_for(self, declared: CallDeclaration | ListDeclaration) -> Aws:
        """Return the API client for the region in which a call is made."""
        return self._aws.in_region(self._aws.home_region) if declared.region else self._aws

    async def _read_once(self, key: CallKey, read: Callable[[], Awaitable[FactsOfCall]]) -> FactsOfCall:
        """Return the facts of a call, or raise its error. The first use of a key makes the call."""
        if key in self._futures:
            return await asyncio.shield(self._futures[key])
        future = self._futures[key] = asyncio.get_running_loop().create_future()
        try:
            facts = await read()
            future.set_result(facts)
        except Exception as error:
            future.set_exception(error)
            future.exception()  # the error counts as retrieved, even if no other resource awaits the future
            raise
        except BaseException:
            future.cancel()
            raise
        return facts

    async def read_batches(self, call: CallDeclaration, scopes: Iterable[NodeScope]) -> None:
        """Make a batch call for several resources; `facts` then returns the facts of each.

        If the call fails, `facts` raises its error for each of the resources. If a resource does not exist or
        has an invalid id, each resource is read by a call of its own. A resource that the call names by its
        id, and that is not in the response, was deleted after it was listed.
        """
        batches: dict[CallKey, list[BatchEntry]] = {}
        for scope in scopes:
            with suppress(ExpressionError):  # `facts` raises the error again, for this resource alone
                entry = _batch_entry(call, scope)
                if entry and (entry.batch, entry.value) not in self._results_of_batches:
                    batches.setdefault(entry.batch, []).append(entry)
        for batch, entries in batches.items():
            values = dict.fromkeys(entry.value for entry in entries)  # without repetitions
            for chunk in chunks(values, call.batch or 1):
                await self._read_batch(call, batch, entries[0].params, chunk)

    async def _read_batch(
        self, call: CallDeclaration, key: CallKey, params: CallParams, values: Sequence[str]
    ) -> None:
        assert call.match
        found: dict[str, Any] = {}
        try:
            async for item in self._items(call, {}, {**params, batch_parameter(call): list(values)}):
                found[str(call.match.search(item))] = item
            self._results_of_batches |= {
                (key, value): _facts_of_item(call, item) for value, item in found.items()
            }
        except Exception as error:
            if isinstance(error, ResourceNotFoundError | ParamValidationError) and len(values) > 1:
                for value in values:
                    await self._read_batch(call, key, params, [value])
            else:
                self._results_of_batches |= dict.fromkeys(((key, value) for value in values), error)

    def _facts_of_batch(self, call: CallDeclaration, scope: NodeScope) -> Facts:
        entry = _batch_entry(call, scope)
        if entry is None:
            return dict.fromkeys(call.facts)
        facts_or_error = self._results_of_batches.get((entry.batch, entry.value))
        if isinstance(facts_or_error, Exception):
            raise facts_or_error
        if facts_or_error is not None:
            return facts_or_error
        if scope.node.kind in placeholders(call.params[batch_parameter(call)]):
            raise ResourceNotFoundError({"Error": {"Code": "NotFound"}}, call.call[1])
        return dict.fromkeys(call.facts)


def _batch_entry(call: CallDeclaration, scope: NodeScope) -> BatchEntry | None:
    """Return the entry of a resource in a batch; None if the call's condition does not hold for the resource.

    Raises ExpressionError for values of wrong types in the condition, or a parameter that AWS did not return.
    """
    if call.when and not call.when.evaluate(scope):
        return None
    params = {**call.params}
    (template,) = params.pop(batch_parameter(call))
    shared_params = scope.render_params(params)
    return BatchEntry((call.identity, repr(shared_params)), shared_params, scope.render(template))


def _identifying_values(declared: CallDeclaration | ListDeclaration, scope: NodeScope) -> tuple[str, ...]:
    """Return the values in the parameters of a call, without times: they identify the call."""
    names = dict.fromkeys((*placeholders(declared.first), *placeholders(declared.params)))
    return tuple(str(scope.lookup(name)) for name in names if name not in TIMES)


def _facts_of_item(call: CallDeclaration, item: Any) -> Facts | ExpressionError:
    try:
        return {name: path.search(item) for name, path in call.facts.items()}
    except ExpressionError as error:  # the error is the result for this item alone
        return error


def chunks(items: Iterable[Any], size: int) -> Iterator[list[Any]]:
    """Yield the items in lists of this size; the last may be shorter."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def as_list(items: Any, where: str) -> list[Any]:
    """Return items as a list; an empty one for None. Raises ExpressionError for anything else."""
    if items is None:
        return []
    if not isinstance(items, list):
        raise ExpressionError(f"expected a list in {where}, found {type(items).__name__}")
    return items
