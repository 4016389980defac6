"""Reads chosen members of an item in a response, and leaves out members of a wrong type."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

# By name of a member: a function that checks the type of its value; for a mapping, the `Members` within it.
Members = Mapping[str, "Callable[[Any], bool] | Members"]


def is_text(value: Any) -> bool:
    """Return whether a value is a text that can be encoded in UTF-8."""
    return isinstance(value, str) and (value.isascii() or _is_encodable(value))


def is_number(value: Any) -> bool:
    """Return whether a value is a number, which may be infinite."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_boolean(value: Any) -> bool:
    """Return whether a value is true or false."""
    return isinstance(value, bool)


def is_time(value: Any) -> bool:
    """Return whether a value is a time as botocore parses it."""
    return isinstance(value, datetime)


def is_list(value: Any) -> bool:
    """Return whether a value is a list."""
    return isinstance(value, list)


def are_texts(value: Any) -> bool:
    """Return whether a value is a mapping of texts to texts."""
    return isinstance(value, Mapping) and all(is_text(text) for item in value.items() for text in item)


def members_of(item: Any, members: Members) -> dict[str, Any]:
    """Return the members of an item that have the right type; no members if the item is no mapping."""
    found: dict[str, Any] = {}
    for name, expected in members.items() if isinstance(item, Mapping) else ():
        value = item.get(name)
        if isinstance(expected, Mapping):
            if isinstance(value, Mapping):
                found[name] = members_of(value, expected)
        elif expected(value):
            found[name] = value
    return found


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
