"""CPU of one GetMetricData call of 500 metrics, beyond the network: the fast codec against plain aiobotocore.

The answer is canned at `before-send`, so that building, signing and decoding are all there is.
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
from monitor import codec
from monitor.aws import CLIENT_CONFIG
from monitor.cloudwatch import CONFIG
from monitor.codec import Page
from monitor.fleet import fragment
from monitor.plan import BATCH

POINTS = 5  # a metric: one-minute points of the default interval
ROUNDS = 15
MINUTES = range(29_000_000, 29_000_000 + POINTS)

Ask = Callable[[Any, Mapping[int, bytes], range, str | None], Awaitable[Page]]


class Canned(AioAWSResponse):
    """An answer that came over no network."""

    async def _content_prop(self) -> bytes:
        return ANSWER


def answer() -> bytes:
    results = [
        {
            "Id": codec.query_id(n),
            "Label": "IncomingBytes",
            "Timestamps": [minute * 60.0 for minute in reversed(MINUTES)],
            "Values": [n * 1000.5 + point for point in range(POINTS)],
            "StatusCode": "Complete",
        }
        for n in range(BATCH)
    ]
    return json.dumps({"MetricDataResults": results, "Messages": []}).encode()


ANSWER = answer()


async def cost(ask: Ask, config: Any, metrics: Mapping[int, bytes]) -> tuple[float, Page]:
    """The median CPU time of a call, in milliseconds, and what it gives."""
    session = AioSession()
    session.set_credentials("bench", "bench")
    async with session.create_client("cloudwatch", region_name="eu-west-1", config=config) as client:
        client.meta.events.register("before-send.cloudwatch", send)
        if ask is codec.fast and not codec.install(client):
            raise SystemExit("botocore no longer speaks JSON with CloudWatch: the fast codec is left off")
        rounds = []
        page = await ask(client, metrics, MINUTES, None)  # models and rules are loaded at first use
        for _ in range(ROUNDS):
            start = time.process_time()
            page = await ask(client, metrics, MINUTES, None)
            rounds.append(time.process_time() - start)
    return sorted(rounds)[ROUNDS // 2] * 1e3, page


def send(**_: Any) -> AioAWSResponse:
    headers = HTTPHeaders.from_dict({"Content-Type": "application/json"})
    return Canned("https://monitoring.eu-west-1.amazonaws.com/", 200, headers, None)


async def main() -> None:
    stream = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
    metrics = {n: fragment(stream.of(StreamName=f"stream-{n:05d}")) for n in range(BATCH)}
    fast, decoded = await cost(codec.fast, CONFIG, metrics)
    plain, expected = await cost(codec.plain, CLIENT_CONFIG, metrics)
    if decoded != expected:
        raise SystemExit("the two ways differ")
    print(
        f"GetMetricData of {BATCH} metrics, {POINTS} points each: "
        f"{fast:.1f} ms CPU; plain aiobotocore {plain:.1f} ms ({plain / fast:.0f}x)"
    )


if __name__ == "__main__":
    asyncio.run(main())
