"""The page of a series in a real Chromium: crosshair, ranges, copying, and use without scripts."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, ViewportSize, expect

pytestmark = pytest.mark.asyncio(loop_scope="session")

DESKTOP = ViewportSize(width=1440, height=900)
PLOT = "#chart .plotbox"


@pytest_asyncio.fixture(loop_scope="session")
async def page(url: str, browser: Browser) -> AsyncIterator[Page]:
    """The page of a series, whose scripts must raise and log no error."""
    context = await browser.new_context(viewport=DESKTOP, locale="en-GB", timezone_id="Europe/Berlin")
    page = await context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda entry: errors.append(entry.text) if entry.type == "error" else None)
    await page.goto(url + await path_of_series_with_command(url, browser))
    yield page
    assert errors == []
    await context.close()


async def path_of_series_with_command(url: str, browser: Browser) -> str:
    """Return the path of a series that has a usage, and whose page has a command above the chart."""
    context = await browser.new_context()
    answer = await context.request.get(f"{url}/api/v1/series?limit=60")
    for item in (await answer.json())["items"]:
        path = f"/series/{item['id']}"
        text = await (await context.request.get(url + path)).text()
        if "data-copy" in text.partition('id="course"')[0] and item["usage"] is not None:
            await context.close()
            return path
    raise AssertionError("no series of the demo has a usage and a command to run")


async def test_the_pointer_shows_the_values_of_one_minute(page: Page) -> None:
    plot, tip = page.locator(PLOT), page.locator("#chart .tip")
    box = await plot.bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
    await expect(tip).to_contain_text("usage")
    await expect(tip).to_contain_text("limit")
    first_text = await tip.text_content() or ""
    await page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 50)
    await expect(tip).not_to_have_text(first_text)
    await page.mouse.move(box["x"], box["y"] - 200)
    await expect(tip).to_be_hidden()


async def test_a_touch_shows_the_values_of_one_minute_until_the_next_touch_elsewhere(
    page: Page, browser: Browser
) -> None:
    context = await browser.new_context(
        viewport=ViewportSize(width=390, height=844), has_touch=True, is_mobile=True
    )
    phone = await context.new_page()
    await phone.goto(page.url)
    plot, tip = phone.locator(PLOT), phone.locator("#chart .tip")
    await plot.scroll_into_view_if_needed()
    await plot.tap(position={"x": 40, "y": 60})
    await expect(tip).to_contain_text("limit")
    first_text = await tip.text_content() or ""
    await plot.tap(position={"x": 90, "y": 60})
    await expect(tip).not_to_have_text(first_text)
    chart_box, tip_box = await phone.locator("#chart").bounding_box(), await tip.bounding_box()
    assert chart_box and tip_box and tip_box["x"] >= chart_box["x"] - 1
    assert tip_box["x"] + tip_box["width"] <= chart_box["x"] + chart_box["width"] + 1
    await phone.locator("h1").tap()
    await expect(tip).to_be_hidden()
    await context.close()


async def test_the_arrow_keys_show_the_values_of_one_minute(page: Page) -> None:
    plot, tip = page.locator(PLOT), page.locator("#chart .tip")
    await page.keyboard.press("Tab")
    await plot.focus()
    await expect(tip).to_contain_text("usage")
    newest = await tip.text_content() or ""
    await page.keyboard.press("ArrowLeft")
    previous = await tip.text_content() or ""
    assert previous != newest
    await page.keyboard.press("ArrowRight")
    await expect(tip).to_have_text(newest)
    await page.keyboard.press("PageUp")
    await page.keyboard.press("PageDown")
    await expect(tip).to_have_text(newest)
    await page.keyboard.press("Escape")
    await expect(tip).to_be_hidden()


async def test_each_range_has_an_address_and_the_crosshair_stays_within_the_chart(page: Page) -> None:
    await page.get_by_role("navigation", name="Range").get_by_text("14 d").click()
    await page.wait_for_url("**?range=14d")
    await expect(page.locator("#chart [data-day]").first).to_be_attached()
    plot, tip = page.locator(PLOT), page.locator("#chart .tip")
    box = await plot.bounding_box()
    assert box
    for share in (0.001, 0.999):
        await page.mouse.move(box["x"] + box["width"] * share, box["y"] + 50)
        await expect(tip).to_be_visible()
        chart_box, tip_box = await page.locator("#chart").bounding_box(), await tip.bounding_box()
        assert chart_box and tip_box and tip_box["x"] >= chart_box["x"] - 1
        assert tip_box["x"] + tip_box["width"] <= chart_box["x"] + chart_box["width"] + 1
    await page.go_back()
    await expect(page.get_by_text("3 h", exact=True)).to_have_attribute("aria-current", "true")


async def test_a_command_is_copied_or_selected_if_the_clipboard_refuses_it(page: Page) -> None:
    button, code = page.locator(".first [data-copy]"), page.locator(".first .cmd code")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await button.click()
    await expect(button).to_have_text("Copied")
    assert await page.evaluate("navigator.clipboard.readText()") == await code.text_content()
    await page.context.clear_permissions()
    await page.evaluate(
        "() => { navigator.clipboard.writeText = () => Promise.reject(new Error('refused')); }"
    )
    await expect(button).to_have_text("Copy")
    await button.click()
    assert (await page.evaluate("getSelection().toString()")).split() == (
        await code.text_content() or ""
    ).split()


async def test_a_live_update_keeps_the_crosshair(page: Page) -> None:
    tip, box = page.locator("#chart .tip"), await page.locator(PLOT).bounding_box()
    assert box
    await page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 50)
    await expect(tip).to_contain_text("usage")
    shown = await tip.text_content() or ""
    await page.evaluate(
        "document.getElementById('course').replaceWith(document.getElementById('course').cloneNode(true))"
    )
    await expect(tip).to_have_text(shown)


async def test_the_page_works_without_scripts(url: str, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False, viewport=DESKTOP)
    page = await context.new_page()
    await page.goto(url + await path_of_series_with_command(url, browser))
    await expect(page.locator(PLOT)).to_be_visible()
    await page.get_by_text("The values as a table").click()
    await expect(page.locator(".values tbody tr").first).to_be_visible()
    await page.get_by_text("24 h", exact=True).click()
    await page.wait_for_url("**?range=24h")
    await expect(page.locator(".first .cmd code")).to_contain_text("aws ")
    await context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440, 2560])
async def test_axe_finds_nothing_and_nothing_is_cut_off(page: Page, scheme: str, width: int) -> None:
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.set_viewport_size({"width": width, "height": 900})
    for shown_range in ("3h", "14d"):
        await page.goto(f"{page.url.partition('?')[0]}?range={shown_range}")
        await page.get_by_text("The values as a table").click()
        violations = (await Axe().run(page)).response["violations"]
        assert [(violation["id"], violation["nodes"][0]["html"]) for violation in violations] == []
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
