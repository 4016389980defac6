"""The kinds of value a receiver's configuration holds beside those of `config_types` and secrets."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, WithJsonSchema

from monitor.config_errors import problem, unexpected
from monitor.config_types import HIGHEST_PORT


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise unexpected("true or false", value)
    return value


def _port(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 < value <= HIGHEST_PORT:
        raise unexpected(f"a port from 1 to {HIGHEST_PORT}", value)
    return value


def _some(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise problem("expected at least one, found none")
    return values


def choice(*names: str) -> BeforeValidator:
    """One of these words."""

    def chosen(value: Any) -> Any:
        if value not in names:
            raise unexpected(f"one of {', '.join(names)}", value, names)
        return value

    return BeforeValidator(chosen)


Flag = Annotated[bool, BeforeValidator(_flag)]
Port = Annotated[int, BeforeValidator(_port), WithJsonSchema({"type": "integer"})]
SOME = AfterValidator(_some)
