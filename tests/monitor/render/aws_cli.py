"""Checks commands of the AWS CLI against botocore's models: operations, options, and values of options."""

import json
import re
import shlex
from collections.abc import Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape

from collectors.response_path import response_path
from collectors.response_types import type_of
from tests.fake_aws import SERVICE_MODELS

PLACEHOLDER = re.compile(r"[A-Z][A-Z_]*$")  # a word in capitals, which users replace by a value
TOKEN = re.compile(r"[\[\]{},=]|[^\[\]{},=]+")
NUMBERS = {"integer", "long", "float", "double"}


def check_command(command: str, region: str) -> None:
    """Check that the AWS CLI accepts a command, and that it names the region.

    Raises AssertionError if not.
    """
    aws, service, operation, *options = shlex.split(command)
    assert aws == "aws"
    model = operation_model(service, operation)
    values = values_by_option(options)
    assert values.pop("--region") == [region], command
    _check_output_options(model, service, values)
    shape = model.input_shape
    members = {f"--{xform_name(member, '-')}": member for member in (shape.members if shape else ())}
    assert set(values) <= set(members), command
    given_members = {members[option] for option in values}
    assert set(shape.required_members if shape else ()) <= given_members, command
    for option, words in values.items():
        assert shape
        _check_option(shape.members[members[option]], words, f"{command}: {option}")


@cache
def operation_model(service: str, operation: str) -> OperationModel:
    """Return the model of an operation. operation: its name, as the AWS CLI spells it."""
    model = SERVICE_MODELS.get_service_model(service)
    names = (name for name in model.operation_names if xform_name(name, "-") == operation)
    return model.operation_model(next(names))


def values_by_option(words: Sequence[str]) -> dict[str, list[str]]:
    """Return the values of each option of a command; a flag has no values."""
    values: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            option, equals, value = word.partition("=")
            values[option] = [value] if equals else []
        else:
            values[option].append(word)
    return values


def _check_output_options(model: OperationModel, service: str, values: dict[str, list[str]]) -> None:
    """Check the options of the AWS CLI itself, and remove them from `values`."""
    if query := values.pop("--query", None):
        (text,) = query
        type_of(response_path(text).parsed, model.output_shape)
    if limit := values.pop("--max-items", None):
        (number,) = limit
        assert number.isdecimal()
        SERVICE_MODELS.get_paginator_model(service).get_paginator(model.name)


def _check_option(shape: Shape, words: list[str], where: str) -> None:
    if shape.type_name == "boolean":
        assert words == [], where
        return
    assert words, where
    if isinstance(shape, ListShape) and not _is_json(words[0]):
        for word in words:
            _check_word(shape.member, word, where)
        return
    (word,) = words
    _check_word(shape, word, where)


def _check_word(shape: Shape, word: str, where: str) -> None:
    if word.startswith("file://"):
        assert shape.type_name != "blob", where
    elif word.startswith("fileb://"):
        assert shape.type_name == "blob", where
    elif isinstance(shape, StructureShape | MapShape | ListShape):
        _check_value(
            shape, json.loads(_with_quoted_placeholders(word)) if _is_json(word) else shorthand(word), where
        )
    else:
        _check_value(shape, word, where)


def _is_json(word: str) -> bool:
    return word.startswith(("[", "{"))


def _with_quoted_placeholders(word: str) -> str:
    """Return JSON with each placeholder as a text."""
    return re.sub(r"(?<=[:,\[])\s*([A-Z][A-Z_]*)(?=[,\]}])", r'"\1"', word)


def _check_value(shape: Shape, value: Any, where: str) -> None:
    if isinstance(shape, StructureShape):
        assert set(value) <= set(shape.members), f"{where}: {value}"
        assert set(shape.required_members) <= set(value), f"{where}: {value}"
        for name, item in value.items():
            _check_value(shape.members[name], item, f"{where} {name}")
    elif isinstance(shape, MapShape):
        for item in value.values():
            _check_value(shape.value, item, where)
    elif isinstance(shape, ListShape):
        for item in value if isinstance(value, list) else [value]:
            _check_value(shape.member, item, where)
    else:
        _check_scalar(shape, str(value), where)


def _check_scalar(shape: Shape, text: str, where: str) -> None:
    is_placeholder = bool(PLACEHOLDER.match(text))
    allowed: Sequence[str] = getattr(shape, "enum", ())
    if allowed:
        # A word in capitals that resembles a value of AWS is no placeholder, but a misspelled value.
        may_be_chosen = is_placeholder and not get_close_matches(text, allowed)
        assert text in allowed or may_be_chosen, f"{where}: expected one of {allowed}, found {text}"
    elif shape.type_name in NUMBERS:
        assert is_placeholder or re.fullmatch(r"\d+(\.\d+)?", text), f"{where}: expected a number"
    elif shape.type_name == "boolean":
        assert text in ("true", "false"), f"{where}: expected true or false"


def shorthand(text: str) -> dict[str, Any]:
    """Return the value of a text in the AWS CLI's shorthand syntax, such as `Name=a,Values=b,c`."""
    tokens = TOKEN.findall(text)
    value = _fields(tokens)
    assert not tokens, f"{text}: expected no more after a value, found {tokens}"
    return value


def _fields(tokens: list[str]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    while True:
        assert tokens[1:2] == ["="] and tokens[2:], f"expected name=value, found {tokens}"
        name, _ = tokens.pop(0), tokens.pop(0)
        fields[name] = _item(tokens)
        if tokens[:1] != [","]:
            return fields
        del tokens[0]


def _item(tokens: list[str]) -> Any:
    opening = tokens.pop(0)
    if opening == "{":
        fields = _fields(tokens)
        assert tokens.pop(0) == "}"
        return fields
    if opening == "[":
        items = [_item(tokens)]
        while tokens[:1] == [","]:
            del tokens[0]
            items.append(_item(tokens))
        assert tokens.pop(0) == "]"
        return items
    texts = [opening]
    while tokens[:1] == [","] and tokens[2:3] != ["="] and tokens[1] not in "{[":
        texts.append(tokens[1])
        del tokens[:2]
    return texts if len(texts) > 1 else opening
