"""The whole service as its users run it: a process that monitors a simulated AWS on loopback."""

import asyncio
import base64
import json
import signal
import socket
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import closing, suppress
from dataclasses import dataclass, field, fields, replace
from functools import partial
from pathlib import Path

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from collectors.base import Collector
from collectors.lazy_collector import LazyCollector
from collectors.registry import Registry
from monitor.alerting.service import Alerting
from monitor.app import App
from monitor.aws.status import MonitorStatus
from monitor.config.config import Config
from monitor.resources import Resources
from monitor.server.listener import bind_socket
from tests.aws_environment import NO_CREDENTIALS, set_aws_environment
from tests.monitor.serve_process import free_port, journal_line, running_server
from tests.processes import (
    COMMAND,
    ENVIRONMENT,
    PROCESS_TIMEOUT,
    eventually,
    get,
    headroom,
    read_line,
    running,
)
from tests.registries import REGISTRY


async def samples(url: str) -> dict[tuple[str, str], float]:
    """Return the samples of /metrics of one signal's series, by family and resource."""
    answer = await get(f"{url}/metrics")
    assert answer is not None
    return {
        (sample.name, sample.labels["resource"]): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
        if sample.labels.get("signal") == "stream_write_bytes" and "resource" in sample.labels
    }


async def test_serve_exports_reloads_and_ends_on_a_signal(
    tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    config = tmp_path / "headroom.yaml"
    services = "services: [kinesis]\nregions: [eu-west-1, ap-southeast-2]\n"
    async with running_server(config, services, aws_environ) as (process, url):
        exported = await samples(url)
        assert exported["headroom_limit", "audit"] > 0
        assert 0 < exported["headroom_utilization_ratio", "audit"] < 0.4
        status = await get(f"{url}/api/v1/status")
        assert status is not None
        cells = {cell["region"]: cell for cell in status.json()["cells"]}
        assert cells["eu-west-1"]["poll"]["last_success"]
        assert "AccessDeniedException" in str(cells["ap-southeast-2"]["collectors"])

        new_text = "services: [kinesis]\nregions: [eu-west-1]\nexclude: [{resource: audit}]\n"
        config.write_text(new_text + journal_line(tmp_path))
        process.send_signal(signal.SIGHUP)

        async def audit_is_removed() -> bool | None:
            return True if ("headroom_limit", "audit") not in await samples(url) else None

        await eventually(audit_is_removed)

        config.write_text("servces: [kinesis]\n")
        async with httpx.AsyncClient(trust_env=False) as client:
            invalid = await client.post(f"{url}/-/reload")
        assert invalid.status_code == 422
        assert "servces" in invalid.json()["error"]
        assert ("headroom_limit", "orders") in await samples(url)  # the old configuration stays in force

        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            assert await process.wait() == 0


async def test_serve_measures_each_turn_of_its_event_loop(
    tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    """Each scrape takes at least a turn, so that the turns between two scrapes cannot be none."""

    async def turns(url: str) -> float:
        answer = await get(f"{url}/metrics")
        assert answer is not None
        families = {family.name: family for family in text_string_to_metric_families(answer.text)}
        samples = families["headroom_event_loop_lag_seconds"].samples
        return next(sample.value for sample in samples if sample.name.endswith("_count"))

    async with running_server(tmp_path / "headroom.yaml", "services: [kinesis]\n", aws_environ) as (_, url):
        assert 0 < await turns(url) < await turns(url)


async def test_serve_ends_cleanly_in_the_middle_of_the_first_inventory(
    tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    """The process logs the watched account and the listening address."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    config = tmp_path / "headroom.yaml"
    config.write_text(journal_line(tmp_path))
    options = "--config", str(config), "--host", "127.0.0.1", "--port", str(port)
    serve = "serve", *options, "--log-format", "json"
    async with running(*COMMAND, *serve, environ=aws_environ, folder=tmp_path) as process:
        await eventually(partial(get, f"{url}/-/healthy"))
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(10):
            _, errors = await process.communicate()
    assert process.returncode == 0
    assert b"Traceback" not in errors
    assert b"Unclosed" not in errors
    messages = [json.loads(line)["message"] for line in errors.splitlines()]
    assert messages[0].startswith("watches the account of the AWS credentials in ")
    assert messages[1] == f"listening on {url}"


async def test_headroom_without_credentials_is_not_ready_and_shows_no_good_state(tmp_path: Path) -> None:
    """The process runs and is not ready; the readiness check, a metric and the page say why."""
    url = f"http://127.0.0.1:{free_port()}"
    config = tmp_path / "headroom.yaml"
    config.write_text("regions: [eu-west-1]\n" + journal_line(tmp_path))
    environ_without_credentials = ENVIRONMENT | NO_CREDENTIALS
    serve = "serve", "--config", str(config), "--listen", url.removeprefix("http://")

    async def readiness_answer(client: httpx.AsyncClient) -> httpx.Response | None:
        """Return the answer of the readiness check once the account was tried; None before."""
        with suppress(httpx.TransportError):
            answer = await client.get(f"{url}/-/ready")
            return answer if "not read yet" not in answer.text else None
        return None

    async with (
        headroom(*serve, environ=environ_without_credentials) as process,
        httpx.AsyncClient(trust_env=False) as client,
    ):
        answer = await eventually(partial(readiness_answer, client))
        assert answer.status_code == 503
        assert "nothing is watched: account default: Unable to locate credentials" in answer.text
        metrics = await eventually(partial(get, f"{url}/metrics"))
        assert 'headroom_account_up{aws_account="default"} 0.0' in metrics.text
        page = await client.get(url)
        assert "Not known: nothing is watched" in page.text and "fact calm" not in page.text
        process.send_signal(signal.SIGTERM)
        assert await process.wait() == 0


async def test_serve_with_an_address_in_use_ends_with_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as used_socket:
        listen = f"127.0.0.1:{used_socket.getsockname()[1]}"
        async with headroom("serve", "--listen", listen) as process:
            _, errors = await process.communicate()
    assert process.returncode == 2
    assert "in use" in errors.decode()
    assert "Traceback" not in errors.decode()


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
async def test_the_demo_prints_the_worst_series_and_ends_on_a_signal(
    signal_number: signal.Signals,
) -> None:
    async with headroom("demo", "--port", "0") as process:
        await read_line(process, "zone")
        address = await read_line(process, "http://")
        assert await get(address.split()[0])
        process.send_signal(signal_number)
        async with asyncio.timeout(10):
            _, errors = await process.communicate()
    assert process.returncode == 0
    assert not errors.decode()


async def test_the_health_check_succeeds_only_while_the_server_runs(
    tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    config = tmp_path / "headroom.yaml"
    async with (
        running_server(config, "services: [sqs]\n", aws_environ) as (_, url),
        headroom("healthcheck", "--address", url.removeprefix("http://")) as check,
    ):
        assert await check.wait() == 0
    async with headroom("healthcheck", "--address", url.removeprefix("http://")) as check:
        _, errors = await check.communicate()
        assert check.returncode == 1
        assert "refused" in errors.decode()


async def test_a_delivery_of_firehose_is_judged_at_once_and_its_sample_source_is_stream(
    tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    config = tmp_path / "headroom.yaml"
    (tmp_path / "keys").write_text("a-key\n")
    query = {"service": "kinesis", "signal": "stream_write_bytes", "resource": "audit"}
    update = {
        "metric_stream_name": "headroom",
        "account_id": "123456789012",
        "region": "eu-west-1",
        "namespace": "AWS/Kinesis",
        "metric_name": "IncomingBytes",
        "dimensions": {"StreamName": "audit"},
        "timestamp": int(time.time() // 60) * 60_000,
        "value": {"max": 1.0, "min": 1.0, "sum": 8 * 2**20 * 60 * 0.8, "count": 1.0},
        "unit": "Bytes",
    }
    record = base64.b64encode(json.dumps(update).encode() + b"\n").decode()
    body = {"requestId": "one", "timestamp": 1, "records": [{"data": record}]}
    headers = {
        "X-Amz-Firehose-Request-Id": "one",
        "X-Amz-Firehose-Protocol-Version": "1.0",
        "X-Amz-Firehose-Access-Key": "a-key",
    }
    text = "services: [kinesis]\nregions: [eu-west-1]\nstream: {access_keys_file: keys}\n"
    async with (
        running_server(config, text, aws_environ) as (_, url),
        httpx.AsyncClient(trust_env=False) as client,
    ):

        async def is_judged_by_stream() -> bool | None:
            answer = await get(f"{url}/api/v1/series", **query)
            series = await get(f"{url}/api/v1/series/{answer.json()['items'][0]['id']}") if answer else None
            if series is None or series.json()["sample_source"] != "stream":
                return None
            return True if series.json()["zone"] == "above" else None

        with_unknown_key = await client.post(
            f"{url}/firehose/v1", json=body, headers=headers | {"X-Amz-Firehose-Access-Key": "b"}
        )
        assert (with_unknown_key.status_code, with_unknown_key.json()["requestId"]) == (401, "one")
        accepted = await client.post(f"{url}/firehose/v1", json=body, headers=headers)
        assert (accepted.status_code, accepted.json()["requestId"]) == (200, "one")
        assert await eventually(is_judged_by_stream)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Config:
    """Return the configuration of a Headroom in this process, without credentials."""
    set_aws_environment(monkeypatch, NO_CREDENTIALS)
    return Config.model_validate(
        {
            "journal": f"{tmp_path}/headroom.db",
            "regions": ["eu-west-1"],
            "judge_interval": 1,
            "endpoint_url": "http://127.0.0.1:9",
        }
    )


async def test_declarations_of_services_that_are_not_watched_are_not_loaded(tmp_path: Path) -> None:
    """All collectors but that of the watched service raise when they are loaded."""

    def fail() -> Collector:
        raise AssertionError("it was loaded")

    collectors = [
        collector
        if collector.service == "kinesis"
        else LazyCollector(fail, service=collector.service, scope=collector.scope, signals=collector.signals)
        for collector in REGISTRY.collectors
    ]
    registry = Registry(REGISTRY.services, tuple(collectors))
    settings = {"regions": ["eu-west-1"], "services": ["kinesis"], "journal": f"{tmp_path}/headroom.db"}
    config = Config.model_validate(settings)
    async with App.opened(config, registry, lambda: config) as app:
        await app.judge()
        assert app.watcher.signals_off == []


@pytest.fixture
async def app(config: Config) -> AsyncIterator[App]:
    """Headroom in this process."""
    async with App.opened(config, REGISTRY, lambda: config) as app:
        yield app


@dataclass
class Fault:
    """A switch that makes the alerting fail."""

    is_present: bool = True


@dataclass(frozen=True)
class FaultyAlerting(Alerting):
    """Alerting that raises after each judgement while the fault is present."""

    fault: Fault = field(default_factory=Fault)

    async def process(self, status: MonitorStatus, account_names: Mapping[str, str]) -> None:
        if self.fault.is_present:
            raise ArithmeticError("a judgement that fails")
        await super().process(status, account_names)


@dataclass
class FailingApp:
    """A running app whose judgements raise while the fault is present."""

    app: App
    running: asyncio.Task[None]
    fault: Fault

    def counter(self, family: str) -> float:
        """Return the value of a counter of the loop `judge`."""
        return self.app.telemetry.registry.get_sample_value(family, {"loop": "judge"}) or 0.0

    async def has_judged(self, times: float) -> bool | None:
        """Return True once this many judgements have ended. The app must still run."""
        assert not self.running.done()
        return True if self.counter("headroom_ticks_total") >= times else None


@pytest.fixture
async def failing(config: Config) -> AsyncIterator[FailingApp]:
    """Run a service whose alerting can be made to fail."""
    stop, fault = asyncio.Event(), Fault()
    async with Resources.opened(config, REGISTRY) as resources:
        parts = {member.name: getattr(resources.alerting, member.name) for member in fields(Alerting)}
        app = App(
            config,
            REGISTRY,
            lambda: config,
            replace(resources, alerting=FaultyAlerting(**parts, fault=fault)),
        )
        with closing(app.ingest):
            app_task = asyncio.create_task(app.run(bind_socket("127.0.0.1", 0), stop))
            yield FailingApp(app, app_task, fault)
            stop.set()
            await app_task


async def test_a_judgement_that_raises_does_not_end_the_process(
    failing: FailingApp, caplog: pytest.LogCaptureFixture
) -> None:
    """Judgements of arriving points, on schedule and after the first poll: each is tried again."""

    async def is_logged(name: str) -> bool | None:
        assert not failing.running.done()
        records = [
            record for record in caplog.records if record.getMessage() == f"{name}: the loop judge failed"
        ]
        return True if records and all(record.exc_info for record in records) else None

    app = failing.app
    app.ingest.has_new_points.set()
    for name in ("arrivals", "judge", "first judgement"):
        await eventually(partial(is_logged, name))
    assert failing.counter("headroom_tick_failures_total") >= 3
    assert "ArithmeticError: a judgement that fails" in caplog.text
    assert not app.judged.is_set()
    failing.fault.is_present = False
    async with asyncio.timeout(PROCESS_TIMEOUT):
        await app.judged.wait()
    failures = failing.counter("headroom_tick_failures_total")
    app.ingest.has_new_points.set()
    await eventually(partial(failing.has_judged, failing.counter("headroom_ticks_total") + 1))
    assert failing.counter("headroom_tick_failures_total") == failures


async def test_an_unchanged_fleet_is_not_judged_again_on_schedule(app: App) -> None:
    stop = asyncio.Event()
    app_task = asyncio.create_task(app.run(bind_socket("127.0.0.1", 0), stop))
    # Each new snapshot, with the number of ticks when it was first seen.
    snapshots_with_ticks = [(app.coverage().snapshot, 0.0)]

    def snapshot() -> object:
        return app.coverage().snapshot

    async def has_outlived_ticks() -> bool | None:
        """Return True once a judgement is still the newest after three ticks of the schedule."""
        ticks = app.telemetry.registry.get_sample_value("headroom_ticks_total", {"loop": "judge"}) or 0.0
        if snapshot() is not snapshots_with_ticks[-1][0]:
            snapshots_with_ticks.append((app.coverage().snapshot, ticks))
        return True if len(snapshots_with_ticks) > 1 and ticks - snapshots_with_ticks[-1][1] >= 3 else None

    async def is_replaced() -> bool | None:
        return True if snapshot() is not snapshot_before else None

    await eventually(has_outlived_ticks)
    snapshot_before = snapshot()
    app.ingest.has_new_points.set()
    await eventually(is_replaced)
    stop.set()
    await app_task


async def test_pushing_starts_once_every_series_was_read(app: App) -> None:
    """Otherwise a series that is read later would be pushed an hour behind the database's newest sample."""
    assert not app.may_push()
    app.watcher.complete.set()
    assert app.may_push()
