"""Answers of AWS that are made of the shapes of botocore's models, and a search for strings in objects."""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

MAX_SHAPE_DEPTH = 4  # of nested structures: some shapes contain themselves
TIMESTAMP = "2026-01-01T00:00:00+00:00"

TextOf = Callable[[str], str]  # takes the name of a member, returns its text


def value_of_shape(shape: Any, text_of: TextOf, name: str = "", depth: int = 0) -> Any:
    """Return a value of a shape with all its members, and one item in each list.

    name: the name of the member that has the value.
    """
    kind, min_length = shape.type_name, shape.metadata.get("min", 0)
    if kind == "structure":
        return with_all_members({}, shape, text_of, depth)
    if kind == "list":
        return [value_of_shape(shape.member, text_of, name, depth)]
    if kind == "map":
        return {"name": value_of_shape(shape.value, text_of, name, depth)}
    text = text_of(name).ljust(min_length, "x") if kind in ("string", "blob") else ""
    scalars = {"string": text, "blob": text.encode(), "timestamp": TIMESTAMP, "boolean": False}
    return scalars.get(kind, min_length or 1)


def with_all_members(answer: Any, shape: Any, text_of: TextOf, depth: int = 0) -> Any:
    """Return an answer whose structures have all members of their shapes; missing members get new values.

    A missing member is not added if `text_of` returns no text for it, or if it is deeper than
    MAX_SHAPE_DEPTH.
    """
    if isinstance(answer, list) and shape.type_name == "list":
        return [with_all_members(item, shape.member, text_of, depth) for item in answer]
    if isinstance(answer, Mapping) and shape.type_name == "map":
        return {key: with_all_members(value, shape.value, text_of, depth) for key, value in answer.items()}
    if not isinstance(answer, Mapping) or shape.type_name != "structure":
        return answer
    shape_members = shape.members.items()
    members = {
        name: with_all_members(answer[name], member, text_of, depth + 1)
        for name, member in shape_members
        if name in answer
    }
    is_union = shape.metadata.get("union") or getattr(shape, "is_tagged_union", False)
    if depth < MAX_SHAPE_DEPTH and not is_union:
        members |= {
            name: value_of_shape(member, text_of, name, depth + 1)
            for name, member in shape_members
            if name not in answer and text_of(name)
        }
    return {**answer, **members}


def texts_within(roots: Iterable[Any], not_searched: tuple[type, ...]) -> Iterator[str]:
    """Yield the strings among all objects that are reachable from `roots`. not_searched: types to skip."""
    seen: set[int] = set()
    is_searched: dict[type, bool] = {}
    level = [*roots]  # objects at the same distance from the roots
    while level:
        new_objects = {id(value): value for value in level if id(value) not in seen}
        seen.update(new_objects)
        for kind in {*map(type, new_objects.values())} - is_searched.keys():
            is_searched[kind] = not issubclass(kind, not_searched)
        searched = [value for value in new_objects.values() if is_searched[type(value)]]
        for value in searched:
            if isinstance(value, str):
                yield value
            elif isinstance(value, bytes):
                yield value.decode(errors="replace")
        level = gc.get_referents(*searched)  # one call for all: there are tens of thousands
