"""The page of alerts in a real Chromium: acknowledging, undo, several alerts at once, two tabs, silences."""

import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from monitor.notifiers.notice import Severity
from rules.band import Zone
from tests.acceptance.test_page_trouble import app_on_loopback
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import add, key, set_judgement
from tests.monitor.fleet_server import Server

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAMES = ("orders", "clicks", "audit", "<b>" + "x" * 1000, "mail")
SEVERITIES = (Severity.CRITICAL, Severity.WARNING, Severity.INFO, Severity.INFO, Severity.INFO)
ZONES = (Zone.SATURATED, Zone.NEAR, Zone.ABOVE, Zone.ABOVE, Zone.ABOVE)
TABS = ("", "/acknowledged", "/pending", "/silenced", "/history", "/receivers")
TIMEOUT = 20_000  # milliseconds
ONE_LINE, FEW_LINES = 34, 112  # pixels: the greatest height of a row on a desktop, and on a phone
FINGER = 40  # pixels: the least height of a button on a phone
REFUSED = "the server responded with a status of 4"  # the browser logs this when a form is refused
OPEN_HISTORY = "document.querySelectorAll('main li details').forEach((one) => (one.open = true))"
HEIGHTS = "(selector) => [...document.querySelectorAll(selector)].map((one) => one.offsetHeight)"


class Site:
    """A server with one alert for each of NAMES, and its address."""

    def __init__(self, server: Server, url: str) -> None:
        self.server, self.url = server, url
        self.alerts = [key(name).id for name in NAMES]

    @property
    def acknowledged_ids(self) -> set[str]:
        return {str(alert) for alert in self.server.alerting.engine.silences.acknowledgements}

    async def judge(self) -> None:
        """Publish a judgement; open pages then update themselves."""
        await self.server.publish()


