"""Renders the model of the configuration as a commented example, and as a JSON schema for editors."""

import textwrap
from collections.abc import Iterator, Sequence
from inspect import getdoc
from typing import Any

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from collectors.registry import Registry
from monitor.config.config import SERVICES_PLACEHOLDER, Config
from monitor.schema.problems import nested_models
from monitor.schema.types import SERVICE_SCHEMA

WIDTH = 100  # characters of a line
HEADER = """\
## Headroom's configuration. Every key is optional, and this file as it stands is the default.
## Remove the single # in front of a setting to use it; `headroom config check` checks the file.
"""


def example_file(registry: Registry) -> str:
    """Return a file with every key: set to its default, or commented out with an example value.

    registry: the services that the file may name.
    """
    settings = (_setting(name, field, registry) for name, field in Config.model_fields.items())
    return "\n".join([HEADER, *settings])


def json_schema(registry: Registry) -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of the file.

    registry: the services that the file may name.
    """
    schema: dict[str, Any] = _with_services(Config.model_json_schema(), registry)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def _with_services(schema: Any, registry: Registry) -> Any:
    """Return a part of a schema, with the names of the registry's services filled in."""
    if schema == SERVICE_SCHEMA:
        return {"type": "string", "enum": list(registry.service_names)}
    if isinstance(schema, dict):
        return {key: _with_services(value, registry) for key, value in schema.items()}
    if isinstance(schema, list):
        return [_with_services(item, registry) for item in schema]
    return _name_services(schema, registry) if isinstance(schema, str) else schema


def _name_services(text: str, registry: Registry) -> str:
    return text.replace(SERVICES_PLACEHOLDER, ", ".join(registry.service_names))


def _setting(name: str, field: FieldInfo, registry: Registry) -> str:
    """Return the lines of a key of Config: its explanation as comments, and a value."""
    value = field.examples[0] if field.examples else field.default
    if not isinstance(value, str | int | float | list | dict):
        raise TypeError(f"Config.{name}: expected Field(..., examples=[...]), as its default is {value!r}")
    key_and_value = yaml.safe_dump({name: value}, sort_keys=False, width=WIDTH)
    return "\n".join(
        [*_remarks(field, registry), textwrap.indent(key_and_value, "#" if field.examples else "")]
    )


def _remarks(field: FieldInfo, registry: Registry) -> Iterator[str]:
    """Yield the comment lines about a key of Config, and about all keys within it."""
    yield from _comment_lines(_name_services(field.description or "", registry), 0)
    yield from _explanations(nested_models(field.annotation), ())


def _explanations(models: Sequence[type[BaseModel]], parents: tuple[type[BaseModel], ...]) -> Iterator[str]:
    """Yield lines that explain the keys of a model; of a union of models, their common keys first.

    parents: the models that contain this model; they are not explained again.
    """
    if len(models) <= 1:
        yield from (line for model in models for line in _key_lines(model, list(model.model_fields), parents))
        return
    common = [name for name in models[0].model_fields if _is_common(name, models)]
    yield from _key_lines(models[0], [name for name in common if name != "type"], parents)
    for model in models:
        kind = model.model_fields.get("type")
        heading = f"`type: {kind.default}`: " if kind else ""
        yield from _comment_lines(f"{heading}{summary(model)}", len(parents) + 1)
        own = [name for name in model.model_fields if name not in common]
        yield from _key_lines(model, own, (*parents, model))


def _is_common(name: str, models: Sequence[type[BaseModel]]) -> bool:
    """Return whether a key has the same description in all models; `type` counts as such a key."""
    fields = [model.model_fields.get(name) for model in models]
    return name == "type" or all(
        field and fields[0] and field.description == fields[0].description for field in fields
    )


def _key_lines(
    model: type[BaseModel], names: Sequence[str], parents: tuple[type[BaseModel], ...]
) -> Iterator[str]:
    for name in names:
        field = model.model_fields[name]
        yield from _comment_lines(f"{field.alias or name}: {field.description}", len(parents) + 1)
        ancestors = (*parents, model)
        nested = [inner for inner in nested_models(field.annotation) if inner not in ancestors]
        yield from _explanations(nested, ancestors)


def summary(model: type[BaseModel]) -> str:
    """Return the first paragraph of a model's docstring, on one line."""
    return " ".join((getdoc(model) or "").partition("\n\n")[0].split())


def _comment_lines(text: str, depth: int) -> list[str]:
    indent = "## " + "  " * depth
    hanging_indent = f"{indent}    " if depth else indent
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=hanging_indent)
