"""Names and their addresses, found in threads of their own.

The system's resolver blocks, for half a minute where no name server answers. In the threads that all share,
a few receivers that nobody can find would then keep judgements waiting.
"""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from aiohttp.abc import AbstractResolver, ResolveResult

AT_ONCE = 8  # names looked for side by side
AS_NUMBERS = socket.NI_NUMERICHOST | socket.NI_NUMERICSERV


class Resolver(AbstractResolver):
    """Who knows the addresses of names: what the system is configured to ask."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="names")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Its addresses, best first. Raises socket.gaierror, or UnicodeError for what is no name."""
        asked = partial(_addresses, host, port, family)
        return await asyncio.get_running_loop().run_in_executor(self._threads, asked)

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _addresses(host: str, port: int, family: int) -> list[ResolveResult]:
    found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [_result(host, family, protocol, address) for family, _, protocol, _, address in found]


def _result(name: str, family: int, protocol: int, address: tuple[Any, ...]) -> ResolveResult:
    """A link-local address keeps the interface that it is of, as in fe80::1%eth0."""
    host, port = socket.getnameinfo(address, AS_NUMBERS)
    return ResolveResult(
        hostname=name, host=host, port=int(port), family=family, proto=protocol, flags=socket.AI_NUMERICHOST
    )
