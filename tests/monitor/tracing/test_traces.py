"""Traces of Headroom itself, as they arrive at a receiver on loopback."""

import asyncio
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SentSpan
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from prometheus_client import CollectorRegistry

from monitor.alerting.delivery import Delivery
from monitor.alerting.sender import DeliveryTarget
from monitor.alerting.telemetry import DeliveryTelemetry
from monitor.config.file import parse_config
from monitor.notifiers.notice import Notification
from monitor.outbound.result import DeliveryResult, result_of_status
from monitor.schema.problems import ConfigError
from monitor.schema.types import ConfigContext
from monitor.tracing.open_telemetry import exporting_tracer
from monitor.tracing.settings import TracingConfig
from tests.http_endpoint import serve_http
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.alerting.pending import NOW, notice, pending_notice
from tests.monitor.serve_process import running_server
from tests.processes import ENVIRONMENT, ROOT, get

HIDE_LIBRARY = "import sys; sys.modules['opentelemetry.sdk'] = None; "


@dataclass
class TraceReceiver:
    """A server that stores the received spans by name, their resources, and the `Authorization` headers."""

    spans: dict[str, list[SentSpan]] = field(default_factory=dict)
    resources: list[Mapping[str, str]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)

    async def answer(self, request: web.Request) -> web.Response:
        self.authorizations.add(request.headers.get("Authorization"))
        for group in ExportTraceServiceRequest.FromString(await request.read()).resource_spans:
            self.resources.append({pair.key: pair.value.string_value for pair in group.resource.attributes})
            for span in (span for scope in group.scope_spans for span in scope.spans):
                self.spans.setdefault(span.name, []).append(span)
        return web.Response(body=b"")


def config_of(port: int, **settings: Any) -> TracingConfig:
    return TracingConfig(endpoint=f"http://127.0.0.1:{port}/v1/traces", **settings)


def attributes(span: SentSpan) -> dict[str, str | int]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}


@pytest.fixture
def receiver() -> TraceReceiver:
    return TraceReceiver()


async def test_a_poll_an_inventory_and_a_request_are_traced(
    receiver: TraceReceiver, tmp_path: Path, aws_environ: dict[str, str]
) -> None:
    async with serve_http(receiver.answer) as port:
        text = (
            "services: [sqs]\n"
            f"tracing: {{endpoint: 'http://127.0.0.1:{port}/v1/traces', bearer_token: let-me-in}}\n"
        )
        async with running_server(tmp_path / "headroom.yaml", text, aws_environ) as (process, url):
            await get(f"{url}/series/of-a-secret-name?q=secret")
            process.send_signal(signal.SIGTERM)
            _, errors = await process.communicate()
        assert process.returncode == 0, errors.decode()
    schedules = {attributes(span)["headroom.schedule"] for span in receiver.spans["inventory"]}
    assert {"123456789012/eu-west-1/sqs"} <= schedules
    poll, request = receiver.spans["poll"][0], receiver.spans["GET /series/{id}"][0]
    assert poll.end_time_unix_nano > poll.start_time_unix_nano > 0
    assert attributes(request) == {
        "http.request.method": "GET",
        "http.response.status_code": 404,
        "http.route": "/series/{id}",
    }
    assert request.kind == SentSpan.SPAN_KIND_SERVER
    assert "GET /-/ready" in receiver.spans
    assert receiver.authorizations == {"Bearer let-me-in"}
    assert {resource["service.name"] for resource in receiver.resources} == {"headroom"}
    assert "secret" not in str(receiver.spans)
    assert b"let-me-in" not in errors


