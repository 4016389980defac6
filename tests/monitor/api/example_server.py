"""A server with data for every operation of the API, under the ids that the API's example calls use.

`python -m tests.monitor.api.example_server` records its responses as the API's example responses.
"""

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import FastAPI
from fastapi.routing import APIRoute

from monitor.alerting.sender import DeliveryTarget
from monitor.api.call_examples import RESPONSES_FILE
from monitor.api.openapi_document import operations
from monitor.api.server_address import DEFAULT_ADDRESS
from monitor.api.stream import stream_router
from monitor.aws.failure import Failure
from monitor.aws.run_status import RunStatus
from monitor.aws.status import CellStatus, MonitorStatus
from monitor.lookback.stored_episodes import NearRun
from monitor.notifiers.notice import Notification
from monitor.outbound.result import DeliveryResult, refused_result
from monitor.server.listener import HttpServer, bind_socket
from monitor.stream.dead_letters import MemoryDeadLetterStore, StreamDeadLetter
from monitor.topology.path_status import PathStatuses
from rules.band import Zone
from tests.monitor.alerting.harness import configuration
from tests.monitor.api.test_alerts import fire_alerts
from tests.monitor.api.test_coverage import CONCURRENCY, CONCURRENCY_KEY, add_known_quotas, listed_quota
from tests.monitor.api.test_recommendations import add_stream
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, add, key, set_judgement
from tests.monitor.fleet_server import Server
from tests.monitor.topology.test_evaluation import CHECKOUT, checkout
from tests.registries import REGISTRY

CALL_TIMEOUT = 30  # seconds
MAX_ITEMS = 1  # in each list of an example response
SILENCE_ID = "5f0c7f0a3a8e4a7cb9f6d1a2c3e4b5d6"  # the id of the silence in the example calls and responses


@dataclass
class ExampleServer:
    """A running server. address: host:port. silence_id: the id of its silence."""

    server: Server
    address: str
    silence_id: str

    @property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return self.server.app.openapi()

    @property
    def routes(self) -> dict[str, APIRoute]:
        """The routes by operation id."""
        return {route.operation_id or route.name: route for route in _routes(self.server.app.routes)}

    def commands(self) -> Iterator[tuple[str, str]]:
        """Yield the id of each operation with its curl command for this server."""
        for _, _, operation in operations(self.document):
            source = operation["x-codeSamples"][0]["source"]
            command = source.replace(DEFAULT_ADDRESS, self.address).replace(SILENCE_ID, self.silence_id)
            yield operation["operationId"], command


def _routes(routes: Any) -> Iterator[APIRoute]:
    for route in routes:
        if router := getattr(route, "original_router", None):
            yield from _routes(router.routes)
        elif isinstance(route, APIRoute):
            yield route


@asynccontextmanager
async def example_server(folder: Path) -> AsyncIterator[ExampleServer]:
    """Serve data for every operation on loopback, and yield the server."""
    async with Server.opened(folder) as server:
        await _add_data(server)
        silence = await server.alerting.silence(
            ['service="kinesis"', 'resource="orders"'], author="ada", comment="load test", duration=7200
        )
        dead_letters = MemoryDeadLetterStore()
        dead_letters.add(
            StreamDeadLetter(
                NOW * 60.0,
                "r-1",
                "arn:aws:firehose:eu-west-1:123456789012:deliverystream/metrics",
                "json",
                "no metric_name",
                "{}",
            )
        )
        server.app.include_router(stream_router(dead_letters))
        async with serve_on_loopback(server.app) as address:
            yield ExampleServer(server, address, silence.id)


@asynccontextmanager
async def serve_on_loopback(app: FastAPI) -> AsyncIterator[str]:
    """Serve an application on loopback, and yield its host:port."""
    listen_socket = bind_socket("127.0.0.1", 0)
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    http = HttpServer(config)
    task = asyncio.create_task(http.serve([listen_socket]))
    try:
        yield f"127.0.0.1:{listen_socket.getsockname()[1]}"
    finally:
        http.should_exit = True
        await task


async def _add_data(server: Server) -> None:
    async def refuse(notification: Notification) -> DeliveryResult:
        return refused_result("http_400", "it answered 400")

    alerting = server.alerting
    alerting.delivery.configure([DeliveryTarget(name="on-call", send=refuse)])
    alerting.engine.configure(configuration(["on-call"]).alerting_settings(REGISTRY))
    failed = RunStatus(
        started_at=NOW * 60.0,
        succeeded_at=NOW * 60.0 - 600,
        failures=[Failure("ListQueues", "", "AccessDenied", "not authorized to perform sqs:ListQueues")],
    )
    cell = CellStatus(
        account=ACCOUNT, region=REGION, name="production", collectors={"sqs": failed}, poll=RunStatus()
    )
    server.status = MonitorStatus(cells=[cell])
    server.paths = PathStatuses([await checkout().status(CHECKOUT)], 1)
    add_known_quotas(server, listed_quota(CONCURRENCY, 1000.0, name="Concurrent executions"))
    await fire_alerts(server, "orders")
    await alerting.delivery.senders["on-call"].send_due()
    set_judgement(server.fleet, add(server.fleet, CONCURRENCY_KEY), Zone.NEAR, 9.0)
    add_stream(server, "clicks", 0.08)
    slot = server.fleet.series[key("orders")].slot
    server.near_runs.append(NearRun(slot, NOW - 600, NOW - 555, 950.0))
    server.telemetry.aws.count_requested_metrics(ACCOUNT, REGION, "kinesis", 1000)
    await server.publish()


async def run_curl(curl_command: str) -> tuple[int, str]:
    """Run a curl command; return the HTTP status and the body."""
    command = (
        f"{curl_command} --silent --noproxy '*' --max-time {CALL_TIMEOUT} --write-out '\n%{{http_code}}'"
    )
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    body, _, status = out.decode().rpartition("\n")
    return int(status), body


def shorten(value: Any) -> Any:
    """Return a JSON value with at most MAX_ITEMS items in each list."""
    if isinstance(value, dict):
        return {name: shorten(item) for name, item in value.items()}
    return [shorten(item) for item in value[:MAX_ITEMS]] if isinstance(value, list) else value


async def record() -> None:
    """Write the server's responses to RESPONSES_FILE."""
    with tempfile.TemporaryDirectory() as folder:
        async with example_server(Path(folder)) as example:
            examples = {}
            for operation, command in example.commands():
                status, body = await run_curl(command)
                assert status == 200, f"{operation}: {status}: {body}"
                examples[operation] = _example(operation, body.replace(example.silence_id, SILENCE_ID))
    RESPONSES_FILE.write_text(json.dumps(examples, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _example(operation: str, body: str) -> Any:
    if operation == "scrape_metrics":
        return "\n".join(line for line in body.splitlines() if "headroom_utilization_ratio" in line)
    return shorten(json.loads(body))


if __name__ == "__main__":
    asyncio.run(record())
