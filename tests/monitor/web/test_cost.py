"""The page of what monitoring costs."""

import re

import httpx

from tests.monitor.fleet.fleets import ACCOUNT, REGION, add, key
from tests.monitor.served import Server
from tests.monitor.web.pages import page


async def test_the_page_shows_projected_and_measured_cost(server: Server, client: httpx.AsyncClient) -> None:
    add(server.fleet, key("orders"))
    server.telemetry.aws.count_requested_metrics(ACCOUNT, REGION, "kinesis", 1234)
    server.telemetry.stream.count_updates("", "", "", 77_000)
    await server.publish()
    await page(client, "/cost")
    words = " ".join(re.sub("<[^>]*>", " ", (await client.get("/cost")).text).split())
    assert "By service Projected Measured so far" in words
    assert "Kinesis Data Streams 2 0 $0.175 1,234 0 $0.0123 after an hour" in words
    assert "Unused" in words and "77,000 $0.231" in words
    assert "production eu-west-1 2 0 $0.175 1,234" in words
