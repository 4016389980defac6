"""Validation of JSON by a schema. The library is imported only when it is used: that takes 1.5 s."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any


def problems_by_schema(schema: Mapping[str, Any], value: Any) -> list[str]:
    """Return what a schema finds wrong with a value. Raises SchemaError for an invalid schema."""
    library = import_module("jsonschema")
    validator = library.validators.validator_for(schema)
    validator.check_schema(schema)
    return [str(error.message) for error in validator(schema).iter_errors(value)]
