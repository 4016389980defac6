"""The settings of push: the receivers of samples, `push` in the configuration file."""

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

from monitor.outbound.policy import OutboundPolicy
from monitor.schema.fields import Flag, ReceiverName, choice
from monitor.schema.problems import Problem, duplicate_values, problem, unexpected
from monitor.schema.secrets import (
    Secret,
    SecretEnv,
    SecretFile,
    SecretUrl,
    check_authorization,
    given_secret,
    hidden_texts,
)
from monitor.schema.types import ConfigModel, Duration, Text

RESERVED_HEADERS = {"content-type", "content-encoding", "content-length", "host", "user-agent"}


def _check_header_name(value: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", value) or value.lower() in RESERVED_HEADERS:
        raise unexpected("the name of a header that the protocol does not set itself", value)
    return value


def _check_version(value: Any) -> Any:
    if value not in (1, 2) or isinstance(value, bool):
        raise unexpected("1 or 2", value)
    return value


class Header(ConfigModel):
    """An additional header of every request, such as the name of a tenant, or a key."""

    name: Annotated[Text, AfterValidator(_check_header_name)] = Field(description="Name of the header.")
    value: Secret | None = Field(default=None, description="Value of the header.")
    value_env: SecretEnv | None = Field(default=None, description="Environment variable with the value.")
    value_file: SecretFile | None = Field(default=None, description="File with the value.")

    @property
    def pair(self) -> tuple[str, SecretStr]:
        """The name and the value. Raises PydanticCustomError when there is no value, or more than one."""
        value = given_secret(self, "value")
        if value is None:
            raise problem("expected value, value_env or value_file, found none")
        return self.name, value

    @model_validator(mode="after")
    def _check_value(self) -> Self:
        _ = self.pair
        return self


def _values_by_lower_name(headers: Sequence[Header]) -> Mapping[str, SecretStr]:
    """Return the values of headers by lower-case name. Raises PydanticCustomError for a repeated name."""
    values: dict[str, SecretStr] = {}
    for name, value in (header.pair for header in headers):
        if name.lower() in values:
            raise problem(f"expected each header once, found {name} again")
        values[name.lower()] = value
    return values


class PushConfig(ConfigModel):
    """A receiver of samples: a time series database that supports remote write or OTLP."""

    name: ReceiverName = Field(
        description="A unique name, which identifies the receiver's queue and metrics."
    )
    type: Annotated[Literal["remote_write", "otlp"], choice("remote_write", "otlp")] = Field(
        default="remote_write", description="The protocol: Prometheus' remote write, or OTLP over HTTP."
    )
    url: SecretUrl = Field(
        description="URL to send samples to: .../api/v1/write of Prometheus, .../api/v1/push of Mimir, and "
        "so on."
    )
    version: Annotated[Literal[1, 2], BeforeValidator(_check_version)] = Field(
        default=1,
        description="Version of remote write: 1 (1.0), or 2 (2.0) for receivers known to support it.",
    )
    out_of_order: Flag = Field(
        default=False,
        description="Send samples that CloudWatch published late or revised, too. "
        "The receiver must accept samples that are out of order by up to an hour.",
    )
    headers: tuple[Header, ...] = Field(
        default=(),
        description="Additional headers of each request.",
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
        default=256,
        description="Maximum size of the queue on disk; beyond it the oldest samples are dropped.",
    )
    allow_insecure: Flag = Field(default=False, description="Allow an http:// URL.")
    allow_private: Flag = Field(default=False, description="Allow a private, loopback or link-local address.")
    timeout: Duration = Field(
        default=30, ge=1, le=120, description="How long a request may take; 1 s to 2 m."
    )

    @property
    def protocol(self) -> str:
        """The key of the receiver's encoding in `monitor.push.encodings.ENCODINGS`."""
        return "otlp" if self.type == "otlp" else f"remote_write {self.version}"

    @property
    def policy(self) -> OutboundPolicy:
        """The policy of the HTTP client for this receiver, with the secrets that it must not log."""
        values = [self.url, *self._secrets(), *(header.pair[1] for header in self.headers)]
        secrets = frozenset(text for value in values for text in hidden_texts(value))
        return OutboundPolicy(self.allow_insecure, self.allow_private, self.timeout, secrets)

    @property
    def extra_headers(self) -> Mapping[str, str]:
        """The configured headers, and the Authorization header made of the token, or of user and password."""
        pairs = dict(header.pair for header in self.headers)
        headers = {name: value.get_secret_value() for name, value in pairs.items()}
        token, password = self._secrets()
        if token:
            headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        if password:
            user_and_password = f"{self.username}:{password.get_secret_value()}".encode()
            headers["Authorization"] = f"Basic {b64encode(user_and_password).decode()}"
        return headers

    def _secrets(self) -> tuple[SecretStr | None, SecretStr | None]:
        return given_secret(self, "bearer_token"), given_secret(self, "password")

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        token, password = self._secrets()
        if bool(self.username) != bool(password):
            raise problem("expected username and password together, found one of them")
        candidates = token, password, _values_by_lower_name(self.headers).get("authorization")
        authorizations = [*filter(None, candidates)]
        if len(authorizations) > 1:
            raise problem("expected one of bearer_token, password and a header Authorization, found several")
        check_authorization((self.url,), *authorizations)
        if self.type == "otlp" and "version" in self.model_fields_set:
            raise problem("expected version only with type remote_write")
        if not self.allow_insecure and self.url.get_secret_value().lower().startswith("http://"):
            raise problem("expected https://, or allow_insecure: true beside http://")
        return self


def duplicate_names(push: Sequence[PushConfig]) -> Iterator[Problem]:
    """Yield a problem for each receiver whose name an earlier one has, as a name identifies a queue."""
    return duplicate_values(("push",), "name", [receiver.name for receiver in push])
