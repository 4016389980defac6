"""/api/v1/look-back, and the page /look-back."""

import httpx

from monitor.lookback.stored_episodes import NearRun
from rules.band import Zone
from tests.monitor.fleet.fleets import NOW, add, key, set_judgement
from tests.monitor.fleet_server import Server, error_of, json_of
from tests.monitor.lookback.test_stored_episodes import BEGIN, notice
from tests.monitor.web.pages import page


def add_episodes(server: Server) -> None:
    """Store an episode for each of two streams, and a notice for one of the episodes."""
    for number, name in enumerate(("orders", "clicks")):
        series = add(server.fleet, key(name))
        server.fleet.limit[series.slot] = 1000
        set_judgement(server.fleet, series, Zone.WITHIN, usage=500)
        begin = NOW - 600 + 60 * number
        server.near_runs.append(NearRun(series.slot, begin, begin + 45, 950.0))
    throttled_notice = notice("clicks", NOW - 530 - BEGIN, "saturated", throttled=4.0)
    server.notices.append(throttled_notice)


async def test_episodes_are_listed_with_their_notices(server: Server, client: httpx.AsyncClient) -> None:
    add_episodes(server)
    await server.publish()
    response = await json_of(client, "/api/v1/look-back")
    clicks, orders = response["items"]
    assert (orders["resource"], orders["kind"], orders["minutes"], orders["notices"]) == (
        "orders",
        "near",
        45,
        [],
    )
    assert (orders["peak_utilization"], orders["usage"], orders["limit"]) == (0.95, 950, 1000)
    assert (clicks["kind"], clicks["throttled"]) == ("throttled", 4)
    assert [notice["zone"] for notice in clicks["notices"]] == ["saturated"]
    assert response["total"] == 2
    limited = await json_of(client, "/api/v1/look-back?limit=1&days=7")
    assert (len(limited["items"]), limited["total"]) == (1, 2)
    assert (await json_of(client, "/api/v1/look-back?service=sqs"))["items"] == []
    assert "days" in error_of(await client.get("/api/v1/look-back?days=15"))


async def test_the_page_shows_episodes_and_their_sources(server: Server, client: httpx.AsyncClient) -> None:
    add_episodes(server)
    await server.publish()
    look_back_page = await page(client, "/look-back")
    text = " ".join(look_back_page.words.split())
    assert "AWS is not asked, so this costs nothing." in text
    assert "orders" in text and "95 % 950 B/s" in text.replace("95 %950", "95 % 950")
    assert "up to 4 /s" in text and "saturated" in text
    assert any(link.startswith("/series/") for link in look_back_page.links)
    assert "/look-back?days=7" in look_back_page.links


async def test_the_page_says_that_no_usage_is_stored_yet(server: Server, client: httpx.AsyncClient) -> None:
    await server.publish()
    assert "No usage has been kept yet." in (await page(client, "/look-back?days=1")).words
    assert (await client.get("/look-back?days=0")).status_code == 422
