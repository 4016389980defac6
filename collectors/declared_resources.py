"""The resources of a declared service that a scan has found, and the values of names in their expressions."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Set
from dataclasses import dataclass, field
from typing import Any

from collectors.base import Aws, Metric
from collectors.declaration import ACCOUNT_KIND, ID, Declaration
from collectors.expression import Expression, ExpressionError
from collectors.resource import ACCOUNT, Resource, ResourcePath
from rules.command_template import PLACEHOLDER

SECONDS_PER_DAY = 86400


class MissingValueError(ExpressionError):
    """A template names a fact that AWS did not return; the message is `no` and the fact's name."""


@dataclass(slots=True, eq=False)
class Node:
    """A resource with its facts. In a template it stands for its id.

    unknown: the names of the facts that are unknown, because a call failed or was not made yet. unread: the
    names in `unknown` whose calls wait for their turn. read_at: when an earlier inventory read each fact, in
    epoch seconds; facts that are not in it were read by this inventory.
    """

    kind: str
    resource: Resource
    parent: "Node | None"
    facts: dict[str, Any] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    unknown: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    read_at: dict[str, float] = field(default_factory=dict)
    _digest: int | None = None

    @property
    def content_digest(self) -> int:
        """A digest of all that is known of the resource and its parents, without the times of reading.

        It is computed once, after all calls about the resource. The facts of the account are not included.
        """
        if self._digest is None:
            parent = self.parent.content_digest if self.parent and self.parent.parent else 0
            unknown_facts = sorted(self.unknown), sorted(self.unread)
            self._digest = hash(repr((parent, self.resource, self.facts, self.tags, unknown_facts)))
        return self._digest

    @property
    def lineage(self) -> Iterator["Node"]:
        """This resource, its parent, the parent's parent, and so on."""
        node: Node | None = self
        while node:
            yield node
            node = node.parent

    def __str__(self) -> str:
        return self.resource.path[-1]

    def fact(self, name: str) -> Any:
        """Return a fact, or the `id`; None where AWS did not return it."""
        return str(self) if name == ID else self.facts.get(name)

    def lacks(self, names: Set[str]) -> bool:
        """Return whether one of these facts is unknown, because a call failed or was not made yet."""
        return not names.isdisjoint(self.unknown)

    def has_failed(self, names: Set[str]) -> bool:
        """Return whether one of these facts is unknown because a call failed."""
        return not names.isdisjoint(self.unknown - self.unread)

    def add(self, facts: Mapping[str, Any], read_at: float | None) -> None:
        """Add the facts of a call. read_at: when an earlier inventory made it; None: it was made now."""
        self.facts |= facts
        self.unknown.difference_update(facts)
        if read_at is not None:
            self.read_at |= dict.fromkeys(facts, read_at)


