"""Who is let in, by the configuration in force, and what they need for it."""

import time
from math import inf

from monitor.access import claims, proxy
from monitor.access.claims import Refused, Scope
from monitor.access.config import AuthConfig, is_loopback
from monitor.access.role import Role
from monitor.access.tokens import Tokens
from monitor.access.users import Users
from monitor.access.visitor import Visitor
from monitor.stream.firehose import PATH as FIREHOSE

MISDIRECTED = 421  # RFC 9110, 15.5.20
READING = ("GET", "HEAD")
METRICS = "/metrics"
OPEN = ("/-/healthy", "/-/ready", FIREHOSE)  # probes, and what has keys of its own
ASSETS = "/static/"  # what pages are made of: nothing that is watched
ALL = AuthConfig(allow_anonymous=True, anonymous_role=Role.OPERATE)
REASONS = ("missing", "malformed", "scheme", "token", "expired", "password", "busy", "proxy", "role", "host")


class Access:
    """The doors of the server. None: all are open."""

    def __init__(self, config: AuthConfig | None = None) -> None:
        self.configure(config)

    def configure(self, config: AuthConfig | None) -> None:
        """From now on; it counts for those too who were let in before (see `Visitor.admitted`)."""
        config = config or ALL
        self._config = config
        self._tokens, self._users = Tokens(config.tokens), Users(config.users)
        self._ways = [
            *(["a user and password"] if config.users else []),
            *(["a bearer token"] if config.tokens else []),
            *([f"a name in {config.proxy.header} from the proxy"] if config.proxy else []),
        ]
        role = config.anonymous_role
        self._anonymous = Visitor(role=role, by=role, may_log_in=bool(self._ways), holds=self._holds)

    @property
    def challenges(self) -> list[str]:
        """How one may say who one is, as WWW-Authenticate tells it (RFC 9110, 11.6.1)."""
        basic = ['Basic realm="Headroom", charset="UTF-8"'] if self._config.users else []
        return [*basic, 'Bearer realm="Headroom"']

    def needed(self, method: str, path: str) -> Role | None:
        """The role that a request needs; None when nobody is asked."""
        if path in OPEN or path.startswith(ASSETS) or (path == METRICS and self._config.open_metrics):
            return None
        if method not in READING:
            return Role.OPERATE
        return Role.METRICS if path == METRICS else Role.READ

    async def visitor(self, scope: Scope, needed: Role) -> Visitor:
        """Who sends a request that needs a role. Raises Refused."""
        if self._config is ALL:
            _meant_for_us(scope)
        visitor = self._proxied(scope) or await self._authorized(scope)
        if visitor is None and self._config.allow_anonymous:
            visitor = self._anonymous
        if visitor and visitor.role.covers(needed):
            return visitor
        if visitor is None or (visitor.name is None and visitor.may_log_in):
            raise self._unknown(scope)
        who = visitor.name or "everybody"
        raise Refused(403, "role", f"{who} has the role {visitor.role} here, and this needs {needed}")

    def _holds(self, entry: object) -> bool:
        """Whether the configuration in force still lets somebody in by it."""
        config = self._config
        anonymous = config.allow_anonymous and config.anonymous_role
        return entry in (*config.tokens, *config.users, config.proxy, anonymous)

    def _unknown(self, scope: Scope) -> Refused:
        config = self._config.proxy
        if config and claims.text(scope, config.header):
            peer = (scope["client"] or ("nowhere",))[0]
            return Refused(401, "proxy", f"{config.header} does not count from {peer}: see `auth.proxy.from`")
        return Refused(401, "missing", f"log in first: expected {' or '.join(self._ways)}")

    def _proxied(self, scope: Scope) -> Visitor | None:
        config = self._config.proxy
        found = proxy.said(config, scope) if config else None
        return Visitor(*found, by=config, holds=self._holds) if found else None

    async def _authorized(self, scope: Scope) -> Visitor | None:
        asked = self._config.tokens or self._config.users  # otherwise it is meant for somebody else
        given = claims.only(scope, "Authorization") if asked else None
        scheme, _, credentials = (given or b"").partition(b" ")
        match scheme.lower():
            case b"":
                return None
            case b"bearer":
                return self._bearer(credentials.strip())
            case b"basic":
                return await self._basic(*claims.pair(credentials.strip()))
        raise Refused(401, "scheme", f"expected {' or '.join(self._ways)}, found another kind of credentials")

    def _bearer(self, token: bytes) -> Visitor:
        found = self._tokens.find(token)
        if found is None:
            raise Refused(401, "token", "nobody has this token")
        until = found.expires.timestamp() if found.expires else inf
        if until <= time.time():
            raise Refused(401, "expired", f"the token of {found.name} has expired; ask for another one")
        return Visitor(found.name, found.role, found, until, holds=self._holds)

    async def _basic(self, name: bytes, password: bytes) -> Visitor:
        found = await self._users.find(name, password)
        if found is None:
            raise Refused(401, "password", "the user or the password is wrong")
        return Visitor(found.name, found.role, found, holds=self._holds)


def _meant_for_us(scope: Scope) -> None:
    """Where all may do everything, a page of another site must not get here by a name of its own.

    Such a page can have its name point to this machine (DNS rebinding): the browser takes us for its site.
    """
    host = claims.host(scope)
    if host and not is_loopback(host):
        said = f"without `auth` only localhost and 127.0.0.1 are answered, not {host}"
        raise Refused(MISDIRECTED, "host", said)
