"""What people type as a filter, and what the API is asked for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.top.view import SORTS, ZONE_WORDS, View, WrongFilter, parsed, written
from monitor.web.filters import Filters

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
    "service:kinesis zone:critical clicks": {
        "service": "kinesis",
        "zone": ("critical",),
        "resource": "clicks",
    },
    "zone:within,saturated zone:stale": {"zone": ("saturated", "within", "stale")},
    "signal:stream_write_bytes": {"signal": "stream_write_bytes"},
    "signal:kinesis.stream_write_bytes": {"service": "kinesis", "signal": "stream_write_bytes"},
    "account:123 region:eu-west-1": {"account": "123", "region": "eu-west-1"},
    "service:": {},
}
WRONG = {
    "zoo:x": "zoo: expected account, region, service, signal, resource, zone; a name that has a colon is "
    "resource:zoo:x",
    "zone:hot": "zone: expected saturated, critical, above, within, below, stale, unobservable; found hot",
    "zone:": "zone: expected saturated, critical, above, within, below, stale, unobservable; found nothing",
    "service:a service:b": "service: expected one, found a and b",
    "service:s3 signal:kinesis.stream_write_bytes": "service: expected one, found s3 and kinesis",
    "a resource:b": "resource: expected one, found b and a",
    "'a": "expected a closing quote, or no backslash at the end",
    "a\\": "expected a closing quote, or no backslash at the end",
    "x" * 5000: "resource: String should have at most 4096 characters",
}


@pytest.mark.parametrize(("text", "filters"), FILTERS.items())
def test_what_is_typed(text: str, filters: dict[str, object]) -> None:
    assert parsed(text) == Filters.model_validate(filters)


@pytest.mark.parametrize(("text", "sentence"), WRONG.items(), ids=[text[:20] for text in WRONG])
def test_what_is_wrong_is_said(text: str, sentence: str) -> None:
    with pytest.raises(WrongFilter) as wrong:
        parsed(text)
    assert str(wrong.value) == sentence


words = st.text(max_size=20).filter(lambda text: "." not in text)
zones = st.sets(st.sampled_from(ZONE_WORDS)).map(
    lambda chosen: tuple(word for word in ZONE_WORDS if word in chosen)
)


@given(st.builds(Filters, account=words, service=words, signal=words, resource=words, zone=zones))
def test_what_is_written_gives_the_same_filters(filters: Filters) -> None:
    assert parsed(written(filters)) == filters


def test_every_key_has_its_turn() -> None:
    view, seen = View(), []
    for _ in SORTS:
        seen.append(view.sort)
        view = view.resorted
    assert tuple(seen) == SORTS
    assert view == View()


def test_another_key_begins_in_its_usual_order() -> None:
    assert View(reverse=True).resorted == View(sort="utilization")


@pytest.mark.parametrize(
    ("view", "order"),
    [
        (View(), "desc"),
        (View(reverse=True), "asc"),
        (View(sort="resource"), "asc"),
        (View(sort="resource", reverse=True), "desc"),
    ],
)
def test_the_usual_order_is_the_api_s(view: View, order: str) -> None:
    assert view.query.order == order
    assert view.query.sort == view.sort
    assert view.query.limit == 200


def test_a_zone_turns_from_what_is_filtered() -> None:
    view = View().filtered("zone:above,below x")
    assert view.rezoned.filters == parsed("zone:within x")
    assert View().filtered("zone:unobservable").rezoned.filters.zone == ()
