"""The type of what a JMESPath finds in a response, by botocore's model.

A path to a field that no response has is an error: it would never yield a value, and would look as if AWS did
not return the field.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from botocore.model import ListShape, MapShape, Shape, StructureShape

from collectors.response_path import SIGNATURES, SyntaxNode
from monitor.lib.errors import HeadroomError
from rules.problem_text import suggestion

# ITEM_FUNCTIONS return an item of their first argument; REORDERING_FUNCTIONS return all its items.
ITEM_FUNCTIONS = frozenset({"max", "max_by", "min", "min_by"})
REORDERING_FUNCTIONS = frozenset({"reverse", "sort", "sort_by"})


class PathError(HeadroomError, ValueError):
    """A path that finds nothing in any response, or that passes a value of a wrong type to a function."""


@dataclass(frozen=True, slots=True)
class ListType:
    """A list of items of one type."""

    item: "Type"


@dataclass(frozen=True, slots=True)
class FieldsType:
    """An object with these fields that a path composes, as `{a: b}` does."""

    fields: Mapping[str, "Type"]


@dataclass(frozen=True, slots=True)
class ScalarType:
    """A value that a path computes. name: its type as JMESPath names it."""

    name: str


# Types of the values that functions compute, by function.
RESULT_TYPES: Mapping[str, ScalarType] = {
    **dict.fromkeys(("contains", "ends_with", "starts_with"), ScalarType("boolean")),
    **dict.fromkeys(("abs", "avg", "ceil", "floor", "length", "sum", "to_number"), ScalarType("number")),
    **dict.fromkeys(
        ("after", "after_last", "before", "join", "to_string", "type"),
        ScalarType("string"),
    ),
}

Type = Shape | ListType | FieldsType | ScalarType | None  # None: any type
# The names of JMESPath's types by botocore's names; a type of botocore that is not here can be any of them.
JMESPATH_TYPES: Mapping[str, str] = {
    **dict.fromkeys(("integer", "long", "float", "double"), "number"),
    **dict.fromkeys(("string", "character"), "string"),
    "boolean": "boolean",
    "list": "array",
    **dict.fromkeys(("structure", "map"), "object"),
}


def type_of(node: SyntaxNode, source: Type) -> Type:
    """Return the type of the result of a parsed path for a value of type `source`. Raises PathError."""
    resolve = _RESOLVERS.get(node["type"])
    return resolve(node, source) if resolve else _chain(node, source)


def item_of(source: Type) -> Type:
    """Return the type of the items of a list. Raises PathError for anything else."""
    if source is None:
        return None
    if isinstance(source, ListType):
        return source.item
    if isinstance(source, ListShape):
        return source.member
    if _is_document(source):
        return None
    raise PathError(f"expected a list, found {_name(source)}")


def _name(source: Type) -> str:
    if isinstance(source, Shape):
        return f"{source.name} ({source.type_name})"
    if isinstance(source, ScalarType):
        return f"a {source.name}"
    return "a list" if isinstance(source, ListType) else "an object"


def _is_document(source: Type) -> bool:
    """Return whether a type is a document: any JSON."""
    return isinstance(source, StructureShape) and bool(getattr(source, "is_document_type", False))


def _chain(node: SyntaxNode, source: Type) -> Type:
    """The type of `a.b.c`, in which each part is applied to the result of the part before."""
    for child in node["children"]:
        source = type_of(child, source)
    return source


def _field(node: SyntaxNode, source: Type) -> Type:
    name = node["value"]
    match source:
        case None:
            return None
        case FieldsType():
            members: Mapping[str, Type] = source.fields
        case StructureShape() if not _is_document(source):
            members = source.members
        case MapShape():
            found: Type = source.value
            return found
        case StructureShape():  # a document, which may have any field
            return None
        case _:
            raise PathError(f"expected an object with the field {name}, found {_name(source)}")
    if name not in members:
        raise PathError(f"{_name(source)} has no field {name}{suggestion(name, members)}")
    return members[name]


def _projection(node: SyntaxNode, source: Type) -> Type:
    """The type of `a[*].b`, or of `a[?condition].b`."""
    left, right, *condition = node["children"]
    item = item_of(type_of(left, source))
    for part in condition:
        type_of(part, item)
    return ListType(type_of(right, item))


def _value_projection(node: SyntaxNode, source: Type) -> Type:
    """The type of `a.*.b`."""
    left, right = node["children"]
    values = type_of(left, source)
    if not (values is None or isinstance(values, FieldsType | MapShape | StructureShape)):
        raise PathError(f"expected an object, found {_name(values)}")
    return ListType(type_of(right, values.value if isinstance(values, MapShape) else None))


def _flatten(node: SyntaxNode, source: Type) -> Type:
    """The type of `a[]`, which merges the lists among the items of a."""
    item = item_of(type_of(node["children"][0], source))
    return ListType(item_of(item)) if isinstance(item, ListType | ListShape) else ListType(item)


def _items(node: SyntaxNode, source: Type) -> Type:
    """The type of `[a, b]`, whose items may be of any types."""
    for child in node["children"]:
        type_of(child, source)
    return ListType(None)


def _boolean(node: SyntaxNode, source: Type) -> Type:
    """The type of a comparison or `!a`."""
    for child in node["children"]:
        type_of(child, source)
    return ScalarType("boolean")


def _or_expression(node: SyntaxNode, source: Type) -> Type:
    """The type of `a || b`: the type of a. A PathError of b is raised, too."""
    first, *_ = [type_of(child, source) for child in node["children"]]
    return first


def _and_expression(node: SyntaxNode, source: Type) -> Type:
    """The type of `a && b`: the type of b. A PathError of a is raised, too."""
    *_, last = [type_of(child, source) for child in node["children"]]
    return last


def _check_arguments(name: str, arguments: Sequence[SyntaxNode], source: Type) -> None:
    """Raise PathError for an argument of a type that the function does not accept."""
    for argument, expected in zip(arguments, SIGNATURES[name], strict=False):
        types = {text.partition("-")[0] for text in expected["types"]}
        actual = None if argument["type"] == "expref" else _jmespath_type(type_of(argument, source))
        if actual and types and actual not in types:
            raise PathError(f"expected {' or '.join(sorted(types))} in {name}, found {actual}")


def _jmespath_type(source: Type) -> str | None:
    """Return JMESPath's name of a type; None if the type can be any."""
    if isinstance(source, Shape):
        return None if _is_document(source) else JMESPATH_TYPES.get(source.type_name)
    if isinstance(source, ScalarType):
        return source.name
    return {ListType: "array", FieldsType: "object"}.get(type(source))


