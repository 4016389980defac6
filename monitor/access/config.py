"""Who may ask, as the configuration says: `auth` and `tls` in the file."""

import re
import ssl
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from monitor.access.pair import MINIMUM, Pair
from monitor.access.passwords import PasswordHash
from monitor.access.role import ROLES, Role
from monitor.config_errors import Problem, problem, problems_of, unexpected
from monitor.config_types import Model, Sources, Text, address
from monitor.notifiers.fields import SOME, Flag, choice
from monitor.notifiers.secrets import Secret, SecretEnv, SecretFile, given

LONGEST_NAME = 64
LEAST_TOKEN = 16  # characters; anything shorter can be guessed

Network = IPv4Network | IPv6Network


def _name(value: str) -> str:
    if not value.isprintable() or ":" in value or value != value.strip() or len(value) > LONGEST_NAME:
        raise unexpected(f"at most {LONGEST_NAME} printable characters without a colon", value)
    return value


def _header(value: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]+", value) or value.lower() == "authorization":
        raise unexpected("the name of a header such as X-Forwarded-User", value)
    return value


def _token(value: SecretStr) -> SecretStr:
    if not re.fullmatch(rf"[!-~]{{{LEAST_TOKEN},}}", value.get_secret_value()):
        raise problem(f"expected {LEAST_TOKEN} or more ASCII characters without a space (value not shown)")
    return value


def _password_hash(value: SecretStr) -> SecretStr:
    try:
        PasswordHash.parse(value.get_secret_value())
    except ValueError as error:
        told = "expected what `headroom config password-hash` prints"
        raise problem(f"{told}, found something {error} (value not shown)") from None
    return value


def _moment(value: Any) -> datetime:
    try:
        at = datetime.fromisoformat(value)
    except (ValueError, TypeError):
        at = None
    if at is None or (at.tzinfo is None and len(value) != len("2030-12-31")):
        raise unexpected("a day such as 2030-12-31, or a time such as 2030-12-31T12:00Z", value)
    return at if at.tzinfo else at.replace(tzinfo=UTC)


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
    return (info.context or Sources()).folder / value


def _version(value: Any) -> Any:
    """YAML takes it for a number."""
    return str(value) if isinstance(value, float) else value


Name = Annotated[Text, AfterValidator(_name)]
HeaderName = Annotated[Text, AfterValidator(_header)]
AnyRole = Annotated[Role, choice(*ROLES)]
Token = Annotated[Secret, AfterValidator(_token)]
HashSecret = Annotated[Secret, AfterValidator(_password_hash)]
Moment = Annotated[datetime, BeforeValidator(_moment), WithJsonSchema({"type": "string"})]
Networks = Annotated[
    tuple[Annotated[Network, BeforeValidator(_network), WithJsonSchema({"type": "string"})], ...], SOME
]
File = Annotated[Path, BeforeValidator(_file), WithJsonSchema({"type": "string"})]


class TokenConfig(Model):
    """A bearer token, for a program."""

    name: Name = Field(description="Whose it is: acknowledgements and mutes go by it.")
    role: AnyRole = Field(default=Role.READ, description="metrics (/metrics alone), read or operate.")
    token: Token | None = Field(default=None, description="The token.")
    token_env: Annotated[SecretEnv, AfterValidator(_token)] | None = Field(
        default=None, description="Environment variable that holds it."
    )
    token_file: Annotated[SecretFile, AfterValidator(_token)] | None = Field(
        default=None, description="File that holds it."
    )
    expires: Moment | None = Field(
        default=None, description="When it ends: as a day begins in UTC, or at a time."
    )

    @property
    def secret(self) -> SecretStr:
        """The token, wherever it was given. Raises a problem when it was given nowhere, or twice."""
        secret = given(self, "token")
        if secret is None:
            raise problem("expected token, token_env or token_file, found none")
        return secret

    @model_validator(mode="after")
    def _has_one_token(self) -> Self:
        _ = self.secret
        return self


class UserConfig(Model):
    """Somebody with a password, whose browser asks for it."""

    name: Name = Field(description="What is typed as user; acknowledgements and mutes go by it.")
    role: AnyRole = Field(default=Role.READ, description="metrics (/metrics alone), read or operate.")
    password: Secret | None = Field(default=None, description="The password.")
    password_env: SecretEnv | None = Field(default=None, description="Environment variable that holds it.")
    password_file: SecretFile | None = Field(default=None, description="File that holds it.")
    password_hash: HashSecret | None = Field(
        default=None, description="Instead of it, what `headroom config password-hash` makes of it."
    )

    @property
    def secret(self) -> SecretStr | PasswordHash:
        """The password or its hash. Raises a problem when there is none, or more than one."""
        secret, kept = given(self, "password"), self.password_hash
        if secret and kept:
            raise problem("expected a password or password_hash, found both")
        if secret is None and kept is None:
            raise problem("expected password_hash, password, password_env or password_file, found none")
        return secret or PasswordHash.parse(kept.get_secret_value() if kept else "")

    @model_validator(mode="after")
    def _has_one_password(self) -> Self:
        _ = self.secret
        return self


