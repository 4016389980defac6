"""/api/v1/recommendations: the right sizes of what is bought."""

import httpx

from collectors.base import Resource
from monitor.fleet.key import Key
from monitor.fleet.series_settings import SeriesSettings
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.monitor.fleet.fleets import NOW, add, key, set_judgement
from tests.monitor.fleet_server import Server, error_of, json_of
from tests.registries import STREAM_WRITE_BYTES

LIMIT = 8.0 * 2**20  # bytes/s that the eight shards of a stream accept
SETTINGS = SeriesSettings(
    signal=STREAM_WRITE_BYTES, limit=Limit(LIMIT, LimitSource.API, NOW * 60), band=Band(), paid=True
)
QUARTERS_PER_DAY = 96  # quarters of an hour


def stream_key(name: str) -> Key:
    """Return the key of the series of the bytes written to a stream."""
    return key(name)._replace(subject=Resource("stream", (name,)))


def add_stream(server: Server, name: str, peak_utilization: float, days: int = 14) -> None:
    """Add a stream of eight shards with a peak utilization. days: the length of its known usage."""
    series, peak = add(server.fleet, stream_key(name), SETTINGS), peak_utilization * LIMIT
    server.fleet.limit[series.slot] = LIMIT
    set_judgement(server.fleet, series, Zone.BELOW, usage=peak)
    server.peaks.peak[series.slot] = peak
    server.peaks.known_bins[series.slot] = server.peaks.span_bins[series.slot] = days * QUARTERS_PER_DAY


async def test_right_sizes_are_listed_with_sums(server: Server, client: httpx.AsyncClient) -> None:
    add_stream(server, "idle", 0.08)
    add_stream(server, "short", 0.9)
    add_stream(server, "new", 0.08, days=1)
    server.peaks.weekly_growth[1] = 0.25
    await server.publish()
    response = await json_of(client, "/api/v1/recommendations")
    assert [(item["resource"], item["advice"], item["right_size"]) for item in response["items"]] == [
        ("short", "raise", 14),
        ("idle", "lower", 2),
        ("new", "unknown", None),
    ]
    assert response["counts"] == {"raise": 1, "lower": 1, "keep": 0, "unknown": 1}
    # The prices of eu-west-1 are not known.
    assert (response["saved_monthly_dollars"], response["unknown_prices"]) == (0, 2)
    short, idle = response["items"][:2]
    assert (short["weekly_growth"], short["reason"]) == (0.25, "grows 25% a week")
    assert (idle["weekly_growth"], idle["reason"]) == (0, "")
    assert idle["change"] == "lower from 8 shards to 2"
    assert (idle["monthly_dollars"], idle["price"]) == (None, "")
    assert response["items"][2]["reason"] == "1.0 of 7 days of history"


async def test_recommendations_are_filtered_and_limited(server: Server, client: httpx.AsyncClient) -> None:
    add_stream(server, "idle", 0.08)
    add_stream(server, "short", 0.9)
    await server.publish()
    lower = await json_of(client, "/api/v1/recommendations?advice=lower")
    assert [item["resource"] for item in lower["items"]] == ["idle"]
    limited = await json_of(client, "/api/v1/recommendations?limit=1")
    assert (len(limited["items"]), limited["total"]) == (1, 2)
    assert (await json_of(client, "/api/v1/recommendations?service=sqs"))["total"] == 0
    assert "advice" in error_of(await client.get("/api/v1/recommendations?advice=more"))
    assert "zone" in error_of(await client.get("/api/v1/recommendations?zone=near"))


async def test_the_pages_of_a_series_and_of_the_cost_show_the_right_size(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_stream(server, "idle", 0.08)
    await server.publish()
    page = await client.get(f"/series/{stream_key('idle').id}")
    assert "Lower from 8 shards to 2" in page.text
    assert "--target-shard-count 4" in page.text  # a call halves the number of shards at most
    cost = await client.get("/cost")
    assert "Right sizes" in cost.text and "price not known" in cost.text
