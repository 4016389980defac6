"""What the alerts page says of receivers."""

import httpx

from monitor.config import Config
from monitor.config_types import Sources
from tests.monitor.served import Server

RECEIVER = {"name": "on-call", "type": "webhook", "url": "https://hooks.example.org/secret"}


async def test_a_receiver_that_cannot_be_reached_is_said_before_anything_is_sent(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.alerting.configure(Config.model_validate({"receivers": [RECEIVER]}, context=Sources()))
    server.alerting.reach.unreachable["on-call"] = "hooks.example.org does not answer"
    said = (await client.get("/alerts")).text
    assert "on-call" in said and "hooks.example.org does not answer" in said
    assert "secret" not in said
