"""The search query: the terms of a text, and that any text is a query or raises an error with the reason."""

from contextlib import suppress

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.fleet.search import SERIES_FIELDS, Search, SearchError, SearchTerm, parse_search
from rules.band import Zone
from tests.monitor.fleet.fleets import add, key, set_judgement
from tests.monitor.fleet_server import Server

WORDS = st.text(alphabet='ab:-"\\ *,<1h\n\u00e9', min_size=1, max_size=12)
TERMS = st.builds(SearchTerm, WORDS, st.sampled_from(("", "service", "resource", "account")), st.booleans())


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("", []),
        ("  orders ", [SearchTerm("orders")]),
        ("service:kinesis zone:near", [SearchTerm("kinesis", "service"), SearchTerm("near", "zone")]),
        ("zone:near,above", [SearchTerm("near", "zone"), SearchTerm("above", "zone")]),
        ("-region:us-east-1 -dead", [SearchTerm("us-east-1", "region", True), SearchTerm("dead", "", True)]),
        ('"my stream"', [SearchTerm("my stream")]),
        ('resource:"a \\" b"', [SearchTerm('a " b', "resource")]),
        ('"zone:near"', [SearchTerm("zone:near")]),
        ("a a a", [SearchTerm("a")]),
        ("ttl:<24h kind:quota", [SearchTerm("<24h", "ttl"), SearchTerm("quota", "kind")]),
        ("service: orders", [SearchTerm("orders")]),
        ("-", [SearchTerm("-")]),
    ],
)
def test_a_text_is_parsed_into_terms(text: str, terms: list[SearchTerm]) -> None:
    assert [*parse_search(text).terms] == terms


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("zon:near", "did you mean zone?"),
        ("zone:purple", "zone: purple is not known"),
        ("ttl:24h", "expected a time such as <1h"),
        ('"open', "a closing quote is missing"),
        ("end\\", "a backslash is at the end"),
        ("x" * 2049, "at most 2,048 characters"),
        (" ".join(map(str, range(41))), "at most 40 terms"),
    ],
)
def test_an_invalid_query_raises_an_error_with_the_reason(text: str, sentence: str) -> None:
    with pytest.raises(SearchError, match=sentence.replace("?", r"\?")):
        parse_search(text)


@given(
    st.text(max_size=60) | st.lists(WORDS | st.sampled_from(SERIES_FIELDS.names), max_size=6).map(":".join)
)
def test_any_text_is_a_query_or_raises_a_search_error(text: str) -> None:
    with suppress(SearchError):
        search = parse_search(text)
        assert parse_search(str(search)) == search


@given(st.lists(TERMS, max_size=6, unique=True))
def test_a_query_written_as_text_parses_to_the_same_query(terms: list[SearchTerm]) -> None:
    assert parse_search(str(Search(tuple(terms)))) == Search(tuple(terms))


async def test_the_api_filters_series_by_the_query(server: Server, client: httpx.AsyncClient) -> None:
    for name, zone in (("orders", Zone.NEAR), ("clicks", Zone.WITHIN)):
        set_judgement(server.fleet, add(server.fleet, key(name)), zone, usage=500.0)
    await server.publish()
    response = await client.get("/api/v1/series", params={"q": "service:kinesis -clicks zone:near"})
    assert [series["resource"] for series in response.json()["items"]] == ["orders"]
    response = await client.get("/api/v1/series", params={"q": "zon:near"})
    assert response.status_code == 422 and "did you mean zone" in response.json()["error"]
