"""A series as the API tells it is the one that Headroom holds."""

import time

import numpy as np
import pytest

from monitor import answers
from monitor.api_models import Detail
from monitor.commands import make_room
from monitor.course import Course
from monitor.exposition import Exposition
from monitor.fleet import Fleet
from monitor.rows import signal_of
from monitor.top.closeup import Closeup
from rules.band import Zone
from tests.monitor.fleets import add, judged, key
from tests.monitor.web.pages import feed


async def told(fleet: Fleet, name: str) -> Closeup:
    exposition = Exposition(fleet)
    await exposition.publish({})
    series = fleet.series[key(name)]
    detail = answers.detail(exposition.snapshot, fleet, series)
    return Closeup(Detail.model_validate_json(detail.model_dump_json()), time.time())


async def test_the_same_hours_the_same_age_and_the_same_command() -> None:
    fleet = Fleet()
    series = add(fleet, key("clicks"))
    feed(fleet, series, [500.0] * 100 + [float("nan")] * 5 + [800.0] * 30, [0.0] * 133 + [4.0] * 2)
    judged(fleet, series, Zone.SATURATED, 800.0, 4.0)
    closeup = await told(fleet, "clicks")
    course = Course.of(fleet, series, closeup.course.end)
    for name in ("usage", "at_most", "saturation", "limit"):
        np.testing.assert_allclose(getattr(closeup.course, name), getattr(course, name), rtol=1e-6)
    minute = course.since(series.ruling.band, Zone.SATURATED)
    assert minute is not None and closeup.since == minute * 60
    assert closeup.command == make_room(signal_of(series.key), series, 0.8)


async def test_hours_without_a_sample() -> None:
    fleet = Fleet()
    add(fleet, key("clicks"))
    closeup = await told(fleet, "clicks")
    assert not np.isfinite(closeup.course.usage).any()
    assert closeup.since is None


@pytest.mark.parametrize("minutes", [-10, 0, 10])
async def test_clocks_that_differ_lose_no_sample(minutes: int) -> None:
    fleet = Fleet()
    feed(fleet, add(fleet, key("clicks")), [500.0] * 30)
    closeup = await told(fleet, "clicks")
    moved = Closeup(closeup.told, closeup.at + minutes * 60)
    assert np.isfinite(moved.course.usage).sum() == 30
