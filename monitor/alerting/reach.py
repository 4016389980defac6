"""Whether receivers can be reached, found out before there is anything to tell them: warned of, never fatal.

A connection is made and closed again, under the same rules as a delivery's; nothing is sent.
"""

import asyncio
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from types import MappingProxyType
from typing import Final
from urllib.parse import urlsplit

from monitor.aws import AWS_ERRORS, sentence_of
from monitor.notifiers.receiver import Base
from monitor.outbound import CONNECT_TIMEOUT, Outbound, Policy, failed, redacted

log = logging.getLogger(__name__)

AGAIN: Final = 60.0
AT_ONCE: Final = 8  # receivers tried side by side
PORTS: Final = MappingProxyType({"http": 80, "https": 443})  # of URLs that name none
ENCRYPTED: Final = ("https", "smtps")  # from the start


class Reach:
    """`configure` it at each reload, and `run` it. unreachable: by receiver's name, why it is.

    again: seconds until one that cannot be reached is tried again.
    """

    def __init__(self, client: Outbound, again: float = AGAIN) -> None:
        self.unreachable: dict[str, str] = {}
        self._client, self._again = client, again
        self._receivers: Sequence[Base] = ()
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._changed = asyncio.Event()

    def configure(self, receivers: Iterable[Base]) -> None:
        """Try these anew: what was found of those before may not hold for them."""
        self._receivers = tuple(receivers)
        self.unreachable.clear()
        self._changed.set()

    async def run(self) -> None:
        """Try all receivers whenever they change, and those out of reach again and again, until cancelled."""
        while True:
            self._changed.clear()
            await self._try(self._receivers)
            while self.unreachable and not await self._change(self._again):
                await self._try([one for one in self._receivers if one.name in self.unreachable])
            await self._change(None)

    async def _change(self, seconds: float | None) -> bool:
        """Wait for other receivers, so many seconds at most; whether there are some."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        return self._changed.is_set()

    async def _try(self, receivers: Iterable[Base]) -> None:
        await asyncio.gather(*map(self._look, receivers))

    async def _look(self, receiver: Base) -> None:
        async with self._at_once:
            try:
                why = await self._wrong(receiver)
            except Exception:
                log.exception("receiver %s: trying to reach it failed", receiver.name)
                return
        if receiver not in self._receivers:  # there was a reload meanwhile
            return
        before = self.unreachable.pop(receiver.name, None)
        if why:
            self.unreachable[receiver.name] = why
        if why and not before:
            log.warning("receiver %s cannot be reached: %s", receiver.name, why)
        elif before and not why:
            log.info("receiver %s can be reached now", receiver.name)

    async def _wrong(self, receiver: Base) -> str:
        """What keeps us from some of its addresses; empty when nothing does, or nobody knows them."""
        try:
            async with asyncio.timeout(receiver.timeout):
                urls = await receiver.addresses(self._client)
        except AWS_ERRORS as error:
            return sentence_of(error)
        answers = [await reached(url, self._client, receiver.policy) for url in urls]
        return "; ".join(filter(None, answers))


async def reached(url: str, client: Outbound, policy: Policy) -> str | None:
    """None when the server of a URL can be connected to; else why not, without what may be secret."""
    policy = replace(policy, timeout=min(policy.timeout, CONNECT_TIMEOUT))
    try:
        async with asyncio.timeout(policy.timeout):
            await _connect(url, client, policy)
    except (OSError, ValueError) as error:
        return failed(redacted(url), error, policy).sentence
    return None


async def _connect(url: str, client: Outbound, policy: Policy) -> None:
    parts = urlsplit(url)
    host, secure = parts.hostname or "", parts.scheme in ENCRYPTED
    sock = await client.connected(host, parts.port or PORTS[parts.scheme], policy)
    tls, name = (client.tls, host) if secure else (None, None)
    _, writer = await asyncio.open_connection(sock=sock, ssl=tls, server_hostname=name)
    writer.transport.abort()  # no farewell to wait for
    with suppress(OSError):
        await writer.wait_closed()
