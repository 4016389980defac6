"""What a JMESPath yields of a response, by botocore's model of it.

A path to a field that no response has would yield nothing forever, and look like an answer without it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from botocore.model import ListShape, MapShape, Shape, StructureShape

from collectors.response_path import SIGNATURES, PathNode
from monitor.lib.errors import HeadroomError

# Functions that return an item of their first argument, or the argument itself in another order.
ITEM_FUNCTIONS = frozenset({"max", "max_by", "min", "min_by"})
SAME_FUNCTIONS = frozenset({"reverse", "sort", "sort_by"})


class PathError(HeadroomError, ValueError):
    """A path that yields nothing of any response."""


@dataclass(frozen=True, slots=True)
class ListType:
    """A list of items of one type."""

    item: "Type"


@dataclass(frozen=True, slots=True)
class FieldsType:
    """An object with these fields, as a path composes it."""

    fields: Mapping[str, "Type"]


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A value that a path computes. name: its type as JMESPath names it."""

    name: str


# What functions return that compute a value.
RESULTS: Mapping[str, ScalarType] = {
    **dict.fromkeys(("contains", "ends_with", "starts_with"), ScalarType("boolean")),
    **dict.fromkeys(("abs", "avg", "ceil", "floor", "length", "sum", "to_number"), ScalarType("number")),
    **dict.fromkeys(
        ("after", "after_last", "before", "join", "to_string", "type"),
        ScalarType("string"),
    ),
}

Type = Shape | ListType | FieldsType | ScalarType | None  # None: anything
# The names of JMESPath's types by those of botocore's; what is left out can be anything.
JMESPATH_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("integer", "long", "float", "double"), "number"),
    **dict.fromkeys(("string", "character"), "string"),
    "boolean": "boolean",
    "list": "array",
    **dict.fromkeys(("structure", "map"), "object"),
}


def type_of(node: PathNode, of: Type) -> Type:
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
    if _is_document(of):
        return None
    raise PathError(f"expected a list, found {_name(of)}")


def _name(of: Type) -> str:
    if isinstance(of, Shape):
        return f"{of.name} ({of.type_name})"
    if isinstance(of, ScalarType):
        return f"a {of.name}"
    return "a list" if isinstance(of, ListType) else "an object"


def _is_document(of: Type) -> bool:
    """Return whether a shape is that of any JSON."""
    return isinstance(of, StructureShape) and bool(getattr(of, "is_document_type", False))


def _chain(node: PathNode, of: Type) -> Type:
    """The type of `a.b.c`, in which each path starts at the result of the one before."""
    for child in node["children"]:
        of = type_of(child, of)
    return of


def _field(node: PathNode, of: Type) -> Type:
    name = node["value"]
    match of:
        case None:
            return None
        case FieldsType():
            members: Mapping[str, Type] = of.fields
        case StructureShape() if not _is_document(of):
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


def _projection(node: PathNode, of: Type) -> Type:
    """The type of `a[*].b`, or of `a[?condition].b`."""
    left, right, *condition = node["children"]
    item = item_of(type_of(left, of))
    for one in condition:
        type_of(one, item)
    return ListType(type_of(right, item))


def _value_projection(node: PathNode, of: Type) -> Type:
    """The type of `a.*.b`."""
    left, right = node["children"]
    values = type_of(left, of)
    if not (values is None or isinstance(values, FieldsType | MapShape | StructureShape)):
        raise PathError(f"expected an object, found {_name(values)}")
    return ListType(type_of(right, values.value if isinstance(values, MapShape) else None))


def _flatten(node: PathNode, of: Type) -> Type:
    """The type of `a[]`, which merges the lists among the items of a."""
    item = item_of(type_of(node["children"][0], of))
    return ListType(item_of(item)) if isinstance(item, ListType | ListShape) else ListType(item)


def _items(node: PathNode, of: Type) -> Type:
    """The type of `[a, b]`, whose items may be of any types."""
    for child in node["children"]:
        type_of(child, of)
    return ListType(None)


def _boolean(node: PathNode, of: Type) -> Type:
    """The type of a comparison or `!a`."""
    for child in node["children"]:
        type_of(child, of)
    return ScalarType("boolean")


def _first(node: PathNode, of: Type) -> Type:
    """The type of `a || b`: that of a. A b that no response can have is an error all the same."""
    first, *_ = [type_of(child, of) for child in node["children"]]
    return first


def _last(node: PathNode, of: Type) -> Type:
    """The type of `a && b`: that of b, which is the result where a is there."""
    *_, last = [type_of(child, of) for child in node["children"]]
    return last


def _check_arguments(name: str, arguments: Sequence[PathNode], of: Type) -> None:
    """Raise PathError for an argument of a type that the function does not take."""
    for one, expected in zip(arguments, SIGNATURES[name], strict=False):
        types = {each.partition("-")[0] for each in expected["types"]}
        found = None if one["type"] == "expref" else _jmespath_type(type_of(one, of))
        if found and types and found not in types:
            raise PathError(f"expected {' or '.join(sorted(types))} in {name}, found {found}")


def _jmespath_type(of: Type) -> str | None:
    """The type as JMESPath names it; None where it can be any."""
    if isinstance(of, Shape):
        return None if _is_document(of) else JMESPATH_TYPES.get(of.type_name)
    if isinstance(of, ScalarType):
        return of.name
    return {ListType: "array", FieldsType: "object"}.get(type(of))


def _function(node: PathNode, of: Type) -> Type:
    """The type of the result of a function."""
    name, arguments = node["value"], node["children"]
    _check_arguments(name, arguments, of)
    values = [type_of(one, of) for one in arguments if one["type"] != "expref"]
    listed = next((value for value in values if isinstance(value, ListType | ListShape)), None)
    for one in arguments:
        if one["type"] == "expref":
            mapped = type_of(one["children"][0], item_of(listed))
            if name == "map":
                return ListType(mapped)
    if name in SAME_FUNCTIONS:
        return listed
    return item_of(listed) if name in ITEM_FUNCTIONS else RESULTS.get(name)


def _dictionary(node: PathNode, of: Type) -> Type:
    """The type of `{name: a, other: b}`."""
    return FieldsType({pair["value"]: type_of(pair["children"][0], of) for pair in node["children"]})


_RESOLVERS: Mapping[str, Callable[[PathNode, Type], Type]] = {
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
    "comparator": _boolean,
    "not_expression": _boolean,
    "and_expression": _last,
    "or_expression": _first,
    "multi_select_list": _items,
    "multi_select_dict": _dictionary,
    "function_expression": _function,
}
