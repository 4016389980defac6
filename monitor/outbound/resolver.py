"""Resolves names in dedicated threads.

The system's resolver blocks for half a minute when no name server responds. In the default thread pool, a few
unresolvable names would delay all other work there.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

MAX_CONCURRENT_LOOKUPS = 8
NUMERIC_NAMES = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV


class Resolver(AbstractResolver):
    """Resolves names with the operating system's resolver. getaddrinfo: that resolver, which blocks."""

    def __init__(self, getaddrinfo: Callable[..., list[Any]] = socket.getaddrinfo) -> None:
        self._getaddrinfo = getaddrinfo
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT_LOOKUPS, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Return the addresses of a host, best first.

        Raises socket.gaierror, and UnicodeError for an invalid name.
        """
        lookup = partial(self._addresses, host, port, family)
        return await asyncio.get_running_loop().run_in_executor(self._threads, lookup)

    async def close(self) -> None:
        """Stop the threads; lookups that have not started are cancelled."""
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _addresses(self, host: str, port: int, family: int) -> list[ResolveResult]:
        infos = self._getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return [_result(host, family, protocol, address) for family, _, protocol, _, address in infos]


def _result(name: str, family: int, protocol: int, address: tuple[Any, ...]) -> ResolveResult:
    """Build a result. A link-local address keeps its interface, as in fe80::1%eth0."""
    host, port = socket.getnameinfo(address, NUMERIC_NAMES)
    return ResolveResult(
        hostname=name, host=host, port=int(port), family=family, proto=protocol, flags=socket.AI_NUMERICHOST
    )