def _function(node: SyntaxNode, source: Type) -> Type:
    """Return the type of the result of a function."""
    name, arguments = node["value"], node["children"]
    _check_arguments(name, arguments, source)
    types = [type_of(argument, source) for argument in arguments if argument["type"] != "expref"]
    list_type = next((type_ for type_ in types if isinstance(type_, ListType | ListShape)), None)
    for argument in arguments:
        if argument["type"] == "expref":
            mapped = type_of(argument["children"][0], item_of(list_type))
            if name == "map":
                return ListType(mapped)
    if name in REORDERING_FUNCTIONS:
        return list_type
    return item_of(list_type) if name in ITEM_FUNCTIONS else RESULT_TYPES.get(name)


def _dictionary(node: SyntaxNode, source: Type) -> Type:
    """The type of `{name: a, other: b}`."""
    return FieldsType({pair["value"]: type_of(pair["children"][0], source) for pair in node["children"]})


_RESOLVERS: Mapping[str, Callable[[SyntaxNode, Type], Type]] = {
    "field": _field,
    "identity": lambda _, source: source,
    "current": lambda _, source: source,
    "index": lambda _, source: item_of(source),
    "slice": lambda _, source: source,
    "literal": lambda *_: None,
    "projection": _projection,
    "filter_projection": _projection,
    "value_projection": _value_projection,
    "flatten": _flatten,
    "comparator": _boolean,
    "not_expression": _boolean,
    "and_expression": _and_expression,
    "or_expression": _or_expression,
    "multi_select_list": _items,
    "multi_select_dict": _dictionary,
    "function_expression": _function,
}
