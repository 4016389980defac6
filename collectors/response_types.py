"""What a JMESPath yields of a response, by botocore's model of it.

A path to a field that no response has would yield nothing forever, and look like an answer without it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

SCALAR_FUNCTIONS = frozenset(
    {"contains", "ends_with", "join", "length", "starts_with", "sum", "to_number", "type"}
)
# Functions that return an item of their first argument, or the argument itself in another order.
ITEM_FUNCTIONS = frozenset({"max", "max_by", "min", "min_by"})
SAME_FUNCTIONS = frozenset({"reverse", "sort", "sort_by"})


class PathError(ValueError):
    """A path that yields nothing of any response."""


@dataclass(frozen=True, slots=True)
class ListType:
    """A list of items of one type."""

    item: "Type"


@dataclass(frozen=True, slots=True)
class FieldsType:
    """An object with these fields, as a path composes it."""

    fields: Mapping[str, "Type"]


Type = Shape | ListType | FieldsType | None  # None: anything
Node = Mapping[str, Any]  # of a parsed path


def type_of(node: Node, of: Type) -> Type:
    """Return the type of what a parsed path yields of a value of a type. Raises PathError."""
    resolve = _RESOLVERS.get(node["type"])
    return resolve(node, of) if resolve else _chain(node, of)


def item_of(of: Type) -> Type:
    """Return the type of the items of a list. Raises PathError for anything else."""
    if of is None:
        return None
    if isinstance(of, ListType):
        return of.item
    if isinstance(of, ListShape):
        return of.member
    raise PathError(f"expected a list, found {_name(of)}")


def _name(of: Type) -> str:
    return f"{of.name} ({of.type_name})" if isinstance(of, Shape) else "an object"


def _chain(node: Node, of: Type) -> Type:
    """The type at the end of a chain of paths."""
    for child in node["children"]:
        of = type_of(child, of)
    return of


def _field(node: Node, of: Type) -> Type:
    name = node["value"]
    match of:
        case None:
            return None
        case FieldsType():
            members: Mapping[str, Type] = of.fields
        case StructureShape() if not getattr(of, "is_document_type", False):
            members = of.members
        case MapShape():
            found: Type = of.value
            return found
        case StructureShape():
            return None
        case _:
            raise PathError(f"expected an object with the field {name}, found {_name(of)}")
    if name not in members:
        similar = get_close_matches(name, members, n=1)
        raise PathError(
            f"{_name(of)} has no field {name}{f'; did you mean {similar[0]}?' if similar else ''}"
        )
    return members[name]


def _projection(node: Node, of: Type) -> Type:
    left, right, *condition = node["children"]
    item = item_of(type_of(left, of))
    for one in condition:
        type_of(one, item)
    return ListType(type_of(right, item))


def _value_projection(node: Node, of: Type) -> Type:
    left, right = node["children"]
    values = type_of(left, of)
    return ListType(type_of(right, values.value if isinstance(values, MapShape) else None))


def _flatten(node: Node, of: Type) -> Type:
    item = item_of(type_of(node["children"][0], of))
    return ListType(item_of(item)) if isinstance(item, ListType | ListShape) else ListType(item)


def _scalar(node: Node, of: Type) -> Type:
    for child in node["children"]:
        type_of(child, of)
    return None


def _first(node: Node, of: Type) -> Type:
    """The type of the first of alternatives, of which each must be possible."""
    first, *_ = [type_of(child, of) for child in node["children"]]
    return first


def _last(node: Node, of: Type) -> Type:
    """The type of the second of two values, which is that of both where the first is there."""
    *_, last = [type_of(child, of) for child in node["children"]]
    return last


def _function(node: Node, of: Type) -> Type:
    name, arguments = node["value"], node["children"]
    values = [type_of(one, of) for one in arguments if one["type"] != "expref"]
    listed = next((value for value in values if isinstance(value, ListType | ListShape)), None)
    for one in arguments:
        if one["type"] == "expref":
            mapped = type_of(one["children"][0], item_of(listed))
            if name == "map":
                return ListType(mapped)
    if name in SAME_FUNCTIONS:
        return listed
    return item_of(listed) if name in ITEM_FUNCTIONS else None


def _dictionary(node: Node, of: Type) -> Type:
    return FieldsType({pair["value"]: type_of(pair["children"][0], of) for pair in node["children"]})


_RESOLVERS: Mapping[str, Callable[[Node, Type], Type]] = {
    "field": _field,
    "identity": lambda _, of: of,
    "current": lambda _, of: of,
    "index": lambda _, of: item_of(of),
    "slice": lambda _, of: of,
    "literal": lambda *_: None,
    "projection": _projection,
    "filter_projection": _projection,
    "value_projection": _value_projection,
    "flatten": _flatten,
    "comparator": _scalar,
    "not_expression": _scalar,
    "and_expression": _last,
    "or_expression": _first,
    "multi_select_list": lambda node, of: ListType(_scalar(node, of)),
    "multi_select_dict": _dictionary,
    "function_expression": _function,
}
