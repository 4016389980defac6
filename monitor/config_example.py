"""The configuration explained: a commented example, and a JSON schema for editors, both from the model."""

import textwrap
from collections.abc import Iterator
from typing import Any

import yaml
from pydantic.fields import FieldInfo

from monitor.config import Config
from monitor.config_errors import model_of

WIDTH = 100
HEADER = """\
## Headroom's configuration. Every key is optional, and this file as it stands is the default.
## Remove the single # in front of a setting to use it; `headroom config check` says what is wrong.
"""


def example() -> str:
    """A file with every key: those that have a default set to it, the others as comments."""
    entries = (_entry(name, field) for name, field in Config.model_fields.items())
    return "\n".join([HEADER, *entries])


def schema() -> dict[str, Any]:
    """The JSON schema (draft 2020-12) of the file."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Config.model_json_schema()}


def _entry(name: str, field: FieldInfo) -> str:
    value = field.examples[0] if field.examples else field.default
    setting = yaml.safe_dump({name: value}, sort_keys=False, width=WIDTH)
    return "\n".join([*_remarks(field), textwrap.indent(setting, "#" if field.examples else "")])


def _remarks(field: FieldInfo) -> Iterator[str]:
    entry = model_of(field.annotation)
    yield from textwrap.wrap(field.description or "", WIDTH, initial_indent="## ", subsequent_indent="## ")
    for name, part in entry.model_fields.items() if entry else ():
        remark = f"{part.alias or name}: {part.description}"
        yield from textwrap.wrap(remark, WIDTH, initial_indent="##   ", subsequent_indent="##       ")
