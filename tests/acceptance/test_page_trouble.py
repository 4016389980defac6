"""Pages in a real Chromium: open while a series, a token or the server is lost, or the clock is wrong.

Also pages with strange names.
"""

import asyncio
import re
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import uvicorn
from fastapi import FastAPI
from playwright.async_api import Browser, Page, expect

from monitor.server.listener import HttpServer, bind_socket
from tests.forked_process import ForkedProcess
from tests.monitor.serve_process import free_port
from tests.monitor.web.test_strange_names import NAMES, PAGES, server_of_names
from tests.processes import demo_aws, eventually, headroom, nothing_pending

pytestmark = pytest.mark.asyncio(loop_scope="session")

TIMEOUT = 60_000  # milliseconds
KINESIS = "services: [kinesis]\nregions: [eu-west-1]\njudge_interval: 5\n"
TOKEN = "a-token-of-the-test-0001"
AUTH = """
auth:
  allow_anonymous: true
  anonymous_role: metrics
  tokens: [{name: browser, role: read, token: %s}]
"""
HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def aws() -> AsyncIterator[Mapping[str, str]]:
    async with demo_aws() as environ:
        yield environ


@pytest_asyncio.fixture(loop_scope="session")
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context(extra_http_headers=HEADERS, locale="en-GB")
    context.set_default_timeout(TIMEOUT)
    yield await context.new_page()
    await context.close()


class Headroom:
    """A `headroom serve` that keeps its port when it is restarted."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self.listen = f"127.0.0.1:{free_port()}"
        self.url = f"http://{self.listen}"
        self._config, self._environ = folder / "headroom.yaml", environ

    def write(self, text: str) -> None:
        self._config.write_text(f"{text}journal: {self._config.parent}/headroom.db\n")

    @asynccontextmanager
    async def running(self, text: str) -> AsyncIterator[ForkedProcess]:
        self.write(text)
        serve = "serve", "--config", str(self._config), "--listen", self.listen
        async with headroom(*serve, environ=self._environ) as process:
            await eventually(partial(nothing_pending, self.url))
            yield process

    async def open(self, page: Page, resource: str) -> None:
        """Open a series' page."""

        async def series_id() -> str | None:
            params = {"resource": resource, "signal": "stream_write_bytes"}
            async with httpx.AsyncClient(trust_env=False, headers=HEADERS) as client:
                items = (await client.get(f"{self.url}/api/v1/series", params=params)).json()["items"]
            return items[0]["id"] if items else None

        found_id = await eventually(series_id)  # the series may not be judged yet
        await page.goto(f"{self.url}/series/{found_id}")
        await expect(page.locator("#live")).to_have_attribute("data-state", "on", timeout=TIMEOUT)


@pytest.fixture
def server(tmp_path: Path, aws: Mapping[str, str]) -> Headroom:
    return Headroom(tmp_path, aws)


async def expect_live_text(page: Page, state: str, words: str) -> None:
    """Wait until the page shows this state of its connection, and these words beside it.

    A page that is not live says so in a banner and in its title.
    """
    live, banner = page.locator("#live"), page.locator("#lost")
    await expect(live).to_have_attribute("data-state", state, timeout=TIMEOUT)
    await expect(live if state == "on" else banner).to_contain_text(words, timeout=TIMEOUT)
    await expect(banner).to_be_visible(visible=state != "on")
    assert ("(not live)" in await page.title()) == (state != "on")


async def test_an_open_page_says_that_its_series_was_dropped_and_is_live_when_it_is_back(
    server: Headroom, page: Page
) -> None:
    async with server.running(KINESIS) as process:
        await server.open(page, "audit")
        server.write(KINESIS + "exclude: [{resource: audit}]\n")
        process.send_signal(signal.SIGHUP)
        await expect_live_text(page, "ended", "its resource may be gone")
        await expect(page.locator("#chart svg.plotbox")).to_be_visible()  # the chart of the last known values
        server.write(KINESIS)
        process.send_signal(signal.SIGHUP)
        await expect_live_text(page, "on", "Live")  # the series is back


async def test_an_open_page_says_that_its_token_is_no_longer_valid(server: Headroom, page: Page) -> None:
    async with server.running(KINESIS + AUTH % TOKEN) as process:
        await server.open(page, "audit")
        server.write(KINESIS + AUTH % "another-token-of-the-test")
        process.send_signal(signal.SIGHUP)
        await expect_live_text(page, "ended", "Access has ended: reload the page to log in")


async def test_an_open_page_says_that_its_token_became_invalid_while_the_server_was_away(
    server: Headroom, page: Page
) -> None:
    await page.clock.install()
    async with server.running(KINESIS + AUTH % TOKEN):
        await server.open(page, "audit")
    await expect_live_text(page, "lost", "does not change. It is tried again")
    async with server.running(KINESIS + AUTH % "another-token-of-the-test"):
        await expect_live_text(page, "ended", "Access has ended: reload the page to log in")
        requested: list[str] = []
        page.on("request", lambda request: requested.append(request.url))
        await page.clock.fast_forward(600_000)
        await page.evaluate("fetch('/-/healthy')")
        assert requested == [f"{server.url}/-/healthy"]  # the page does not connect again


async def test_the_page_is_live_again_when_the_server_is_back(server: Headroom, page: Page) -> None:
    async with server.running(KINESIS):
        await server.open(page, "audit")
    await expect_live_text(page, "lost", "does not change. It is tried again")
    async with server.running(KINESIS):
        await expect_live_text(page, "on", "Live")


@pytest.mark.parametrize("minutes", [-10, 10])
async def test_ages_do_not_depend_on_the_clock_of_the_browser(
    server: Headroom, page: Page, minutes: int
) -> None:
    async with server.running(KINESIS):
        await page.clock.set_fixed_time(time.time() + minutes * 60)
        await server.open(page, "audit")
        shown = page.locator("#course .stats time").last
        sample_time = await shown.get_attribute("datetime")
        ago = re.search(r"\((\d+) min ago\)", await shown.inner_text())
        assert sample_time and ago, await shown.inner_text()
        age = await page.evaluate("(at) => Date.now() - new Date(at)", sample_time) / 60_000 - minutes
        assert abs(int(ago[1]) - age) <= 1.5


@asynccontextmanager
async def app_on_loopback(app: FastAPI) -> AsyncIterator[str]:
    """Serve an application on loopback; yield its URL."""
    listening = bind_socket("127.0.0.1", 0)
    server = HttpServer(uvicorn.Config(app, lifespan="off", log_config=None, timeout_graceful_shutdown=1))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving


@pytest.mark.parametrize("name_kind", NAMES)
async def test_strange_names_neither_widen_the_page_nor_run_as_scripts(
    tmp_path: Path, page: Page, name_kind: str
) -> None:
    errors: list[str] = []
    page.on("console", lambda entry: errors.append(entry.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("dialog", lambda dialog: errors.append(dialog.message))
    async with server_of_names(tmp_path, NAMES[name_kind]) as server, app_on_loopback(server.app) as url:
        pages_without_parameters = [path for path in PAGES if "{" not in path and "." not in path]
        series_paths = [f"/series/{series.key.id}" for series in server.fleet.series.values()]
        for width in (390, 1280):
            await page.set_viewport_size({"width": width, "height": 900})
            for path in (*pages_without_parameters, *series_paths):
                await page.goto(url + path)
                pixels_cut_off = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
                assert pixels_cut_off <= 0, (path, width)
        await page.goto("about:blank")
    assert errors == []
