"""The series whose settings changed since their alerts were last evaluated."""

import numpy as np
import pytest

from monitor.alerting.evaluated_settings import BOUNDS, DURATIONS, EvaluatedSettings
from monitor.fleet.fleet import Fleet
from tests.monitor.fleet.fleets import SETTINGS, add, key


def fleet_of(count: int) -> Fleet:
    fleet = Fleet()
    add_series(fleet, count)
    return fleet


def add_series(fleet: Fleet, count: int) -> None:
    for _ in range(count):
        add(fleet, key(f"stream-{fleet.size}"), SETTINGS)


def changed_slots(settings: EvaluatedSettings) -> tuple[list[int], list[int]]:
    """Return the slots with changed durations, and those with changed bounds."""
    parts = list(settings.take_changes())
    durations, bounds = ([int(slot) for part in parts for slot in part[field]] for field in (0, 1))
    return durations, bounds


@pytest.mark.parametrize("name", BOUNDS)
def test_a_changed_bound_is_found_once_in_whichever_part(name: str) -> None:
    fleet = fleet_of(5)
    settings = EvaluatedSettings(fleet, slots_at_once=2)
    assert changed_slots(settings) == ([], [])
    getattr(fleet, name)[[0, 3, 4]] += 1
    assert changed_slots(settings) == ([], [0, 3, 4])
    assert changed_slots(settings) == ([], [])


@pytest.mark.parametrize("name", DURATIONS)
def test_a_changed_duration_is_found_once(name: str) -> None:
    fleet = fleet_of(3)
    settings = EvaluatedSettings(fleet, slots_at_once=2)
    changed_slots(settings)
    getattr(fleet, name)[2] += 1
    assert changed_slots(settings) == ([2], [])
    assert changed_slots(settings) == ([], [])


def test_a_limit_that_becomes_unknown_or_known_is_no_change() -> None:
    fleet = fleet_of(1)
    settings = EvaluatedSettings(fleet)
    for limit in (np.nan, 5.0):
        changed_slots(settings)
        fleet.read_limit[0] = limit
        assert changed_slots(settings) == ([], [])


def test_added_series_are_no_change_however_many_they_are() -> None:
    fleet = fleet_of(3)
    settings = EvaluatedSettings(fleet)
    changed_slots(settings)
    fleet.high[1] += 0.1
    add_series(fleet, 2_000)  # the columns grow
    assert changed_slots(settings) == ([], [1])
    fleet.high[2_002] += 0.1
    assert changed_slots(settings) == ([], [2_002])


def test_settings_of_a_forgotten_slot_are_no_change() -> None:
    fleet = fleet_of(2)
    settings = EvaluatedSettings(fleet)
    settings.forget(np.array([0], np.int32))  # before anything was evaluated
    changed_slots(settings)
    settings.forget(np.array([1, 7], np.int32))
    fleet.read_limit[1] += 1
    assert changed_slots(settings) == ([], [])


def test_parts_that_were_not_compared_are_compared_by_the_next_call() -> None:
    fleet = fleet_of(4)
    settings = EvaluatedSettings(fleet, slots_at_once=2)
    changed_slots(settings)
    fleet.high[[1, 2]] += 0.1
    assert next(settings.take_changes()).bounds.tolist() == [1]  # cancelled after the first part
    assert changed_slots(settings) == ([], [2])
