"""A simulated Firehose. It streams some metrics; the others are polled, so that the demo shows both.

Each delivery contains the minutes since the previous delivery, in the JSON format of metric streams. The last
minute of a delivery is not over yet; later deliveries revise it.
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

from monitor.demo.cloudwatch import DemoCloudWatch
from monitor.demo.metric import AnyMetric

DELIVERY_INTERVAL = 2.0  # seconds; a minute that has ended is delivered at once
MINUTE_END_MARGIN = 0.1  # seconds
MAX_UPDATES_PER_RECORD = 500
REQUEST_TIMEOUT = 10.0  # seconds
REPEATED_MINUTES = 2  # minutes that are sent again: metric streams revise recent minutes, too
STREAMED_NAMESPACES = ("AWS/Kinesis", "AWS/SQS")
STATISTICS = {"max": "Maximum", "min": "Minimum", "sum": "Sum", "count": "SampleCount"}


@dataclass(frozen=True, slots=True)
class DemoFirehose:
    """The delivery stream of a region to the endpoint `url`, with an access `key`."""

    cloudwatch: DemoCloudWatch
    url: str
    key: str

    @property
    def arn(self) -> str:
        """The ARN of the delivery stream."""
        return self.cloudwatch.region.arn("firehose", "deliverystream/headroom")

    async def run(self) -> None:
        """Deliver until cancelled. Minutes of a failed delivery are sent again with the next one."""
        delivered_through = int(time.time() // 60) - REPEATED_MINUTES
        timeout = aiohttp.ClientTimeout(total=REQUEST_TIMEOUT)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                now = int(time.time() // 60)
                if await self.deliver(session, range(delivered_through - REPEATED_MINUTES, now + 1)):
                    delivered_through = now
                until_minute_end = -time.time() % 60 + MINUTE_END_MARGIN
                await asyncio.sleep(min(DELIVERY_INTERVAL, until_minute_end))

    async def deliver(self, session: aiohttp.ClientSession, minutes: range) -> bool:
        """Send one request. Return true if it was accepted."""
        request_id = str(uuid.uuid4())
        headers = {
            "Content-Encoding": "gzip",
            "Content-Type": "application/json",
            "X-Amz-Firehose-Access-Key": self.key,
            "X-Amz-Firehose-Protocol-Version": "1.0",
            "X-Amz-Firehose-Request-Id": request_id,
            "X-Amz-Firehose-Source-Arn": self.arn,
        }
        body = await asyncio.to_thread(self.body, request_id, minutes)
        try:
            async with session.post(self.url, data=body, headers=headers) as response:
                return response.status == 200  # noqa: PLR2004 - Firehose accepts no other status
        except (aiohttp.ClientError, TimeoutError):
            return False

    def body(self, request_id: str, minutes: range) -> bytes:
        """Return the compressed body of a request."""
        streamed_metrics = [
            metric for metric in self.cloudwatch.metrics.values() if metric.namespace in STREAMED_NAMESPACES
        ]
        updates = [update for metric in streamed_metrics for update in self.updates(metric, minutes)]
        records = [{"data": base64.b64encode(b"".join(batch)).decode()} for batch in batches(updates)]
        document = {"requestId": request_id, "timestamp": int(time.time() * 1000), "records": records}
        return gzip.compress(orjson.dumps(document))

    def updates(self, metric: AnyMetric, minutes: range) -> Iterator[bytes]:
        """Yield a JSON line for each minute that has a sample."""
        starts = np.array(minutes) - self.cloudwatch.region.start
        values = {name: metric.values(statistic, starts, 1) for name, statistic in STATISTICS.items()}
        for index, minute in enumerate(minutes):
            if not np.isnan(values["count"][index]):
                update = {
                    "metric_stream_name": "headroom",
                    "account_id": self.cloudwatch.region.account,
                    "region": self.cloudwatch.region.name,
                    "namespace": metric.namespace,
                    "metric_name": metric.name,
                    "dimensions": metric.dimensions,
                    "timestamp": minute * 60_000,
                    "value": {
                        name: float(values_of_statistic[index])
                        for name, values_of_statistic in values.items()
                    },
                    "unit": "None",
                }
                yield orjson.dumps(update) + b"\n"


def batches(updates: Sequence[bytes]) -> Iterable[Sequence[bytes]]:
    """Split the updates into records."""
    return (
        updates[start : start + MAX_UPDATES_PER_RECORD]
        for start in range(0, len(updates), MAX_UPDATES_PER_RECORD)
    )
