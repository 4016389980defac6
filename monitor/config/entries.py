"""The entries of `accounts`: single accounts, and organizations of accounts."""

from typing import Annotated, Any

from pydantic import BaseModel, ValidationInfo, ValidatorFunctionWrapHandler, WrapValidator

from monitor.aws.account import Account
from monitor.aws.organization import Organization


def _by_key(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Validate with the class of an entry, so that problems name their place in the file (unions do not)."""
    if isinstance(value, BaseModel):
        return handler(value)
    is_organization = isinstance(value, dict) and "organization" in value
    kind: type[BaseModel] = Organization if is_organization else Account
    return kind.model_validate(value, context=info.context)


def _one_or_list(value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
    """Accept a single entry instead of a list; the places of its problems stay those in the file."""
    return (_by_key(value, handler, info),) if isinstance(value, dict) else handler(value)


AnyEntry = Account | Organization
Entry = Annotated[AnyEntry, WrapValidator(_by_key)]
Entries = Annotated[
    tuple[Entry, ...],
    WrapValidator(_one_or_list, json_schema_input_type=AnyEntry | tuple[AnyEntry, ...]),
]
