"""The settings of access control: `auth` and `tls` in the configuration."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from monitor.access.key_pair import TLS_VERSIONS, KeyPair
from monitor.access.passwords import PasswordHash
from monitor.access.roles import ROLES, Role
from monitor.lib.loopback import is_loopback
from monitor.schema.fields import NON_EMPTY, Flag, choice
from monitor.schema.problems import Problem, duplicate_values, problem, to_validation_error, unexpected
from monitor.schema.secrets import Secret, SecretEnv, SecretFile, given_secret
from monitor.schema.types import ConfigContext, ConfigModel, Text, parse_address

if TYPE_CHECKING:
    import ssl

MAX_NAME_LENGTH = 64
MIN_TOKEN_LENGTH = 16  # characters; anything shorter can be guessed

Network = IPv4Network | IPv6Network


def _name(value: str) -> str:
    if not value.isprintable() or ":" in value or value != value.strip() or len(value) > MAX_NAME_LENGTH:
        raise unexpected(f"at most {MAX_NAME_LENGTH} printable characters without a colon", value)
    return value


def _header(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", value) or value.lower() == "authorization":
        raise unexpected("the name of a header such as X-Forwarded-User", value)
    return value


def _token(value: SecretStr) -> SecretStr:
    if not re.fullmatch(rf"[!-~]{{{MIN_TOKEN_LENGTH},}}", value.get_secret_value()):
        raise problem(
            f"expected {MIN_TOKEN_LENGTH} or more ASCII characters without a space (value not shown)"
        )
    return value


def _password_hash(value: SecretStr) -> SecretStr:
    try:
        PasswordHash.parse(value.get_secret_value())
    except ValueError as error:
        expected = "expected the output of `headroom config password-hash`"
        raise problem(f"{expected}, found something {error} (value not shown)") from None
    return value


def _expiry(value: Any) -> datetime:
    try:
        expiry = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        expiry = None
    if expiry is None or (expiry.tzinfo is None and len(value) != len("2030-12-31")):
        raise unexpected("a day such as 2030-12-31, or a time such as 2030-12-31T12:00Z", value)
    return expiry if expiry.tzinfo else expiry.replace(tzinfo=UTC)


def _network(value: Any) -> Network:
    try:
        if not isinstance(value, str):
            raise ValueError
        return ip_network(value)
    except ValueError:
        raise unexpected("an address or a network such as 10.0.0.0/8", value) from None


def _file(value: Any, info: ValidationInfo) -> Path:
    if not isinstance(value, str) or "\0" in value:
        raise unexpected("the name of a file", value)
    return (info.context or ConfigContext()).folder / value


def _version(value: Any) -> Any:
    """Convert a version to text: YAML reads 1.2 as a number."""
    return str(value) if isinstance(value, float) else value


PrincipalName = Annotated[Text, AfterValidator(_name)]
HeaderName = Annotated[Text, AfterValidator(_header)]
AnyRole = Annotated[Role, choice(*ROLES)]
Token = Annotated[Secret, AfterValidator(_token)]
HashSecret = Annotated[Secret, AfterValidator(_password_hash)]
Expiry = Annotated[datetime, BeforeValidator(_expiry), WithJsonSchema({"type": "string"})]
Networks = Annotated[
    tuple[Annotated[Network, BeforeValidator(_network), WithJsonSchema({"type": "string"})], ...], NON_EMPTY
]
File = Annotated[Path, BeforeValidator(_file), WithJsonSchema({"type": "string"})]


class TokenConfig(ConfigModel):
    """A bearer token of a program."""

    name: PrincipalName = Field(
        description="Owner of the token; recorded as the author of acknowledgements and silences."
    )
    role: AnyRole = Field(default=Role.READ, description="metrics (only /metrics), read or operate.")
    token: Token | None = Field(default=None, description="The token.")
    token_env: Annotated[SecretEnv, AfterValidator(_token)] | None = Field(
        default=None, description="Environment variable with the token."
    )
    token_file: Annotated[SecretFile, AfterValidator(_token)] | None = Field(
        default=None, description="File with the token."
    )
    expires: Expiry | None = Field(
        default=None, description="When the token expires: a time, or the start of a day in UTC."
    )

    @property
    def secret(self) -> SecretStr:
        """The token from one of the three keys. Raises PydanticCustomError when none or several are set."""
        secret = given_secret(self, "token")
        if secret is None:
            raise problem("expected token, token_env or token_file, found none")
        return secret

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        _ = self.secret
        return self


class UserConfig(ConfigModel):
    """A person with a password (HTTP basic authentication)."""

    name: PrincipalName = Field(
        description="User name; recorded as the author of acknowledgements and silences."
    )
    role: AnyRole = Field(default=Role.READ, description="metrics (only /metrics), read or operate.")
    password: Secret | None = Field(default=None, description="The password.")
    password_env: SecretEnv | None = Field(
        default=None, description="Environment variable with the password."
    )
    password_file: SecretFile | None = Field(default=None, description="File with the password.")
    password_hash: HashSecret | None = Field(
        default=None,
        description="Hash of the password by `headroom config password-hash`, instead of the password.",
    )

    @property
    def secret(self) -> SecretStr | PasswordHash:
        """The password or its hash. Raises PydanticCustomError when none or several are set."""
        secret, password_hash = given_secret(self, "password"), self.password_hash
        if secret and password_hash:
            raise problem("expected a password or password_hash, found both")
        if secret is None and password_hash is None:
            raise problem("expected password_hash, password, password_env or password_file, found none")
        return secret or PasswordHash.parse(password_hash.get_secret_value() if password_hash else "")

    @model_validator(mode="after")
    def _has_one_password(self) -> Self:
        _ = self.secret
        return self


class ProxyConfig(ConfigModel):
    """A reverse proxy that sends the user in a header, and removes it from requests of clients."""

    header: HeaderName = Field(description="Header with the user name, such as X-Forwarded-User.")
    sources: Networks = Field(
        alias="from",
        description="Addresses and networks of the proxy; the header is ignored in requests from others.",
    )
    role: Annotated[Role, choice(Role.READ, Role.OPERATE)] = Field(
        default=Role.READ, description="Role of the users that the proxy authenticates: read or operate."
    )
    role_header: HeaderName | None = Field(
        default=None,
        description="Header with the role of the user, read or operate; users without the header have "
        "`role`.",
    )


class AuthConfig(ConfigModel):
    """Authentication. Without this block every client may operate, so the server must listen on loopback."""

    tokens: tuple[TokenConfig, ...] = Field(
        default=(),
        description="Bearer tokens of programs; each needs token, token_env or token_file.",
    )
    users: tuple[UserConfig, ...] = Field(
        default=(),
        description="People with a password; each needs password_hash, password, password_env or "
        "password_file.",
    )
    proxy: ProxyConfig | None = Field(
        default=None,
        description="A reverse proxy that authenticates users.",
    )
    allow_anonymous: Flag = Field(default=False, description="Allow clients without credentials.")
    anonymous_role: Annotated[Role, choice(*ROLES)] = Field(
        default=Role.READ, description="Role of clients without credentials."
    )
    open_metrics: Flag = Field(
        default=False,
        description="Exempt /metrics from authentication; otherwise it needs the role metrics.",
    )

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        problems = [
            *duplicate_values(("tokens",), "name", [token.name for token in self.tokens], ("auth",)),
            *duplicate_values(("tokens",), "token", [token.secret for token in self.tokens], ("auth",)),
            *duplicate_values(("users",), "name", [user.name for user in self.users], ("auth",)),
        ]
        if not (self.tokens or self.users or self.proxy or self.allow_anonymous):
            problems.append(Problem((), "expected tokens, users, proxy or allow_anonymous: true, found none"))
        if "anonymous_role" in self.model_fields_set and not self.allow_anonymous:
            problems.append(Problem(("anonymous_role",), "expected allow_anonymous: true beside it"))
        if problems:
            raise to_validation_error("auth", problems)
        return self


class TlsConfig(ConfigModel):
    """The certificate that the server uses for https; it is reloaded when its files change."""

    certificate_file: File = Field(
        description="Certificate in PEM, followed by the certificates of its issuers."
    )
    key_file: File = Field(description="Private key in PEM, without a passphrase.")
    minimum_version: Annotated[Literal["1.2", "1.3"], choice(*TLS_VERSIONS), BeforeValidator(_version)] = (
        Field(default="1.2", description="The oldest version of TLS that is accepted: 1.2 or 1.3.")
    )

    @property
    def pair(self) -> KeyPair:
        """The files of the certificate and the key."""
        return KeyPair(self.certificate_file, self.key_file)

    def context(self) -> "ssl.SSLContext":
        """Return the SSL context of a server. It blocks. Raises ValueError with the reason."""
        return self.pair.context(self.minimum_version)

    @model_validator(mode="after")
    def _is_usable(self) -> Self:
        try:
            self.context()
        except ValueError as error:
            raise problem(f"expected a certificate and its key: {error}") from None
        return self


@dataclass(frozen=True, slots=True)
class AccessSettings:
    """The settings of access control. listen: host:port. tls: None for plain HTTP."""

    listen: str
    auth: AuthConfig | None = None
    tls: TlsConfig | None = None


EXAMPLE_AUTH = {
    "tokens": [
        {"name": "prometheus", "role": "metrics", "token_file": "prometheus-token"},
        {"name": "deploy", "role": "operate", "token_env": "HEADROOM_TOKEN", "expires": "2030-12-31"},
    ],
    "users": [
        {
            "name": "ada",
            "role": "operate",
            "password_hash": "$scrypt$ln=14,r=8,p=5$n+Uc9hbjOf9NGj1StxLUGw$"
            "B8RE634NAs80LMWiP8lkvhpSTtsps+mtkyDXRqTctZM",
        }
    ],
    "proxy": {"header": "X-Forwarded-User", "from": ["10.0.0.5", "192.0.2.0/24"], "role": "read"},
}
EXAMPLE_TLS = {"certificate_file": "tls.crt", "key_file": "tls.key", "minimum_version": "1.2"}


def exposure_problems(listen: str, auth: AuthConfig | None) -> Iterator[Problem]:
    """Yield a problem when other machines can reach the address and `auth` is missing."""
    if auth is None and not is_loopback(parse_address(listen)[0]):
        yield Problem(
            ("listen",),
            f"expected a loopback address such as 127.0.0.1:4070 without `auth`, found {listen}: "
            "configure `auth`, or set `auth: {allow_anonymous: true}` to let everybody read",
        )
