"""Queries for series: their filters and order, and their pages, which together have each series once."""

import asyncio
from contextlib import suppress
from fnmatch import fnmatchcase
from math import inf, isnan
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from collectors.base import Resource, Unobservable
from monitor.exposition.exposition import Exposition
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import LABELS, Key
from monitor.fleet.query import CursorError, Query, Sort, ZoneWord, run_query, series_by_id
from monitor.fleet.snapshot import Snapshot
from rules.band import ZONES, Zone
from tests.monitor.fleet.fleets import add, key, set_judgement

SIGNALS = ("kinesis.stream_write_bytes", "kinesis.stream_write_records", "lambda.account_concurrency")
NUMBERS = {"utilization", "usage", "limit", "saturation"}

keys = st.builds(
    key,
    st.sampled_from(["orders", "orders-eu", "Photos", "été", "a\ud800b", "a*b", "z/y [1]"]),
    st.sampled_from(SIGNALS),
    st.sampled_from(["111111111111", "222222222222"]),
)
judgements = st.tuples(st.sampled_from(Zone), st.sampled_from([np.nan, 0.0, 1.0, 500.0, 950.0]))
fleets = st.dictionaries(keys, judgements, max_size=20)
filters = st.fixed_dictionaries(
    {},
    optional={
        "account": st.sampled_from(["111111111111", "333333333333"]),
        "service": st.sampled_from(["kinesis", "lambda", "sqs"]),
        "signal": st.sampled_from(["stream_write_bytes", "account_concurrency"]),
        "resource": st.sampled_from(["orders", "orders*", "?????", "a*b", "*der*", "[*", "*"]),
        "zone": st.lists(st.sampled_from(list(ZONES)), max_size=3),
    },
)
sorts = st.sampled_from(get_args(Sort))
orders = st.sampled_from([None, "asc", "desc"])


def snapshot_of(series: dict[Key, tuple[Zone, float]]) -> Snapshot:
    """Return a snapshot of series with these zones and usages."""
    fleet = Fleet()
    dropped = add(fleet, key("dropped"))
    for series_key, (zone, usage) in series.items():
        set_judgement(fleet, add(fleet, series_key), zone, usage=usage, saturation=usage)
    fleet.drop(dropped.key)
    return Snapshot.of(fleet, {})


def is_match(series_key: Key, zone: Zone, query: Query) -> bool:
    """Return whether a series matches the filters of a query."""
    exact_fields = ("account", "region", "service", "signal")
    if any(getattr(query, name) not in (None, getattr(series_key, name)) for name in exact_fields):
        return False
    if query.zone and zone.word not in query.zone:
        return False
    if query.resource is None:
        return True
    has_wildcards = "*" in query.resource or "?" in query.resource
    if has_wildcards:
        return fnmatchcase(series_key.resource, query.resource)
    return series_key.resource == query.resource


def pages(snapshot: Snapshot, query: Query) -> list[list[int]]:
    """Return the slots of each page of a query."""
    page = run_query(snapshot, query)
    slots_by_page = [page.slots]
    while page.next and len(slots_by_page) <= page.total:
        page = run_query(snapshot, query.model_copy(update={"cursor": page.next}))
        slots_by_page.append(page.slots)
    return slots_by_page


@given(fleets, filters, sorts, orders, st.integers(1, 7))
def test_the_pages_of_a_query_together_have_each_series_once(
    series: dict[Key, tuple[Zone, float]],
    filters_of_query: dict[str, Any],
    sort: str,
    order: str | None,
    limit: int,
) -> None:
    snapshot = snapshot_of(series)
    parameters = {**filters_of_query, "sort": sort, "order": order}
    single_page = run_query(snapshot, Query(**parameters, limit=1000))
    slots_by_page = pages(snapshot, Query(**parameters, limit=limit))
    assert [slot for page in slots_by_page for slot in page] == single_page.slots
    assert all(len(page) == limit for page in slots_by_page[:-1])
    expected = {
        series_key
        for series_key, (zone, _) in series.items()
        if is_match(series_key, zone, Query(**parameters))
    }
    assert {snapshot.series[slot].key for slot in single_page.slots} == expected
    assert single_page.total == len(single_page.slots) == len(expected)
    any_zone = Query(**parameters | {"zone": []})
    zones = [zone for series_key, (zone, _) in series.items() if is_match(series_key, zone, any_zone)]
    assert single_page.zones == {zone: zones.count(zone) for zone in Zone}
    assert run_query(snapshot, Query(**parameters, limit=1)).zones == single_page.zones


@given(fleets, st.sampled_from(sorted(NUMBERS)), st.booleans())
def test_series_are_sorted_by_numbers_with_unknown_numbers_last(
    series: dict[Key, tuple[Zone, float]], sort: Sort, descending: bool
) -> None:
    snapshot = snapshot_of(series)
    page = run_query(snapshot, Query(sort=sort, order="desc" if descending else "asc"))
    values = [getattr(snapshot, sort)[slot].item() for slot in page.slots]
    unknown = -inf if descending else inf
    known = [unknown if isnan(value) else value for value in values]
    assert known == sorted(known, reverse=descending)


@given(fleets, st.sampled_from(LABELS), st.booleans())
def test_series_are_sorted_by_names(
    series: dict[Key, tuple[Zone, float]], sort: Sort, descending: bool
) -> None:
    snapshot = snapshot_of(series)
    page = run_query(snapshot, Query(sort=sort, order="desc" if descending else None))
    names = [getattr(snapshot.series[slot].key, sort).replace("\ud800", "?") for slot in page.slots]
    assert names == sorted(names, reverse=descending)


