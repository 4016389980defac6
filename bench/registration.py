"""The CPU time of inventories that find no change. `python bench/registration.py [series]`

Each series has three formulas and a limit from its API. In the first measurement, each inventory makes all
observations anew, and the CPU time of this is counted. In the second measurement, an inventory makes anew
only the observations whose AWS responses have changed, and none has changed.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from functools import partial

from collectors.base import Aws, Metric, Observed, Resource, ScanFunction, per_second
from tests.monitor.polling.inventories import NO_QUOTAS, FakeAccount, collector

LATER_INVENTORIES = 10
traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
records = Metric("AWS/Kinesis", "IncomingRecords", "Sum")
throttled = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)


def limit_of(number: int) -> float:
    """Return the limit of a stream: one MiB per second for each of its shards."""
    return 1048576.0 * (1 + number % 5)


def observe_stream(number: int) -> Observed:
    """Return a stream's series as a scan observes it."""
    name = f"stream-{number}"
    return Observed(
        signal="stream_write_bytes",
        resource=Resource("stream", (name,)),
        usage=per_second(traffic.of(StreamName=name)),
        throttled=per_second(throttled.of(StreamName=name)),
        served=per_second(records.of(StreamName=name)),
        limit=limit_of(number),
        hard_limit=True,
    )


def all_series_of(number: int) -> list[Observed]:
    """Return all series of a stream: one."""
    return [observe_stream(number)]


async def main(series: int) -> None:
    """Run the inventories, and print what each of them costs."""

    async def observe_all(_: Aws) -> AsyncIterator[Observed]:
        for number in range(series):
            yield observe_stream(number)

    async def observe_changed(aws: Aws) -> AsyncIterator[Observed]:
        for number in range(series):
            for observed in aws.series(number, limit_of(number), partial(all_series_of, number)):
                yield observed

    for label, scan in (("made each time", observe_all), ("made only of changed answers", observe_changed)):
        await measure(label, scan, series)


async def measure(label: str, scan: ScanFunction, series: int) -> None:
    """Print the cost of the inventories of a scan."""
    account, seconds = FakeAccount(**NO_QUOTAS), list[float]()
    for _ in range(1 + LATER_INVENTORIES):
        start = time.process_time()
        await account.run_inventory(collector(scan))
        seconds.append(time.process_time() - start)
    mean = sum(seconds[1:]) / LATER_INVENTORIES
    print(
        f"{series:,} series, {label}: the first inventory {seconds[0] * 1e3:,.0f} ms of CPU, "
        f"each later one {mean * 1e3:,.1f} ms, {mean / series * 1e6:.0f} us a series"
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
