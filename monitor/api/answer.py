"""The answers of a Headroom whose version may differ from that of the client."""

from collections.abc import Callable
from typing import Any, NoReturn

from monitor.api import client
from monitor.lib.version import VERSION

OPENAPI_PATH = "/openapi.json"  # every version tells its own there
UNTOLD_VERSION = "of an unknown version"

# Takes the name of a field that an answer lacks.
OnMissing = Callable[[str], NoReturn]


class AnswerObject(dict[str, Any]):
    """A JSON object of an answer. Reading a field that it lacks calls `on_missing`, instead of a KeyError."""

    def __init__(self, fields: dict[str, Any], on_missing: OnMissing) -> None:
        super().__init__({name: _checked(value, on_missing) for name, value in fields.items()})
        self._on_missing = on_missing

    def __missing__(self, field: str) -> NoReturn:
        self._on_missing(field)


def _checked(value: Any, on_missing: OnMissing) -> Any:
    """Return a JSON value whose objects are AnswerObjects."""
    if isinstance(value, dict):
        return AnswerObject(value, on_missing)
    if isinstance(value, list):
        return [_checked(item, on_missing) for item in value]
    return value


def missing_field_message(address: str, field: str) -> str:
    """Return a sentence on an answer that lacks a field, with both versions; asks the server for its own."""
    server = server_version(address)
    return (
        f"{address}: the answer lacks `{field}`, which this command (Headroom {VERSION}) needs; "
        f"the server is Headroom {server or UNTOLD_VERSION}"
    )


def server_version(address: str) -> str:
    """Return the version of a running Headroom; '' if it does not tell it."""
    try:
        document = client.request(address, "GET", OPENAPI_PATH)
    except client.ApiError:
        return ""
    information = document.get("info")
    return str(information.get("version", "")) if isinstance(information, dict) else ""
