"""The client of all outgoing connections of notifiers and pushes, which enforces their common rules.

It follows no redirects, stores no cookies, verifies certificates (SSL_CERT_FILE and SSL_CERT_DIR name other
authorities), and reads responses up to 64 KiB. For HTTP it uses the proxies that the environment names (see
`monitor.outbound.proxies`). A proxy may have a private address, since the operator configured it. The proxy
resolves names itself, so behind a proxy only literal addresses can be checked.
"""

import ssl
import time
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from socket import AF_INET, AF_INET6, AF_UNSPEC, IPPROTO_TCP, SOCK_STREAM, gaierror, socket
from typing import Any, Self
from urllib.parse import urlsplit

import aiohttp
from aiobotocore.config import AioConfig
from aiohappyeyeballs import start_connection
from aiohttp.abc import AbstractResolver
from botocore.exceptions import ClientError

from monitor.aws.clients import CLIENT_CONFIG, ClientCache, sign_with
from monitor.aws.credentials import Credentials, EnvironmentCredentials
from monitor.aws.failure import is_credentials_error
from monitor.lib.version import VERSION
from monitor.outbound.addresses import PrivateAddressError, any_socket, public_socket
from monitor.outbound.policy import OutboundPolicy
from monitor.outbound.proxies import Proxies, is_private_literal
from monitor.outbound.resolver import Resolver
from monitor.outbound.result import (
    DeliveryResult,
    excerpt,
    parse_retry_after,
    refused_result,
    result_of_status,
    retry_result,
)

MAX_RESPONSE_BYTES = 64 * 1024  # of the body of a response; the rest is not read
CONNECT_TIMEOUT = 5.0  # seconds
KEEPALIVE_TIMEOUT = 4.0  # seconds; many servers close idle connections after five
MAX_CONNECTIONS_PER_HOST = 8
DNS_CACHE_TTL = 10  # seconds
NEXT_ADDRESS_DELAY = 0.25  # seconds before a host's next address is tried in parallel (RFC 8305)
AWS_CONFIG = CLIENT_CONFIG.merge(
    AioConfig(
        retries={"mode": "standard", "total_max_attempts": 4},
        max_pool_connections=MAX_CONNECTIONS_PER_HOST * 2,
    )
)
HEADERS = {
    "User-Agent": f"headroom/{VERSION}",
    "Accept-Encoding": "identity",  # a compressed response could expand to any size
    "Content-Type": "application/json",
}


def redacted_url(url: str) -> str:
    """Return scheme, host and port of a URL, as the rest may be secret; `the address` if it is invalid."""
    try:
        parts = urlsplit(url)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    except ValueError:
        return "the address"


@dataclass(eq=False)
class OutboundClient:
    """A client for HTTP requests, SMTP sockets and AWS APIs; an async context manager that closes them.

    Create it in a running event loop. create_tls: returns the TLS context that verifies certificates.
    endpoint_url: the URL of an emulator that replaces AWS. proxies: for HTTP; AWS clients read the
    environment themselves. aws_credentials: sign calls to AWS. dns_cache_ttl: seconds for which resolved
    addresses are reused. now: returns epoch seconds.
    """

    create_tls: Callable[[], ssl.SSLContext] = ssl.create_default_context
    resolver: AbstractResolver = field(default_factory=Resolver)
    aws_clients: ClientCache = field(default_factory=ClientCache)
    aws_credentials: Credentials = field(default_factory=EnvironmentCredentials)
    endpoint_url: str | None = None
    proxies: Proxies = field(default_factory=Proxies)
    dns_cache_ttl: int = DNS_CACHE_TTL
    now: Callable[[], float] = time.time
    _resources: AsyncExitStack = field(default_factory=AsyncExitStack, init=False, repr=False)
    _sessions: dict[tuple[bool, bool], aiohttp.ClientSession] = field(
        default_factory=dict, init=False, repr=False
    )

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """The TLS context. Made when needed, as reading the system's authorities takes 30 ms."""
        return self.create_tls()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._resources.aclose()
        await self.aws_clients.aclose()
        await self.resolver.close()

    async def post(
        self, url: str, body: bytes, policy: OutboundPolicy, headers: Mapping[str, str] | None = None
    ) -> DeliveryResult:
        """Send a body with POST. Failures are results, not exceptions."""
        host = redacted_url(url)
        if not url.lower().startswith("https:") and not policy.allow_insecure:
            return refused_result("insecure", f"{host} is not encrypted, and allow_insecure is not set")
        timeout = aiohttp.ClientTimeout(policy.timeout, sock_connect=CONNECT_TIMEOUT)
        try:
            proxy = self.proxy_for(url, policy)
            session = await self._session(policy.allow_private, is_proxied=proxy is not None)
            async with session.post(
                url, data=body, headers=headers, timeout=timeout, allow_redirects=False, proxy=proxy
            ) as response:
                text = excerpt(await _read_start(response), policy.secrets)
                retry_after = parse_retry_after(response.headers.get("Retry-After"), self.now())
                return replace(
                    result_of_status(host, response.status, text, retry_after), headers=response.headers
                )
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return failure_result(host, error, policy)

    def proxy_for(self, url: str, policy: OutboundPolicy) -> str | None:
        """Return the proxy's URL, which may contain a password, for `url`; None to connect directly.

        Raises PrivateAddressError for a literal address that the policy does not allow, and ValueError for an
        invalid URL.
        """
        proxy = self.proxies.proxy_for(url)
        if proxy and not policy.allow_private and is_private_literal(urlsplit(url).hostname or ""):
            raise PrivateAddressError
        return proxy

    async def open_socket(self, host: str, port: int, policy: OutboundPolicy) -> socket:
        """Connect a socket for another protocol than HTTP. The caller closes it. Raises OSError."""
        addresses = await self.resolver.resolve(host, port, AF_UNSPEC)
        infos = [_address_info(address["host"], address["port"]) for address in addresses]
        return await start_connection(
            infos,
            happy_eyeballs_delay=NEXT_ADDRESS_DELAY,
            socket_factory=_socket_factory(policy.allow_private),
        )

    async def aws_client(self, service: str, region: str) -> Any:
        """Return the AWS client of a service in a region, for calls through `call_aws` only."""
        return await self.aws_clients.get(service, region, self.endpoint_url, AWS_CONFIG)

    async def call_aws(self, service: str, region: str, method: str, **params: Any) -> Any:
        """Call a method of an AWS client. Credentials that AWS rejects are read again. Raises AWS_ERRORS."""
        call = getattr(await self.aws_client(service, region), method)
        credentials = await self.aws_credentials.frozen()
        try:
            with sign_with(credentials):
                return await call(**params)
        except ClientError as error:
            if not is_credentials_error(error) or not await self.aws_credentials.refresh(credentials, region):
                raise
        with sign_with(await self.aws_credentials.frozen()):
            return await call(**params)

    async def _session(self, allow_private: bool, is_proxied: bool) -> aiohttp.ClientSession:
        """Return a session. Policies that differ in `allow_private` share no connections."""
        key = allow_private, is_proxied
        if key not in self._sessions:
            connector = aiohttp.TCPConnector(
                ssl=self.tls,
                resolver=self.resolver,
                ttl_dns_cache=self.dns_cache_ttl,
                limit_per_host=MAX_CONNECTIONS_PER_HOST,
                keepalive_timeout=KEEPALIVE_TIMEOUT,
                happy_eyeballs_delay=NEXT_ADDRESS_DELAY,
                socket_factory=_socket_factory(allow_private or is_proxied),
            )
            session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                headers=HEADERS,
                auto_decompress=False,
                trust_env=False,
            )
            self._sessions[key] = await self._resources.enter_async_context(session)
        return self._sessions[key]


