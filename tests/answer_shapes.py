"""Answers of AWS made of the shapes of botocore's models, and a search for texts in any objects."""

import gc
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

MAX_SHAPE_DEPTH = 4  # of structures within structures, as some contain themselves
EPOCH = "2026-01-01T00:00:00+00:00"

TextOf = Callable[[str], str]  # the text of a member, by its name


def made_of(shape: Any, text_of: TextOf, name: str = "", depth: int = 0) -> Any:
    """Return a value with all members of a shape, each list of one item. name: of the member that it is."""
    kind, least = shape.type_name, shape.metadata.get("min", 0)
    if kind == "structure":
        return filled({}, shape, text_of, depth)
    if kind == "list":
        return [made_of(shape.member, text_of, name, depth)]
    if kind == "map":
        return {"name": made_of(shape.value, text_of, name, depth)}
    text = text_of(name).ljust(least, "x") if kind in ("string", "blob") else ""
    scalars = {"string": text, "blob": text.encode(), "timestamp": EPOCH, "boolean": False}
    return scalars.get(kind, least or 1)


def filled(answer: Any, shape: Any, text_of: TextOf, depth: int = 0) -> Any:
    """Return an answer in which each structure has all members of its shape: made ones where it lacks them.

    A member for which `text_of` returns no text is left out, and one that is deeper than MAX_SHAPE_DEPTH.
    """
    if isinstance(answer, list) and shape.type_name == "list":
        return [filled(item, shape.member, text_of, depth) for item in answer]
    if isinstance(answer, Mapping) and shape.type_name == "map":
        return {key: filled(value, shape.value, text_of, depth) for key, value in answer.items()}
    if not isinstance(answer, Mapping) or shape.type_name != "structure":
        return answer
    of_shape = shape.members.items()
    members = {
        name: filled(answer[name], one, text_of, depth + 1) for name, one in of_shape if name in answer
    }
    is_union = shape.metadata.get("union") or getattr(shape, "is_tagged_union", False)
    if depth < MAX_SHAPE_DEPTH and not is_union:
        members |= {
            name: made_of(one, text_of, name, depth + 1)
            for name, one in of_shape
            if name not in answer and text_of(name)
        }
    return {**answer, **members}


def texts_within(roots: Iterable[Any], not_searched: tuple[type, ...]) -> Iterator[str]:
    """Yield the texts of all objects that other objects hold, however deep. not_searched: types."""
    seen: set[int] = set()
    is_searched: dict[type, bool] = {}
    level = [*roots]
    while level:
        new = {id(one): one for one in level if id(one) not in seen}
        seen.update(new)
        for kind in {*map(type, new.values())} - is_searched.keys():
            is_searched[kind] = not issubclass(kind, not_searched)
        searched = [one for one in new.values() if is_searched[type(one)]]
        for one in searched:
            if isinstance(one, str):
                yield one
            elif isinstance(one, bytes):
                yield one.decode(errors="replace")
        level = gc.get_referents(*searched)  # of all at once: there are tens of thousands
