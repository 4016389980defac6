"""Parsing filters, and the API queries that are made of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.filters import Filters
from monitor.top.filters import SORTS, ZONE_WORDS, FilterError, SeriesView, format_filters, parse_filters

FILTERS = {
    "": {},
    "   ": {},
    "clicks": {"resource": "clicks"},
    "click* ": {"resource": "click*"},
    "a b": {"resource": "*a*b*"},
    "a[1] b*c": {"resource": "*a[[]1]*b*c*"},
    "'a b'": {"resource": "a b"},
    "resource:a:b": {"resource": "a:b"},
    '"resource:a b"': {"resource": "a b"},
    "service:kinesis zone:near clicks": {
        "service": "kinesis",
        "zone": ("near",),
        "resource": "clicks",
    },
    "zone:within,saturated zone:stale": {"zone": ("saturated", "within", "stale")},
    "signal:stream_write_bytes": {"signal": "stream_write_bytes"},
    "signal:kinesis.stream_write_bytes": {"service": "kinesis", "signal": "stream_write_bytes"},
    "account:123 region:eu-west-1": {"account": "123", "region": "eu-west-1"},
    "service:": {},
}
INVALID_FILTERS = {
    "zoo:x": "zoo: expected account, region, service, signal, resource, zone; for a name with a colon, "
    "write resource:zoo:x",
    "zone:hot": "zone: expected saturated, near, above, within, below, stale, unobservable; found hot",
    "zone:": "zone: expected saturated, near, above, within, below, stale, unobservable; found nothing",
    "service:a service:b": "service: expected one, found a and b",
    "service:s3 signal:kinesis.stream_write_bytes": "service: expected one, found s3 and kinesis",
    "a resource:b": "resource: expected one, found b and a",
    "'a": "a closing quote is missing, or a backslash is at the end",
    "a\\": "a closing quote is missing, or a backslash is at the end",
    "x" * 5000: "resource: String should have at most 2048 characters",
}


@pytest.mark.parametrize(("text", "filters"), FILTERS.items())
def test_typed_filters_are_parsed(text: str, filters: dict[str, object]) -> None:
    assert parse_filters(text) == Filters.model_validate(filters)


@pytest.mark.parametrize(
    ("text", "sentence"), INVALID_FILTERS.items(), ids=[text[:20] for text in INVALID_FILTERS]
)
def test_an_invalid_filter_is_reported_in_a_sentence(text: str, sentence: str) -> None:
    with pytest.raises(FilterError) as error:
        parse_filters(text)
    assert str(error.value) == sentence


words = st.text(max_size=20).filter(lambda text: "." not in text)
zones = st.sets(st.sampled_from(ZONE_WORDS)).map(
    lambda chosen: tuple(word for word in ZONE_WORDS if word in chosen)
)


@given(st.builds(Filters, account=words, service=words, signal=words, resource=words, zone=zones))
def test_formatted_filters_are_parsed_to_the_same_filters(filters: Filters) -> None:
    assert parse_filters(format_filters(filters)) == filters


def test_the_next_sort_key_cycles_through_all_sort_keys() -> None:
    view, seen = SeriesView(), []
    for _ in SORTS:
        seen.append(view.sort)
        view = view.with_next_sort
    assert tuple(seen) == SORTS
    assert view == SeriesView()


def test_the_next_sort_key_resets_the_order_to_its_default() -> None:
    assert SeriesView(reverse=True).with_next_sort == SeriesView(sort="utilization")


@pytest.mark.parametrize(
    ("view", "order"),
    [
        (SeriesView(), "desc"),
        (SeriesView(reverse=True), "asc"),
        (SeriesView(sort="resource"), "asc"),
        (SeriesView(sort="resource", reverse=True), "desc"),
    ],
)
def test_the_query_has_the_default_order_of_its_sort_key_or_the_reverse(view: SeriesView, order: str) -> None:
    assert view.query.order == order
    assert view.query.sort == view.sort
    assert view.query.limit == 200


def test_the_next_zone_is_the_one_after_the_first_zone_of_the_filter() -> None:
    view = SeriesView().with_filters("zone:above,below x")
    assert view.with_next_zone.filters == parse_filters("zone:within x")
    assert SeriesView().with_filters("zone:unobservable").with_next_zone.filters.zone == ()
