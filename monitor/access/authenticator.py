"""Authenticates requests by the current `auth` settings."""

import time
from collections.abc import Callable, Collection
from math import inf

from monitor.access.bearer_tokens import BearerTokens
from monitor.access.credentials import (
    AccessDeniedError,
    AsgiScope,
    basic_credentials,
    header_text,
    request_host,
    single_header,
)
from monitor.access.principal import Principal
from monitor.access.proxy import forwarded_scheme, proxied_user
from monitor.access.roles import Role
from monitor.access.settings import AuthConfig
from monitor.access.users import Users
from monitor.lib.loopback import is_loopback

MISDIRECTED_REQUEST = 421  # RFC 9110, 15.5.20
SAFE_METHODS = ("GET", "HEAD")
METRICS_PATH = "/metrics"
PROBES = ("/-/healthy", "/-/ready")
ASSETS_PREFIX = "/static/"  # style sheets, scripts and icons, which contain no data
ALLOW_ALL = AuthConfig(allow_anonymous=True, anonymous_role=Role.OPERATE)


class Authenticator:
    """Authenticates the sender of a request and checks their role.

    config: None allows all requests. exempt_paths: paths served without authentication, like the probes.
    now: returns epoch seconds.
    """

    def __init__(
        self,
        config: AuthConfig | None = None,
        exempt_paths: Collection[str] = (),
        now: Callable[[], float] = time.time,
    ) -> None:
        self._exempt_paths, self._now = frozenset((*PROBES, *exempt_paths)), now
        self.configure(config)

    def configure(self, config: AuthConfig | None) -> None:
        """Replace the settings. Earlier principals may become invalid: see `Principal.is_valid`."""
        config = config or ALLOW_ALL
        self._config = config
        self._tokens, self._users = BearerTokens(config.tokens), Users(config.users)
        self._login_methods = " or ".join(
            [
                *(["a user and password"] if config.users else []),
                *(["a bearer token"] if config.tokens else []),
                *([f"a name in {config.proxy.header} from the proxy"] if config.proxy else []),
            ]
        )
        role = config.anonymous_role
        self._anonymous = Principal(
            role=role, granted_by=role, can_log_in=bool(self._login_methods), is_still_granted=self._is_valid
        )

    @property
    def challenges(self) -> list[str]:
        """The values of WWW-Authenticate: the accepted authentication schemes (RFC 9110, 11.6.1)."""
        basic = ['Basic realm="Headroom", charset="UTF-8"'] if self._config.users else []
        return [*basic, 'Bearer realm="Headroom"']

    def scheme(self, scope: AsgiScope) -> str:
        """Return the scheme of the client's request: https also where a trusted proxy terminates TLS."""
        proxy = self._config.proxy
        return (forwarded_scheme(proxy, scope) if proxy else None) or str(scope["scheme"])

    def required_role(self, method: str, path: str) -> Role | None:
        """Return the role that a request needs; None if the request needs no authentication."""
        if path in self._exempt_paths or path.startswith(ASSETS_PREFIX):
            return None
        if path == METRICS_PATH and self._config.open_metrics:
            return None
        if method not in SAFE_METHODS:
            return Role.OPERATE
        return Role.METRICS if path == METRICS_PATH else Role.READ

    async def authenticate(self, scope: AsgiScope, required: Role) -> Principal:
        """Return the sender of a request. Raises AccessDeniedError if they are unknown or lack the role."""
        if self._config is ALLOW_ALL:
            _check_host(scope)
        principal = self._principal_by_proxy(scope) or await self._principal_by_authorization(scope)
        if principal is None and self._config.allow_anonymous:
            principal = self._anonymous
        if principal and principal.role.covers(required):
            return principal
        if principal is None or (principal.name is None and principal.can_log_in):
            raise self._login_error(scope)
        name = principal.name or "anonymous"
        raise AccessDeniedError(403, "role", f"{name} has the role {principal.role}, this needs {required}")

    def _is_valid(self, principal: Principal) -> bool:
        """Return whether a principal has not expired, and the settings still contain its entry."""
        config = self._config
        anonymous_role = config.allow_anonymous and config.anonymous_role
        entries = (*config.tokens, *config.users, config.proxy, anonymous_role)
        return self._now() < principal.expires_at and principal.granted_by in entries

    def _login_error(self, scope: AsgiScope) -> AccessDeniedError:
        proxy = self._config.proxy
        if proxy and header_text(scope, proxy.header):
            peer = (scope["client"] or ("an unknown address",))[0]
            sentence = f"{proxy.header} is not trusted from {peer}: see `auth.proxy.from`"
            return AccessDeniedError(401, "proxy", sentence)
        return AccessDeniedError(401, "missing", f"log in first: expected {self._login_methods}")

    def _principal_by_proxy(self, scope: AsgiScope) -> Principal | None:
        proxy = self._config.proxy
        user = proxied_user(proxy, scope) if proxy else None
        return Principal(*user, granted_by=proxy, is_still_granted=self._is_valid) if user else None

    async def _principal_by_authorization(self, scope: AsgiScope) -> Principal | None:
        if not (self._config.tokens or self._config.users):
            return None  # the header is for another server, such as a proxy in front
        scheme, _, credentials = (single_header(scope, "Authorization") or b"").partition(b" ")
        match scheme.lower():
            case b"":
                return None
            case b"bearer":
                return self._principal_by_token(credentials.strip())
            case b"basic":
                return await self._principal_by_password(scope, *basic_credentials(credentials.strip()))
        sentence = f"expected {self._login_methods}, found another kind of credentials"
        raise AccessDeniedError(401, "scheme", sentence)

    def _principal_by_token(self, token: bytes) -> Principal:
        entry = self._tokens.find(token)
        if entry is None:
            raise AccessDeniedError(401, "token", "this token is unknown")
        expires_at = entry.expires.timestamp() if entry.expires else inf
        if expires_at <= self._now():
            raise AccessDeniedError(401, "expired", f"the token of {entry.name} has expired")
        return Principal(entry.name, entry.role, entry, expires_at, is_still_granted=self._is_valid)

    async def _principal_by_password(self, scope: AsgiScope, name: bytes, password: bytes) -> Principal:
        entry = await self._users.find(name, password, (scope["client"] or ("",))[0])
        if entry is None:
            raise AccessDeniedError(401, "password", "the user or the password is wrong")
        return Principal(entry.name, entry.role, entry, is_still_granted=self._is_valid)


def _check_host(scope: AsgiScope) -> None:
    """Raise AccessDeniedError if a server without `auth` is addressed by a name other than a loopback name.

    The name of another site may resolve to this machine (DNS rebinding). A browser then takes this server for
    that site, and lets a page of that site send it any request.
    """
    host = request_host(scope)
    if host and not is_loopback(host):
        sentence = f"without `auth` only localhost and 127.0.0.1 are served, not {host}"
        raise AccessDeniedError(MISDIRECTED_REQUEST, "host", sentence)
