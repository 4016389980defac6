"""The overview of 10,000 series in a real Chromium: its first rows, a filter, an order, and the way back."""

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, ViewportSize, expect

from monitor.web.list_view import WINDOW_ROWS
from rules.band import Zone
from tests.monitor.api.example_server import serve_on_loopback
from tests.monitor.fleet.fleets import add, key, set_judgement
from tests.monitor.fleet_server import Server
from tests.monitor.web.test_strange_names import MARKUP

pytestmark = pytest.mark.asyncio(loop_scope="session")

SERIES = 10_000
LONG_NAME = (MARKUP * 40)[:1000]
MAX_ELEMENTS = 5_000  # of a page, however many series are watched


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def large_url(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The URL of a server that watches SERIES series, ten of them near their limits and one saturated."""
    folder: Path = tmp_path_factory.mktemp("large")
    async with Server.opened(folder) as server:
        for number in range(SERIES - 1):
            zone = Zone.NEAR if number % 1000 == 0 else Zone.WITHIN
            usage = 900.0 + number % 100 if zone is Zone.NEAR else 400.0 + number % 300
            set_judgement(server.fleet, add(server.fleet, key(f"stream-{number:05}")), zone, usage)
        set_judgement(server.fleet, add(server.fleet, key(LONG_NAME)), Zone.SATURATED, 1000.0, 5.0)
        await server.publish()
        async with serve_on_loopback(server.app) as host_and_port:
            yield f"http://{host_and_port}"


@pytest_asyncio.fixture(loop_scope="session")
async def page(large_url: str, browser: Browser) -> AsyncIterator[Page]:
    """The overview, whose scripts must raise and log no error."""
    context = await browser.new_context(viewport=ViewportSize(width=1440, height=900))
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda entry: errors.append(entry.text) if entry.type == "error" else None)
    await page.goto(large_url)
    yield page
    assert errors == []
    await context.close()


async def test_the_first_window_of_10_000_series_is_a_page_of_bounded_size(page: Page) -> None:
    await expect(page.locator("#of")).to_have_text("10,000 series")
    assert await page.locator("#list tbody tr").count() == WINDOW_ROWS
    assert await page.evaluate("document.querySelectorAll('*').length") < MAX_ELEMENTS
    first = page.locator("#list tbody tr").first
    await expect(first).to_be_in_viewport()
    assert "saturated" in await first.inner_text()
    assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")


async def test_10_000_series_are_filtered_and_ordered_and_going_back_restores_the_filter(page: Page) -> None:
    names = page.locator("#list tbody th a")
    await page.keyboard.press("/")
    await page.keyboard.type("zone:near stream-0")
    await page.keyboard.press("Enter")
    await expect(page.locator("#of")).to_have_text("10 of 10,000 series")
    assert await names.count() == 10
    await page.get_by_role("link", name="Clear").click()
    await page.locator("#list th.c-use a").click()
    await page.wait_for_url("**sort=-utilization")
    await expect(names.first).to_have_attribute("title", re.compile("^<script>alert"))
    await page.get_by_role("link", name="Next 100").click()
    await page.wait_for_url("**row=101")
    await expect(page.locator("#list .end-bar")).to_contain_text("Rows 101 \u2013 200 of 10,000")
    for _ in range(3):
        await page.go_back()
    await expect(page.locator("#of")).to_have_text("10 of 10,000 series")
    assert await names.count() == 10
