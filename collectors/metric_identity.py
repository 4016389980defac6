"""Derives a resource, with its path of ids and its facts, from the dimensions of a metric.

The declaration of a service tells how: the templates of the dimensions hold ids and facts of resources. If
such a fact is one member of the item that describes its resource, everything that is computed from this
member alone is known, too.
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from collectors.base import Dimensions
from collectors.declaration import CELL_NAMES, ITSELF, Declaration, ResourceDeclaration
from collectors.declared_resources import Node
from collectors.expression import ExpressionError
from collectors.resource import ACCOUNT
from collectors.response_path import ResponsePath
from rules.command_template import PLACEHOLDER

ACCOUNT_NODE = Node("account", ACCOUNT, None)


def templates_of(declaration: Declaration, metric: str, kind: str) -> Mapping[str, str]:
    """Return the templates of a metric's dimensions at resources of a kind. metric: its declared key."""
    own_templates = declaration.metrics[metric].dimensions
    if own_templates is not None:
        return own_templates
    declared = declaration.resources.get(kind)
    return declared.dimensions if declared else {}


@dataclass(frozen=True)
class MetricIdentity:
    """The rule by which the dimensions of a metric identify a resource of a kind.

    kinds: the kinds of the resource's path. names: the facts and kinds whose values are known. is_certain:
    false if the `where` of a kind excludes resources, and the dimensions do not tell which.
    """

    declaration: Declaration
    templates: Mapping[str, str]
    kinds: tuple[str, ...]
    names: frozenset[str]
    is_certain: bool

    def node(self, dimensions: Dimensions, constants: Mapping[str, Any]) -> Node | None:
        """Return the resource of a metric; None if the dimensions are not those of such a resource."""
        values = self._values(dict(dimensions), constants)
        if values is None:
            return None
        node = ACCOUNT_NODE
        for kind in self.kinds:
            child = _child(kind, self.declaration.resources[kind], node, values)
            if child is None:
                return None
            node = child
        return node

    def _values(self, dimensions: Mapping[str, str], constants: Mapping[str, Any]) -> dict[str, str] | None:
        """Return the values of the templates' placeholders; None if the dimensions do not match."""
        if dimensions.keys() != self.templates.keys():
            return None
        values: dict[str, str] = {}
        for name, template in self.templates.items():
            match = re.fullmatch(_pattern(template, constants), dimensions[name], re.DOTALL)
            if not match:
                return None
            for key, value in match.groupdict().items():
                if values.setdefault(key, value) != value:
                    return None
        return values


def identity_of(declaration: Declaration, metric: str, kind: str) -> MetricIdentity | None:
    """Return how the dimensions of a metric identify resources of a kind; None if they do not."""
    templates = templates_of(declaration, metric, kind)
    names_by_template = [[*_captured_names(template)] for template in templates.values()]
    if any(len(template_names) > 1 for template_names in names_by_template):
        return None  # where the value of one name ends and the next begins is not known
    captured_names = {name for template_names in names_by_template for name in template_names}
    kinds, names, is_certain = declaration.lineage(kind), {*captured_names}, True
    for path_kind in kinds:
        declared = declaration.resources[path_kind]
        members = _known_members(path_kind, declared, captured_names)
        if path_kind not in captured_names and not _is_computable(declared.id, members):
            return None
        is_certain &= not declared.where or _is_computable(declared.where, members)
        computable_facts = (name for name, path in declared.facts.items() if _is_computable(path, members))
        names |= {path_kind, *computable_facts}
        names |= _known_values(declaration, declared, names)
    return MetricIdentity(declaration, templates, kinds, frozenset(names), is_certain)


def _captured_names(template: str) -> Iterator[str]:
    """Return the names in a template whose values a dimension tells."""
    return (name for name in PLACEHOLDER.findall(template) if name not in CELL_NAMES)


def _pattern(template: str, constants: Mapping[str, Any]) -> str:
    """Return the regular expression of a template; a placeholder becomes a group of its name."""
    parts = PLACEHOLDER.split(template)  # texts at even indices, names at odd ones
    for index, part in enumerate(parts):
        if index % 2 == 0:
            parts[index] = re.escape(part)
        elif part in constants:
            parts[index] = re.escape(str(constants[part]))
        else:
            parts[index] = f"(?P<{part}>.+)"
    return "".join(parts)


def _known_members(kind: str, declared: ResourceDeclaration, captured_names: Set[str]) -> Set[str] | None:
    """Return the known members of a resource's item; None if the item itself is a known text."""
    if kind in captured_names and declared.id.text == ITSELF.text:
        return None
    paths = [path for name, path in declared.facts.items() if name in captured_names]
    paths += [declared.id] if kind in captured_names else []
    return {name for path in paths if (name := _member_read_by(path))}


def _member_read_by(path: ResponsePath) -> str:
    """Return the member of an item that a path reads; empty if the path computes a value."""
    return str(path.parsed["value"]) if path.parsed["type"] == "field" else ""


def _is_computable(path: ResponsePath, members: Set[str] | None) -> bool:
    """Return whether a path into an item needs only known members. members: None if all are known."""
    return members is None or bool(path.fields and path.fields <= members)


def _known_values(declaration: Declaration, declared: ResourceDeclaration, names: Set[str]) -> set[str]:
    """Return the names of the values of a kind that are computed from known names alone."""
    known = {*names, *CELL_NAMES, *declaration.tables}
    for name, expression in declared.values.items():
        if expression.names <= known and not expression.attributes:
            known.add(name)
    return known & declared.values.keys()


def _is_included(declared: ResourceDeclaration, members: Set[str] | None, item: Any) -> bool:
    """Return whether the `where` of a kind includes a resource; true if that is not known.

    members: the known members of the item; None if all are known.
    """
    if declared.where is None or not _is_computable(declared.where, members):
        return True
    return bool(declared.where.search(item))


def _child(kind: str, declared: ResourceDeclaration, parent: Node, values: Mapping[str, str]) -> Node | None:
    """Return the resource of a kind with these values of ids and facts; None if it cannot be derived."""
    fact_values = {path: values[name] for name, path in declared.facts.items() if name in values}
    known_item = {name: value for path, value in fact_values.items() if (name := _member_read_by(path))}
    if kind in values and (id_member := _member_read_by(declared.id)):
        known_item[id_member] = values[kind]
    members = _known_members(kind, declared, values.keys())
    item: Any = values[kind] if members is None else known_item
    try:
        identity = values.get(kind) or declared.id.search(item)
        if not isinstance(identity, str) or not _is_included(declared, members, item):
            return None
        node = Node(kind, parent.resource.child(kind, identity), parent)
        for name, path in declared.facts.items():
            node.facts[name] = path.search(item) if _is_computable(path, members) else None
        node.facts |= {name: values[name] for name in declared.fact_names() if name in values}
    except ExpressionError:
        return None
    return node
