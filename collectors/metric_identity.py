"""Derives a resource from the dimensions of a metric: its path of ids, and facts.

It follows from the declaration of a service. The templates of the dimensions hold ids and facts of resources.
Where such a fact is one member of the item that describes its resource, everything that is computed of this
member alone is known, too.
"""

import re
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass
from typing import Any

from collectors.declaration import CELL_NAMES, ITSELF, Declaration, ResourceDeclaration
from collectors.declared_resources import Node
from collectors.expression import ExpressionError
from collectors.listed_metrics import Dimensions
from collectors.resource import ACCOUNT
from collectors.response_path import ResponsePath
from rules.command_template import PLACEHOLDER

ACCOUNT_NODE = Node("account", ACCOUNT, None)


def templates_of(declaration: Declaration, metric: str, kind: str) -> Mapping[str, str]:
    """Return the templates of the dimensions of a metric, by its key, at resources of a kind."""
    own = declaration.metrics[metric].dimensions
    declared = declaration.resources.get(kind)
    return own if own is not None else declared.dimensions if declared else {}


@dataclass(frozen=True)
class MetricIdentity:
    """The rule by which the dimensions of a metric identify a resource of a kind.

    kinds: those of its path. names: the facts and kinds that are known of it. is_certain: false where the
    declaration counts only some of the resources, and it is not known whether this one is among them.
    """

    declaration: Declaration
    templates: Mapping[str, str]
    kinds: tuple[str, ...]
    names: frozenset[str]
    is_certain: bool

    def node(self, dimensions: Dimensions, constants: Mapping[str, Any]) -> Node | None:
        """Return the resource of a metric; None where it is that of another kind."""
        values = self._values(dict(dimensions), constants)
        if values is None:
            return None
        node = ACCOUNT_NODE
        for kind in self.kinds:
            found = _child(kind, self.declaration.resources[kind], node, values)
            if found is None:
                return None
            node = found
        return node

    def _values(self, dimensions: Mapping[str, str], constants: Mapping[str, Any]) -> dict[str, str] | None:
        """Return what the placeholders of the templates stand for; None where the dimensions differ."""
        if dimensions.keys() != self.templates.keys():
            return None
        values: dict[str, str] = {}
        for name, template in self.templates.items():
            match = re.fullmatch(_pattern(template, constants), dimensions[name], re.DOTALL)
            if not match or any(values.setdefault(key, one) != one for key, one in match.groupdict().items()):
                return None
        return values


def identity_of(declaration: Declaration, metric: str, kind: str) -> MetricIdentity | None:
    """Return how the dimensions of a metric identify resources of a kind; None where they do not."""
    templates = templates_of(declaration, metric, kind)
    captured = [[*_captured(template)] for template in templates.values()]
    if any(len(names) > 1 for names in captured):
        return None  # where one ends and the other begins is not known
    captured_names = {name for names in captured for name in names}
    kinds, names, is_certain = declaration.lineage(kind), {*captured_names}, True
    for one in kinds:
        declared = declaration.resources[one]
        members = _members(one, declared, captured_names)
        if one not in captured_names and not _is_computable(declared.id, members):
            return None
        is_certain &= not declared.where or _is_computable(declared.where, members)
        names |= {one, *(name for name, path in declared.facts.items() if _is_computable(path, members))}
        names |= _known_values(declaration, declared, names)
    return MetricIdentity(declaration, templates, kinds, frozenset(names), is_certain)


def _captured(template: str) -> Iterator[str]:
    return (name for name in PLACEHOLDER.findall(template) if name not in CELL_NAMES)


def _pattern(template: str, constants: Mapping[str, Any]) -> str:
    """Return the regular expression of a template; a placeholder is the group of its name."""
    parts = PLACEHOLDER.split(template)  # texts and names by turns
    for n in range(len(parts)):
        if n % 2 == 0:
            parts[n] = re.escape(parts[n])
        elif parts[n] in constants:
            parts[n] = re.escape(str(constants[parts[n]]))
        else:
            parts[n] = f"(?P<{parts[n]}>.+)"
    return "".join(parts)


def _members(kind: str, declared: ResourceDeclaration, captured_names: Set[str]) -> Set[str] | None:
    """Return the members of the item of a resource that are known; None for all of it, a text."""
    if kind in captured_names and declared.id.text == ITSELF.text:
        return None
    paths = [path for name, path in declared.facts.items() if name in captured_names]
    paths += [declared.id] if kind in captured_names else []
    return {name for path in paths if (name := _member(path))}


def _member(path: ResponsePath) -> str:
    """Return the member of an item that a path is; empty for what is computed."""
    return str(path.parsed["value"]) if path.parsed["type"] == "field" else ""


def _is_computable(path: ResponsePath, members: Set[str] | None) -> bool:
    """Return whether a path into an item needs no more than what is known of it."""
    return members is None or bool(path.fields and path.fields <= members)


def _known_values(declaration: Declaration, declared: ResourceDeclaration, names: Set[str]) -> set[str]:
    """Return the values of a kind that are computed of names that are known."""
    known = {*names, *CELL_NAMES, *declaration.tables}
    for name, expression in declared.values.items():
        if expression.names <= known and not expression.attributes:
            known.add(name)
    return known & declared.values.keys()


def _counts(declared: ResourceDeclaration, known: Set[str] | None, item: Any) -> bool:
    """Return whether a resource is one that counts, as far as that is known."""
    is_known = declared.where is not None and _is_computable(declared.where, known)
    return not is_known or bool(declared.where and declared.where.search(item))


def _child(kind: str, declared: ResourceDeclaration, parent: Node, values: Mapping[str, str]) -> Node | None:
    """Return the resource of a kind with these values of ids and facts; None where it cannot be derived."""
    fact_values = {path: values[name] for name, path in declared.facts.items() if name in values}
    members = {name: value for path, value in fact_values.items() if (name := _member(path))}
    if kind in values and (own := _member(declared.id)):
        members[own] = values[kind]
    known = _members(kind, declared, values.keys())
    item: Any = values[kind] if known is None else members
    try:
        identity = values.get(kind) or declared.id.search(item)
        if not isinstance(identity, str) or not _counts(declared, known, item):
            return None
        node = Node(kind, parent.resource.child(kind, identity), parent)
        for name, path in declared.facts.items():
            node.facts[name] = path.search(item) if _is_computable(path, known) else None
        node.facts |= {name: values[name] for name in declared.fact_names() if name in values}
    except ExpressionError:
        return None
    return node
