"""Alerting as a whole: a journal, an alert engine, and webhooks that are called over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import standardwebhooks

from monitor.alerting.engine import NotFiringError
from monitor.alerting.journal import JournalError
from monitor.alerting.service import Alerting
from monitor.aws.status import MonitorStatus
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from monitor.fleet.metric_query import metric_query
from monitor.lib.telemetry import ProcessTelemetry
from monitor.schema.types import ConfigContext
from tests.monitor.fleet.fleets import NOW, SETTINGS, add, key, traffic
from tests.monitor.notifiers.loopback import Server, http_server
from tests.registries import REGISTRY

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
WEBHOOK = {"type": "webhook", "allow_insecure": True, "allow_private": True, "secret": SECRET}
ROUTE = {"group_wait": 0, "group_interval": 0}
MAX_WAIT = 20.0  # seconds that a test waits for the receivers
NEAR_BYTES = 57_000  # in a minute: 95 % of the limit of 1000 bytes/s


def config(folder: Path, *receivers: tuple[str, str]) -> Config:
    """Return a configuration with webhooks. receivers: the name and URL of each."""
    fields: dict[str, Any] = {
        "journal": str(folder / "headroom.db"),
        "route": ROUTE,
        "receivers": [{"name": name, "url": url, **WEBHOOK} for name, url in receivers],
    }
    return Config.model_validate(fields, context=ConfigContext())


@asynccontextmanager
async def run_alerting(configuration: Config, fleet: Fleet) -> AsyncIterator[Alerting]:
    """Open alerting, and run it in a task."""
    async with Alerting.opened(
        configuration.alerting_settings(REGISTRY), fleet, ProcessTelemetry()
    ) as alerting:
        task = asyncio.create_task(alerting.run())
        yield alerting
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def fire_alert(alerting: Alerting, fleet: Fleet, minute: int = NOW) -> None:
    """Let an alert on a stream near its limit fire, without a pending time."""
    series = add(fleet, key("orders"), replace(SETTINGS, pending_for=0))
    row = fleet.metrics(series.key.cell)[metric_query(traffic.of(StreamName=series.key.id))]
    fleet.rings.write(np.array([row]), np.array([minute]), np.array([NEAR_BYTES], np.float32))
    judge(fleet, minute)
    await alerting.engine.process(MonitorStatus(), {})


async def wait_for_bodies(server: Server, count: int) -> list[Any]:
    """Wait until a server has received `count` requests, and return their bodies."""
    async with asyncio.timeout(MAX_WAIT):
        while len(server.requests) < count:
            await asyncio.sleep(0.01)
    return server.bodies


async def test_a_webhook_is_called_once_for_each_change_with_a_signature(tmp_path: Path) -> None:
    fleet = Fleet()
    async with (
        http_server() as server,
        run_alerting(config(tmp_path, ("hook", server.url)), fleet) as alerting,
    ):
        await fire_alert(alerting, fleet)
        (body,) = await wait_for_bodies(server, 1)
        assert body["type"] == "alerts.firing"
        (alert,) = body["data"]["alerts"]
        assert (alert["status"], alert["severity"]) == ("firing", "warning")
        assert alert["utilization"] == pytest.approx(0.95)
        _, headers, content = server.requests[0]
        assert standardwebhooks.Webhook(SECRET).verify(content, headers)
        fleet.drop(key("orders"))
        await alerting.engine.process(MonitorStatus(), {})
        _, resolved = await wait_for_bodies(server, 2)
        assert resolved["type"] == "alerts.resolved"


async def test_a_pending_notice_is_sent_once_after_a_restart(tmp_path: Path) -> None:
    fleet = Fleet()
    async with http_server() as server:
        unreachable = config(tmp_path, ("hook", "http://127.0.0.1:9"))
        async with run_alerting(unreachable, fleet) as alerting:
            await fire_alert(alerting, fleet)
            async with asyncio.timeout(MAX_WAIT):
                while not alerting.delivery.senders["hook"].stats.failed:
                    await asyncio.sleep(0.01)
        async with run_alerting(config(tmp_path, ("hook", server.url)), fleet := Fleet()) as alerting:
            await wait_for_bodies(server, 1)
            await fire_alert(alerting, fleet)
        async with run_alerting(config(tmp_path, ("hook", server.url)), fleet := Fleet()) as alerting:
            await fire_alert(alerting, fleet)
        assert len(server.requests) == 1


async def test_a_reload_applies_changed_receivers(tmp_path: Path) -> None:
    fleet = Fleet()
    async with http_server() as first_server, http_server() as second_server:
        async with run_alerting(config(tmp_path, ("first", first_server.url)), fleet) as alerting:
            await fire_alert(alerting, fleet)
            await wait_for_bodies(first_server, 1)
            alerting.configure(
                config(
                    tmp_path, ("first", second_server.url), ("second", second_server.url)
                ).alerting_settings(REGISTRY)
            )
            (body,) = await wait_for_bodies(second_server, 1)  # without another judgement
            assert body["data"]["receiver"] == "second"
            assert [status.receiver for status in alerting.delivery.statuses()] == ["first", "second"]
        assert len(first_server.requests) == 1


async def test_an_unreachable_receiver_is_known_before_any_alert_is_sent(tmp_path: Path) -> None:
    async with http_server() as server:
        async with run_alerting(config(tmp_path, ("hook", "http://127.0.0.1:9")), Fleet()) as alerting:
            async with asyncio.timeout(MAX_WAIT):
                while not alerting.reachability.unreachable:
                    await asyncio.sleep(0.01)
            assert "127.0.0.1:9: the connection failed" in alerting.reachability.unreachable["hook"]
            alerting.configure(
                config(tmp_path, ("hook", server.url), ("other", "http://127.0.0.1:9")).alerting_settings(
                    REGISTRY
                )
            )
            async with asyncio.timeout(MAX_WAIT):
                while list(alerting.reachability.unreachable) != ["other"]:
                    await asyncio.sleep(0.01)
        assert server.requests == []


async def test_a_journal_in_use_cannot_be_opened_again(tmp_path: Path) -> None:
    configuration = config(tmp_path)
    async with run_alerting(configuration, Fleet()):
        with pytest.raises(JournalError, match="is held by "):
            async with Alerting.opened(
                configuration.alerting_settings(REGISTRY), Fleet(), ProcessTelemetry()
            ):
                pass
    async with run_alerting(configuration, Fleet()):
        pass


async def test_the_end_of_a_silence_sends_the_alert_at_once(tmp_path: Path) -> None:
    fleet = Fleet()
    async with (
        http_server() as server,
        run_alerting(config(tmp_path, ("hook", server.url)), fleet) as alerting,
    ):
        silence = await alerting.silence(['resource="orders"'], author="ada", comment="a test", duration=3600)
        assert alerting.engine.silences.stored == [silence]
        await fire_alert(alerting, fleet)
        assert [status.queued_count for status in alerting.delivery.statuses()] == [0]
        assert await alerting.end_silence(silence.id) == silence
        (body,) = await wait_for_bodies(server, 1)
        assert body["data"]["alerts"][0]["labels"]["resource"] == "orders"


async def test_an_acknowledgement_has_the_present_severity_of_its_alert(tmp_path: Path) -> None:
    fleet = Fleet()
    async with (
        http_server() as server,
        run_alerting(config(tmp_path, ("hook", server.url)), fleet) as alerting,
    ):
        await fire_alert(alerting, fleet)
        (alert_id,) = alerting.engine.alerts
        await wait_for_bodies(server, 1)
        acknowledgement = await alerting.acknowledge(alert_id, author="ada", comment="on it", duration=60)
        assert (acknowledgement.severity, acknowledgement.until) == (
            alerting.engine.alerts[alert_id].severity,
            acknowledgement.at + 60,
        )
        assert alerting.engine.silences.acknowledgements == {alert_id: acknowledgement}
        with pytest.raises(NotFiringError, match="no alert with the id 0123456789abcdef fires"):
            await alerting.acknowledge("0123456789abcdef", author="ada", comment="on it")
