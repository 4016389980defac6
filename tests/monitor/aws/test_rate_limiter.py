"""Rate limits, by the clock of an event loop that jumps to the next timer instead of waiting."""

import asyncio

import pytest

from monitor.aws.cell import Cell
from monitor.aws.rate_limiter import RateLimiter
from monitor.fleet.ring_columns import WINDOW
from monitor.polling.metric_caller import POINTS_PER_SECOND
from monitor.polling.plan import MAX_METRICS_PER_CALL
from tests.fake_aws import FakeAws, FakeClientCache
from tests.fake_cloudwatch import fake_credentials
from tests.quick_loop import run
from tests.telemetries import Telemetries

# AWS documents how many points of the last three hours GetMetricData may return per second.
MAX_DOCUMENTED_POINTS = 180_000


def max_per_second(times: list[float], units: float = 1.0) -> float:
    """Return the most units that were admitted within one second.

    times: when callers were admitted, in seconds. units: the units of each caller.
    """
    second = 1 - 1e-6  # without the rounding of floating-point numbers
    return max(units * sum(start <= time < start + second for time in times) for start in times)


async def admission_times(limiter: RateLimiter, caller_count: int, units: float = 1.0) -> list[float]:
    """Let callers ask at the same time. Return when each was admitted, in seconds. units: of each caller."""
    times = []

    async def acquire() -> None:
        await limiter.acquire(units)
        times.append(asyncio.get_running_loop().time())

    await asyncio.gather(*(acquire() for _ in range(caller_count)))
    return times


@pytest.mark.parametrize("rate", [1.0, 5.0, 20.0])
def test_no_second_has_more_than_the_rate_not_even_the_first(rate: float) -> None:
    assert max_per_second(run(admission_times(RateLimiter(rate), 60))) <= rate


@pytest.mark.parametrize("metric_count", [1, 50, 333, 400, MAX_METRICS_PER_CALL])
def test_points_per_second_stay_below_the_documented_number(metric_count: int) -> None:
    point_count = metric_count * WINDOW
    times = run(admission_times(RateLimiter(POINTS_PER_SECOND), 40, point_count))
    assert max_per_second(times, point_count) <= MAX_DOCUMENTED_POINTS


def test_unused_calls_are_not_saved_up() -> None:
    async def main() -> list[float]:
        limiter = RateLimiter(10.0)
        await asyncio.sleep(100)
        return await admission_times(limiter, 30)

    assert max_per_second(run(main())) <= 10


@pytest.mark.parametrize(
    ("service", "operation", "seconds"), [("s3", "ListBuckets", 9.0), ("sqs", "ListQueues", 4.0)]
)
def test_regions_of_an_account_share_only_the_rates_of_global_operations(
    service: str, operation: str, seconds: float
) -> None:
    """ListBuckets has one limiter for both regions: ten calls at one a second take 9 s, the first at once.

    ListQueues has a limiter in each region: five calls in each take 4 s.
    """

    async def main() -> float:
        aws = FakeAws(list_buckets={"Buckets": []}, list_queues={})
        shared_limiters = dict[str, RateLimiter]()
        cells = [
            Cell(
                fake_credentials(),
                "1",
                region,
                Telemetries().aws,
                {service: 1.0},
                None,
                FakeClientCache(aws),
                shared_limiters,
            )
            for region in ("eu-west-1", "us-east-1")
        ]
        await asyncio.gather(*(cell.call(service, operation) for cell in cells * 5))
        return asyncio.get_running_loop().time()

    assert run(main()) == pytest.approx(seconds, abs=0.01)
