"""What series used in each minute, of one and of many at once."""

import numpy as np

from collectors.base import Metric, highest, total
from monitor.fleet import Fleet
from monitor.judge import histories, history
from monitor.rings import WINDOW
from tests.monitor.points import NAN
from tests.monitor.test_judge import NOW, key, more_traffic, put, seen, traffic, write


def test_history_tells_each_minute_by_the_formula() -> None:
    fleet = Fleet()
    put(fleet, seen(total(traffic, more_traffic)))
    for turn in [(0, 5, 1.0), (2, 5, 2.0), (2, 4, 3.0), (0, 2, 5.0), (2, 2, 6.0)]:
        write(fleet, turn)
    formula = fleet.usages.get(fleet.series[key()].place)
    assert formula
    minutes, values = history(fleet, formula)
    assert minutes.tolist() == list(range(NOW - 2 - WINDOW + 1, NOW - 2 + 1))
    np.testing.assert_array_equal(values[-4:], [3, 3, NAN, 11])
    assert np.isnan(values[:-4]).all()


def test_many_are_told_as_each_one_alone() -> None:
    """Up to the newest minute that each one has, which for one without a point is long ago."""
    fleet = Fleet()
    put(fleet, seen(total(traffic)), resource="one")
    put(fleet, seen(highest(traffic, more_traffic)), resource="two")
    put(fleet, seen(total(Metric("AWS/Test", "Nobody", "Sum"))), resource="none")
    for turn in [(0, 5, 1.0), (2, 7, 2.0), (0, 6, 3.0), (0, 200, 9.0), (0, 2, 5.0), (2, 3, 6.0)]:
        write(fleet, turn)
    places = np.array([fleet.series[key(name)].place for name in ("two", "none", "one")], np.int32)
    minutes, values = histories(fleet, places)
    assert minutes.shape == values.shape == (3, WINDOW)
    assert np.isnan(values[1]).all()
    for row in (0, 2):
        formula = fleet.usages.get(int(places[row]))
        assert formula
        alone = dict(zip(*(column.tolist() for column in history(fleet, formula)), strict=True))
        told = {minute: alone.get(minute, NAN) for minute in minutes[row].tolist()}
        np.testing.assert_array_equal(values[row], list(told.values()))
        assert np.isfinite(values[row][-1])