def _address_info(host: str, port: int) -> Any:
    if ":" in host:
        return (AF_INET6, SOCK_STREAM, IPPROTO_TCP, "", (host, port, 0, 0))
    return (AF_INET, SOCK_STREAM, IPPROTO_TCP, "", (host, port))


def _socket_factory(allow_private: bool) -> Any:
    return any_socket if allow_private else public_socket


async def _read_start(response: aiohttp.ClientResponse) -> str:
    """Return the start of a response's body. A failure to read it does not change the status received."""
    body = bytearray()
    try:
        while chunk := await response.content.read(MAX_RESPONSE_BYTES - len(body)):
            body += chunk
        if not response.content.at_eof():
            response.close()
    except (aiohttp.ClientError, OSError):
        response.close()
    return body.decode(errors="replace")


# Each row: the type of an error or of its cause, the function that makes the result, the result's reason, and
# the end of its sentence.
FAILURE_RESULTS: tuple[tuple[Any, Callable[[str, str], DeliveryResult], str, str], ...] = (
    (
        PrivateAddressError,
        refused_result,
        "private_address",
        "its address is private, and allow_private is not set",
    ),
    (aiohttp.ClientProxyConnectionError, retry_result, "proxy", "the connection to the proxy failed"),
    (aiohttp.ClientHttpProxyError, retry_result, "proxy", "the proxy refused the request"),
    ((gaierror, aiohttp.ClientConnectorDNSError), retry_result, "dns", "its name could not be resolved"),
    (ssl.SSLError, retry_result, "tls", "the TLS handshake failed"),
    (TimeoutError, retry_result, "timeout", "no response within {timeout:g} s"),
    (
        aiohttp.ServerDisconnectedError,
        retry_result,
        "connection",
        "it closed the connection without a response",
    ),
    (OSError, retry_result, "connection", "the connection failed"),
    (ValueError, refused_result, "address", "the address is invalid"),
    (aiohttp.ClientError, retry_result, "protocol", "its response is not valid HTTP"),
)


def _cause(error: BaseException) -> BaseException | None:
    """Return the error behind one of aiohttp, whose own messages may contain whole URLs; None if unknown."""
    if isinstance(error, aiohttp.ClientConnectorError):
        return error.os_error
    return error.__cause__ if isinstance(error, aiohttp.ClientError) else error


def failure_result(host: str, error: Exception, policy: OutboundPolicy) -> DeliveryResult:
    """Return the result for an attempt without a response: the first of FAILURE_RESULTS that applies.

    Only failures that the configuration causes are refused. An invalid certificate is retried, as its owner
    may renew it soon.
    """
    cause = _cause(error)
    _, build, reason, template = next(
        row for row in FAILURE_RESULTS if isinstance(error, row[0]) or isinstance(cause, row[0])
    )
    detail = getattr(cause, "verify_message", None) or getattr(cause, "strerror", None)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        detail = f"HTTP {error.status}"
    sentence = f"{host}: {template.format(timeout=policy.timeout)}"
    return build(reason, f"{sentence} ({detail})" if isinstance(detail, str) else sentence)
