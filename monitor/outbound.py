"""The one way out: every notifier talks to the world through this client, and under its rules.

Redirections are not followed, cookies not kept, certificates verified (SSL_CERT_FILE and SSL_CERT_DIR name
other authorities), answers read up to 64 KiB. Proxies that the environment names are not used: a proxy
resolves names itself, so which address is reached could no longer be checked.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from socket import AF_INET, AF_INET6, AF_UNSPEC, IPPROTO_TCP, SOCK_STREAM, gaierror, socket
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from aiobotocore.session import AioSession
from aiohappyeyeballs import start_connection
from aiohttp.abc import AbstractResolver

from monitor.aws import CLIENT_CONFIG
from monitor.notifiers.addresses import PrivateAddressError, any_socket, public_socket
from monitor.notifiers.answer import Answer, excerpt, of_status, refused, retry, seconds_to_wait
from monitor.notifiers.names import Resolver
from monitor.telemetry import VERSION

LARGEST = 64 * 1024  # bytes read of an answer
CONNECT_TIMEOUT = 5.0  # seconds
IDLE = 4.0  # seconds a connection is kept for the next request; many servers close theirs after five
SIDE_BY_SIDE = 8  # connections to one host
NEXT_ADDRESS = 0.25  # seconds before a name's next address is tried beside the first (RFC 8305)
HEADERS = {
    "User-Agent": f"headroom/{VERSION}",
    "Accept-Encoding": "identity",  # a compressed answer could be any size
    "Content-Type": "application/json",
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What one receiver may do. timeout: seconds for a whole attempt.

    secrets: texts that no answer may repeat.
    """

    allow_insecure: bool = False
    allow_private: bool = False
    timeout: float = 10.0
    secrets: frozenset[str] = field(default=frozenset(), repr=False)


def redacted(url: str) -> str:
    """A URL as it may be shown: scheme, host and port; what else it holds may be secret."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return "the address"


@dataclass(eq=False)
class Outbound:
    """A client for HTTP, SMTP's connections and AWS. Made in a running loop; on exit closes what it opened.

    tls: which certificates are accepted. resolver: who knows the addresses of names.
    endpoint_url: AWS's address, for emulators. now: epoch seconds.
    """

    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)
    resolver: AbstractResolver = field(default_factory=Resolver)
    aws_session: AioSession = field(default_factory=AioSession)
    endpoint_url: str | None = None
    now: Callable[[], float] = time.time
    _open: AsyncExitStack = field(default_factory=AsyncExitStack, init=False, repr=False)
    _sessions: dict[bool, aiohttp.ClientSession] = field(default_factory=dict, init=False, repr=False)
    _aws: dict[tuple[str, str], Any] = field(default_factory=dict, init=False, repr=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()
        await self.resolver.close()

    async def post(
        self, url: str, body: bytes, policy: Policy, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send a body of JSON."""
        who = redacted(url)
        if not url.lower().startswith("https:") and not policy.allow_insecure:
            return refused("insecure", f"{who} is not encrypted, and allow_insecure is not set")
        timeout = aiohttp.ClientTimeout(policy.timeout, sock_connect=CONNECT_TIMEOUT)
        try:
            session = await self._session(policy.allow_private)
            async with session.post(
                url, data=body, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                said = excerpt(await _beginning(response), policy.secrets)
                wait = seconds_to_wait(response.headers.get("Retry-After"), self.now())
                return replace(of_status(who, response.status, said, wait), headers=response.headers)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return failed(who, error, policy)

    async def connected(self, host: str, port: int, policy: Policy) -> socket:
        """A connected socket, for a protocol that is not HTTP; the caller closes it. Raises OSError."""
        found = await self.resolver.resolve(host, port, AF_UNSPEC)
        infos = [_info(one["host"], one["port"]) for one in found]
        return await start_connection(
            infos, happy_eyeballs_delay=NEXT_ADDRESS, socket_factory=_factory(policy.allow_private)
        )

    async def aws(self, service: str, region: str) -> Any:
        """An AWS client with the credentials of the environment."""
        if (service, region) not in self._aws:
            context = self.aws_session.create_client(
                service, region_name=region, endpoint_url=self.endpoint_url, config=CLIENT_CONFIG
            )
            self._aws[service, region] = await self._open.enter_async_context(context)
        return self._aws[service, region]

    async def _session(self, allow_private: bool) -> aiohttp.ClientSession:
        """Connections to private addresses are kept apart: who may not open one may not share one."""
        if allow_private not in self._sessions:
            connector = aiohttp.TCPConnector(
                ssl=self.tls,
                resolver=self.resolver,
                limit_per_host=SIDE_BY_SIDE,
                keepalive_timeout=IDLE,
                happy_eyeballs_delay=NEXT_ADDRESS,
                socket_factory=_factory(allow_private),
            )
            session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=HEADERS,
                auto_decompress=False,
                trust_env=False,
            )
            self._sessions[allow_private] = await self._open.enter_async_context(session)
        return self._sessions[allow_private]


def _info(host: str, port: int) -> Any:
    if ":" in host:
        return (AF_INET6, SOCK_STREAM, IPPROTO_TCP, "", (host, port, 0, 0))
    return (AF_INET, SOCK_STREAM, IPPROTO_TCP, "", (host, port))


def _factory(allow_private: bool) -> Any:
    return any_socket if allow_private else public_socket


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The start of an answer's body; what goes wrong meanwhile does not undo the status."""
    body = bytearray()
    try:
        while chunk := await response.content.read(LARGEST - len(body)):
            body += chunk
        if not response.content.at_eof():
            response.close()
    except (aiohttp.ClientError, OSError):
        response.close()
    return body.decode(errors="replace")


FAILURES: tuple[tuple[Any, Callable[[str, str], Answer], str, str], ...] = (
    (PrivateAddressError, refused, "private_address", "its address is private, and allow_private is not set"),
    ((gaierror, aiohttp.ClientConnectorDNSError), retry, "dns", "no address of it could be found"),
    (ssl.SSLError, retry, "tls", "no connection that TLS can trust"),
    (TimeoutError, retry, "timeout", "no answer within {timeout:g} s"),
    (aiohttp.ServerDisconnectedError, retry, "connection", "it closed the connection without an answer"),
    (OSError, retry, "connection", "no connection"),
    (ValueError, refused, "address", "it is not an address that can be used"),
    (aiohttp.ClientError, retry, "protocol", "what it answered is not HTTP"),
)


def _cause(error: BaseException) -> BaseException | None:
    """What the system said. The client's own words are not for showing: some hold whole URLs."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error
    return error.__cause__ if isinstance(error, aiohttp.ClientError) else error


def failed(who: str, error: Exception, policy: Policy) -> Answer:
    """The answer when there was none: the first of FAILURES that fits.

    Only what our own configuration causes is a refusal. A certificate that is not accepted may be one
    that expired an hour ago, so it is tried again.
    """
    cause = _cause(error)
    _, make, reason, said = next(
        row for row in FAILURES if isinstance(error, row[0]) or isinstance(cause, row[0])
    )
    detail = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None)
    sentence = f"{who}: {said.format(timeout=policy.timeout)}"
    return make(reason, f"{sentence} ({detail})" if isinstance(detail, str) else sentence)
