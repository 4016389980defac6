"""The resolver: the results of the system, without blocking others."""

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
    found = await resolver.resolve(name, 443)
    assert {one["host"] for one in found} <= {"127.0.0.1", "::1"}
    assert {(one["hostname"], one["port"]) for one in found} == {(name, 443)}


@pytest.mark.parametrize("name", ["nobody.invalid", "x" * 64 + ".example", ""])
async def test_an_unknown_name_cannot_be_resolved(resolver: Resolver, name: str) -> None:
    with pytest.raises((socket.gaierror, UnicodeError)):
        await resolver.resolve(name)


async def test_lookups_that_hang_do_not_block_other_threads() -> None:
    answered = threading.Event()

    def wait(*_: Any, **__: Any) -> list[Any]:
        answered.wait(30)
        return []

    resolver = Resolver(wait)
    pending_requests = [
        asyncio.create_task(resolver.resolve(f"{n}.example")) for n in range(5 * MAX_CONCURRENT_LOOKUPS)
    ]
    try:
        await asyncio.sleep(0)
        async with asyncio.timeout(20):
            assert await asyncio.to_thread(int, "1") == 1
    finally:
        answered.set()
    assert await asyncio.gather(*pending_requests) == [[]] * len(pending_requests)
    await resolver.close()
