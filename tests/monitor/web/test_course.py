"""The last hours of a series, since when it is as it is, and how its limit changed."""

import numpy as np
import pytest

from monitor.fleet import Fleet
from monitor.rings import WINDOW
from monitor.web.course import Course
from monitor.web.detail import steps
from rules.band import Zone
from rules.limits import Limit, Source
from tests.monitor.alerting.notices import notice
from tests.monitor.fleets import NOW, add, key

NAN = float("nan")


def course(*runs: tuple[int, float], refused: float = NAN) -> tuple[Course, Fleet]:
    """A series of limit 1000 that ends with these minutes and utilizations, and is refused in the last."""
    fleet = Fleet()
    series = add(fleet, key("orders"))
    told = [value * 1000 * 60 for length, value in runs for _ in range(length)]
    minutes = np.arange(NOW - len(told) + 1, NOW + 1, dtype=np.int32)
    usage, refusals = fleet.usages.get(series.place), fleet.refusals.get(series.place)
    assert usage and refusals
    fleet.rings.write(np.full(len(told), usage.rows[0], np.int32), minutes, np.array(told, np.float32))
    if np.isfinite(refused):
        fleet.rings.write(np.array(refusals.rows), minutes[-1:], np.array([refused], np.float32))
    return Course.of(fleet, series, NOW), fleet


@pytest.mark.parametrize(
    ("runs", "zone", "minutes"),
    [
        ([(50, 0.5), (10, 0.95)], Zone.CRITICAL, 10),
        ([(50, 0.5), (5, 0.8), (10, 0.95)], Zone.ABOVE, 15),
        ([(50, 0.5), (5, 0.95), (10, 0.8)], Zone.ABOVE, 15),
        ([(50, 0.5), (10, 0.1)], Zone.BELOW, 10),
        ([(50, 0.9), (10, 0.5)], Zone.WITHIN, 10),
        ([(50, 0.5), (10, 0.95), (3, NAN), (2, 0.95)], Zone.CRITICAL, 15),
        ([(50, 0.5), (30, NAN)], Zone.STALE, 30),
        ([(100, 0.95)], Zone.CRITICAL, None),
        ([(1, NAN)], Zone.STALE, None),
    ],
)
def test_since_when(runs: list[tuple[int, float]], zone: Zone, minutes: int | None) -> None:
    told, fleet = course(*runs)
    since = told.since(next(iter(fleet.series.values())), zone)
    assert since == (None if minutes is None else NOW - minutes + 1)


def test_refusals_make_it_saturated_since_they_began() -> None:
    told, fleet = course((60, 0.5), refused=3.0)
    assert told.since(next(iter(fleet.series.values())), Zone.SATURATED) == NOW


def test_samples_stand_at_their_minutes() -> None:
    told, _ = course((3, 0.5))
    assert told.usage.size == WINDOW and told.start == NOW - WINDOW + 1
    assert np.isnan(told.usage[:-3]).all() and told.usage[-3:].tolist() == pytest.approx([500.0] * 3)


def test_samples_from_the_future_are_left_out() -> None:
    _, fleet = course((3, 0.5))
    early = Course.of(fleet, next(iter(fleet.series.values())), NOW - 1)
    assert np.isfinite(early.usage).sum() == 2


def test_the_limits_steps_are_those_that_notices_tell_of() -> None:
    told, _ = course((3, 0.5))
    earlier = [notice(limit=1000.0, at=(NOW - 90) * 60.0), notice(limit=1000.0, at=(NOW - 100) * 60.0)]
    limit = Limit(2000.0, Source.API, 0)
    assert steps(limit, [], told) == [(told.start, 2000.0)]
    assert steps(limit, earlier, told) == [(told.start, 1000.0), (NOW, 2000.0)]
    raised = [notice(limit=2000.0, at=(NOW - 60) * 60.0), *earlier]
    assert steps(limit, raised, told) == [(told.start, 1000.0), (NOW - 60, 2000.0)]
    assert steps(None, earlier, told) == []
