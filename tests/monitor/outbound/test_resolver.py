"""The resolver returns the addresses that the system knows, and blocks no other work."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest

from monitor.outbound.resolver import MAX_CONCURRENT_LOOKUPS, Resolver


@pytest.fixture
async def resolver() -> AsyncIterator[Resolver]:
    resolver = Resolver()
    yield resolver
    await resolver.close()


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
async def test_names_of_the_hosts_file_are_resolved(resolver: Resolver, name: str) -> None:
    addresses = await resolver.resolve(name, 443)
    assert {address["host"] for address in addresses} <= {"127.0.0.1", "::1"}
    assert {(address["hostname"], address["port"]) for address in addresses} == {(name, 443)}


@pytest.mark.parametrize("name", ["nobody.invalid", "x" * 64 + ".example", ""])
async def test_an_unknown_name_cannot_be_resolved(resolver: Resolver, name: str) -> None:
    with pytest.raises((socket.gaierror, UnicodeError)):
        await resolver.resolve(name)


async def test_lookups_that_hang_do_not_block_other_threads() -> None:
    released = threading.Event()

    def wait_for_release(*_: Any, **__: Any) -> list[Any]:
        released.wait(30)
        return []

    resolver = Resolver(wait_for_release)
    pending_lookups = [
        asyncio.create_task(resolver.resolve(f"{n}.example")) for n in range(5 * MAX_CONCURRENT_LOOKUPS)
    ]
    try:
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            assert await asyncio.to_thread(int, "1") == 1  # in the default thread pool
    finally:
        released.set()
    assert await asyncio.gather(*pending_lookups) == [[]] * len(pending_lookups)
    await resolver.close()