def test_series_are_sorted_by_urgency_with_unobservable_series_last() -> None:
    fleet = Fleet()
    add(fleet, key("hidden"), usage=Unobservable("off"))
    set_judgement(fleet, add(fleet, key("hidden")), Zone.UNOBSERVABLE)
    for name, zone, usage in [
        ("stale", Zone.STALE, np.nan),
        ("normal", Zone.WITHIN, 500.0),
        ("refused", Zone.SATURATED, 100.0),
        ("idle", Zone.BELOW, 10.0),
        ("full", Zone.NEAR, 990.0),
        ("near", Zone.NEAR, 950.0),
    ]:
        set_judgement(fleet, add(fleet, key(name)), zone, usage=usage)
    exposition = Exposition(fleet)
    asyncio.run(exposition.publish({}))
    snapshot = exposition.snapshot

    def names(query: Query) -> list[str]:
        return [snapshot.series[slot].key.resource for slot in run_query(snapshot, query).slots]

    assert names(Query()) == ["refused", "full", "near", "normal", "idle", "stale", "hidden"]
    assert names(Query(order="asc")) == ["idle", "normal", "near", "full", "refused", "stale", "hidden"]


@pytest.mark.parametrize(
    "cursor",
    [
        "?",
        "é",
        "WzFd",
        "e30",
        "bnVsbA",
        "WyJ1cmdlbmN5Iix0cnVlXQ",  # too few values
        "WyJ1cmdlbmN5Iix0cnVlLCJhIiwiYiIsImMiXQ",  # ["urgency",true,"a","b","c"]
        "WyJ1cmdlbmN5IixmYWxzZSwxLDEsMV0",  # a cursor of ascending order
        "WyJsaW1pdCIsdHJ1ZSwxLDEsMV0",  # a cursor of another sort
    ],
)
def test_a_cursor_that_does_not_belong_to_the_query_is_refused(cursor: str) -> None:
    with pytest.raises(CursorError):
        run_query(snapshot_of({key("orders"): (Zone.WITHIN, 1.0)}), Query(cursor=cursor))


def test_an_empty_cursor_is_the_beginning_of_the_first_page() -> None:
    snapshot = snapshot_of({key("orders"): (Zone.WITHIN, 1.0)})
    assert run_query(snapshot, Query(cursor="")).slots == run_query(snapshot, Query()).slots


@given(st.text(max_size=40))
def test_any_text_as_cursor_raises_at_most_a_cursor_error(cursor: str) -> None:
    with suppress(CursorError):
        run_query(snapshot_of({key("orders"): (Zone.WITHIN, 1.0)}), Query(cursor=cursor))


@given(fleets)
def test_every_series_is_found_by_its_id(series: dict[Key, tuple[Zone, float]]) -> None:
    snapshot = snapshot_of(series)
    for series_key in series:
        series_with_id = series_by_id(snapshot, series_key.id)
        assert series_with_id and series_with_id.key == series_key


@pytest.mark.parametrize(
    "unknown_id", ["", "0" * 16, "orders", key("dropped").id, key("orders").id.upper() + "0"]
)
def test_an_unknown_id_finds_no_series(unknown_id: str) -> None:
    assert series_by_id(snapshot_of({key("orders"): (Zone.WITHIN, 1.0)}), unknown_id) is None


@pytest.mark.parametrize(
    "parameters", [{"limit": 0}, {"limit": 1001}, {"zone": ["high"]}, {"sort": "name"}, {"zne": "above"}]
)
def test_invalid_queries_are_rejected(parameters: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Query(**parameters)


def test_the_zones_of_a_query_are_the_zones_of_the_rules() -> None:
    assert set(get_args(ZoneWord)) == set(ZONES)


@pytest.mark.parametrize(
    "pattern", ["[" * 4000, "*" + "[" * 4000, "*" + "[!" * 2000, "[]" * 2000, "*a" * 2000, "*" + "[]" * 1000]
)
def test_a_pattern_with_unclosed_brackets_matches_as_in_fnmatch(pattern: str) -> None:
    """For each unclosed bracket that the query does not escape, fnmatch searches the rest of the pattern."""
    query = Query(resource=pattern)
    assert query.resource is not None
    for name in ("a", pattern.replace("*", "")):
        assert fnmatchcase(name, query.resource) == fnmatchcase(name, pattern)


def test_a_resource_is_found_by_its_name_and_by_its_id() -> None:
    fleet = Fleet()
    for identity in ("a1", "b2"):
        api = Resource("api", (identity, "prod"), ("orders", "prod"))
        set_judgement(fleet, add(fleet, key("")._replace(subject=api)), Zone.WITHIN, usage=1.0)
    set_judgement(fleet, add(fleet, key("")), Zone.WITHIN, usage=1.0)
    exposition = Exposition(fleet)
    asyncio.run(exposition.publish({}))
    snapshot = exposition.snapshot

    def ids(pattern: str) -> set[str]:
        return {
            snapshot.series[slot].key.subject.id
            for slot in run_query(snapshot, Query(resource=pattern)).slots
        }

    assert ids("orders/prod") == ids("orders/*") == {"a1/prod", "b2/prod"}
    assert ids("a1/prod") == ids("a1*") == {"a1/prod"}
    assert ids("") == {""}  # the whole account
    assert ids("account") == set()
