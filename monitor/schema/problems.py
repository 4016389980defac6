"""Problems of a configuration, one line each: the place, the expected and the found value."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from monitor.lib.errors import HeadroomError
from monitor.lib.text import replace_surrogates
from rules.plurals import count_of
from rules.problem_text import SCALAR_NAMES, suggestion
from rules.strict_yaml import DocumentPath

MAX_SHOWN_LENGTH = 60  # characters of a key or value in an error
MAX_PROBLEMS = 50  # shown; the rest is counted


KIND_NAMES: Mapping[Any, str] = {
    type(None): "nothing",
    str: "text",
    list: "a list",
    dict: "a mapping",
    int | float: "a number",
}
CONTAINER_NAMES = {"tuple_type": "a list", "model_type": "a mapping"}  # by type of pydantic's error
# pydantic also reports `too_short` for lists, but no list of the configuration has a minimum length.
EXPECTED_NAMES = {**SCALAR_NAMES, "too_short": "text"}  # by type of pydantic's error


class Problem(NamedTuple):
    """A problem at one place of the file; `sentence` starts without a capital."""

    where: DocumentPath
    sentence: str


class ConfigError(HeadroomError):
    """The configuration cannot be used. problems: lines to show; none contains a secret."""

    def __init__(self, problems: Sequence[str]) -> None:
        more = len(problems) - MAX_PROBLEMS
        self.problems = [
            *problems[:MAX_PROBLEMS],
            *([f"and {count_of(more, 'more problem')}"] if more > 0 else []),
        ]
        super().__init__("\n".join(self.problems))


def problem(sentence: str) -> PydanticCustomError:
    """Return the error for a field's validator to raise; `sentence` is shown unchanged."""
    return PydanticCustomError("problem", "{sentence}", {"sentence": sentence})


def unexpected(expected: str, value: Any, known: Iterable[str] = ()) -> PydanticCustomError:
    """Return the error for a value that may be shown. known: valid names to suggest."""
    context = {
        "sentence": f"expected {expected}, found {shown_value(value)}",
        "word": replace_surrogates(str(value)),
        "known": known,
    }
    return PydanticCustomError("problem", "{sentence}", context)


def to_validation_error(title: str, problems: Iterable[Problem]) -> ValidationError:
    """Return one error with all problems, for a model's validator to raise. title: is not shown."""
    errors: list[InitErrorDetails] = [
        {"type": problem(sentence), "loc": where, "input": None} for where, sentence in problems
    ]
    return ValidationError.from_exception_data(title, errors)


def problem_lines(file: str, problems: Iterable[Problem]) -> list[str]:
    """Return one line per problem: file, place and sentence."""
    return [": ".join(filter(None, (file, key_path(where), sentence))) for where, sentence in problems]


def problems_from_pydantic(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Return the problems of a pydantic error about the data of `model`.

    Problems beyond MAX_PROBLEMS are only counted, so no similar names are searched for them.
    """
    details = error.errors(include_url=False)
    shown = [Problem(_place(detail), _sentence(detail, model)) for detail in details[:MAX_PROBLEMS]]
    return shown + [Problem(_place(detail), detail["msg"]) for detail in details[MAX_PROBLEMS:]]


def _place(error: ErrorDetails) -> DocumentPath:
    """Return the place of an error; for an error of a mapping's key, the place of the entry."""
    where = error["loc"]
    return where[:-1] if where[-1:] == ("[key]",) else where


def _sentence(error: ErrorDetails, model: type[BaseModel]) -> str:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    if kind == "extra_forbidden":
        *parents, key = error["loc"]
        # Without the key itself, which another alternative of a union may have.
        possible_keys = [name for name in _keys(model, parents) if name != key]
        return f"unknown key{suggestion(str(key), possible_keys)}"
    if kind == "missing":
        return "missing"
    if kind in CONTAINER_NAMES:  # the value may contain a secret
        return f"expected {CONTAINER_NAMES[kind]}, found {_kind_name(value)}"
    if kind in EXPECTED_NAMES:
        return f"expected {EXPECTED_NAMES[kind].format(**context)}, found {shown_value(value)}"
    return error["msg"] + suggestion(context.get("word", ""), context.get("known", ()))


def _keys(model: type[BaseModel], parents: Iterable[int | str]) -> list[str]:
    """Return the keys that a mapping in the data of `model` may have; for a union, those of all its models.

    parents: the place of the mapping. Its indices, and names that are no field, are skipped.
    """
    models = [model]
    for parent in parents:
        if isinstance(parent, str):
            fields = [field for field in (_fields_by_key(model).get(parent) for model in models) if field]
            models = [inner for field in fields for inner in nested_models(field.annotation)] or models
    return list(dict.fromkeys(key for model in models for key in _fields_by_key(model)))


def _fields_by_key(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def nested_models(annotation: Any) -> list[type[BaseModel]]:
    """Return the models in a field's annotation: several for a union."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in nested_models(part)]


def duplicate_values(
    where: DocumentPath, key: str, values: Sequence[object], parent: DocumentPath = ()
) -> Iterator[Problem]:
    """Yield a problem for each entry of a list with the same value of `key` as an earlier entry.

    where: the place of the list in its model. values: the value of `key` of each entry. parent: the place of
    the model in the file, for full places in messages.
    """
    first_index: dict[object, int] = {}
    for index, value in enumerate(values):
        if first_index.setdefault(value, index) != index:
            earlier = key_path((*parent, *where, first_index[value]))
            yield Problem(
                (*where, index, key), f"expected a {key} that differs from that of {earlier}, found the same"
            )


def key_path(where: DocumentPath) -> str:
    """Return a place in the file as text: `accounts[0].role_arn`."""
    return "".join(_step(step) for step in where).removeprefix(".")


def _step(step: int | str) -> str:
    if isinstance(step, str) and re.fullmatch(r"[\w-]+", step) and len(step) <= MAX_SHOWN_LENGTH:
        return f".{step}"
    return f"[{step if isinstance(step, int) else shown_value(step)}]"


def shown_value(value: Any) -> str:
    """Return a value as errors show it: on one line, truncated; of a list or mapping, only its kind."""
    match value:
        case bool():
            return str(value).lower()
        case int():
            return str(value)
        case float():
            return f"{value:.15g}"
        case str() if len(value) > MAX_SHOWN_LENGTH:
            return f"{value[:MAX_SHOWN_LENGTH]!r}..."
        case str():
            return repr(value)
    return _kind_name(value)


def _kind_name(value: Any) -> str:
    if isinstance(value, bool):
        return shown_value(value)
    for types, name in KIND_NAMES.items():
        if isinstance(value, types):
            return name
    return f"a value of type {type(value).__name__}"
