"""The pages of a running demo in a real Chromium: people use them, and no request leaves the host."""

import os
import re
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, BrowserContext, Page, ViewportSize, expect

from tests.monitor.serve_process import free_port
from tests.processes import ENVIRONMENT, ROOT, eventually, get, headroom

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAGES = (
    "/",
    "/map",
    "/alerts",
    "/alerts/history",
    "/alerts/silenced",
    "/runbooks/kinesis",
    "/look-back",
    "/coverage",
    "/what-if",
    "/paths",
    "/blind",
    "/cost",
    "/status",
    "/docs",
)
# axe takes long on this page. The page is the same on every server, so only test_report_pages runs axe on it.
API_DOCS = "/docs"
NO_MATCH, BEYOND_LAST_ROW = "/?q=nosuch", "/?row=9999"
SCREENSHOTS = ROOT / "dist" / "screenshots"  # outside git
SCREENSHOT_NAMES = {"/": "overview", NO_MATCH: "nothing", BEYOND_LAST_ROW: "beyond"}  # others: by the path
TIMEOUT = 30_000  # milliseconds
OPEN_ALL = "document.querySelectorAll('details').forEach((one) => (one.open = true))"
# The cells of tables whose text runs into the next cell: the text is wider than the cell, and not cut off.
OVERLAPPING_CELLS = """[...document.querySelectorAll("td")]
  .filter(cell => cell.scrollWidth > cell.clientWidth + 1 && getComputedStyle(cell).overflowX == "visible"
    && getComputedStyle(cell).display == "table-cell")
  .map(cell => `${cell.textContent.trim()}: ${cell.scrollWidth - cell.clientWidth} px`)"""
DESKTOP = ViewportSize(width=1440, height=900)


class Visit:
    """A page of a visitor, and its errors: console messages, exceptions, requests to other hosts."""

    def __init__(self, url: str, page: Page) -> None:
        self.url, self.page = url, page
        self.errors: list[str] = []
        page.on("console", lambda entry: self.errors.append(entry.text) if entry.type != "log" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", lambda request: self._check_host(request.url))

    def _check_host(self, address: str) -> None:
        if urlsplit(address).netloc != urlsplit(self.url).netloc:
            self.errors.append(f"requested {address}")

    async def go(self, path: str) -> None:
        await self.page.goto(self.url + path)


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(viewport=DESKTOP, timezone_id="Asia/Tokyo", locale="en-GB")
    context.set_default_timeout(TIMEOUT)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visit(url: str, context: BrowserContext) -> AsyncIterator[Visit]:
    """Open a page, and check at the end that its script logged nothing."""
    visit = Visit(url, await context.new_page())
    yield visit
    assert visit.errors == []


async def worst_series_path(visit: Visit) -> str:
    """Return the path of the first series in the list, which is the worst."""
    await visit.go("/")
    path = await visit.page.locator("#rows tbody a").first.get_attribute("href")
    assert path
    return path


async def test_the_page_updates_itself(visit: Visit) -> None:
    await visit.go("/")
    await expect(visit.page.locator("#live")).to_have_attribute("data-state", "on", timeout=TIMEOUT)
    await visit.page.evaluate("document.querySelector('#zones b').textContent = 'old'")
    await expect(visit.page.locator("#zones b").first).not_to_have_text("old", timeout=TIMEOUT)


async def test_an_open_menu_is_not_replaced_by_an_update(visit: Visit) -> None:
    await visit.go("/alerts")
    alert = visit.page.locator("#rows tr[id]").first
    await alert.get_by_text("Silence", exact=True).click()
    two_or_more = re.compile(r"^([2-9]|\d\d+)$")
    await expect(visit.page.locator("body")).to_have_attribute("data-updates", two_or_more, timeout=TIMEOUT)
    await expect(alert.get_by_role("button", name="for 4 h")).to_be_visible()


def has_query(query: str, address: str) -> bool:
    """Return whether an address has this query."""
    return parse_qs(urlsplit(address).query).get("q") == [query]


async def test_a_query_becomes_part_of_the_address(visit: Visit) -> None:
    page = visit.page
    await visit.go("/?q=service:kinesis")
    await page.get_by_role("searchbox").fill("orders")
    await page.keyboard.press("Enter")
    await page.wait_for_url(partial(has_query, "service:kinesis orders"))
    names = await page.locator("#rows tbody th a").all_inner_texts()
    assert names and all("orders" in name for name in names)
    await page.locator("#zones a.within").click()
    await page.wait_for_url(partial(has_query, "service:kinesis orders zone:within"))
    assert {*await page.locator("#rows tbody td:first-child").all_inner_texts()} == {"within"}
    await page.go_back()
    await page.wait_for_url(partial(has_query, "service:kinesis orders"))


async def test_keys_move_through_the_rows_and_open_pages(visit: Visit) -> None:
    page = visit.page
    await visit.go("/")
    await page.keyboard.press("j")
    await page.keyboard.press("j")
    await expect(page.locator("#rows tbody tr[aria-selected=true]")).to_have_count(1)
    await expect(page.locator("#rows tbody tr").nth(1).locator("th a")).to_be_focused()
    await page.keyboard.press("k")
    await expect(page.locator("#rows tbody tr").first.locator("th a")).to_be_focused()
    await page.keyboard.press("/")
    await expect(page.get_by_role("searchbox")).to_be_focused()
    await page.keyboard.press("Escape")
    await page.keyboard.press("?")
    await expect(page.locator("#help")).to_be_visible()
    await page.keyboard.press("Escape")
    await page.keyboard.press("g")
    await page.keyboard.press("a")
    await page.wait_for_url("**/alerts")


async def test_the_map_leads_to_its_series(visit: Visit) -> None:
    page = visit.page
    await visit.go("/")
    await page.locator("#map td a.saturated").first.click()
    await page.wait_for_url("**/?q=service:*")
    await expect(page.locator("#rows tbody td").first).to_have_text("saturated")


async def test_an_alert_is_acknowledged_and_silenced_and_its_silence_is_ended(visit: Visit) -> None:
    page = visit.page
    await visit.go("/alerts")
    message = page.locator("#form-result")
    first_alert = page.locator("#rows tr[id]").first
    identity = await first_alert.get_attribute("id")
    await first_alert.get_by_role("button", name="Acknowledge").click()
    await expect(message).to_contain_text("acknowledged.")
    await expect(page.locator(f"#{identity}")).to_have_count(0)
    await message.get_by_role("button", name="Undo").click()
    await expect(message).to_contain_text("Undone.")
    alert = page.locator(f"#{identity}")
    await alert.get_by_text("Silence", exact=True).click()
    await alert.get_by_role("button", name="for 4 h").click()
    await expect(message).to_contain_text("1 silence added, until")
    await visit.go("/alerts/silenced")
    await expect(page.locator(f"#{identity}")).to_contain_text("silenced on the page")
    await page.get_by_role("button", name="End").first.click()
    await expect(page.locator("#silences")).to_contain_text("No silence is in force")


async def test_the_keyboard_skips_to_the_content(visit: Visit) -> None:
    page = visit.page
    await visit.go("/")
    await page.keyboard.press("Tab")
    await expect(page.locator(":focus")).to_have_text("Skip to the content")
    await page.keyboard.press("Enter")
    await page.keyboard.press("Tab")
    assert await page.evaluate("document.querySelector('main').contains(document.activeElement)")


async def test_times_are_in_the_time_zone_of_the_viewer(visit: Visit) -> None:
    await visit.go(await worst_series_path(visit))
    ticks = visit.page.locator("#chart [data-time]")
    utc = (await ticks.first.get_attribute("data-time") or "")[11:13]
    shown = await ticks.first.text_content() or ""
    assert int(shown[:2]) == (int(utc) + 9) % 24  # Tokyo


async def test_the_page_works_without_scripts(url: str, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(url)
    await expect(page.locator("#live")).to_contain_text("Not live")
    await page.locator("#zones a.saturated").click()
    await expect(page.locator("#rows tbody td").first).to_have_text("saturated")
    await page.locator("#rows tbody th a").first.click()
    await expect(page.locator("#chart svg.plotbox")).to_be_visible()
    assert "UTC" in await page.locator("main").inner_text()
    await context.close()


async def test_the_page_follows_the_preferred_colour_scheme(visit: Visit) -> None:
    await visit.go("/")

    async def background() -> Any:
        return await visit.page.evaluate("getComputedStyle(document.body).backgroundColor")

    await visit.page.emulate_media(color_scheme="light")
    light = await background()
    await visit.page.emulate_media(color_scheme="dark")
    assert light != await background()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440, 2560])
