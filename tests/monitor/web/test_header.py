"""The header of all pages: the time of the judgement, the counts, and the theme in a client's cookie."""

import re

import httpx
import pytest

from monitor.web.header import THEMES, next_theme
from rules.band import Zone
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import add, key, set_judgement
from tests.monitor.fleet_server import Server
from tests.monitor.web.pages import page

PATHS = ("/", "/alerts", "/cost", "/status", "/series/nosuch")


async def test_the_header_shows_the_time_of_the_judgement(server: Server, client: httpx.AsyncClient) -> None:
    assert "nothing judged yet" in (await page(client, "/")).words
    await server.publish()
    judged_at = server.exposition.published_at
    assert judged_at
    shown = (await client.get("/alerts")).text
    assert re.search(rf'<b id="as-of" data-at="{int(judged_at)}">\d\d:\d\d UTC</b>', shown)


async def test_the_header_counts_firing_alerts_and_unobserved_series(
    server: Server, client: httpx.AsyncClient
) -> None:
    for name, zone in (("a", Zone.STALE), ("b", Zone.UNOBSERVABLE), ("c", Zone.WITHIN), ("d", Zone.NEAR)):
        set_judgement(server.fleet, add(server.fleet, key(name)), zone, usage=500.0)
    server.alerting.engine.alerts["1"] = notice("1", resource="d", summary="d is busy.")
    await server.publish()
    words = " ".join((await page(client, "/cost")).words.split())
    assert "Overview Alerts 1 Coverage What-if Paths Look-back Blind spots 2 Cost" in words


async def test_a_count_of_zero_is_not_shown(server: Server, client: httpx.AsyncClient) -> None:
    await server.publish()
    assert "Alerts Coverage" in " ".join((await page(client, "/")).words.split())


@pytest.mark.parametrize(("theme", "attribute"), [("light", "light"), ("dark", "dark"), ("auto", None)])
async def test_pages_have_the_theme_in_the_cookie(
    client: httpx.AsyncClient, theme: str, attribute: str | None
) -> None:
    headers = {"Referer": "http://127.0.0.1/alerts?tab=pending", "Host": "127.0.0.1"}
    got = await client.get(f"/colours/{theme}", headers=headers, follow_redirects=False)
    assert (got.status_code, got.headers["location"]) == (303, "/alerts?tab=pending")
    assert f"theme={theme};" in got.headers["set-cookie"]
    client.cookies.clear()
    for path in PATHS:
        answer = await client.get(path, headers={"Cookie": f"theme={theme}"})
        root = re.search("<html[^>]*>", answer.text)
        assert root, path
        assert (f'data-theme="{attribute}"' in root[0]) == (attribute is not None), path
        assert f'href="/colours/{next_theme(theme)}"' in answer.text
    assert "Cookie" in (await client.get("/")).headers["vary"]


@pytest.mark.parametrize("referer", ["https://elsewhere.example/", "", "/colours/dark", "x" * 10_000])
async def test_switching_colours_redirects_only_to_this_server(
    client: httpx.AsyncClient, referer: str
) -> None:
    got = await client.get("/colours/dark", headers={"Referer": referer}, follow_redirects=False)
    assert got.headers["location"] == "/"


async def test_an_unknown_colour_scheme_is_rejected_or_ignored(client: httpx.AsyncClient) -> None:
    assert (await client.get("/colours/red")).status_code == 404
    assert "data-theme" not in (await client.get("/", headers={"Cookie": 'theme="><script>'})).text


def test_the_switch_cycles_through_all_colour_schemes() -> None:
    theme, seen = "auto", set()
    for _ in THEMES:
        theme = next_theme(theme)
        seen.add(theme)
    assert seen == {*THEMES}
