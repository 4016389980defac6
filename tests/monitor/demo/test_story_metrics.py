"""The metrics that follow from stories, in each minute and in longer periods."""

import numpy as np
import pytest

from monitor.demo.metric import StoriedMetric
from monitor.demo.region import DemoRegion
from monitor.demo.story_reader import read_stories
from rules.arrays import Float64s
from tests.monitor.demo import made_up

SURGE_MINUTE, QUIET_MINUTE = 12, 40  # minutes of an hour with, and without, the surge
MINUTES = np.array([SURGE_MINUTE, QUIET_MINUTE])


async def values(name: str, statistic: str, cluster: str) -> Float64s:
    """Return a statistic of a cluster's metric in `MINUTES`."""
    world = {"eu-west-1": DemoRegion("eu-west-1")}
    book = await read_stories([made_up.stories()], made_up.registry(), world)
    (metric,) = [
        metric
        for metric in book.regions["eu-west-1"].metrics()
        if metric.name == name and f"/{cluster}/" in metric.dimensions["Cluster"]
    ]
    return metric.values(statistic, MINUTES, 1)


async def test_minutes_without_events_have_no_point() -> None:
    surge, quiet = await values("FailedConnections", "Sum", "media")
    assert surge > 0
    assert np.isnan(quiet)


async def test_the_story_of_a_signal_without_a_limit_is_in_the_unit_of_its_usage() -> None:
    surge, quiet = await values("FailedConnections", "Sum", "builds")
    assert surge == pytest.approx(4 * 60)  # 4 failures a second
    assert np.isnan(quiet)


async def test_the_usage_is_the_demand_without_the_throttled_part() -> None:
    connections = await values("ClientConnections", "Sum", "media")
    failed = np.nan_to_num(await values("FailedConnections", "Sum", "media"))
    assert (connections - failed)[0] == pytest.approx(50 * 60)


async def test_the_metric_that_publishes_a_limit_has_the_limit_of_the_catalogue() -> None:
    assert (await values("StorageLimit", "Maximum", "media") == 1e12).all()


async def test_a_story_is_a_share_of_the_applied_quota_instead_of_the_default() -> None:
    assert await values("QueueDepth", "Average", "media") == pytest.approx(0.5 * 400)


async def test_a_usage_that_cannot_exceed_its_limit_stays_within_it() -> None:
    """The metric's maximum is read by a signal with a hard limit, its average by a signal without one."""
    assert (await values("QueueDepth", "Maximum", "media") == 500).all()


async def test_a_metric_of_series_without_stories_is_a_small_share_of_the_lowest_of_their_limits() -> None:
    lowest_limit = 50 * 60  # connections a minute
    assert (await values("ClientConnections", "Sum", "private") < 0.1 * lowest_limit).all()


async def test_only_the_statistics_that_signals_read_have_values() -> None:
    assert np.isnan(await values("ClientConnections", "Maximum", "media")).all()


@pytest.mark.parametrize(
    ("statistic", "expected"),
    [("Sum", [3, 9]), ("Average", [1.5, 4.5]), ("Maximum", [2, 5]), ("Minimum", [1, 4]), ("p99", [2, 5])],
)
def test_a_period_has_the_statistic_of_its_minutes(statistic: str, expected: list[float]) -> None:
    published = {0: 1.0, 1: 2.0, 3: 4.0, 5: 5.0}  # in two periods of three minutes; the third has no point
    metric = StoriedMetric(
        "Made/Up",
        "Used",
        {},
        {statistic: lambda minutes: np.array([published.get(minute, np.nan) for minute in minutes])},
    )
    period_values = metric.values(statistic, np.array([0, 3, 6]), 3)
    assert period_values[:2].tolist() == expected
    assert np.isnan(period_values[2])