async def test_axe_finds_nothing_and_nothing_is_cut_off(visit: Visit, scheme: Any, width: int) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page = visit.page
    series = await worst_series_path(visit)
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 1000})
    for path in (*PAGES, series, NO_MATCH, BEYOND_LAST_ROW):
        await visit.go(path)
        await page.evaluate(OPEN_ALL)
        if path != API_DOCS:
            violations = (await Axe().run(page)).response["violations"]
            assert [(violation["id"], violation["nodes"][0]["html"]) for violation in violations] == [], path
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path
        assert await page.evaluate(OVERLAPPING_CELLS) == [], path
        name = SCREENSHOT_NAMES.get(path) or path.strip("/").replace("/", "-")
        await page.screenshot(
            path=SCREENSHOTS / f"{name}-{width}-{scheme}.png", full_page=width < DESKTOP["width"]
        )


@pytest.mark.parametrize("width", [390, 1440])
async def test_without_credentials_the_page_says_that_no_series_is_monitored(
    width: int, context: BrowserContext, tmp_path: Path
) -> None:
    (tmp_path / "h.yaml").write_text(f"regions: [eu-west-1]\njournal: {tmp_path}/headroom.db\n")
    no_credentials = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}
    no_credentials |= {"AWS_SHARED_CREDENTIALS_FILE": os.devnull}
    serve = "serve", "--config", str(tmp_path / "h.yaml"), "--listen", f"127.0.0.1:{free_port()}"
    async with headroom(*serve, environ=ENVIRONMENT | no_credentials):
        await eventually(partial(get, f"http://{serve[-1]}/-/healthy"))
        page = await context.new_page()
        await page.set_viewport_size({"width": width, "height": 900})
        await page.goto(f"http://{serve[-1]}")
        card = page.locator("#list")
        await expect(card).to_contain_text("Unable to locate credentials")
        await expect(card).to_contain_text("aws sts get-caller-identity")
        assert await page.locator(".calm").count() == 0
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        await page.screenshot(path=SCREENSHOTS / f"no-series-{width}.png")


async def test_an_unknown_series_is_not_found(url: str, context: BrowserContext) -> None:
    page = await context.new_page()
    answer = await page.goto(f"{url}/series/{'0' * 16}")
    assert answer and answer.status == 404
    await expect(page.locator("main")).to_contain_text("its resource may be gone")


async def test_the_screenshots_in_the_readme_are_small() -> None:
    for path in (ROOT / "docs").glob("*.png"):
        assert path.stat().st_size < 200_000, Path(path).name
