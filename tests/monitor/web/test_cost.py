"""The page of the cost of monitoring."""

import re

import httpx

from monitor.fleet.ring_columns import NO_BOUND
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, add, key
from tests.monitor.fleet_server import Server
from tests.monitor.planning.simulation import SUM_OF_STREAMS
from tests.monitor.web.pages import page


async def test_the_page_shows_projected_and_measured_cost(server: Server, client: httpx.AsyncClient) -> None:
    add(server.fleet, key("orders"))
    server.telemetry.aws.count_requested_metrics(ACCOUNT, REGION, "kinesis", 1234)
    server.telemetry.stream.count_updates("", "", "", 77_000)
    await server.publish()
    await page(client, "/cost")
    words = " ".join(re.sub("<[^>]*>", " ", (await client.get("/cost")).text).split())
    assert "Kinesis Data Streams 2 0 $0.175 $0.0123 after an hour" in words
    assert "Unused" in words and "$0.232" in words
    assert "production eu-west-1 2 0 $0.175 $0.0123" in words
    assert "1,234 metrics requested, 77,000 updates streamed: $0.244 since" in words


async def test_the_page_shows_pruned_metrics_with_the_reason(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.fleet.set_bounds(SUM_OF_STREAMS)
    for name in ("orders", "clicks"):
        add(server.fleet, key(name))
    rings = server.fleet.rings
    rings.cadence[: rings.size] = 5
    rings.pruned[: rings.size] = rings.bound[: rings.size] != NO_BOUND
    await server.publish()
    await page(client, "/cost")
    words = " ".join(re.sub("<[^>]*>", " ", (await client.get("/cost")).text).split())
    assert "2 while WriteProvisionedThroughputExceeded of the account is 0" in words
    assert "That saves $0.169 a month" in words


async def test_the_page_shows_idle_metrics_and_their_saving(
    server: Server, client: httpx.AsyncClient
) -> None:
    for name in ("orders", "clicks"):
        add(server.fleet, key(name), throttled=None)
    rings = server.fleet.rings
    rings.idle_since[: rings.size], rings.cadence_if_active[: rings.size] = NOW, 15
    rings.cadence[: rings.size] = 60
    server.fleet.monthly_lists[ACCOUNT, REGION] = 1000.0
    await server.publish()
    await page(client, "/cost")
    words = " ".join(re.sub("<[^>]*>", " ", (await client.get("/cost")).text).split())
    assert "Idle: 2 metrics have had no points for three hours" in words
    assert "That saves $0.0438 a month; the lists cost $0.01." in words
