"""Parts of the messages about problems in a file."""

from collections.abc import Iterable, Mapping
from difflib import get_close_matches

MAX_COMPARED_LENGTH = 60  # characters of a name that are compared with the known names
# Words for the value that is expected, by the type of pydantic's error.
SCALAR_NAMES: Mapping[str, str] = {
    **dict.fromkeys(("float_type", "float_parsing"), "a number"),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), "a whole number"),
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("string_type", "string_too_short"), "text"),
    "finite_number": "a finite number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
}


def most_similar(name: str, known: Iterable[str]) -> str:
    """Return the known name that is most similar to a name; an empty text if none is similar."""
    return "".join(get_close_matches(name[:MAX_COMPARED_LENGTH], list(known), n=1))


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `; did you mean NAME?` with the most similar known name; an empty text if none is similar."""
    similar = most_similar(name, known)
    return f"; did you mean {similar}?" if similar else ""
