"""A search for the parts of an aggregate is paused if it costs more requests than the aggregate saves."""

from monitor.fleet.part_searches import MEAN_MINUTES, PAUSE, PartSearches

AGGREGATE, OTHER = 7, 8
SAVED = 10.0  # requests a minute


def searches(requests: int, minutes: int) -> PartSearches:
    """Return the searches after so many minutes, each with this number of requests."""
    noted = PartSearches()
    for minute in range(minutes):
        noted.note(AGGREGATE, requests, SAVED, minute)
    return noted


def test_searches_that_cost_less_than_the_aggregate_saves_are_never_paused() -> None:
    assert not searches(9, 20 * MEAN_MINUTES).are_paused(AGGREGATE, 20 * MEAN_MINUTES)


def test_searches_that_cost_more_are_paused_within_two_hours() -> None:
    assert not searches(12, MEAN_MINUTES // 2).paused(MEAN_MINUTES // 2)
    noted = searches(12, 2 * MEAN_MINUTES)
    assert noted.paused(2 * MEAN_MINUTES) == [AGGREGATE]
    assert noted.are_paused(AGGREGATE, 2 * MEAN_MINUTES) and not noted.are_paused(OTHER, 2 * MEAN_MINUTES)


def test_a_single_search_for_many_parts_is_not_paused() -> None:
    assert not searches(300, 1).paused(1)


def test_a_pause_ends() -> None:
    noted = searches(12, 2 * MEAN_MINUTES)
    assert not noted.are_paused(AGGREGATE, 2 * MEAN_MINUTES + PAUSE)
    noted.resume(AGGREGATE)
    assert not noted.paused(2 * MEAN_MINUTES)


def test_the_mean_cost_includes_the_minutes_without_a_search() -> None:
    noted = PartSearches()
    for minute in range(0, 20 * MEAN_MINUTES, 3):
        noted.note(AGGREGATE, 27, SAVED, minute)
    assert not noted.paused(20 * MEAN_MINUTES)
    for minute in range(20 * MEAN_MINUTES, 40 * MEAN_MINUTES, 3):
        noted.note(AGGREGATE, 36, SAVED, minute)
    assert noted.paused(21 * MEAN_MINUTES) or noted.paused(40 * MEAN_MINUTES)


def test_nothing_pauses_under_a_budget() -> None:
    noted = searches(12, 2 * MEAN_MINUTES)
    noted.allow_pauses(False)
    assert not noted.paused(2 * MEAN_MINUTES)
    assert not noted.are_paused(AGGREGATE, 2 * MEAN_MINUTES)
