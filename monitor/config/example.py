"""Renders the model of the configuration as a commented example, and as a JSON schema for editors."""

import textwrap
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from monitor.config.config import Config
from monitor.schema.problems import nested_model

WIDTH = 100
HEADER = """\
## Headroom's configuration. Every key is optional, and this file as it stands is the default.
## Remove the single # in front of a setting to use it; `headroom config check` checks the file.
"""


def example_file() -> str:
    """Return a file with every key: set to its default, or commented out with an example value."""
    entries = (_entry(name, field) for name, field in Config.model_fields.items())
    return "\n".join([HEADER, *entries])


def json_schema() -> dict[str, Any]:
    """Return the JSON schema (draft 2020-12) of the file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def _entry(name: str, field: FieldInfo) -> str:
    value = field.examples[0] if field.examples else field.default
    setting = yaml.safe_dump({name: value}, sort_keys=False, width=WIDTH)
    return "\n".join([*_remarks(field), textwrap.indent(setting, "#" if field.examples else "")])


def _remarks(field: FieldInfo) -> Iterator[str]:
    model = nested_model(field.annotation)
    yield from textwrap.wrap(field.description or "", WIDTH, initial_indent="## ", subsequent_indent="## ")
    for name, key in model.model_fields.items() if model else ():
        remark = f"{key.alias or name}: {key.description}"
        yield from textwrap.wrap(remark, WIDTH, initial_indent="##   ", subsequent_indent="##       ")
