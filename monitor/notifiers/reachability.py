"""Checks whether receivers can be reached before there is anything to deliver. A failure is only logged.

A check connects, under the same rules as a delivery, and closes the connection without sending anything.
Behind a proxy it connects to the proxy.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Final
from urllib.parse import urlsplit

from monitor.aws.failure import AWS_ERRORS, error_message
from monitor.lib.default_ports import DEFAULT_PORTS
from monitor.notifiers.receiver import BaseReceiver
from monitor.outbound.client import CONNECT_TIMEOUT, OutboundClient, failure_result, redacted_url
from monitor.outbound.policy import OutboundPolicy

log = logging.getLogger(__name__)

RETRY_INTERVAL: Final = 60.0  # seconds until an unreachable receiver is checked again
MAX_CONCURRENT_CHECKS: Final = 8
PROXIED_SCHEMES: Final = ("http", "https")
TLS_SCHEMES: Final = ("https", "smtps")  # with TLS from the start


class ReachabilityProbe:
    """Checks the receivers given to `configure` while `run` runs.

    unreachable: the receivers that cannot be reached, by name, each with the reason. retry_interval: seconds
    until an unreachable receiver is checked again.
    """

    def __init__(self, client: OutboundClient, retry_interval: float = RETRY_INTERVAL) -> None:
        self.unreachable: dict[str, str] = {}
        self._client, self._retry_interval = client, retry_interval
        self._receivers: Sequence[BaseReceiver] = ()
        self._semaphore = asyncio.Semaphore(MAX_CONCURRENT_CHECKS)
        self._changed = asyncio.Event()

    def configure(self, receivers: Iterable[BaseReceiver]) -> None:
        """Check these receivers from now on, and forget earlier results: addresses may have changed."""
        self._receivers = tuple(receivers)
        self.unreachable.clear()
        self._changed.set()

    async def run(self) -> None:
        """Check all receivers when they change, and unreachable ones periodically, until cancelled."""
        while True:
            self._changed.clear()
            await self._check_all(self._receivers)
            while self.unreachable and not await self._wait_for_change(self._retry_interval):
                await self._check_all(
                    [receiver for receiver in self._receivers if receiver.name in self.unreachable]
                )
            await self._wait_for_change(None)

    async def _wait_for_change(self, seconds: float | None) -> bool:
        """Wait until the receivers change, or until the seconds have passed. Return whether they changed."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        return self._changed.is_set()

    async def _check_all(self, receivers: Iterable[BaseReceiver]) -> None:
        await asyncio.gather(*map(self._check, receivers))

    async def _check(self, receiver: BaseReceiver) -> None:
        async with self._semaphore:
            try:
                error = await self._error_of(receiver)
            except Exception:
                log.exception("receiver %s: the reachability check failed", receiver.name)
                return
        if receiver not in self._receivers:  # a reload replaced it during the check
            return
        former_error = self.unreachable.pop(receiver.name, None)
        if error:
            self.unreachable[receiver.name] = error
        if error and not former_error:
            log.warning("receiver %s cannot be reached: %s", receiver.name, error)
        elif former_error and not error:
            log.info("receiver %s can be reached again", receiver.name)

    async def _error_of(self, receiver: BaseReceiver) -> str:
        """Return why a receiver cannot be reached; empty if it can be, or if its addresses are unknown."""
        try:
            async with asyncio.timeout(receiver.timeout):
                urls = await receiver.addresses(self._client)
        except AWS_ERRORS as error:
            return error_message(error)
        errors = [await check_connection(url, self._client, receiver.policy) for url in urls]
        return "; ".join(filter(None, errors))


async def check_connection(url: str, client: OutboundClient, policy: OutboundPolicy) -> str | None:
    """Connect to the server of a URL. Return the error, without secrets; None if there is none."""
    policy = replace(policy, timeout=min(policy.timeout, CONNECT_TIMEOUT))
    try:
        async with asyncio.timeout(policy.timeout):
            await _connect(url, client, policy)
    except (OSError, ValueError) as error:
        return failure_result(redacted_url(url), error, policy).sentence
    return None


async def _connect(url: str, client: OutboundClient, policy: OutboundPolicy) -> None:
    parts = urlsplit(url)
    if parts.scheme in PROXIED_SCHEMES and (proxy := client.proxy_for(url, policy)):
        # The operator chose the proxy, so its address may be private.
        parts, policy = urlsplit(proxy), replace(policy, allow_private=True)
    host, uses_tls = parts.hostname or "", parts.scheme in TLS_SCHEMES
    sock = await client.open_socket(host, parts.port or DEFAULT_PORTS[parts.scheme], policy)
    tls, certified_name = (client.tls, host) if uses_tls else (None, None)
    _, writer = await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=certified_name)
    writer.transport.abort()  # rather than wait for the TLS shutdown of the peer
    with suppress(OSError):
        await writer.wait_closed()
