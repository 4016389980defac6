"""What all receivers have in common: their names, their secrets, and what they may do."""

from abc import abstractmethod
from collections.abc import Sequence
from types import UnionType
from typing import Annotated, Any, ClassVar, Self, Union, get_args, get_origin

from msgspec.structs import replace
from pydantic import (
    AfterValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from monitor.alerting.notice import Notification
from monitor.config_errors import Problem, problem, problems_in, problems_of, unexpected
from monitor.config_types import Duration, Model, Sources, Text
from monitor.notifiers.answer import Answer, delivered
from monitor.notifiers.fields import Flag
from monitor.notifiers.secrets import PLACES, hidden_in, secrets_in
from monitor.outbound import Outbound, Policy

LONGEST_NAME = 64


def _name(value: str) -> str:
    if not value.isprintable() or len(value) > LONGEST_NAME:
        raise unexpected(f"at most {LONGEST_NAME} printable characters", value)
    return value


def _is_secret(annotation: Any) -> bool:
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return any(map(_is_secret, get_args(annotation)))
    return annotation is SecretStr


def _keys_of_secrets(schema: dict[str, Any], model: type["Base"]) -> None:
    """In the JSON schema, a secret has three keys, of which one is to be given."""
    for name in model.secrets():
        for suffix in PLACES:
            schema["properties"][name + suffix] = {"type": "string"}
        if name in schema.get("required", ()):
            schema["required"].remove(name)


class Base(Model):
    """A receiver. A field that holds a secret may instead be given as `<field>_env` or `<field>_file`.

    per_alert: it tells every alert by itself, so that its notifications should leave none out.
    keepalive: seconds after which it forgets an alert that still fires, unless told again; None for never.
    """

    model_config = ConfigDict(json_schema_extra=_keys_of_secrets)
    per_alert: ClassVar[bool] = False
    keepalive: ClassVar[float | None] = None

    name: Annotated[Text, AfterValidator(_name)] = Field(description="A name for routes to refer to.")
    send_resolved: Flag = Field(default=True, description="Whether it is told that an alert is over.")
    allow_insecure: Flag = Field(default=False, description="Whether its address may be unencrypted.")
    allow_private: Flag = Field(
        default=False, description="Whether its address may be private, loopback or link-local."
    )
    timeout: Duration = Field(
        default=10, ge=1, le=60, description="How long an attempt may take; 1 s to 1 m."
    )

    @classmethod
    def secrets(cls) -> list[str]:
        """The fields that hold one secret."""
        return [name for name, field in cls.model_fields.items() if _is_secret(field.annotation)]

    @property
    def policy(self) -> Policy:
        hidden = (one for name in type(self).model_fields for one in hidden_in(getattr(self, name)))
        return Policy(self.allow_insecure, self.allow_private, self.timeout, frozenset(hidden))

    @property
    def _texts(self) -> list[str]:
        """All that is configured for it, secrets too, but its name."""
        values = [getattr(self, name) for name in type(self).model_fields if name != "name"]
        texts = [value for value in values if isinstance(value, str)]
        return texts + [secret for value in values for secret in secrets_in(value)]

    async def addresses(self, client: Outbound) -> Sequence[str]:
        """URLs of all servers that it connects to; none where only an attempt finds them out."""
        return [text for text in self._texts if text.lower().startswith(("http://", "https://"))]

    async def send(self, notification: Notification, client: Outbound) -> Answer:
        """One attempt to tell it. What goes wrong outside is an answer, not an exception."""
        notices = tuple(one for one in notification.notices if one.firing or self.send_resolved)
        if not notices:
            return delivered("nothing to send: send_resolved is false")
        return await self.attempt(replace(notification, notices=notices), client)

    @abstractmethod
    async def attempt(self, notification: Notification, client: Outbound) -> Answer:
        """Send at least one notice."""

    @model_validator(mode="after")
    def _is_encrypted(self) -> Self:
        if not self.allow_insecure and any(text.lower().startswith("http://") for text in self._texts):
            raise problem("expected https://, or allow_insecure: true beside http://")
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _find_secrets(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if not isinstance(data, dict):
            return handler(data)
        found, wrong = _found(cls, data, info.context or Sources())
        problems, told = list(wrong.values()), {(name,) for name in wrong}
        try:
            receiver = handler(found)
        except ValidationError as error:
            problems += (one for one in problems_in(error, cls) if one.where[:1] not in told)
        if problems:
            raise problems_of(cls.__name__, problems)
        return receiver


def _found(
    model: type[Base], data: dict[str, Any], sources: Sources
) -> tuple[dict[str, Any], dict[str, Problem]]:
    """The data with every secret under its field's name, and what is wrong, by field."""
    found, wrong = dict(data), {}
    for name in model.secrets():
        keys = [key for key in (name, *(name + suffix for suffix in PLACES)) if data.get(key) is not None]
        for suffix in PLACES:
            found.pop(name + suffix, None)
        if len(keys) > 1:
            wrong[name] = Problem((), f"expected one {name}, found {' and '.join(keys)}")
        elif not keys and model.model_fields[name].is_required():
            places = " or ".join(name + suffix for suffix in PLACES)
            wrong[name] = Problem((), f"expected {name}, {places}, found none")
        elif keys and keys[0] != name:
            try:
                found[name] = PLACES[keys[0].removeprefix(name)](data[keys[0]], sources)
            except PydanticCustomError as error:
                wrong[name] = Problem((keys[0],), error.message())
    return found, wrong
