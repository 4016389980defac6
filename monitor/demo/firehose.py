"""A simulated Firehose: some of the demo's metrics streamed, the rest left to polling, so that both show.

Each turn it delivers the minutes that ended since the one before, as a metric stream in JSON would tell them.
"""

import asyncio
import base64
import gzip
import time
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import aiohttp
import numpy as np
import orjson

from monitor.demo.cloudwatch import CloudWatch
from monitor.demo.metric import Emitted
from monitor.demo.region import ACCOUNT

EVERY = 15.0  # seconds
RECORD = 500  # updates
PATIENCE = 10.0  # seconds for an answer
AGAIN = 3  # minutes before, which are told once more: a metric stream revises, too
STREAMED = ("AWS/Kinesis", "AWS/SQS")
STATISTICS = {"max": "Maximum", "min": "Minimum", "sum": "Sum", "count": "SampleCount"}


@dataclass(frozen=True, slots=True)
class Firehose:
    """The delivery stream of a region, to the endpoint `url` with an access `key`."""

    metrics: CloudWatch
    url: str
    key: str

    @property
    def arn(self) -> str:
        return self.metrics.region.arn("firehose", "deliverystream/headroom")

    async def run(self) -> None:
        """Deliver until cancelled. What could not be delivered is told again, with what is new."""
        told = int(time.time() // 60) - AGAIN
        timeout = aiohttp.ClientTimeout(total=PATIENCE)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                now = int(time.time() // 60)
                if now > told and await self.deliver(session, range(told - AGAIN, now)):
                    told = now
                await asyncio.sleep(EVERY)

    async def deliver(self, session: aiohttp.ClientSession, minutes: range) -> bool:
        """Send one request; whether it was taken."""
        request = str(uuid.uuid4())
        headers = {
            "Content-Encoding": "gzip",
            "Content-Type": "application/json",
            "X-Amz-Firehose-Access-Key": self.key,
            "X-Amz-Firehose-Protocol-Version": "1.0",
            "X-Amz-Firehose-Request-Id": request,
            "X-Amz-Firehose-Source-Arn": self.arn,
        }
        body = await asyncio.to_thread(self.body, request, minutes)
        try:
            async with session.post(self.url, data=body, headers=headers) as answer:
                return answer.status == 200  # noqa: PLR2004 - the only one of success
        except (aiohttp.ClientError, TimeoutError):
            return False

    def body(self, request: str, minutes: range) -> bytes:
        streamed = [one for one in self.metrics.metrics.values() if one.namespace in STREAMED]
        updates = [update for one in streamed for update in self.updates(one, minutes)]
        records = [{"data": base64.b64encode(b"".join(some)).decode()} for some in packed(updates)]
        told = {"requestId": request, "timestamp": int(time.time() * 1000), "records": records}
        return gzip.compress(orjson.dumps(told))

    def updates(self, metric: Emitted, minutes: range) -> Iterator[bytes]:
        """A line for each minute that has a point."""
        starts = np.array(minutes) - self.metrics.region.start
        values = {name: metric.values(one, starts, 1) for name, one in STATISTICS.items()}
        for place, minute in enumerate(minutes):
            if not np.isnan(values["count"][place]):
                update = {
                    "metric_stream_name": "headroom",
                    "account_id": ACCOUNT,
                    "region": self.metrics.region.name,
                    "namespace": metric.namespace,
                    "metric_name": metric.name,
                    "dimensions": metric.dimensions,
                    "timestamp": minute * 60_000,
                    "value": {name: float(some[place]) for name, some in values.items()},
                    "unit": "None",
                }
                yield orjson.dumps(update) + b"\n"


def packed(updates: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    """The updates of each record."""
    return (updates[start : start + RECORD] for start in range(0, len(updates), RECORD))
