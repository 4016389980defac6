"""Forecasts on the pages: the series that reach their limits next, and the forecast of one series."""

import re
import time

import httpx
import numpy as np

from monitor.fleet.fan import Fan
from monitor.fleet.fleet import Series
from rules.band import Zone
from tests.monitor.fleet.fleets import add, key, set_judgement
from tests.monitor.fleet_server import Server
from tests.monitor.web.pages import page


def add_with_forecast(
    server: Server, name: str, probability: tuple[float, ...], days: float = 14.0
) -> Series:
    """Add a series with a history of some days.

    If all probabilities are known, its forecast reaches the limit in three to five hours.
    """
    series = add(server.fleet, key(name))
    set_judgement(server.fleet, series, Zone.WITHIN, usage=500.0)
    fleet, minute = server.fleet, int(time.time() // 60)
    fleet.reach_probability[series.slot] = probability
    fleet.history_bins[series.slot] = days * 96
    if not np.isnan(probability).any():
        fleet.reach_minutes[series.slot] = [minute + 60 * hours for hours in (3, 4, 5)]
    return series


async def test_the_series_that_reaches_its_limit_soonest_is_listed_first(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_with_forecast(server, "later", (0.0, 0.1, 0.6, 0.9))
    add_with_forecast(server, "soon", (0.1, 0.6, 0.8, 0.9))
    add_with_forecast(server, "never", (0.0, 0.0, 0.01, 0.02))
    await server.publish()
    words = " ".join((await page(client, "/")).words.split())
    upcoming = words.partition("Reaches its limit next")[2].partition("Not seen")[0]
    assert re.search(r"soon \w+3 . 5 h60 %", upcoming), upcoming
    assert upcoming.index("soon") < upcoming.index("later")
    assert "never" not in upcoming


async def test_the_page_of_a_series_shows_its_forecast_and_its_ceiling(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add_with_forecast(server, "orders", (0.1, 0.6, 0.8, 0.9))
    server.fleet.ceiling[series.slot] = 700.0
    await server.publish()
    words = " ".join((await page(client, f"/series/{series.key.id}")).words.split())
    assert "The effective ceiling of 700 B/s is inferred: the lowest usage at which demand was" in words
    assert "% within 1 h, 60 % within 6 h, 80 % within 24 h, 90 % within 3 d" in words


async def test_a_short_history_is_shown_instead_of_a_probability(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add_with_forecast(server, "orders", (float("nan"),) * 4, days=1.2)
    await server.publish()
    words = " ".join((await page(client, f"/series/{series.key.id}")).words.split())
    assert "No forecast yet: 1.2 of 2 days of history." in words
    assert "within 1 h" not in words


def fan(quarters: int = 96, high: float = 900.0) -> Fan:
    """Return a fan whose median rises from 500 to `high`."""
    middle = np.linspace(500, high, quarters, dtype=np.float32)
    edges = [middle - 40, middle - 20, middle, middle + 20, middle + 40]
    now = int(time.time() // 60) // 15 * 15
    return Fan(now, np.full(quarters, 500, np.float32), np.stack(edges))


async def test_the_fan_is_drawn_with_the_times_at_which_the_limit_is_reached(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add_with_forecast(server, "orders", (0.1, 0.6, 0.8, 0.9))
    server.fans[series.slot] = fan()
    now = int(time.time() // 60)
    server.fleet.reach_minutes[series.slot] = [now + 60 * hours for hours in (3, 4, 5)]
    await server.publish()
    found = await page(client, f"/series/{series.key.id}?range=24h")
    classes = [element.get("class") for element in (*found.all("path"), *found.all("line"))]
    assert [classes.count(name) for name in ("fan", "fan in", "mid", "reach")] == [1, 1, 1, 1]
    labels = [element.get("aria-label") or "" for element in found.all("svg")]
    assert any("reaches the limit in" in label and "60 %" in label for label in labels)


async def test_gaps_of_the_past_and_of_the_forecast_are_not_drawn(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add_with_forecast(server, "orders", (0.1, 0.2, 0.3, 0.4))
    with_gaps = fan()
    with_gaps.past[10:20] = with_gaps.ahead[:, 30:40] = np.nan
    server.fans[series.slot] = with_gaps
    await server.publish()
    found = await page(client, f"/series/{series.key.id}?range=24h")
    outer = [path.get("d") or "" for path in found.all("path") if path.get("class") == "fan"]
    assert [commands.count("Z") for commands in outer] == [2]
    assert "nan" not in "".join(path.get("d") or "" for path in found.all("path"))


async def test_a_series_without_a_forecast_has_no_fan(server: Server, client: httpx.AsyncClient) -> None:
    series = add_with_forecast(server, "orders", (float("nan"),) * 4, days=1.2)
    unknown = fan()
    unknown.ahead[:] = np.nan
    server.fans[series.slot] = unknown
    await server.publish()
    found = await page(client, f"/series/{series.key.id}?range=24h")
    assert "forecast: dark" not in found.words
    assert "mid" not in {path.get("class") for path in found.all("path")}


async def test_a_limit_that_may_be_reached_before_its_remedy_takes_effect_is_urgent(
    server: Server, client: httpx.AsyncClient
) -> None:
    now = int(time.time() // 60)
    for name, ahead, is_urgent in (("soon", 10, True), ("later", 600, False)):
        series = add_with_forecast(server, name, (0.1, 0.6, 0.8, 0.9))
        server.fleet.reach_minutes[series.slot] = [now + ahead, now + ahead + 10, now + ahead + 20]
        await server.publish()
        shown = " ".join((await page(client, f"/series/{series.key.id}")).words.split())
        assert "It takes about 15 min" in shown, name
        assert ("Now: the limit may be reached sooner than that takes." in shown) is is_urgent, name