@pytest_asyncio.fixture(loop_scope="session")
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    async with Server.opened(tmp_path) as server:
        for name, severity, zone in zip(NAMES, SEVERITIES, ZONES, strict=True):
            series = add(server.fleet, key(name))
            set_judgement(server.fleet, series, zone, usage=950.0, saturation=8.0 * (zone is Zone.SATURATED))
            alert = notice(series.key.id, severity, resource=name, since=1.76e9)
            server.alerting.engine.alerts[series.key.id] = alert
        await server.alerting.journal.commit({}, [*server.alerting.engine.alerts.values()])
        await server.publish()
        async with app_on_loopback(server.app) as url:
            yield Site(server, url)


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """A page whose scripts must log nothing; the browser itself logs that a form was refused."""
    errors: list[str] = []
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-GB")
    context.set_default_timeout(TIMEOUT)
    page = await context.new_page()
    page.on("console", lambda entry: errors.append(entry.text) if REFUSED not in entry.text else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    await context.close()
    assert errors == []


def row(page: Page, alert: str) -> Any:
    """Return the row of an alert."""
    return page.locator(f"#alert-{alert}")


async def test_one_click_acknowledges_and_a_key_undoes_it(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/alerts")
    first = site.alerts[0]
    await row(page, first).get_by_role("button", name="Acknowledge").click()
    await expect(page.locator("#form-result")).to_contain_text("orders acknowledged.")
    await expect(row(page, first)).to_have_count(0)
    await expect(page.locator(".tabs")).to_contain_text("Acknowledged 1")
    assert site.acknowledged_ids == {first} and page.url == f"{site.url}/alerts"
    await page.keyboard.press("u")
    await expect(page.locator("#form-result")).to_contain_text("Undone.")
    await expect(row(page, first)).to_be_visible()
    assert not site.acknowledged_ids


async def test_the_offer_to_undo_disappears_after_ten_seconds(site: Site, page: Page) -> None:
    await page.clock.install()
    await page.goto(f"{site.url}/alerts")
    await row(page, site.alerts[0]).get_by_role("button", name="Acknowledge").click()
    await expect(page.locator("#form-result")).to_be_visible()
    await page.clock.fast_forward(9_000)
    await expect(page.locator("#form-result")).to_be_visible()
    await page.clock.fast_forward(2_000)
    await expect(page.locator("#form-result")).to_have_count(0)
    await page.keyboard.press("u")
    assert site.acknowledged_ids == {site.alerts[0]}


async def test_several_alerts_are_acknowledged_and_silenced_at_once(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/alerts")
    acknowledge = page.locator("[data-bulk-ack]")
    await expect(acknowledge).to_be_disabled()
    for alert in site.alerts[:2]:
        await row(page, alert).get_by_role("checkbox").check()
    await expect(page.locator("[data-picked]")).to_have_text("2 selected")
    await acknowledge.click()
    await expect(page.locator("#form-result")).to_contain_text("2 alerts acknowledged.")
    assert site.acknowledged_ids == {*site.alerts[:2]}
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("[data-picked]")).to_have_text("Select all 5")
    await page.locator("[data-all]").check()
    await page.get_by_label("Silence the selected alerts").click()
    await page.locator(".bulk").get_by_role("button", name="for 1 h").click()
    await expect(page.locator("#form-result")).to_contain_text("5 silences added")
    await expect(page.locator("#alerts")).to_contain_text("No other alert fires")
    await page.keyboard.press("u")
    await expect(page.locator("#rows tr[id]")).to_have_count(5)
    assert not site.server.alerting.engine.silences.stored


async def test_a_second_tab_shows_who_acknowledged_an_alert(site: Site, page: Page) -> None:
    other = await page.context.new_page()
    for tab in (page, other):
        await tab.goto(f"{site.url}/alerts")
    await site.server.alerting.acknowledge(site.alerts[1], author="Ada", comment="adding shards")
    await row(other, site.alerts[1]).get_by_role("button", name="Acknowledge").click()
    message = other.locator("#form-result")
    await expect(message).to_contain_text(re.compile(r"clicks was acknowledged before, by Ada at \d\d:\d\d"))
    await expect(message.get_by_role("button")).to_have_count(0)
    await expect(row(other, site.alerts[1])).to_have_count(0)
    (acknowledgement,) = site.server.alerting.engine.silences.acknowledgements.values()
    assert (acknowledgement.author, acknowledgement.comment) == ("Ada", "adding shards")


async def test_the_keyboard_selects_acknowledges_undoes_and_opens(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/alerts")
    for pressed in "jxjx":  # j goes to the next row, x selects it
        await page.keyboard.press(pressed)
    await expect(page.locator("[data-picked]")).to_have_text("2 selected")
    await page.keyboard.press("a")
    await expect(page.locator("#form-result")).to_contain_text("2 alerts acknowledged.")
    await page.keyboard.press("u")
    await expect(page.locator("#rows tr[id]")).to_have_count(5)
    await page.keyboard.press("j")
    await page.keyboard.press("a")
    await expect(page.locator("#form-result")).to_contain_text("acknowledged.")
    assert len(site.acknowledged_ids) == 1
    await expect(page.locator("#rows tr[aria-selected=true] th a")).to_be_focused()  # the next row
    await page.keyboard.press("Enter")
    await page.wait_for_url("**/series/*")


async def test_an_update_keeps_what_is_selected_focused_and_open(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/alerts")
    await expect(page.locator("#live")).to_have_attribute("data-state", "on")
    await page.keyboard.press("j")
    await row(page, site.alerts[1]).get_by_role("checkbox").check()
    await page.keyboard.press("j")
    focused = await page.evaluate("document.activeElement.dataset.keep")
    del site.server.alerting.engine.alerts[site.alerts[4]]
    await page.mouse.move(5, 5)
    await site.judge()
    await expect(page.locator("#rows tr[id]")).to_have_count(4)
    await expect(row(page, site.alerts[1]).get_by_role("checkbox")).to_be_checked()
    await expect(page.locator("[data-picked]")).to_have_text("1 selected")
    assert focused and await page.evaluate("document.activeElement.dataset.keep") == focused
    await page.goto(f"{site.url}/alerts/history")
    await page.locator(".history-list summary").first.click()
    await site.server.alerting.acknowledge(site.alerts[1], author="Ada", comment="x")
    updates = await page.locator("body").get_attribute("data-updates") or "0"
    await site.judge()
    await expect(page.locator("body")).not_to_have_attribute("data-updates", updates)
    await expect(page.locator(".tabs")).to_contain_text("Acknowledged 1")
    await expect(page.locator(".history-list details").first).to_have_attribute("open", "")


async def test_rows_do_not_move_under_the_pointer(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/alerts")
    await expect(page.locator("#live")).to_have_attribute("data-state", "on")
    button = row(page, site.alerts[1]).get_by_role("button", name="Acknowledge")
    await button.hover()
    del site.server.alerting.engine.alerts[site.alerts[0]]
    await site.judge()
    await expect(page.locator("[data-order-changed]")).to_be_visible()
    await expect(page.locator("#rows tr[id]")).to_have_count(5)
    await page.mouse.down()
    await page.mouse.up()
    await expect(page.locator("#form-result")).to_contain_text("clicks acknowledged.")
    await expect(page.locator("#rows tr[id]")).to_have_count(3)


async def test_a_silence_that_matches_nothing_says_so_and_is_ended(site: Site, page: Page) -> None:
    await page.goto(f"{site.url}/alerts")
    await page.get_by_role("link", name="New silence").click()
    await page.get_by_label("Matchers").fill('region="eu-west1"')
    await page.get_by_label("Comment").fill("load test")
    await page.get_by_role("button", name="Silence", exact=True).click()
    hint = 'No series has region="eu-west1"; did you mean eu-west-1?'
    await expect(page.locator("#form-result")).to_contain_text(hint)
    await expect(page.locator("#silences")).to_contain_text(f"Matches nothing. {hint}")
    await expect(page.get_by_label("Matchers")).to_have_value("")
    await page.get_by_role("button", name="End").click()
    await expect(page.locator("#silences")).to_contain_text("No silence is in force")
    await page.get_by_label("Matchers").fill("region=")
    await page.get_by_role("button", name="Silence", exact=True).click()
    await expect(page.locator("#form-result")).to_contain_text("column 8")
    await expect(page.get_by_label("Matchers")).to_have_value("region=")  # the user can correct it


async def test_a_comment_is_added_to_an_acknowledged_alert(site: Site, page: Page) -> None:
    await site.server.alerting.acknowledge(site.alerts[0], author="page", comment="acknowledged on the page")
    await page.goto(f"{site.url}/alerts/acknowledged")
    await page.get_by_label("Comment on orders").click()
    await page.get_by_label("Comment", exact=True).fill("adding shards")
    await page.keyboard.press("Enter")
    await expect(page.locator("#form-result")).to_contain_text("The comment is stored.")
    await expect(row(page, site.alerts[0])).to_contain_text("adding shards")


async def test_without_a_script_a_redirect_leads_to_the_page_with_undo(site: Site, browser: Browser) -> None:
    context = await browser.new_context(java_script_enabled=False, viewport={"width": 1440, "height": 900})
    page = await context.new_page()
    await page.goto(f"{site.url}/alerts")
    await row(page, site.alerts[0]).get_by_role("checkbox").check()
    await row(page, site.alerts[1]).get_by_role("checkbox").check()
    await page.locator("[data-bulk-ack]").click()
    await expect(page.locator("#form-result")).to_contain_text("2 alerts acknowledged.")
    assert site.acknowledged_ids == {*site.alerts[:2]}
    await page.get_by_role("button", name="Undo").click()
    await expect(page.locator("#form-result")).to_contain_text("Undone.")
    assert not site.acknowledged_ids and page.url == f"{site.url}/alerts"
    await row(page, site.alerts[0]).get_by_label("Silence").click()
    await row(page, site.alerts[0]).get_by_role("button", name="for 1 day").click()
    await expect(page.locator("#form-result")).to_contain_text("1 silence added, until")
    await context.close()


async def test_a_page_of_an_earlier_process_asks_for_a_reload_and_keeps_its_rows(
    site: Site, page: Page
) -> None:
    await page.goto(f"{site.url}/alerts")
    await page.evaluate("document.querySelectorAll('[name=token]').forEach((one) => (one.value = 'old'))")
    await row(page, site.alerts[0]).get_by_role("button", name="Acknowledge").click()
    await expect(page.locator("#form-result")).to_contain_text("reload it and try again")
    await expect(row(page, site.alerts[0])).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1440, 2560])
async def test_every_tab_is_accessible_and_nothing_is_cut_off(
    site: Site, page: Page, scheme: Any, width: int
) -> None:
    alerting = site.server.alerting
    await alerting.acknowledge(site.alerts[1], author="Ada", comment="adding shards")
    await alerting.silence(['resource="audit"'], author="Bob", comment="being retired", duration=3600)
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 900})
    for path in (*(f"/alerts{tab}" for tab in TABS), "/runbooks", "/runbooks/headroom"):
        await page.goto(site.url + path)
        await page.evaluate(OPEN_HISTORY)
        violations = (await Axe().run(page)).response["violations"]
        assert [(violation["id"], violation["nodes"][0]["html"]) for violation in violations] == [], path
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth"), path


@pytest.mark.parametrize("width", [1440, 390])
async def test_a_row_has_one_line_on_a_desktop_and_few_lines_on_a_phone(
    site: Site, page: Page, width: int
) -> None:
    await page.set_viewport_size({"width": width, "height": 900})
    await page.goto(f"{site.url}/alerts")
    heights = await page.evaluate(HEIGHTS, "#rows tr[id]")
    is_desktop = width > 960
    assert max(heights) <= (ONE_LINE if is_desktop else FEW_LINES)
    if not is_desktop:
        button_heights = await page.evaluate(HEIGHTS, "#rows tr[id] .acts .button")
        assert min(filter(None, button_heights)) >= FINGER  # hidden buttons have the height 0
