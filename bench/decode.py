"""CPU time of a GetMetricData call of 500 metrics: the fast codec against plain aiobotocore.

A `before-send` hook returns a fixed response, so only building, signing and decoding are measured.
`python bench/decode.py`
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiobotocore.awsrequest import AioAWSResponse
from aiobotocore.session import AioSession
from botocore.compat import HTTPHeaders

from collectors.base import Metric
from monitor.aws.clients import CLIENT_CONFIG
from monitor.fleet.metric_query import metric_query
from monitor.polling import codec
from monitor.polling.codec import MetricPage
from monitor.polling.metric_caller import CLIENT_CONFIG_WITHOUT_VALIDATION
from monitor.polling.plan import MAX_METRICS_PER_CALL

POINTS = 5  # per metric: the one-minute points of a default poll interval
ROUNDS = 15
MINUTES = range(29_000_000, 29_000_000 + POINTS)

GetMetricData = Callable[[Any, Mapping[int, bytes], range, str | None], Awaitable[MetricPage]]


class FixedResponse(AioAWSResponse):
    """A response whose content is BODY, without any network."""

    async def _content_prop(self) -> bytes:
        return BODY


def response_body() -> bytes:
    """Return the body of a GetMetricData response of 500 metrics."""
    results = [
        {
            "Id": codec.query_id(n),
            "Label": "IncomingBytes",
            "Timestamps": [minute * 60.0 for minute in reversed(MINUTES)],
            "Values": [n * 1000.5 + point for point in range(POINTS)],
            "StatusCode": "Complete",
        }
        for n in range(MAX_METRICS_PER_CALL)
    ]
    return json.dumps({"MetricDataResults": results, "Messages": []}).encode()


BODY = response_body()


async def measure(
    get_metric_data: GetMetricData, config: Any, metrics: Mapping[int, bytes]
) -> tuple[float, MetricPage]:
    """Return the median CPU time of a call of `get_metric_data`, in milliseconds, and the call's result."""
    session = AioSession()
    session.set_credentials("bench", "bench")
    async with session.create_client("cloudwatch", region_name="eu-west-1", config=config) as client:
        client.meta.events.register("before-send.cloudwatch", respond_without_sending)
        if get_metric_data is codec.get_metric_data and not codec.install(client):
            raise SystemExit("botocore no longer speaks JSON with CloudWatch: the fast codec cannot be used")
        durations = []
        await get_metric_data(client, metrics, MINUTES, None)  # not measured: loads models and endpoint rules
        for _ in range(ROUNDS):
            start = time.process_time()
            page = await get_metric_data(client, metrics, MINUTES, None)
            durations.append(time.process_time() - start)
    return sorted(durations)[ROUNDS // 2] * 1e3, page


def respond_without_sending(**_: Any) -> AioAWSResponse:
    """Return a response with BODY. botocore uses the response of a `before-send` hook, and sends nothing."""
    headers = HTTPHeaders.from_dict({"Content-Type": "application/json"})
    return FixedResponse("https://monitoring.eu-west-1.amazonaws.com/", 200, headers, None)


async def main() -> None:
    stream = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
    metrics = {n: metric_query(stream.of(StreamName=f"stream-{n:05d}")) for n in range(MAX_METRICS_PER_CALL)}
    fast_milliseconds, decoded = await measure(
        codec.get_metric_data, CLIENT_CONFIG_WITHOUT_VALIDATION, metrics
    )
    plain_milliseconds, expected = await measure(codec.get_metric_data_by_botocore, CLIENT_CONFIG, metrics)
    if decoded != expected:
        raise SystemExit("the two codecs return different pages")
    print(
        f"GetMetricData of {MAX_METRICS_PER_CALL} metrics, {POINTS} points each: "
        f"{fast_milliseconds:.1f} ms CPU; plain aiobotocore {plain_milliseconds:.1f} ms "
        f"({plain_milliseconds / fast_milliseconds:.0f}x)"
    )


if __name__ == "__main__":
    asyncio.run(main())