class ProxyConfig(Model):
    """A proxy in front that says by a header whom it let in. It must remove that header from what it gets."""

    header: HeaderName = Field(description="The header with the name, such as X-Forwarded-User.")
    sources: Networks = Field(
        alias="from",
        description="Addresses and networks that the proxy asks from; from others it is ignored.",
    )
    role: Annotated[Role, choice(Role.READ, Role.OPERATE)] = Field(
        default=Role.READ, description="The role of all that it lets in: read or operate."
    )
    role_header: HeaderName | None = Field(
        default=None, description="A header with another role, read or operate, for those that have one."
    )


class AuthConfig(Model):
    """Who may ask the server. Without it everybody may do everything, so it listens on loopback only."""

    tokens: tuple[TokenConfig, ...] = Field(
        default=(),
        description="Bearer tokens for programs: name; role; token, token_env or token_file; expires, a day.",
    )
    users: tuple[UserConfig, ...] = Field(
        default=(),
        description="People with a password: name; role; password_hash (of `headroom config password-hash`), "
        "password, password_env or password_file.",
    )
    proxy: ProxyConfig | None = Field(
        default=None,
        description="A proxy that says whom it let in: header, the addresses that it counts `from`, and the "
        "role, or a role_header.",
    )
    allow_anonymous: Flag = Field(default=False, description="Whether everybody is let in, unasked.")
    anonymous_role: Annotated[Role, choice(*ROLES)] = Field(
        default=Role.READ, description="The role of those who do not say who they are."
    )
    open_metrics: Flag = Field(
        default=False, description="Whether everybody may scrape /metrics; else it needs the role metrics."
    )

    @model_validator(mode="after")
    def _is_consistent(self) -> Self:
        problems = [
            *_repeated("tokens", "name", [one.name for one in self.tokens]),
            *_repeated("tokens", "token", [one.secret for one in self.tokens]),
            *_repeated("users", "name", [one.name for one in self.users]),
        ]
        if not (self.tokens or self.users or self.proxy or self.allow_anonymous):
            problems.append(Problem((), "expected tokens, users, proxy or allow_anonymous: true, found none"))
        if "anonymous_role" in self.model_fields_set and not self.allow_anonymous:
            problems.append(Problem(("anonymous_role",), "expected allow_anonymous: true beside it"))
        if problems:
            raise problems_of("auth", problems)
        return self


class TlsConfig(Model):
    """The certificate of the server, which then speaks https; once its files change, they are read anew."""

    certificate_file: File = Field(description="Its certificate and those of its issuers, PEM.")
    key_file: File = Field(description="Its key, PEM, without a passphrase.")
    minimum_version: Annotated[Literal["1.2", "1.3"], choice(*MINIMUM), BeforeValidator(_version)] = Field(
        default="1.2", description="The oldest TLS that is spoken: 1.2 or 1.3."
    )

    @property
    def pair(self) -> Pair:
        return Pair(self.certificate_file, self.key_file)

    def context(self) -> ssl.SSLContext:
        """What a server needs. Blocks. Raises ValueError, with the reason, when the files are of no use."""
        return self.pair.context(MINIMUM[self.minimum_version])

    @model_validator(mode="after")
    def _is_of_use(self) -> Self:
        try:
            self.context()
        except ValueError as error:
            raise problem(f"expected a certificate and its key: {error}") from None
        return self


def _repeated(what: str, key: str, values: Sequence[object]) -> Iterator[Problem]:
    first: dict[object, int] = {}
    for index, value in enumerate(values):
        if first.setdefault(value, index) != index:
            said = f"expected another {key} than in auth.{what}[{first[value]}], found the same"
            yield Problem((what, index, key), said)


def is_loopback(host: str) -> bool:
    """Whether nothing but this machine gets there."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


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


def exposed(listen: str, auth: AuthConfig | None) -> Iterator[Problem]:
    """An address that others get to needs a word on who they are, even if it is that anybody may come."""
    if auth is None and not is_loopback(address(listen)[0]):
        yield Problem(
            ("listen",),
            f"expected a loopback address such as 127.0.0.1:4070, as there is no `auth`, found {listen}: "
            "say by `auth` who may see and do what, or `auth: {allow_anonymous: true}` to have all see it",
        )
