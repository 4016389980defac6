"""The settings and the interface that all receivers share."""

from abc import abstractmethod
from collections.abc import Sequence
from types import UnionType
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self, Union, get_args, get_origin

from msgspec.structs import replace
from pydantic import (
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    SecretStr,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from monitor.notifiers.notice import Notification
from monitor.outbound.policy import OutboundPolicy
from monitor.outbound.result import DeliveryResult, delivered_result
from monitor.schema.fields import Flag, ReceiverName
from monitor.schema.problems import Problem, problem, problems_from_pydantic, to_validation_error
from monitor.schema.secrets import READER_BY_SUFFIX, hidden_texts, secret_values
from monitor.schema.types import ConfigContext, ConfigModel, Duration

if TYPE_CHECKING:
    from monitor.outbound.client import OutboundClient


def _is_secret(annotation: Any) -> bool:
    if get_origin(annotation) in (Annotated, Union, UnionType):
        return any(map(_is_secret, get_args(annotation)))
    return annotation is SecretStr


def _add_secret_keys(schema: dict[str, Any], model: type["BaseReceiver"]) -> None:
    """Add to a JSON schema the keys `<field>_env` and `<field>_file`, which can replace a secret."""
    for name in model.secret_fields():
        for suffix in READER_BY_SUFFIX:
            schema["properties"][name + suffix] = {"type": "string"}
        if name in schema.get("required", ()):
            schema["required"].remove(name)


class BaseReceiver(ConfigModel):
    """The base of all receivers. A secret can also be given as `<field>_env` or `<field>_file`.

    per_alert: true if the receiver handles each alert by itself, so that a notification must list all alerts.
    keepalive: seconds after which the receiver forgets a firing alert that is not sent again; None: never.
    """

    model_config = ConfigDict(json_schema_extra=_add_secret_keys)
    per_alert: ClassVar[bool] = False
    keepalive: ClassVar[float | None] = None

    name: ReceiverName = Field(description="The name that routes refer to.")
    send_resolved: Flag = Field(
        default=True, description="Send a notification when an alert is resolved, too."
    )
    allow_insecure: Flag = Field(default=False, description="Allow an unencrypted address.")
    allow_private: Flag = Field(default=False, description="Allow a private, loopback or link-local address.")
    timeout: Duration = Field(
        default=10, ge=1, le=60, description="How long an attempt may take; 1 s to 1 m."
    )

    @classmethod
    def secret_fields(cls) -> list[str]:
        """Return the names of the fields that hold a secret."""
        return [name for name, field in cls.model_fields.items() if _is_secret(field.annotation)]

    @property
    def policy(self) -> OutboundPolicy:
        """The rules for connections to this receiver."""
        values = (getattr(self, name) for name in type(self).model_fields)
        secrets = frozenset(text for value in values for text in hidden_texts(value))
        return OutboundPolicy(self.allow_insecure, self.allow_private, self.timeout, secrets)

    @property
    def _texts(self) -> list[str]:
        """All configured texts except the name, including secrets."""
        values = [getattr(self, name) for name in type(self).model_fields if name != "name"]
        texts = [value for value in values if isinstance(value, str)]
        return texts + [secret for value in values for secret in secret_values(value)]

    async def addresses(self, client: "OutboundClient") -> Sequence[str]:
        """Return the URLs of the servers that the receiver connects to; none if only an attempt can tell."""
        return [text for text in self._texts if text.lower().startswith(("http://", "https://"))]

    async def send(self, notification: Notification, client: "OutboundClient") -> DeliveryResult:
        """Make one attempt to deliver a notification. A failure of the receiver is returned, not raised."""
        notices = tuple(notice for notice in notification.notices if notice.firing or self.send_resolved)
        if not notices:
            return delivered_result("nothing to send: only resolved alerts, and send_resolved is false")
        return await self.attempt(replace(notification, notices=notices), client)

    @abstractmethod
    async def attempt(self, notification: Notification, client: "OutboundClient") -> DeliveryResult:
        """Make one attempt to deliver a notification, which contains at least one notice."""

    @model_validator(mode="after")
    def _check_encryption(self) -> Self:
        if not self.allow_insecure and any(text.lower().startswith("http://") for text in self._texts):
            raise problem("expected https://, or allow_insecure: true beside http://")
        return self

    @model_validator(mode="wrap")
    @classmethod
    def _read_secrets(cls, data: Any, handler: ModelWrapValidatorHandler[Self], info: ValidationInfo) -> Self:
        if not isinstance(data, dict):
            return handler(data)
        resolved_data, problem_by_field = _resolve_secrets(cls, data, info.context or ConfigContext())
        problems = list(problem_by_field.values())
        reported_places = {(name,) for name in problem_by_field}
        try:
            receiver = handler(resolved_data)
        except ValidationError as error:
            problems += (
                field_problem
                for field_problem in problems_from_pydantic(error, cls)
                if field_problem.where[:1] not in reported_places
            )
        if problems:
            raise to_validation_error(cls.__name__, problems)
        return receiver


def _resolve_secrets(
    model: type[BaseReceiver], data: dict[str, Any], sources: ConfigContext
) -> tuple[dict[str, Any], dict[str, Problem]]:
    """Return the data with each secret under its field's name, and the problems by field."""
    resolved_data, problem_by_field = dict(data), {}
    for name in model.secret_fields():
        keys = [
            key
            for key in (name, *(name + suffix for suffix in READER_BY_SUFFIX))
            if data.get(key) is not None
        ]
        for suffix in READER_BY_SUFFIX:
            resolved_data.pop(name + suffix, None)
        if len(keys) > 1:
            problem_by_field[name] = Problem((), f"expected one {name}, found {' and '.join(keys)}")
        elif not keys and model.model_fields[name].is_required():
            other_keys = " or ".join(name + suffix for suffix in READER_BY_SUFFIX)
            problem_by_field[name] = Problem((), f"expected {name}, {other_keys}, found none")
        elif keys and keys[0] != name:
            try:
                resolved_data[name] = READER_BY_SUFFIX[keys[0].removeprefix(name)](data[keys[0]], sources)
            except PydanticCustomError as error:
                problem_by_field[name] = Problem((keys[0],), error.message())
    return resolved_data, problem_by_field
