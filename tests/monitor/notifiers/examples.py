"""Receivers of every type, built from the examples that their fields declare."""

from typing import Any
from urllib.parse import urlsplit

from pydantic import SecretStr

from monitor.notifiers.receiver import BaseReceiver
from monitor.notifiers.receivers import RECEIVER_BY_TYPE
from monitor.schema.types import is_http_url
from tests.monitor.notifiers.loopback import build_receiver

HOOK = "/services/hunter2hunter2"


def required_settings(type: str) -> dict[str, Any]:
    """Return a receiver's entry in the configuration with its required keys only."""
    return _settings(type, [name for name, field in _fields(type) if field.is_required()])


def all_settings(type: str) -> dict[str, Any]:
    """Return a receiver's entry in the configuration with every key that has an example."""
    return _settings(type, [name for name, field in _fields(type) if field.is_required() or field.examples])


def example(type: str, name: str) -> Any:
    """Return the example of a field; a required field and a secret must have one."""
    kind = RECEIVER_BY_TYPE[type]
    examples = kind.model_fields[name].examples
    assert examples, (
        f"{kind.__name__}.{name}: expected Field(..., examples=[...]), which tests and editors use"
    )
    return examples[0]


def receiver_at(type: str, origin: str) -> BaseReceiver:
    """Return a receiver whose URLs are at `origin`; the path of secret URLs is HOOK."""
    receiver = build_receiver(RECEIVER_BY_TYPE[type], **all_settings(type))
    values = {name: getattr(receiver, name) for name, _ in _fields(type)}
    return receiver.model_copy(update={name: _at_origin(value, origin) for name, value in values.items()})


def _fields(type: str) -> list[tuple[str, Any]]:
    """Return the names and fields of a type of receiver, without `name`."""
    return [(name, field) for name, field in RECEIVER_BY_TYPE[type].model_fields.items() if name != "name"]


def _settings(type: str, names: list[str]) -> dict[str, Any]:
    """Return the settings of a receiver with examples of these fields."""
    fields = RECEIVER_BY_TYPE[type].model_fields
    examples = {fields[name].alias or name: example(type, name) for name in names}
    return {"name": "team", "type": type, **examples}


def _at_origin(value: Any, origin: str) -> Any:
    """Return the value with the origin of each of its URLs replaced."""
    match value:
        case tuple():
            return tuple(_at_origin(item, origin) for item in value)
        case SecretStr() if is_http_url(value.get_secret_value()):
            return SecretStr(origin + HOOK)
        case str() if is_http_url(value):
            return origin + urlsplit(value).path
    return value


# The types of receivers that have an HTTP URL.
HTTP_TYPES = [
    type for type in RECEIVER_BY_TYPE if receiver_at(type, "http://a") != receiver_at(type, "http://b")
]
