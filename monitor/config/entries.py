"""The entries of `accounts`: single accounts, and organizations of accounts."""

from typing import Annotated, Any

from pydantic import BaseModel, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator

from monitor.aws.account import Account
from monitor.aws.organization import AnyEntry, Organization


def _validate_entry(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Validate an entry with its own class: problems that a union reports lack their place in the file."""
    if isinstance(value, BaseModel):
        return handler(value)
    is_organization = isinstance(value, dict) and "organization" in value
    kind: type[BaseModel] = Organization if is_organization else Account
    return kind.model_validate(value, context=info.context)


def _one_or_list(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Accept a single entry instead of a list; its problems have their place in the file."""
    return (_validate_entry(value, handler, info),) if isinstance(value, dict) else handler(value)


Entry = Annotated[AnyEntry, WrapValidator(_validate_entry)]
Entries = Annotated[
    tuple[Entry, ...],
    WrapValidator(_one_or_list, json_schema_input_type=AnyEntry | tuple[AnyEntry, ...]),
]