class FoundResources:
    """The resources that a scan has found so far, by kind, parent and reference.

    indexed: the kinds that expressions look up. incomplete_parents: by kind, the paths of the parents whose
    resources of this kind may not all be known, because a call failed or was not made yet; the empty path is
    that of the whole account. unread_parents: the paths in `incomplete_parents` whose calls wait for their
    turn. failed_account_facts: the facts of the whole account whose call failed.
    """

    def __init__(self, declaration: Declaration, aws: Aws, indexed: frozenset[str]) -> None:
        self.declaration, self._indexed = declaration, indexed
        self.account = Node(ACCOUNT_KIND, ACCOUNT, None)
        today = int(aws.now // SECONDS_PER_DAY) * SECONDS_PER_DAY
        self.constants = {
            "region": aws.region,
            "account_id": aws.account,
            "partition": aws.partition,
            "now": aws.now,
            "today": today,
            "two_days_ago": today - 2 * SECONDS_PER_DAY,
        }
        self.incomplete_parents: dict[str, set[ResourcePath]] = defaultdict(set)
        self.unread_parents: dict[str, set[ResourcePath]] = defaultdict(set)
        self.failed_account_facts: frozenset[str] = frozenset()
        # By kind and the path of an ancestor, which is empty for the account.
        self._within: dict[tuple[str, ResourcePath], list[Node]] = defaultdict(list)
        self._by_id: dict[tuple[str, str], Node] = {}  # by kind and id
        # By kind, the kind that it refers to, and the id in the reference.
        self._referring: dict[tuple[str, str, str], list[Node]] = defaultdict(list)
        # By a kind and the kind that it refers to, if the id in such a reference is unknown: true if the call
        # that returns the id failed; false if it was only not made yet.
        self._unknown_references: dict[tuple[str, str], bool] = {}
        # By kind: the paths in `incomplete_parents` and their ancestors.
        self._incomplete_paths: dict[str, set[ResourcePath]] = {}
        # The same without the paths in `unread_parents`: something is missing because a call failed.
        self._failed_paths: dict[str, set[ResourcePath]] = {}

    def add(self, node: Node) -> None:
        """Add a resource to the indexes for `related`, if expressions look up its kind."""
        if node.kind not in self._indexed:
            return
        for end in range(len(node.resource.path)):
            self._within[node.kind, node.resource.path[:end]].append(node)
        self._by_id[node.kind, str(node)] = node
        for kind, fact in self.declaration.resources[node.kind].refers.items():
            if fact in node.unknown:
                has_failed = fact not in node.unread or self._unknown_references.get((node.kind, kind), False)
                self._unknown_references[node.kind, kind] = has_failed
            elif (identity := node.fact(fact)) is not None:
                self._referring[node.kind, kind, str(identity)].append(node)

    def end_list(self, kind: str) -> None:
        """End the list of a kind, after all its resources that could be read were added."""
        parents = self.incomplete_parents[kind]
        self._incomplete_paths[kind] = _with_ancestors(parents)
        self._failed_paths[kind] = _with_ancestors(parents - self.unread_parents[kind])

    def remove(self, kind: str, deleted: Set[ResourcePath]) -> None:
        """Remove the resources of a kind that turned out to be deleted."""
        for index in (self._within, self._referring):
            for key, nodes in index.items():
                if key[0] == kind:
                    nodes[:] = [node for node in nodes if node.resource.path not in deleted]
        for path in deleted:
            # `_by_id` is used for kinds that other kinds refer to, and their ids do not repeat.
            self._by_id.pop((kind, path[-1]), None)

    def related(self, node: Node, kind: str) -> Node | list[Node] | None:
        """Return the resources that a kind stands for in the expressions of a resource.

        One resource: its ancestor of the kind, or the resource of the kind that it refers to (None if that is
        unknown). Otherwise a list: its parts of the kind; or those of the kind that refer to it; or all.
        """
        resources = self.declaration.resources
        if kind in self.declaration.lineage(node.kind):
            return next(ancestor for ancestor in node.lineage if ancestor.kind == kind)
        if node.kind in resources and kind in resources[node.kind].refers:
            identity = node.fact(resources[node.kind].refers[kind])
            return None if identity is None else self._by_id.get((kind, str(identity)))
        if node.kind in self.declaration.lineage(kind):
            return self._within.get((kind, node.resource.path), [])
        if node.kind in resources[kind].refers:
            return self._referring.get((kind, node.kind, str(node)), [])
        return self._within.get((kind, ()), [])

    def incomplete_kinds(
        self,
        node: Node,
        kinds: Iterable[str],
        expressions: Iterable[Expression],
        *,
        failed_only: bool = False,
    ) -> list[str]:
        """Return the kinds of which something is unknown that the expressions of a resource use.

        Because a call failed or was not made yet, a resource of the kind may be missing, or one of its facts.
        kinds: the kinds to look at. failed_only: return only kinds for which a call failed.
        """
        attributes = {attribute for expression in expressions for attribute in expression.attributes}
        return [
            kind
            for kind in sorted(kinds)
            if self._is_incomplete(node, kind, failed_only)
            or self._lacks_facts(node, kind, attributes, failed_only)
        ]

    def _is_incomplete(self, node: Node, kind: str, failed_only: bool) -> bool:
        """Return whether a resource of the kind may be missing in the expressions of a resource."""
        paths = (self._failed_paths if failed_only else self._incomplete_paths).get(kind, set())
        if node.kind in self.declaration.lineage(kind):
            return node.resource.path in paths
        if node.kind in self.declaration.resources:
            if fact := self.declaration.resources[node.kind].refers.get(kind):
                return bool(paths) and node.fact(fact) is not None and self.related(node, kind) is None
            if (kind, node.kind) in self._unknown_references:
                return self._unknown_references[kind, node.kind] or not failed_only
        return () in paths

    def _lacks_facts(
        self, node: Node, kind: str, attributes: Set[tuple[str, str]], failed_only: bool
    ) -> bool:
        facts = {fact for owner, fact in attributes if owner == kind}
        related = self.related(node, kind) if facts else None
        nodes = related if isinstance(related, list) else [related] if related else []
        return any(each.has_failed(facts) if failed_only else each.lacks(facts) for each in nodes)


def _with_ancestors(paths: Iterable[ResourcePath]) -> set[ResourcePath]:
    return {path[:end] for path in paths for end in range(len(path) + 1)}


@dataclass(frozen=True, slots=True)
class NodeScope:
    """The values of the names in the expressions of a resource (see `docs/add-a-service.md`)."""

    node: Node
    resources: FoundResources

    def lookup(self, name: str) -> Any:
        """Return the value of a name: a constant, a fact, a resource or a list of them, a table or a metric.

        Returns None for a fact that AWS did not return. Raises MissingValueError for a metric if one of its
        dimensions has no value.
        """
        declaration = self.resources.declaration
        if name in self.resources.constants:
            return self.resources.constants[name]
        if name in declaration.metrics:
            return self.metric(name)
        if name in declaration.tables:
            return declaration.tables[name]
        if name in declaration.resources and name != ACCOUNT_KIND:
            return self.resources.related(self.node, name)
        return self._fact(name)

    def attribute(self, owner: Any, name: str) -> Any:
        """Return a fact of another resource, or a metric with the dimensions of that resource.

        Raises TypeError if `owner` is no resource, and MissingValueError as `lookup` does.
        """
        if not isinstance(owner, Node):
            raise TypeError(f"expected one resource, found {type(owner).__name__}")
        if name in self.resources.declaration.metrics:
            return NodeScope(owner, self.resources).metric(name)
        return owner.fact(name)

    def _fact(self, name: str) -> Any:
        owner = next((node for node in self.node.lineage if name in node.facts), self.resources.account)
        return owner.fact(name)

    def lacks(self, names: Set[str]) -> bool:
        """Return whether one of these facts is unknown, because a call failed or was not made yet."""
        return any(node.lacks(names) for node in self.node.lineage)

    def has_failed(self, names: Set[str]) -> bool:
        """Return whether one of these facts is unknown because a call failed."""
        return any(node.has_failed(names) for node in self.node.lineage)

    def read_at(self, names: Set[str]) -> float | None:
        """Return when the oldest of these facts was read; None if this inventory read all of them."""
        nodes = (*self.node.lineage, self.resources.account)
        return min(
            (node.read_at[name] for node in nodes for name in names & node.read_at.keys()), default=None
        )

    def metric(self, key: str) -> Metric:
        """Return a metric with the dimensions of this resource.

        Raises MissingValueError if a dimension has no value.
        """
        declaration = self.resources.declaration
        kind = declaration.resources.get(self.node.kind)
        templates = declaration.metrics[key].dimensions
        if templates is None:
            templates = kind.dimensions if kind else {}
        values = {name: self.render(template) for name, template in templates.items()}
        return declaration.metric(key).of(**values)

    def render(self, template: str) -> str:
        """Return a template with its names replaced. Raises MissingValueError where one has no value."""

        def value(match: Any) -> str:
            result = self.lookup(match[1])
            if result is None:
                raise MissingValueError(f"no {match[1]}")
            return str(result)

        return PLACEHOLDER.sub(value, template)

    def render_params(self, value: Any) -> Any:
        """Return parameters of a call with the templates within them rendered. Raises MissingValueError."""
        if isinstance(value, str):
            return self.render(value)
        if isinstance(value, Mapping):
            return {key: self.render_params(member) for key, member in value.items()}
        return [self.render_params(item) for item in value] if isinstance(value, list) else value
