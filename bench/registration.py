"""The CPU time of inventories that observe what the one before did. `python bench/registration.py [series]`

Each series has three formulas and a limit of its API. What is observed is made anew each time, as scans do,
which is in the time; then only where the answers that it is made of have changed.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator
from functools import partial

from collectors.base import Aws, Metric, Observed, Resource, ScanFunction, per_second
from tests.monitor.polling.inventories import NO_QUOTAS, FakeAccount, collector

REPEATED = 10
traffic = Metric("AWS/Kinesis", "IncomingBytes", "Sum")
records = Metric("AWS/Kinesis", "IncomingRecords", "Sum")
refused = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)


def observed(number: int) -> Observed:
    """A stream as a scan observes it."""
    name = f"stream-{number}"
    return Observed(
        signal="stream_write_bytes",
        resource=Resource("stream", (name,)),
        usage=per_second(traffic.of(StreamName=name)),
        throttled=per_second(refused.of(StreamName=name)),
        served=per_second(records.of(StreamName=name)),
        limit=1048576.0 * (1 + number % 5),
        hard_limit=True,
    )


def stream(number: int) -> list[Observed]:
    """The series of a stream."""
    return [observed(number)]


async def main(series: int) -> None:
    """Run the inventories, and print what each of them costs."""

    async def made(_: Aws) -> AsyncIterator[Observed]:
        for number in range(series):
            yield observed(number)

    async def known(aws: Aws) -> AsyncIterator[Observed]:
        for number in range(series):
            for one in aws.series(number, 1048576.0 * (1 + number % 5), partial(stream, number)):
                yield one

    for label, scan in (("made each time", made), ("made of other answers only", known)):
        await measure(label, scan, series)


async def measure(label: str, scan: ScanFunction, series: int) -> None:
    """Print what the inventories of a scan cost."""
    account, seconds = FakeAccount(**NO_QUOTAS), list[float]()
    for _ in range(1 + REPEATED):
        start = time.process_time()
        await account.run_inventory(collector(scan))
        seconds.append(time.process_time() - start)
    equal = sum(seconds[1:]) / REPEATED
    print(
        f"{series:,} series, {label}: the first inventory {seconds[0] * 1e3:,.0f} ms of CPU, "
        f"each equal one {equal * 1e3:,.1f} ms, {equal / series * 1e6:.0f} us a series"
    )


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000))
