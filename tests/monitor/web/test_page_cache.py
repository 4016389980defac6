"""The cache of pages: each page is rendered once and shared by all clients."""

import asyncio
from collections.abc import Callable, Hashable

import pytest

from monitor.web.page_cache import MAX_PAGES, PageCache


class CountingRenderer:
    """Renders pages as soon as `allowed` is set, raises while `fails`, and counts the renderings."""

    def __init__(self) -> None:
        self.renderings, self.fails = 0, False
        self.allowed = asyncio.Event()

    async def __call__(self) -> bytes:
        self.renderings += 1
        await self.allowed.wait()
        if self.fails:
            raise ValueError("it failed")
        return b"page %d" % self.renderings


def cache(version: Callable[[], Hashable] = lambda: 1) -> PageCache:
    """Return a cache whose pages do not age."""
    return PageCache(version, max_age=10**12)


async def test_concurrent_requests_share_one_rendering() -> None:
    renderer, pages = CountingRenderer(), cache()
    pending_requests = [asyncio.create_task(pages.get("/", renderer)) for _ in range(50)]
    await asyncio.sleep(0)
    pending_requests[0].cancel()  # a client that leaves does not affect the others
    renderer.allowed.set()
    answers = await asyncio.gather(*pending_requests[1:])
    assert {page.body for page in answers} == {b"page 1"} and renderer.renderings == 1


async def test_a_page_of_an_earlier_version_is_rendered_again() -> None:
    versions, renderer = [1], CountingRenderer()
    pages = cache(lambda: versions[-1])
    renderer.allowed.set()
    first = await pages.get("/", renderer)
    versions.append(2)
    second = await pages.get("/", renderer)
    assert (first.body, second.body) == (b"page 1", b"page 2") and first.etag != second.etag


async def test_a_failure_is_not_cached() -> None:
    renderer, pages = CountingRenderer(), cache()
    renderer.allowed.set()
    renderer.fails = True
    with pytest.raises(ValueError, match="it failed"):
        await pages.get("/", renderer)
    renderer.fails = False
    assert (await pages.get("/", renderer)).body == b"page 2"


async def test_the_least_recently_used_addresses_are_dropped() -> None:
    renderer, pages = CountingRenderer(), cache()
    renderer.allowed.set()
    for number in range(MAX_PAGES + 1):
        await pages.get(f"/?{number}", renderer)
    await pages.get("/?1", renderer)
    assert renderer.renderings == MAX_PAGES + 1
    await pages.get("/?0", renderer)
    assert renderer.renderings == MAX_PAGES + 2
