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


def max_per_second(moments: list[float], units: float = 1.0) -> float:
    """Return the most units that were admitted within one second.

    moments: when callers were admitted, in seconds. units: the units of each caller.
    """
    return max(units * sum(0 <= moment - start < 1 - 1e-6 for moment in moments) for start in moments)


async def admission_times(limiter: RateLimiter, callers: int, units: float = 1.0) -> list[float]:
    """Return the times at which callers are admitted that all ask at the same time.

    callers: the number of callers. units: the units of each caller.
    """
    moments = []

    async def acquire() -> None:
        await limiter.acquire(units)
        moments.append(asyncio.get_running_loop().time())

    await asyncio.gather(*(acquire() for _ in range(callers)))
    return moments


@pytest.mark.parametrize("rate", [1.0, 5.0, 20.0])
def test_no_second_has_more_than_the_rate_not_even_the_first(rate: float) -> None:
    assert max_per_second(run(admission_times(RateLimiter(rate), 60))) <= rate


@pytest.mark.parametrize("metrics", [1, 50, 333, 400, MAX_METRICS_PER_CALL])
def test_points_per_second_stay_below_the_documented_number(metrics: int) -> None:
    points = metrics * WINDOW
    moments = run(admission_times(RateLimiter(POINTS_PER_SECOND), 40, points))
    assert max_per_second(moments, points) <= MAX_DOCUMENTED_POINTS


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
