"""A search for the parts of an aggregate is paused if it costs more requests than the aggregate saves."""

from monitor.fleet.part_searches import MEAN_MINUTES, PAUSE, PartSearches

AGGREGATE, OTHER_AGGREGATE = 7, 8
SAVED_REQUESTS = 10.0  # that the aggregate saves a minute


def searches_of(requests: int, minutes: int) -> PartSearches:
    """Return the searches after some minutes with this number of requests in each."""
    searches = PartSearches()
    for minute in range(minutes):
        searches.note(AGGREGATE, requests, SAVED_REQUESTS, minute)
    return searches


def test_searches_that_cost_less_than_the_aggregate_saves_are_never_paused() -> None:
    assert not searches_of(9, 20 * MEAN_MINUTES).are_paused(AGGREGATE, 20 * MEAN_MINUTES)


def test_searches_that_cost_more_are_paused_within_two_hours() -> None:
    assert not searches_of(12, MEAN_MINUTES // 2).paused(MEAN_MINUTES // 2)
    searches = searches_of(12, 2 * MEAN_MINUTES)
    assert searches.paused(2 * MEAN_MINUTES) == [AGGREGATE]
    assert searches.are_paused(AGGREGATE, 2 * MEAN_MINUTES)
    assert not searches.are_paused(OTHER_AGGREGATE, 2 * MEAN_MINUTES)


def test_a_single_search_for_many_parts_is_not_paused() -> None:
    assert not searches_of(300, 1).paused(1)


def test_a_pause_ends() -> None:
    searches = searches_of(12, 2 * MEAN_MINUTES)
    assert not searches.are_paused(AGGREGATE, 2 * MEAN_MINUTES + PAUSE)
    searches.resume(AGGREGATE)
    assert not searches.paused(2 * MEAN_MINUTES)


def test_the_mean_cost_includes_the_minutes_without_a_search() -> None:
    searches = PartSearches()
    for minute in range(0, 20 * MEAN_MINUTES, 3):
        searches.note(AGGREGATE, 27, SAVED_REQUESTS, minute)  # 9 a minute
    assert not searches.paused(20 * MEAN_MINUTES)
    for minute in range(20 * MEAN_MINUTES, 40 * MEAN_MINUTES, 3):
        searches.note(AGGREGATE, 36, SAVED_REQUESTS, minute)  # 12 a minute
    assert searches.paused(21 * MEAN_MINUTES) or searches.paused(40 * MEAN_MINUTES)


def test_nothing_pauses_under_a_budget() -> None:
    searches = searches_of(12, 2 * MEAN_MINUTES)
    searches.allow_pauses(False)
    assert not searches.paused(2 * MEAN_MINUTES)
    assert not searches.are_paused(AGGREGATE, 2 * MEAN_MINUTES)
