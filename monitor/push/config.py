"""Where samples are pushed to, as the configuration says."""

import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    model_validator,
)

from monitor.config_errors import Problem, problem, unexpected
from monitor.config_types import Duration, Model, Text
from monitor.notifiers.fields import Flag, choice
from monitor.notifiers.secrets import Secret, SecretEnv, SecretFile, SecretUrl, given, hidden_in
from monitor.outbound import Policy

LONGEST_NAME = 64
OURS = {"content-type", "content-encoding", "content-length", "host", "user-agent"}  # headers


def _name(value: str) -> str:
    if not value.isprintable() or len(value) > LONGEST_NAME:
        raise unexpected(f"at most {LONGEST_NAME} printable characters", value)
    return value


def _header(value: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", value) or value.lower() in OURS:
        raise unexpected("the name of a header that is not the protocol's own", value)
    return value


def _version(value: Any) -> Any:
    if value not in (1, 2) or isinstance(value, bool):
        raise unexpected("1 or 2", value)
    return value


class Header(Model):
    """A header of every request, such as a tenant's name or a key."""

    name: Annotated[Text, AfterValidator(_header)] = Field(description="Its name.")
    value: Secret | None = Field(default=None, description="Its value.")
    value_env: SecretEnv | None = Field(default=None, description="Environment variable that holds it.")
    value_file: SecretFile | None = Field(default=None, description="File that holds it.")

    @property
    def pair(self) -> tuple[str, SecretStr]:
        """Its name and value. Raises a problem when no value was given, or more than one."""
        value = given(self, "value")
        if value is None:
            raise problem("expected value, value_env or value_file, found none")
        return self.name, value

    @model_validator(mode="after")
    def _has_one_value(self) -> Self:
        _ = self.pair
        return self


class PushConfig(Model):
    """A receiver of samples: a time series database that speaks remote write, or OpenTelemetry's protocol."""

    name: Annotated[Text, AfterValidator(_name)] = Field(
        description="A name of its own: what is queued, and counted, goes by it."
    )
    type: Annotated[Literal["remote_write", "otlp"], choice("remote_write", "otlp")] = Field(
        default="remote_write", description="The protocol: Prometheus' remote write, or OTLP over HTTP."
    )
    url: SecretUrl = Field(
        description="Where to send: .../api/v1/write of Prometheus, .../api/v1/push of Mimir, and so on."
    )
    version: Annotated[Literal[1, 2], BeforeValidator(_version)] = Field(
        default=1, description="Of remote write: 1 (1.0), or 2 (2.0) for receivers that are known to take it."
    )
    out_of_order: Flag = Field(
        default=False,
        description="Whether minutes that CloudWatch told late or revised are sent (again). "
        "The receiver must accept samples that are out of order by up to an hour.",
    )
    headers: tuple[Header, ...] = Field(
        default=(),
        description="Further headers of each request.",
        examples=[[{"name": "X-Scope-OrgID", "value": "platform"}]],
    )
    bearer_token: Secret | None = Field(default=None, description="Token for the Authorization header.")
    bearer_token_env: SecretEnv | None = Field(
        default=None, description="Environment variable that holds the token."
    )
    bearer_token_file: SecretFile | None = Field(default=None, description="File that holds the token.")
    username: Text | None = Field(default=None, description="User of basic authentication.")
    password: Secret | None = Field(default=None, description="Password of basic authentication.")
    password_env: SecretEnv | None = Field(
        default=None, description="Environment variable that holds the password."
    )
    password_file: SecretFile | None = Field(default=None, description="File that holds the password.")
    queue_megabytes: Annotated[int, Field(strict=True, ge=1, le=100_000)] = Field(
        default=256, description="What may wait on disk while the receiver is away; the oldest is dropped."
    )
    allow_insecure: Flag = Field(default=False, description="Whether its address may be unencrypted.")
    allow_private: Flag = Field(
        default=False, description="Whether its address may be private, loopback or link-local."
    )
    timeout: Duration = Field(
        default=30, ge=1, le=120, description="How long a request may take; 1 s to 2 m."
    )

    @property
    def protocol(self) -> str:
        """The name of the encoding (see `monitor.push.encodings`)."""
        return "otlp" if self.type == "otlp" else f"remote_write {self.version}"

    @property
    def policy(self) -> Policy:
        values = [self.url, *self._secrets(), *(one.pair[1] for one in self.headers)]
        hidden = frozenset(text for value in values for text in hidden_in(value))
        return Policy(self.allow_insecure, self.allow_private, self.timeout, hidden)

    @property
    def own_headers(self) -> Mapping[str, str]:
        """The headers that the configuration asks for."""
        pairs = dict(one.pair for one in self.headers)
        headers = {name: value.get_secret_value() for name, value in pairs.items()}
        token, password = self._secrets()
        if token:
            headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        if password:
            user = f"{self.username}:{password.get_secret_value()}".encode()
            headers["Authorization"] = f"Basic {b64encode(user).decode()}"
        return headers

    def _secrets(self) -> tuple[SecretStr | None, SecretStr | None]:
        return given(self, "bearer_token"), given(self, "password")

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        token, password = self._secrets()
        if bool(self.username) != bool(password):
            raise problem("expected username and password together, found one of them")
        if token and password:
            raise problem("expected a bearer token or a password, found both")
        if self.type == "otlp" and "version" in self.model_fields_set:
            raise problem("expected version with type remote_write only")
        if not self.allow_insecure and self.url.get_secret_value().lower().startswith("http://"):
            raise problem("expected https://, or allow_insecure: true beside http://")
        return self


def repeated(push: Sequence[PushConfig]) -> Iterator[Problem]:
    """What is queued goes by the name, so each has its own."""
    first: dict[str, int] = {}
    for index, one in enumerate(push):
        if first.setdefault(one.name, index) != index:
            said = f"expected another name than in push[{first[one.name]}], found the same"
            yield Problem(("push", index, "name"), said)
