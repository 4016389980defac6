"""CloudWatch throttles a cell for ten minutes: no minute is lost, and the rate of other cells stays."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from botocore.exceptions import ClientError

from collectors.base import Metric, Observed, total
from monitor.aws.call_rate import MIN_SHARE
from monitor.aws.clock import AwsClock
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from monitor.polling.reader import MetricReader
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.fake_aws import ACCOUNT_ID, FakeAws
from tests.monitor.polling.linked_aws import LinkedClients
from tests.quick_loop import run
from tests.registries import METRIC_SERVICES, STREAM_WRITE_BYTES
from tests.resources import resource

NOW = 29_000_000  # the minute in which the loop's clock begins
DELAY = 3  # minutes
METRICS, CALLS = 520, 2  # metrics and calls of one poll
RATE = 40.0  # calls per second to CloudWatch while AWS throttles no call
THROTTLED_FROM, THROTTLED_UNTIL = 10, 20  # minutes after NOW
THROTTLED = ClientError(
    {"Error": {"Code": "ThrottlingException", "Message": "Rate exceeded"}}, "GetMetricData"
)


def seconds() -> float:
    """Return the time of the loop's clock."""
    return asyncio.get_running_loop().time()


@dataclass
class ThrottledCell:
    """A cell whose calls AWS throttles while `is_throttled` returns true.

    sent_at: when each call was sent, on the loop's clock. rates: the value of `rate` after each poll.
    """

    is_throttled: Callable[[], bool]
    sent_at: list[float] = field(default_factory=list)
    rates: list[float] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.aws, self.fleet = FakeAws(malformed=True, get_metric_data=self.answer), Fleet()
        self.cell = self.aws.cell
        self.cell.clients = LinkedClients(self.aws)
        self.cell.rates, self.cell.max_attempts = {"cloudwatch:GetMetricData": RATE}, 4
        self.cell.clock = AwsClock(lambda: NOW * 60 + seconds())
        settings = SeriesSettings(
            signal=STREAM_WRITE_BYTES, limit=Limit(1e9, LimitSource.API, 0.0), band=Band(), delay=DELAY
        )
        for name in map(str, range(METRICS)):
            usage = total(Metric("AWS/Kinesis", "IncomingBytes", "Sum").of(StreamName=name))
            observed = Observed(signal="rate", resource=resource(name), usage=usage)
            self.fleet.put(Key(*self.cell.key, "kinesis", "rate", name), observed, settings, NOW)
        self.reader = MetricReader(self.cell, self.fleet, METRIC_SERVICES)

    def answer(self, **params: Any) -> dict[str, Any]:
        self.sent_at.append(seconds())
        if self.is_throttled():
            raise THROTTLED
        published_before = int(NOW + seconds() // 60) - DELAY
        first = int(params["StartTime"].timestamp() // 60)
        times = [datetime.fromtimestamp(60 * minute, UTC) for minute in range(first, published_before)]
        values = [time.timestamp() / 60 - NOW for time in times]
        queries = params["MetricDataQueries"]
        points = {"StatusCode": "Complete", "Timestamps": times, "Values": values}
        results = [{"Id": query["Id"], **points} for query in queries]
        return {"MetricDataResults": results}

    async def poll(self, until: int) -> None:
        """Poll each minute, until so many minutes after NOW; a poll that takes longer skips minutes."""
        while seconds() < until * 60:
            await self.reader.read(int(NOW + seconds() // 60))
            self.rates.append(self.rate)
            await asyncio.sleep(60 - seconds() % 60)

    @property
    def rate(self) -> float:
        """Calls per second at present: RATE, or less after AWS throttled calls."""
        rates = [lowered.calls_per_second for lowered in self.cell.lowered_rates()]
        return rates[0] if rates else RATE

    @property
    def exported_rate(self) -> float | None:
        """The rate as the exported family shows it; None unless it is lowered."""
        labels = {"aws_account": ACCOUNT_ID, "aws_region": "eu-west-1", "aws_service": "cloudwatch"}
        operation = {"operation": "GetMetricData"}
        return self.aws.registry.get_sample_value("headroom_aws_call_rate_limit", labels | operation)

    def missing_minutes(self) -> int:
        """Return how many minutes, over all metrics, were published but not read."""
        rings, now = self.fleet.rings, int(NOW + seconds() // 60)
        minutes = np.arange(now - WINDOW, now - DELAY - 1, dtype=np.int32)
        return sum(
            int(np.isnan(rings.at(np.full(minutes.size, row, np.int32), minutes)).sum())
            for row in self.fleet.metrics(self.cell.key).values()
        )


def test_all_minutes_are_read_after_throttling_and_the_rate_recovers() -> None:
    async def main() -> None:
        throttled = ThrottledCell(lambda: THROTTLED_FROM <= seconds() / 60 < THROTTLED_UNTIL)
        other_cell = ThrottledCell(lambda: False)
        await asyncio.gather(throttled.poll(THROTTLED_FROM), other_cell.poll(THROTTLED_FROM))
        assert throttled.exported_rate is None
        await asyncio.gather(throttled.poll(THROTTLED_UNTIL), other_cell.poll(THROTTLED_UNTIL))
        throttled_calls = [sent_at for sent_at in throttled.sent_at if sent_at >= THROTTLED_FROM * 60]
        assert (
            len(throttled_calls) <= (THROTTLED_UNTIL - THROTTLED_FROM) * CALLS * throttled.cell.max_attempts
        )
        assert min(throttled.rates) == RATE * MIN_SHARE
        assert throttled.exported_rate == throttled.rate < RATE / 8
        await asyncio.gather(throttled.poll(THROTTLED_UNTIL + 2), other_cell.poll(THROTTLED_UNTIL + 2))
        assert throttled.missing_minutes() == 0
        await asyncio.gather(throttled.poll(THROTTLED_UNTIL + 40), other_cell.poll(THROTTLED_UNTIL + 40))
        assert throttled.exported_rate == throttled.rate == RATE
        assert throttled.missing_minutes() == 0
        assert (other_cell.exported_rate, other_cell.missing_minutes()) == (None, 0)

    run(main())


def test_the_rate_stays_lowered_where_aws_allows_less_and_no_minute_is_lost() -> None:
    allowed = 1  # calls per second; each poll makes two at once

    async def main() -> None:
        def is_throttled() -> bool:
            return sum(sent_at > seconds() - 1 for sent_at in limited.sent_at) > allowed

        limited = ThrottledCell(is_throttled)
        await limited.poll(40)
        assert limited.missing_minutes() == 0
        assert max(limited.rates[-10:]) < RATE / 2

    run(main())
