"""Pages in a real Chromium: coverage, blind spots, what-if, paths, look-back, cost, status and API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, ViewportSize, expect

from monitor.api.call_examples import SERIES_ID
from tests.monitor.api.example_server import ExampleServer, example_server, serve_on_loopback
from tests.monitor.fleet_server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = {  # pages, each with a text that it shows
    "/coverage": "1 of 1 quota watched",
    "/coverage?q=state:watched": "lambda.account_concurrency",
    "/blind": "not authorized to perform sqs:ListQueues",
    "/what-if?traffic=3x": "To make room",
    "/what-if?traffic=nothing": "This cannot be answered.",
    "/paths": "requests/s flow now",
    "/look-back": "orders",
    "/cost": "Paid for and idle",
    "/status": "CloudWatch metrics",
    "/docs": "acknowledge_alert",
}
EMPTY_PAGES = {  # pages of a server that watches nothing, each with a text that it shows
    "/coverage": "No quota of a service in use is known.",
    "/blind": "Nothing is watched",
    "/what-if?traffic=3x": "nothing is known to judge",
    "/paths": "No request path is described.",
    "/look-back": "No usage has been kept yet.",
    "/cost": "Nothing is watched yet.",
    "/status": "No account has been accessed yet.",
}
WIDTHS = (390, 1440, 2560)  # pixels: a phone, a laptop, a large screen
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => (one.open = true))"
TEXTS_BEYOND_THEIR_COLUMN = """
[...document.querySelectorAll("#chart :is(.up, .down)[aria-hidden]:not(.strip) text")].filter((text) => {
  const own = text.getBoundingClientRect(), column = text.ownerSVGElement.getBoundingClientRect();
  return own.left < column.left - 1 || own.right > column.right + 1;
}).map((text) => text.textContent)
"""
SCROLLS = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def example(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[ExampleServer]:
    async with example_server(tmp_path_factory.mktemp("served")) as example:
        yield example


@asynccontextmanager
async def new_page(
    browser: Browser, width: int = 1440, has_scripts: bool = True, is_dark: bool = False
) -> AsyncIterator[Page]:
    """Open a page of a new visitor."""
    context = await browser.new_context(
        viewport=ViewportSize(width=width, height=900),
        java_script_enabled=has_scripts,
        color_scheme="dark" if is_dark else "light",
    )
    try:
        yield await context.new_page()
    finally:
        await context.close()


@pytest.mark.parametrize("is_dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
async def test_pages_fit_the_width_and_have_no_accessibility_violation(
    example: ExampleServer, browser: Browser, width: int, is_dark: bool
) -> None:
    async with new_page(browser, width, is_dark=is_dark) as page:
        for path, text in PAGES.items():
            await page.goto(f"http://{example.address}{path}")
            assert text in await page.locator("main").inner_text(), path
            assert not await page.evaluate(SCROLLS), path
            await page.evaluate(OPEN_ALL)
            assert not await page.evaluate(SCROLLS), path
            violations = (await Axe().run(page)).response["violations"]
            assert [(violation["id"], violation["nodes"][0]["html"]) for violation in violations] == [], path


async def test_pages_work_without_scripts(example: ExampleServer, browser: Browser) -> None:
    async with new_page(browser, has_scripts=False) as page:
        for path, text in PAGES.items():
            await page.goto(f"http://{example.address}{path}")
            assert text in await page.locator("main").inner_text(), path
        await page.goto(f"http://{example.address}/what-if")
        await page.fill("input[name=traffic]", "5")
        await page.get_by_role("button", name="Ask").click()
        await expect(page.locator(".pick [aria-current]")).to_have_text("\u00d75")
        await page.locator("input[type=range]").press("End")
        await page.get_by_role("button", name="Show").click()
        await expect(page).to_have_url(f"http://{example.address}/what-if?traffic=10x")
        await page.goto(f"http://{example.address}/coverage")
        await page.fill("input[type=search]", "service:lambda nothing")
        await page.press("input[type=search]", "Enter")
        await expect(page.locator("main")).to_contain_text("No quota matches.")
        await page.get_by_role("link", name="Remove service:lambda").click()
        await expect(page).to_have_url(f"http://{example.address}/coverage?q=nothing")


async def test_the_slider_of_what_if_is_moved_by_keys_and_its_answer_follows(
    example: ExampleServer, browser: Browser
) -> None:
    async with new_page(browser) as page:
        await page.goto(f"http://{example.address}/what-if?traffic=2x&match=service%3Dkinesis")
        slider = page.get_by_role("slider", name="Traffic times")
        await slider.press("ArrowRight")
        await expect(page.locator("input[name=traffic]")).to_have_value("2.2x")
        await expect(slider).to_have_attribute("aria-valuetext", "times 2.2")
        await slider.press("End")
        await expect(page.locator("#answer")).to_contain_text('10x the traffic of service="kinesis"')
        await expect(page).to_have_url(
            f"http://{example.address}/what-if?traffic=10x&match=service%3Dkinesis"
        )
        await expect(page.locator(".pick [aria-current]")).to_have_text("\u00d710")
        await expect(slider).to_be_focused()
        await page.go_back()
        await expect(page.locator("#answer")).to_contain_text("2x the traffic")
        await expect(slider).to_have_attribute("aria-valuetext", "times 2")


async def test_no_label_of_a_chart_is_wider_than_its_column(example: ExampleServer, browser: Browser) -> None:
    async with new_page(browser) as page:
        await page.goto(f"http://{example.address}/series/{SERIES_ID}")
        for width in (390, 794, 960, 1440):
            await page.set_viewport_size({"width": width, "height": 900})
            assert await page.evaluate(TEXTS_BEYOND_THEIR_COLUMN) == [], width


async def test_a_page_shows_that_its_connection_is_lost(tmp_path: Path, browser: Browser) -> None:
    async with new_page(browser) as page:
        async with example_server(tmp_path) as example:
            await page.goto(f"http://{example.address}/cost")
            await expect(page.locator("#live")).to_have_attribute("data-state", "on")
        await expect(page.locator("#lost")).to_be_visible(timeout=30_000)
        await expect(page).to_have_title("(not live) Cost · Headroom", timeout=30_000)


@pytest.mark.parametrize("width", WIDTHS)
async def test_pages_of_a_server_that_watches_nothing_say_so_and_show_no_zone_within_or_below(
    tmp_path: Path, browser: Browser, width: int
) -> None:
    async with Server.opened(tmp_path) as server:
        await server.publish()
        async with serve_on_loopback(server.app) as address, new_page(browser, width) as page:
            for path, text in EMPTY_PAGES.items():
                await page.goto(f"http://{address}{path}")
                assert text in await page.locator("main").inner_text(), path
                assert not await page.evaluate(SCROLLS), path
                assert await page.locator("main .zone.within, main .zone.below").count() == 0, path
