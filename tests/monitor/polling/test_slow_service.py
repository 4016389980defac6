"""A process of `headroom serve` that reads Lambda, which never responds, and a throttled Kinesis stream."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

from tests.http_endpoint import serve_http
from tests.monitor.serve_process import free_port, journal_line
from tests.monitor.stream.bodies import Update, envelope, lines
from tests.monitor.stream.endpoint import KEYS
from tests.processes import ENVIRONMENT, PROCESS_TIMEOUT, eventually, get, headroom

CALLER_IDENTITY = """<GetCallerIdentityResponse><GetCallerIdentityResult><Account>123456789012</Account>
</GetCallerIdentityResult></GetCallerIdentityResponse>"""
STREAM_SUMMARY = {
    "StreamName": "clicks",
    "StreamARN": "arn:aws:kinesis:eu-west-1:123456789012:stream/clicks",
    "StreamStatus": "ACTIVE",
    "RetentionPeriodHours": 24,
    "StreamCreationTimestamp": 1700000000,
    "EnhancedMonitoring": [{"ShardLevelMetrics": []}],
    "OpenShardCount": 1,
    "ConsumerCount": 0,
}
ANSWERS: dict[str, Any] = {
    "DescribeLimits": {
        "OpenShardCount": 4,
        "ShardLimit": 500,
        "OnDemandStreamCount": 0,
        "OnDemandStreamCountLimit": 50,
    },
    "ListStreams": {"StreamNames": ["clicks"], "HasMoreStreams": False},
    "GetServiceQuota": {"Quota": {"Value": 500.0}},
    "DescribeStreamSummary": {"StreamDescriptionSummary": STREAM_SUMMARY},
}
METRIC_VALUES = {"WriteProvisionedThroughputExceeded": 60_000.0, "IncomingBytes": 5e7, "IncomingRecords": 6e4}


@dataclass
class SlowAws:
    """Fake AWS services, of which Lambda never responds, and a webhook.

    notified: set once the webhook was called. requested_queries: metric and end time of each query, as JSON.
    """

    url: str = ""
    notified: asyncio.Event = field(default_factory=asyncio.Event)
    requested_queries: list[str] = field(default_factory=list)

    async def handle(self, request: web.Request) -> web.Response:
        text, target = await request.text(), request.headers.get("X-Amz-Target", "").rpartition(".")[2]
        if request.path == "/hook":
            self.notified.set()
        if "GetCallerIdentity" in text:
            return web.Response(text=CALLER_IDENTITY, content_type="text/xml")
        if request.path.startswith("/20"):  # Lambda's paths begin with a date
            await asyncio.Event().wait()
        answer = self.metric_data(json.loads(text)) if target == "GetMetricData" else ANSWERS.get(target, {})
        return web.json_response(answer)

    def metric_data(self, body: dict[str, Any]) -> dict[str, Any]:
        return {
            "MetricDataResults": [
                self.result(query, int(body["EndTime"])) for query in body["MetricDataQueries"]
            ]
        }

    def result(self, query: dict[str, Any], end: int) -> dict[str, Any]:
        self.requested_queries.append(json.dumps([query["MetricStat"], end]))
        value = METRIC_VALUES.get(query["MetricStat"]["Metric"]["MetricName"])
        times = [] if value is None else [end - 60 * minutes for minutes in range(1, 15)]
        return {
            "Id": query["Id"],
            "Timestamps": times,
            "Values": [value] * len(times),
            "StatusCode": "Complete",
        }


@asynccontextmanager
async def slow_aws() -> AsyncIterator[SlowAws]:
    aws = SlowAws()
    async with serve_http(aws.handle) as port:
        aws.url = f"http://127.0.0.1:{port}"
        yield aws


def write_configuration(aws: SlowAws, folder: Path) -> Path:
    """Write a configuration with a Metric Stream and a webhook, and return its path."""
    path = folder / "headroom.yaml"
    (folder / "keys").write_text("\n".join(KEYS))
    hook = f"{{name: hook, type: webhook, url: '{aws.url}/hook', allow_insecure: true, allow_private: true}}"
    path.write_text(
        f"services: [kinesis, lambda]\nregions: [eu-west-1]\nendpoint_url: {aws.url}\n"
        f"stream: {{access_keys_file: keys}}\nreceivers: [{hook}]\n"
        f"route: {{receiver: hook, group_wait: 1s}}\n" + journal_line(folder)
    )
    return path


async def test_a_service_that_never_responds_holds_up_nothing_else(tmp_path: Path) -> None:
    listen = f"127.0.0.1:{free_port()}"
    environ = ENVIRONMENT | {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    async with slow_aws() as aws:
        arguments = "serve", "--config", str(write_configuration(aws, tmp_path)), "--listen", listen
        async with headroom(*arguments, environ=environ), httpx.AsyncClient(trust_env=False) as client:
            async with asyncio.timeout(PROCESS_TIMEOUT):
                await aws.notified.wait()
            ready = await eventually(partial(get, f"http://{listen}/-/ready"))
            assert ready.json() == {"ready": True, "pending": ["123456789012/eu-west-1 (lambda)"]}
            assert len(aws.requested_queries) == len(set(aws.requested_queries)), (
                "each metric is requested once"
            )
            body = envelope([lines([Update()])], "r-1")
            headers = {"X-Amz-Firehose-Access-Key": KEYS[0], "X-Amz-Firehose-Request-Id": "r-1"}
            headers["X-Amz-Firehose-Protocol-Version"] = "1.0"
            answer = await client.post(f"http://{listen}/firehose/v1", content=body, headers=headers)
            assert answer.status_code == 200