async def test_each_attempt_of_a_delivery_is_traced(receiver: TraceReceiver, tmp_path: Path) -> None:
    now, results = NOW, [result_of_status("it", 503), result_of_status("it", 204)]

    async def send(notification: Notification) -> DeliveryResult:
        return results.pop(0)

    async with serve_http(receiver.answer) as port, exporting_tracer(config_of(port)) as tracer:
        telemetry = DeliveryTelemetry(CollectorRegistry(), tracer)
        delivery = Delivery(MemoryStore(), telemetry, now=lambda: now)
        delivery.configure([DeliveryTarget(name="pager", send=send)])
        row = pending_notice(notice(1, "alert"))
        await delivery.commit({}, [row.notice], [row])
        await delivery.senders["pager"].send_due()
        now += 3600
        await delivery.senders["pager"].send_due()
    failed, delivered = receiver.spans["delivery"]
    expected = {"headroom.receiver": "pager", "headroom.notices": 1}
    assert attributes(failed) == {**expected, "headroom.outcome": "retry"}
    assert (failed.status.code, failed.status.message) == (Status.STATUS_CODE_ERROR, "http_503")
    assert attributes(delivered) == {**expected, "headroom.outcome": "delivered"}
    assert delivered.status.code == Status.STATUS_CODE_UNSET


async def test_a_failed_span_is_sent_when_the_export_ends_and_contains_no_secret(
    receiver: TraceReceiver,
) -> None:
    async with serve_http(receiver.answer) as port, exporting_tracer(config_of(port)) as tracer:
        with pytest.raises(ValueError, match="secret"), tracer.span("poll", {}):
            raise ValueError("secret")
    (span,) = receiver.spans["poll"]
    assert (span.status.code, span.status.message) == (Status.STATUS_CODE_ERROR, "ValueError")
    assert "secret" not in str(span)


async def test_the_configured_share_of_spans_is_recorded(receiver: TraceReceiver) -> None:
    async with (
        serve_http(receiver.answer) as port,
        exporting_tracer(config_of(port, sample_ratio=0.5)) as tracer,
    ):
        for _ in range(1000):
            with tracer.span("poll", {}):
                pass
    assert 350 < len(receiver.spans["poll"]) < 650


async def test_with_an_unreachable_receiver_the_export_of_spans_ends_within_half_a_minute() -> None:
    async with asyncio.timeout(30):
        async with exporting_tracer(
            TracingConfig(endpoint="http://127.0.0.1:1/v1/traces", timeout=1)
        ) as tracer:
            with tracer.span("poll", {}):
                pass


def run_without_library(*arguments: str) -> "subprocess.CompletedProcess[str]":
    """Run `headroom` in a process that cannot import the library of OpenTelemetry."""
    script = HIDE_LIBRARY + "from monitor.cli.main import main; main()"
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_without_the_library_the_error_names_the_package_to_install(tmp_path: Path) -> None:
    config = tmp_path / "headroom.yaml"
    config.write_text("tracing: {endpoint: 'http://127.0.0.1:4318/v1/traces'}\n")
    result = run_without_library("config", "check", "--config", str(config))
    assert result.returncode == 2
    assert "tracing: OpenTelemetry is not installed: pip install 'aws-headroom[tracing]'" in result.stderr
    assert "Traceback" not in result.stderr


def test_opentelemetry_is_not_imported_if_no_tracing_is_configured() -> None:
    script = "import monitor.app, monitor.cli.serve, sys; print(*sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=120
    )
    imported = {*result.stdout.split()}
    assert "monitor.tracing.tracer" in imported
    assert imported.isdisjoint(
        {"opentelemetry.sdk", "opentelemetry.exporter", "monitor.tracing.open_telemetry"}
    )


@pytest.mark.parametrize(
    ("text", "problem_part"),
    [
        ("{}", "endpoint"),
        ("{endpoint: collector}", "expected"),
        ("{endpoint: 'http://c/v1/traces', sample_ratio: 0}", "sample_ratio"),
        ("{endpoint: 'http://c/v1/traces', sample_ratio: 1.5}", "sample_ratio"),
        ("{endpoint: 'http://c/v1/traces', timeout: 1h}", "timeout"),
        ("{endpoint: 'http://c/v1/traces', bearer_token: a, bearer_token_env: B}", "bearer_token"),
    ],
)
def test_invalid_settings_are_reported(text: str, problem_part: str) -> None:
    with pytest.raises(ConfigError, match=problem_part):
        parse_config(f"tracing: {text}\n".encode(), "headroom.yaml", ConfigContext())
