"""Alerting as it is composed: a journal, receivers that are really called, and other ones at a reload."""

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
LOCAL = {"type": "webhook", "allow_insecure": True, "allow_private": True, "secret": SECRET}
ROUTE = {"group_wait": 0, "group_interval": 0}
PATIENCE = 20.0


def config(folder: Path, *receivers: tuple[str, str]) -> Config:
    """Return a configuration with webhooks. receivers: names and URLs."""
    given: dict[str, Any] = {
        "journal": str(folder / "headroom.db"),
        "route": ROUTE,
        "receivers": [{"name": name, "url": url, **LOCAL} for name, url in receivers],
    }
    return Config.model_validate(given, context=ConfigContext())


@asynccontextmanager
async def running(requested: Config, fleet: Fleet) -> AsyncIterator[Alerting]:
    """Alerting at work, as a process has it."""
    async with Alerting.opened(requested.alerting_settings(REGISTRY), fleet, ProcessTelemetry()) as alerting:
        work = asyncio.create_task(alerting.run())
        yield alerting
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)


async def saturate(alerting: Alerting, fleet: Fleet, minute: int = NOW) -> None:
    """A stream is near its limit at once."""
    series = add(fleet, key("orders"), replace(SETTINGS, pending_for=0))
    row = fleet.metrics(series.key.cell)[metric_query(traffic.of(StreamName=series.key.id))]
    fleet.rings.write(np.array([row]), np.array([minute]), np.array([57_000], np.float32))
    judge(fleet, minute)
    await alerting.engine.process(MonitorStatus(), {})


async def wait_for_bodies(server: Server, count: int) -> list[Any]:
    """Wait until a server has so many requests, and return their bodies."""
    async with asyncio.timeout(PATIENCE):
        while len(server.requests) < count:
            await asyncio.sleep(0.01)
    return server.bodies


async def test_a_webhook_is_reported_signed_and_once(tmp_path: Path) -> None:
    fleet = Fleet()
    async with http_server() as server, running(config(tmp_path, ("hook", server.url)), fleet) as alerting:
        await saturate(alerting, fleet)
        (body,) = await wait_for_bodies(server, 1)
        assert body["type"] == "alerts.firing"
        (alert,) = body["data"]["alerts"]
        assert (alert["status"], alert["severity"]) == ("firing", "warning")
        assert alert["utilization"] == pytest.approx(0.95)
        _, headers, content = server.requests[0]
        assert standardwebhooks.Webhook(SECRET).verify(content, headers)
        fleet.drop(key("orders"))
        await alerting.engine.process(MonitorStatus(), {})
        _, over = await wait_for_bodies(server, 2)
        assert over["type"] == "alerts.resolved"


async def test_pending_notices_are_sent_after_a_restart_and_nothing_twice(tmp_path: Path) -> None:
    fleet = Fleet()
    async with http_server() as server:
        away = config(tmp_path, ("hook", "http://127.0.0.1:9"))
        async with running(away, fleet) as alerting:
            await saturate(alerting, fleet)
            async with asyncio.timeout(PATIENCE):
                while not alerting.delivery.senders["hook"].stats.failed:
                    await asyncio.sleep(0.01)
        async with running(config(tmp_path, ("hook", server.url)), fleet := Fleet()) as alerting:
            await wait_for_bodies(server, 1)
            await saturate(alerting, fleet)
        async with running(config(tmp_path, ("hook", server.url)), fleet := Fleet()) as alerting:
            await saturate(alerting, fleet)
        assert len(server.requests) == 1


async def test_a_reload_takes_other_receivers(tmp_path: Path) -> None:
    fleet = Fleet()
    async with http_server() as first, http_server() as second:
        async with running(config(tmp_path, ("first", first.url)), fleet) as alerting:
            await saturate(alerting, fleet)
            await wait_for_bodies(first, 1)
            alerting.configure(
                config(tmp_path, ("first", second.url), ("second", second.url)).alerting_settings(REGISTRY)
            )
            (body,) = await wait_for_bodies(second, 1)  # without another judgement
            assert body["data"]["receiver"] == "second"
            assert [one.receiver for one in alerting.delivery.statuses()] == ["first", "second"]
        assert len(first.requests) == 1


async def test_an_unreachable_receiver_is_found_before_there_is_an_alert(tmp_path: Path) -> None:
    async with http_server() as server:
        async with running(config(tmp_path, ("hook", "http://127.0.0.1:9")), Fleet()) as alerting:
            async with asyncio.timeout(PATIENCE):
                while not alerting.reachability.unreachable:
                    await asyncio.sleep(0.01)
            assert "127.0.0.1:9: the connection failed" in alerting.reachability.unreachable["hook"]
            alerting.configure(
                config(tmp_path, ("hook", server.url), ("other", "http://127.0.0.1:9")).alerting_settings(
                    REGISTRY
                )
            )
            async with asyncio.timeout(PATIENCE):
                while list(alerting.reachability.unreachable) != ["other"]:
                    await asyncio.sleep(0.01)
        assert server.requests == []


async def test_a_second_service_cannot_open_a_journal_in_use(tmp_path: Path) -> None:
    requested = config(tmp_path)
    async with running(requested, Fleet()):
        with pytest.raises(JournalError, match="is held by "):
            async with Alerting.opened(requested.alerting_settings(REGISTRY), Fleet(), ProcessTelemetry()):
                pass
    async with running(requested, Fleet()):
        pass


async def test_the_end_of_a_silence_notifies_by_itself(tmp_path: Path) -> None:
    fleet = Fleet()
    async with http_server() as server, running(config(tmp_path, ("hook", server.url)), fleet) as alerting:
        silence = await alerting.silence(['resource="orders"'], author="ada", comment="a test", duration=3600)
        assert alerting.engine.silences.stored == [silence]
        await saturate(alerting, fleet)
        assert [one.queued for one in alerting.delivery.statuses()] == [0]
        assert await alerting.end_silence(silence.id) == silence
        (body,) = await wait_for_bodies(server, 1)
        assert body["data"]["alerts"][0]["labels"]["resource"] == "orders"


async def test_an_acknowledgement_is_of_the_severity_at_the_time(tmp_path: Path) -> None:
    fleet = Fleet()
    async with http_server() as server, running(config(tmp_path, ("hook", server.url)), fleet) as alerting:
        await saturate(alerting, fleet)
        (alert,) = alerting.engine.alerts
        await wait_for_bodies(server, 1)
        made = await alerting.acknowledge(alert, author="ada", comment="on it", duration=60)
        assert (made.severity, made.until) == (alerting.engine.alerts[alert].severity, made.at + 60)
        assert alerting.engine.silences.acknowledgements == {alert: made}
        with pytest.raises(NotFiringError, match="no alert with the id 0123456789abcdef fires"):
            await alerting.acknowledge("0123456789abcdef", author="ada", comment="on it")
