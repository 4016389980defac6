"""A server that has something of everything, with the ids of the examples of the API.

`python -m tests.monitor.api.example_server` records what it answers as the examples of responses.
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
from monitor.lookback.kept import NearRun
from monitor.notifiers.notice import Notification
from monitor.outbound.result import DeliveryResult, refused
from monitor.server.listener import HttpServer, bind_socket
from monitor.stream.dead_letters import MemoryDeadLetterStore, StreamDeadLetter
from monitor.topology.path_status import PathStatuses
from rules.band import Zone
from tests.monitor.alerting.stage import configuration
from tests.monitor.api.test_alerts import fire
from tests.monitor.api.test_coverage import CONCURRENCY, CONCURRENCY_KEY, know, listed
from tests.monitor.api.test_recommendations import buy
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, add, judged, key
from tests.monitor.served import Server
from tests.monitor.topology.test_evaluation import CHECKOUT, checkout
from tests.registries import REGISTRY

TIMEOUT = 30  # seconds, of a call
MAX_ITEMS = 1  # of each list in an example of a response
SILENCE_ID = "5f0c7f0a3a8e4a7cb9f6d1a2c3e4b5d6"  # in the examples


@dataclass
class ExampleServer:
    """The server and where it listens; its OpenAPI document."""

    server: Server
    address: str
    silence: str

    @property
    def document(self) -> dict[str, Any]:
        """The OpenAPI document."""
        return self.server.app.openapi()

    @property
    def routes(self) -> dict[str, APIRoute]:
        """The routes by operation id."""
        return {route.operation_id or route.name: route for route in _routes(self.server.app.routes)}

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield each operation id with its curl line, for this server."""
        for _, _, operation in operations(self.document):
            line = operation["x-codeSamples"][0]["source"]
            here = line.replace(DEFAULT_ADDRESS, self.address).replace(SILENCE_ID, self.silence)
            yield operation["operationId"], here


def _routes(routes: Any) -> Iterator[APIRoute]:
    for route in routes:
        if router := getattr(route, "original_router", None):
            yield from _routes(router.routes)
        elif isinstance(route, APIRoute):
            yield route


@asynccontextmanager
async def example_server(folder: Path) -> AsyncIterator[ExampleServer]:
    """Serve something of everything on loopback."""
    async with Server.opened(folder) as server:
        await _fill(server)
        silence = await server.alerting.silence(
            ['service="kinesis"', 'resource="orders"'], author="ada", comment="load test", duration=7200
        )
        letters = MemoryDeadLetterStore()
        letters.add(
            StreamDeadLetter(
                NOW * 60.0,
                "r-1",
                "arn:aws:firehose:eu-west-1:123456789012:deliverystream/metrics",
                "json",
                "no metric_name",
                "{}",
            )
        )
        server.app.include_router(stream_router(letters))
        async with served_on_loopback(server.app) as address:
            yield ExampleServer(server, address, silence.id)


@asynccontextmanager
async def served_on_loopback(app: FastAPI) -> AsyncIterator[str]:
    """Serve an application; the address is host:port."""
    listening = bind_socket("127.0.0.1", 0)
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    http = HttpServer(config)
    task = asyncio.create_task(http.serve([listening]))
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        http.should_exit = True
        await task


async def _fill(server: Server) -> None:
    async def refuse(notification: Notification) -> DeliveryResult:
        return refused("http_400", "it answered 400")

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
    know(server, listed(CONCURRENCY, 1000.0, name="Concurrent executions"))
    await fire(server, "orders")
    await alerting.delivery.senders["on-call"].send_due()
    judged(server.fleet, add(server.fleet, CONCURRENCY_KEY), Zone.NEAR, 9.0)
    buy(server, "clicks", 0.08)
    slot = server.fleet.series[key("orders")].slot
    server.runs.append(NearRun(slot, NOW - 600, NOW - 555, 950.0))
    server.telemetry.aws.count_requested_metrics(ACCOUNT, REGION, "kinesis", 1000)
    await server.publish()


async def call(line: str) -> tuple[int, str]:
    """Run a curl line; return the status and the body."""
    command = f"{line} --silent --noproxy '*' --max-time {TIMEOUT} --write-out '\n%{{http_code}}'"
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    body, _, status = out.decode().rpartition("\n")
    return int(status), body


def shortened(value: Any) -> Any:
    """Return a value of JSON with the first items of each list."""
    if isinstance(value, dict):
        return {name: shortened(one) for name, one in value.items()}
    return [shortened(one) for one in value[:MAX_ITEMS]] if isinstance(value, list) else value


async def record() -> None:
    """Write what the server answers as the examples of responses."""
    with tempfile.TemporaryDirectory() as folder:
        async with example_server(Path(folder)) as served:
            found = {}
            for operation, line in served.lines():
                status, body = await call(line)
                assert status == 200, f"{operation}: {status}: {body}"
                found[operation] = _example(operation, body.replace(served.silence, SILENCE_ID))
    RESPONSES_FILE.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", "utf-8")


def _example(operation: str, body: str) -> Any:
    if operation == "scrape_metrics":
        return "\n".join(line for line in body.splitlines() if "headroom_utilization_ratio" in line)
    return shortened(json.loads(body))


if __name__ == "__main__":
    asyncio.run(record())
