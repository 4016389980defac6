"""What is wrong with a configuration, in one line a problem: where, what was expected, what was found."""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

LONGEST = 60  # characters of a key or value that an error repeats
MOST = 50  # problems told at once; the rest is counted

Where = tuple[int | str, ...]

CONTAINERS = {"tuple_type": "a list", "model_type": "a mapping"}
SCALARS = {
    "float_type": "a number",
    "finite_number": "a finite number",
    "greater_than": "more than {gt:g}",
    "greater_than_equal": "at least {ge:g}",
    "less_than_equal": "at most {le:g}",
    "string_type": "text",
    "too_short": "text",
}


class Problem(NamedTuple):
    """One thing wrong at one place in the file."""

    where: Where
    what: str


class ConfigError(Exception):
    """A configuration that cannot be used. `problems` are whole lines to show; none holds a secret."""

    def __init__(self, problems: Sequence[str]) -> None:
        left = len(problems) - MOST
        self.problems = [*problems[:MOST], *([f"and {left} more problems"] if left > 0 else [])]
        super().__init__("\n".join(self.problems))


def problem(what: str) -> PydanticCustomError:
    """What a field's validator raises: a whole sentence, to which nothing found is added."""
    return PydanticCustomError("problem", "{what}", {"what": what})


def unexpected(expected: str, value: Any, known: Iterable[str] = ()) -> PydanticCustomError:
    """The problem of a value that may be shown, with the names it may have been meant to be."""
    what = f"expected {expected}, found {shown(value)}"
    return PydanticCustomError("problem", "{what}", {"what": what, "word": str(value), "known": known})


def problems_of(where: str, problems: Iterable[Problem]) -> ValidationError:
    """Problems in several places, as one error that a model's validator may raise."""
    errors: list[InitErrorDetails] = [
        {"type": problem(what), "loc": place, "input": None} for place, what in problems
    ]
    return ValidationError.from_exception_data(where, errors)


def lines(file: str, problems: Iterable[Problem]) -> list[str]:
    """One line a problem: file, place, what."""
    return [": ".join(filter(None, (file, path(where), what))) for where, what in problems]


def problems_in(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """What pydantic found wrong with the data of `model`, in our words."""
    details = error.errors(include_url=False)
    told = [Problem(one["loc"], _what(one, model)) for one in details[:MOST]]
    return told + [Problem(one["loc"], one["msg"]) for one in details[MOST:]]


def _what(error: ErrorDetails, model: type[BaseModel]) -> str:
    kind, value = error["type"], error["input"]
    if kind == "extra_forbidden":
        *parents, key = error["loc"]
        return f"unknown key{suggestion(str(key), _keys(model, parents))}"
    if kind == "missing":
        return "missing"
    if kind in CONTAINERS:  # what stands here by mistake may hold a secret
        return f"expected {CONTAINERS[kind]}, found {_kind(value)}"
    if kind in SCALARS:
        return f"expected {SCALARS[kind].format(**error.get('ctx', {}))}, found {shown(value)}"
    context = error.get("ctx", {})  # names are compared only here, for the few problems that are told
    return error["msg"] + suggestion(context.get("word", ""), context.get("known", ()))


def _keys(model: type[BaseModel], parents: Iterable[int | str]) -> list[str]:
    for parent in parents:
        if isinstance(parent, str):
            model = model_of(model.model_fields[parent].annotation) or model
    return list(model.model_fields)


def model_of(annotation: Any) -> type[BaseModel] | None:
    """The model that a field's annotation holds, or holds a list of."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            return kind
    return None


def suggestion(word: str, known: Iterable[str]) -> str:
    near = get_close_matches(word[:LONGEST], list(known), n=1)
    return f"; did you mean {near[0]}?" if near else ""


def path(where: Where) -> str:
    """A place in the file as people write it: `accounts[0].role_arn`."""
    return "".join(_step(step) for step in where).removeprefix(".")


def _step(step: int | str) -> str:
    if isinstance(step, str) and re.fullmatch(r"[\w-]+", step) and len(step) <= LONGEST:
        return f".{step}"
    return f"[{step if isinstance(step, int) else shown(step)}]"


def shown(value: Any) -> str:
    """A value as an error repeats it: on one line and not too long; of lists and mappings only the kind."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            return f"{value:.15g}"
        case str() if len(value) > LONGEST:
            return f"{value[:LONGEST]!r}..."
        case str():
            return repr(value)
    return _kind(value)


def _kind(value: Any) -> str:
    match value:
        case None:
            return "nothing"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "a mapping"
    return "a number" if isinstance(value, int | float) and not isinstance(value, bool) else shown(value)
