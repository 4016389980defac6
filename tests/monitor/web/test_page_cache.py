"""Pages rendered once and shared."""

import asyncio
from collections.abc import Callable, Hashable

import pytest

from monitor.web.page_cache import MAX_PAGES, PageCache


class Renders:
    """Renders pages, and counts how often."""

    def __init__(self) -> None:
        self.made, self.fails = 0, False
        self.going = asyncio.Event()

    async def __call__(self) -> bytes:
        self.made += 1
        await self.going.wait()
        if self.fails:
            raise ValueError("it failed")
        return b"page %d" % self.made


def cache(version: Callable[[], Hashable] = lambda: 1) -> PageCache:
    """A cache whose pages do not age."""
    return PageCache(version, max_age=10**12)


async def test_concurrent_requests_share_one_rendering() -> None:
    make, pages = Renders(), cache()
    pending_requests = [asyncio.create_task(pages.get("/", make)) for _ in range(50)]
    await asyncio.sleep(0)
    pending_requests[0].cancel()  # a client that leaves does not affect the others
    make.going.set()
    answers = await asyncio.gather(*pending_requests[1:])
    assert {one.body for one in answers} == {b"page 1"} and make.made == 1


async def test_a_new_version_drops_all_pages() -> None:
    judgements, make = [1], Renders()
    pages = cache(lambda: judgements[0])
    make.going.set()
    first = await pages.get("/", make)
    judgements[0] = 2
    second = await pages.get("/", make)
    assert (first.body, second.body) == (b"page 1", b"page 2") and first.etag != second.etag


async def test_a_failure_is_not_cached() -> None:
    make, pages = Renders(), cache()
    make.going.set()
    make.fails = True
    with pytest.raises(ValueError, match="it failed"):
        await pages.get("/", make)
    make.fails = False
    assert (await pages.get("/", make)).body == b"page 2"


async def test_the_least_recently_used_addresses_are_dropped() -> None:
    make, pages = Renders(), cache()
    make.going.set()
    for number in range(MAX_PAGES + 1):
        await pages.get(f"/?{number}", make)
    await pages.get("/?1", make)
    assert make.made == MAX_PAGES + 1
    await pages.get("/?0", make)
    assert make.made == MAX_PAGES + 2
