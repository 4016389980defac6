"""The scans of declared services.

A scan lists the resources of each kind of its group, makes the calls that their facts need, and yields the
signals: expressions over facts and metrics.

Some kinds are listed only if other kinds have resources. A foreign kind, such as a VPC, exists without the
service: it is listed once a resource refers to it, or the service is in use. An auxiliary kind, such as an
instance type, has no series: it is listed once there is a resource of a kind that uses it.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from collectors.base import MAY_EXIST, NOT_READ_YET, Aws, Observed
from collectors.declaration import (
    ACCOUNT_KIND,
    CELL_NAMES,
    CallDeclaration,
    Declaration,
    ResourceDeclaration,
    SignalDeclaration,
    needed_names,
)
from collectors.declared_calls import DeclaredCalls, FactsOfCall, as_list
from collectors.declared_resources import FoundResources, Node, NodeScope
from collectors.declared_signals import observe
from collectors.errors import NotReadYetError
from collectors.expression import ExpressionError
from collectors.found_item import FoundItem, found_item
from collectors.resource import ACCOUNT, Resource, ResourcePath
from collectors.scan_groups import ScanGroup, Signals

ParentAndItem = tuple[Node, FoundItem]  # of a resource: its parent, and the item that describes it


class DeclaredScan:
    """The scan function of a group of kinds of a declared service."""

    def __init__(self, declaration: Declaration, group: ScanGroup) -> None:
        self._declaration, self._group, self.__name__ = declaration, group, group.name

    async def __call__(self, aws: Aws) -> AsyncIterator[Observed]:
        """Yield the series of the group.

        Raises ExceptionGroup at the end if a kind could not be listed. `aws.map` reports the errors of single
        resources.
        """
        run = _Run(self._declaration, self._group, aws)
        async for observed in run.series():
            yield observed
        if run.errors:
            raise ExceptionGroup("not all could be listed", run.errors)


@dataclass
class _Run:
    """One run of a scan. errors: the errors of listing any kind, and of computing the account's values."""

    declaration: Declaration
    group: ScanGroup
    aws: Aws
    errors: list[Exception] = field(default_factory=list)
    resources: FoundResources = field(init=False)
    _calls: DeclaredCalls = field(init=False)
    _account_lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    _is_account_described: bool = False
    _nodes: dict[str, list[Node]] = field(default_factory=dict)  # by kind, if used after its list ended
    _described: set[tuple[str, ResourcePath]] = field(default_factory=set)  # kinds and paths of resources
    _listed: set[str] = field(default_factory=set)  # kinds that were or are being listed
    _nonempty_kinds: set[str] = field(default_factory=set)  # kinds that have a resource

    def __post_init__(self) -> None:
        self.resources = FoundResources(self.declaration, self.aws, self.group.indexed)
        self._calls = DeclaredCalls(self.aws)

    async def series(self) -> AsyncIterator[Observed]:
        """Yield all series: as soon as their resource is described, unless they need a kind listed later."""
        for kind in self.group.kinds:
            if self._should_list_now(kind):
                async for observed in self._immediate_series(kind):
                    yield observed
        if self.errors:
            self.aws.record_resource()  # a list that failed may hide a resource
        if self.declaration.may_be_unused and not await self.aws.is_in_use():
            return
        for kind in self.group.kinds:
            if kind in self.group.foreign:
                await self._list_once(kind)
        await self._describe_account()
        self._nodes[ACCOUNT_KIND] = [self.resources.account]
        for kind in (ACCOUNT_KIND, *self.group.kinds):
            async for observed in self._deferred_series(kind):
                yield observed

    def _should_list_now(self, kind: str) -> bool:
        """Return whether to list a kind now: it is used, not foreign (see above) and not listed yet."""
        users = self.group.auxiliary.get(kind)
        is_used = users is None or not users.isdisjoint(self._nonempty_kinds)
        return is_used and kind not in self.group.foreign and kind not in self._listed

    async def _list_once(self, kind: str) -> None:
        """List a kind that has no immediate series, unless it was listed."""
        if kind not in self._listed:
            async for _ in self._immediate_series(kind):
                pass

    async def _describe_account(self) -> None:
        """Describe the whole account, once."""
        async with self._account_lock:
            if not self._is_account_described:
                self._is_account_described = True
                await self._call_for_account()

    async def _call_for_account(self) -> None:
        """Make the calls for the whole account; a failed call is reported, and its facts are unknown."""
        account, declared = self.resources.account, self.declaration.resources.get(ACCOUNT_KIND)
        if not declared:
            return
        scope = self._scope(account)
        calls = [call for call in declared.calls if not self.group.account_facts.isdisjoint(call.facts)]
        for call in calls:  # one after another, because a call may need the facts of earlier calls
            account.unknown.update(call.facts)
            async for _, facts in self.aws.map(
                [call], partial(self._calls.facts, scope=scope), lambda _: ACCOUNT
            ):
                self._add(account, facts)
        self.errors += self._compute_values(account, declared)
        # The account's series are yielded nevertheless: as unobservable, with the names of these facts.
        self.resources.failed_account_facts = frozenset(account.unknown)
        account.unknown.clear()

    async def _immediate_series(self, kind: str) -> AsyncIterator[Observed]:
        """Describe the resources of a kind, and yield the series that need no kind listed later."""
        signals = self.group.immediate_signals(kind)
        self._listed.add(kind)

        async def describe(found: ParentAndItem) -> tuple[Node | None, list[Observed]]:
            try:
                node = await self._describe(kind, found)
            except Exception:
                parent, _ = found
                self.resources.incomplete_parents[kind].add(parent.resource.path)
                raise
            return node, await self._series_of(node, signals) if node else []

        resource_of = partial(self._reported_resource, kind)
        async for _, (node, series) in self.aws.map(self._items_with_batches(kind), describe, resource_of):
            if node:
                self._register(node)
            for observed in series:
                yield observed
        self.resources.end_list(kind)

    async def _deferred_series(self, kind: str) -> AsyncIterator[Observed]:
        """Yield the series of a kind that need kinds listed after it."""
        signals = self.group.deferred_signals(kind)

        async def evaluate(node: Node) -> list[Observed]:
            return await self._series_of(node, signals)

        nodes = self._nodes.get(kind, ()) if signals else ()
        async for _, series in self.aws.map(nodes, evaluate, lambda node: node.resource):
            for observed in series:
                yield observed

    async def _series_of(self, node: Node, signals: Signals) -> list[Observed]:
        """Return the series of a resource; a series that cannot be evaluated is reported and left out.

        Series that follow from unchanged responses of AWS are neither made nor returned (see `Aws.series`).
        """
        errors = list[ExpressionError]()
        self_contained = {
            name: signal for name, signal in signals.items() if name in self.group.self_contained
        }
        dependent = {name: signal for name, signal in signals.items() if name not in self_contained}
        series = self._make_series(node, dependent, errors)
        if self_contained:
            subject = next(iter(self_contained)), node.resource.path
            answers = node.content_digest, self._account_facts(self_contained)
            make = partial(self._make_series, node, self_contained, errors)
            series += self.aws.series(subject, answers, make, partial(self._read_at, node, self_contained))
        await self._report(errors, node.resource)
        return series

    def _make_series(self, node: Node, signals: Signals, errors: list[ExpressionError]) -> list[Observed]:
        """Make the series of a resource; append to `errors` for each series that cannot be evaluated."""
        series = []
        for name, signal in signals.items():
            try:
                if observed := self._observe(node, name, signal):
                    series.append(observed)
            except ExpressionError as error:
                errors.append(error)
        return series

    def _account_facts(self, signals: Iterable[str]) -> list[tuple[str, object]]:
        """Return the facts of the account that signals use."""
        facts = self.resources.account.facts
        used = {name for signal in signals for name in self.group.self_contained[signal] if name in facts}
        return [(name, facts[name]) for name in sorted(used)]

    def _read_at(self, node: Node, signals: Signals, name: str) -> float | None:
        """Return when an earlier inventory read the limit of a signal; None if this inventory read it."""
        limit = signals[name].limit
        return self._scope(node).read_at(limit.names) if limit else None

    def _observe(self, node: Node, name: str, signal: SignalDeclaration) -> Observed | None:
        """Return the series of a signal; None if it does not exist, or a call that it needs failed."""
        scope, names = self._scope(node), self.group.names[name]
        if scope.has_failed(names):
            return None  # the failure is reported, and a series of an earlier inventory remains
        if scope.lacks(names):  # a call was not made yet
            return self._not_read_yet(node, name, signal)
        find_incomplete_kinds = partial(
            self.resources.incomplete_kinds,
            node,
            self.group.needs[name],
            [expression for _, expression in signal.formulas],
        )
        incomplete_kinds = find_incomplete_kinds()
        if incomplete_kinds and not find_incomplete_kinds(failed_only=True):
            return self._not_read_yet(node, name, signal, incomplete_kinds)
        return observe(name, signal, scope, incomplete_kinds)

    def _not_read_yet(
        self, node: Node, name: str, signal: SignalDeclaration, incomplete_kinds: Collection[str] = ()
    ) -> Observed | None:
        """Return the series of a signal that waits for a call; None if its `when` is known to be false."""
        scope, needed = self._scope(node), signal.when.names if signal.when else frozenset[str]()
        is_when_known = not scope.lacks(needed) and needed.isdisjoint(incomplete_kinds)
        if is_when_known and signal.when and not signal.when.evaluate(scope):
            return None
        usage = NOT_READ_YET if is_when_known else MAY_EXIST
        return Observed(signal=name, resource=node.resource, usage=usage, tags=node.tags)

    async def _report(self, errors: Iterable[ExpressionError], resource: Resource) -> None:
        """Report the errors of a resource; errors with equal texts are reported once."""

        async def fail(error: ExpressionError) -> None:
            raise error

        async for _ in self.aws.map(
            {str(error): error for error in errors}.values(), fail, lambda _: resource
        ):
            pass

    def _register(self, node: Node) -> None:
        self._nonempty_kinds.add(node.kind)
        if node.kind not in self.group.foreign:
            self.aws.record_resource()
        self.resources.add(node)
        if self.group.is_needed_later(node.kind):
            self._nodes.setdefault(node.kind, []).append(node)

    async def _items_with_batches(self, kind: str) -> AsyncIterator[ParentAndItem]:
        """Yield the items of a kind. The batch calls for an item's resource are made before it is yielded."""
        declared = self.declaration.resources[kind]
        batches = [call for call in declared.calls if call.batch]
        size = max((call.batch for call in batches if call.batch), default=1)
        async for chunk in _chunks(self._items(kind), size):
            for other in self.group.kinds_waiting_for(kind):
                await self._list_once(other)
            await self._describe_account()
            nodes = [self._new_node(kind, found) for found in chunk] if batches else []
            for call in batches:
                await self._calls.read_batches(call, [self._scope(node) for node in nodes if node])
            for found in chunk:
                yield found

    def _new_node(self, kind: str, found: ParentAndItem) -> Node | None:
        """Return the resource of an item with its facts; None if the item is excluded or unreadable."""
        parent, item = found
        if not item.is_included or item.error:  # the error is reported when the resource is described
            return None
        with suppress(ExpressionError):  # an item without an id is reported then, too
            return Node(kind, self._resource(kind, found), parent, {**item.facts}, item.tags)
        return None

    async def _items(self, kind: str) -> AsyncIterator[ParentAndItem]:
        """Yield the items that describe the resources of a kind, each with the resource's parent.

        An error ends the list. Resources that were listed before the error are described.
        """
        declared = self.declaration.resources[kind]
        try:
            async for found in self._parts(kind, declared) if declared.parent else self._top_level(declared):
                yield found
        except Exception as error:
            self.resources.incomplete_parents[kind].add(())  # the path of the whole account
            self.errors.append(error)

    async def _top_level(self, declared: ResourceDeclaration) -> AsyncIterator[ParentAndItem]:
        """Yield the items of a kind that is no part of another kind."""
        assert declared.list  # every kind except the account has a list
        if needed_names(declared.list) - CELL_NAMES:
            await self._describe_account()
        async for item in self._calls.items(declared.list, self._scope(self.resources.account)):
            yield self.resources.account, found_item(declared, item)

    async def _parts(self, kind: str, declared: ResourceDeclaration) -> AsyncIterator[ParentAndItem]:
        """Yield the items of a kind whose resources are parts of the resources of the parent's kind."""
        assert declared.parent and declared.list
        listing, parents = declared.list, self._nodes.get(declared.parent, ())
        incomplete, unread = self.resources.incomplete_parents, self.resources.unread_parents
        incomplete[kind] |= incomplete[declared.parent]
        unread[kind] |= unread[declared.parent]
        incomplete[kind] |= {parent.resource.path for parent in parents}  # until their parts are read

        async def items_of(parent: Node) -> list[FoundItem]:
            path = parent.resource.path
            try:
                parts = await self._parts_of(parent, kind, declared)
            except NotReadYetError:
                unread[kind].add(path)
                raise
            if parts is not None:
                incomplete[kind].discard(path)
            elif listing.fact in parent.unread:
                unread[kind].add(path)
            return parts or []

        async for parent, items in self.aws.map(parents, items_of, lambda parent: parent.resource):
            for item in items:
                yield parent, item
        self._drop_deleted(declared.parent)
        for ancestor in self.declaration.lineage(declared.parent):
            incomplete[kind] -= self._deleted(ancestor)

    async def _parts_of(
        self, parent: Node, kind: str, declared: ResourceDeclaration
    ) -> list[FoundItem] | None:
        """Return the parts of a resource; None if the fact that holds the parts is unknown."""
        assert declared.list
        if not (fact := declared.list.fact):
            return await self._calls.parts(kind, declared, self._scope(parent))
        items = parent.fact(fact)
        return None if items is None else [found_item(declared, item) for item in as_list(items, fact)]

    def _deleted(self, kind: str) -> set[ResourcePath]:
        """Return the paths of the resources of a kind that were deleted after they were listed."""
        return {path for deleted_kind, path in self.aws.not_found if deleted_kind == kind}

    def _drop_deleted(self, kind: str) -> None:
        """Remove the resources of a kind that were deleted after they were listed."""
        if deleted := self._deleted(kind):
            self.resources.remove(kind, deleted)
            nodes = self._nodes.get(kind, [])
            self._nodes[kind] = [node for node in nodes if node.resource.path not in deleted]

    def _resource(self, kind: str, found: ParentAndItem) -> Resource:
        """Return the resource that an item describes. Raises ExpressionError if the item has no id."""
        parent, item = found
        return parent.resource.child(kind, item.id_of(kind), item.name)

    def _reported_resource(self, kind: str, found: ParentAndItem) -> Resource:
        """Return the resource to name in the failure of an item; for an item without an id, its parent."""
        try:
            return self._resource(kind, found)
        except ExpressionError:
            parent, _ = found
            return parent.resource

    async def _describe(self, kind: str, found: ParentAndItem) -> Node | None:
        """Return the resource that an item describes; None if it is excluded, deleted or repeated.

        Raises ExpressionError if the item cannot be read.
        """
        parent, item = found
        declared = self.declaration.resources[kind]
        if not item.is_included:
            return None
        resource = self._resource(kind, found)
        if (kind, resource.path) in self._described:
            return None  # a list that changes while its pages are read can repeat an item
        self._described.add((kind, resource.path))
        item.check()
        node = Node(kind, resource, parent, {**item.facts}, item.tags)
        for call in declared.calls:
            await self._make_call(call, node)
        await self._report(self._compute_values(node, declared), resource)
        zone = node.fact(declared.zone) if declared.zone else None
        if isinstance(zone, str):
            node.resource = replace(node.resource, zone=zone)
        return None if node.resource.typed_path in self.aws.not_found else node

    async def _make_call(self, call: CallDeclaration, node: Node) -> None:
        """Add the facts of a call to a resource; a failed call is reported, and its facts are unknown."""
        scope, needed = self._scope(node), needed_names(call)
        node.unknown.update(call.facts)
        if scope.lacks(needed):
            if not scope.has_failed(needed):
                node.unread.update(call.facts)
            return

        async def read(call: CallDeclaration) -> FactsOfCall:
            try:
                return await self._calls.facts(call, scope)
            except NotReadYetError:
                node.unread.update(call.facts)
                raise

        async for _, facts in self.aws.map([call], read, lambda _: node.resource):
            self._add(node, facts)

    def _add(self, node: Node, facts: FactsOfCall) -> None:
        """Add the facts of a call to a resource."""
        node.add(facts.facts, facts.read_at if self._calls.is_of_earlier_inventory(facts) else None)

    def _compute_values(self, node: Node, declared: ResourceDeclaration) -> list[ExpressionError]:
        """Add the computed values of a resource to its facts; return an error for each that fails."""
        scope, errors = self._scope(node), []
        for name, expression in declared.values.items():
            try:
                node.facts[name] = expression.evaluate(scope)
            except ExpressionError as error:
                node.facts[name] = None
                node.unknown.add(name)
                errors.append(error)
            if scope.lacks(expression.names):
                node.unknown.add(name)
                if not scope.has_failed(expression.names):
                    node.unread.add(name)
            elif (read_at := scope.read_at(expression.names)) is not None:
                node.read_at[name] = read_at
        return errors

    def _scope(self, node: Node) -> NodeScope:
        return NodeScope(node, self.resources)


async def _chunks(items: AsyncIterator[ParentAndItem], size: int) -> AsyncIterator[list[ParentAndItem]]:
    """Yield items in lists of this size; the last list may be shorter."""
    chunk: list[ParentAndItem] = []
    async for item in items:
        chunk.append(item)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
