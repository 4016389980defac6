"""The tab of receivers on the page of alerts."""

import httpx

from monitor.config.config import Config
from monitor.schema.types import ConfigContext
from tests.monitor.fleet_server import Server
from tests.registries import REGISTRY

RECEIVER = {"name": "on-call", "type": "webhook", "url": "https://hooks.example.org/secret"}


async def test_a_receiver_is_shown_as_unreachable_before_anything_is_sent_to_it(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.alerting.configure(
        Config.model_validate({"receivers": [RECEIVER]}, context=ConfigContext()).alerting_settings(REGISTRY)
    )
    server.alerting.reachability.unreachable["on-call"] = "hooks.example.org does not answer"
    text = (await client.get("/alerts/receivers")).text
    assert "on-call" in text and "hooks.example.org does not answer" in text
    assert "secret" not in text
