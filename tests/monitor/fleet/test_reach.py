"""The forecast of a series: its text, and the order of series by their forecasts."""

import numpy as np
import pytest

from monitor.fleet.fleet import Fleet
from monitor.fleet.namespaces import NEVER
from monitor.fleet.reach import Reach
from monitor.fleet.rows import row_of
from monitor.fleet.snapshot import Snapshot
from monitor.fleet.urgency import soonest_to_limit
from rules.arrays import Flags
from rules.band import Zone
from tests.monitor.fleet.fleets import add, key, set_judgement

NOW = 29_000_000
FORTNIGHT_BINS = 14 * 96  # quarters of an hour
LIKELY, UNLIKELY = (0.1, 0.4, 0.8, 0.9), (0.0, 0.0, 0.02, 0.04)


def times(*hours: float) -> tuple[int, ...]:
    """Return the Unix minutes at these numbers of hours after NOW."""
    return tuple(NOW + round(60 * hour_count) for hour_count in hours)


@pytest.mark.parametrize(
    ("reach", "text"),
    [
        (Reach(), ""),
        (Reach(history_days=1.2), "1.2 of 2 days of history"),
        (Reach(history_days=9.0), "the usage now or on the days before is unknown"),
        (Reach((1.0,) * 4, times(0, 0, 0), 14.0), "is at the limit"),
        (Reach((1.0,) * 4, times(0, 0, 0), 14.0, 12.0), "is at the ceiling"),
        (Reach(UNLIKELY, (), 14.0), "4 % within 3d"),
        (Reach(LIKELY, times(3, 4, 5), 14.0), "reaches the limit in 3-5 h, 80 %"),
        (Reach(LIKELY, times(3, 4, 5), 14.0, 12.0), "reaches the ceiling in 3-5 h, 80 %"),
        (Reach(LIKELY, times(0.5, 0.75, 1), 14.0), "reaches the limit in 30-60 min, 80 %"),
        (Reach(LIKELY, times(3, 3, 3), 14.0), "reaches the limit in 3 h, 80 %"),
        (Reach(LIKELY, times(-1, 1, 2), 14.0), "reaches the limit in 0-120 min, 80 %"),
        (Reach(LIKELY, times(-1, 0, 0), 14.0), "reaches the limit in 1 min, 80 %"),
        (Reach(LIKELY, times(0.25, 24, 53), 14.0), "reaches the limit in 15 min to 3 d, 80 %"),
        (Reach(LIKELY, times(5, 24, 53), 14.0), "reaches the limit in 5 h to 3 d, 80 %"),
        (Reach(LIKELY, times(0.25, 3, 4.5), 14.0), "reaches the limit in 15 min to 5 h, 80 %"),
        (Reach(LIKELY, times(0, 3, 4.5), 14.0), "reaches the limit in 0-5 h, 80 %"),
        (Reach(LIKELY, times(50, 60, 71), 14.0), "reaches the limit in 2-3 d, 80 %"),
        # Usage that grows steadily reaches the limit after the longest horizon.
        (Reach(UNLIKELY, times(240, 480, 600), 14.0), "reaches the limit in 10-25 d, 4 % within 3d"),
        # The times are of the few futures that reach the limit at all.
        (Reach((0.0, 0.1, 0.3, 0.49), times(0.4, 3, 70), 14.0), "49 % within 3d"),
    ],
)
def test_a_forecast_is_described_in_a_short_text(reach: Reach, text: str) -> None:
    assert reach.text(NOW) == text


def fleet_of(*probabilities: tuple[float, ...]) -> Fleet:
    fleet = Fleet()
    for number, probability in enumerate(probabilities):
        series = add(fleet, key(f"s{number}"))
        set_judgement(fleet, series, Zone.WITHIN, usage=500.0)
        fleet.reach_probability[series.slot], fleet.history_bins[series.slot] = probability, FORTNIGHT_BINS
    return fleet


def test_the_row_of_a_series_has_the_forecast_from_the_columns() -> None:
    fleet = fleet_of(LIKELY)
    (series,) = fleet.series.values()
    fleet.ceiling[series.slot] = 0.1
    assert row_of(fleet, series).reach == Reach(LIKELY, (), 14.0, 0.1)
    fleet.reach_minutes[series.slot] = times(3, 4, 5)
    assert row_of(fleet, series).reach.minutes == times(3, 4, 5)
    fleet.reach_minutes[series.slot, 0] = NEVER
    assert row_of(fleet, series).reach.minutes == ()


def test_series_that_may_reach_their_limits_are_listed_the_soonest_first() -> None:
    unknown = (float("nan"),) * 4
    fleet = fleet_of(
        (0.0, 0.1, 0.2, 0.9),  # within three days
        unknown,  # without a forecast
        (0.0, 0.6, 0.7, 0.8),  # within six hours
        (0.0, 0.01, 0.02, 0.03),  # too improbable to be listed
        (1.0, 1.0, 1.0, 1.0),  # already at the limit
        (0.1, 0.7, 0.7, 0.7),  # within six hours, and likelier within one hour than the third series
    )
    snapshot = Snapshot.of(fleet, {})
    all_series: Flags = np.ones(snapshot.zone.size, np.bool_)
    assert soonest_to_limit(snapshot, all_series, 10) == [5, 2, 0]
    assert soonest_to_limit(snapshot, all_series, 1) == [5]
    assert soonest_to_limit(snapshot, ~all_series, 10) == []
