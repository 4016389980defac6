"""Types and validators of configuration values: flags, ports, receivers' names, choices, non-empty lists."""

from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from monitor.schema.problems import problem, unexpected
from monitor.schema.types import MAX_PORT, Text

MAX_RECEIVER_NAME_LENGTH: Final = 64  # characters


def _check_flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise unexpected("true or false", value)
    return value


def _check_port(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= MAX_PORT:
        raise unexpected(f"a port from 1 to {MAX_PORT}", value)
    return value


def _check_receiver_name(value: str) -> str:
    if not value.isprintable() or len(value) > MAX_RECEIVER_NAME_LENGTH:
        raise unexpected(f"at most {MAX_RECEIVER_NAME_LENGTH} printable characters", value)
    return value


def _check_non_empty(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise problem("expected at least one, found none")
    return values


def choice(*names: str) -> BeforeValidator:
    """Return a validator that accepts only these words."""

    def validate(value: Any) -> Any:
        if value not in names:
            raise unexpected(f"one of {', '.join(names)}", value, names)
        return value

    return BeforeValidator(validate)


Flag = Annotated[bool, BeforeValidator(_check_flag)]
Port = Annotated[int, BeforeValidator(_check_port), WithJsonSchema({"type": "integer"})]
ReceiverName = Annotated[Text, AfterValidator(_check_receiver_name)]
NON_EMPTY = AfterValidator(_check_non_empty)
