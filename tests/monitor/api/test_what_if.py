"""/api/v1/what-if: the form of its answers, its bounds and its errors."""

from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from collectors.base import ACCOUNT as WHOLE_ACCOUNT
from tests.monitor.fleet.fleets import ACCOUNT, REGION
from tests.monitor.fleet_server import Server, error_of, json_of
from tests.monitor.what_if.fleets import add_series, store_history

PATH = "/api/v1/what-if"
LONG_TEXT = "x" * 5000


async def ask(server: Server, client: httpx.AsyncClient, **parameters: Any) -> Any:
    """Ask a question with these parameters, and return the answer."""
    await server.publish()
    return await json_of(client, f"{PATH}?{urlencode(parameters, doseq=True)}")


async def test_a_series_is_described_in_numbers_and_in_words(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add_series(server, WHOLE_ACCOUNT, 90, signal="lambda.account_concurrency")
    await store_history(server, (series, 90))
    answer = await ask(server, client, traffic="2x")
    (item,) = answer["items"]
    assert (item["id"], item["account"], item["region"]) == (series.key.id, ACCOUNT, REGION)
    assert (item["service"], item["signal"], item["resource"]) == ("lambda", "account_concurrency", "")
    assert item["is_broken"]
    assert item["breaking_factor"] == pytest.approx(100 / 90)
    assert (item["peak"], item["limit"], item["demand"], item["unit"]) == (
        90,
        100,
        180,
        "concurrent executions",
    )
    # The demand of 180 is 55 %, the middle of the target band, of the needed limit.
    assert (item["basis"], item["history_days"], item["needed_limit"]) == ("fortnight", 14.0, 328)
    assert item["words"]["breaking_factor"] == "x1.11"
    assert item["words"]["would_use"] == "180 % of 100 concurrent executions"
    assert item["words"]["to_make_room"] == "Ask AWS for 328 concurrent executions"
    (request,) = answer["requests"]
    assert (request["service_code"], request["quota_code"], request["value"]) == ("lambda", "L-B99A9384", 328)
    assert request["summary"].startswith("Ask AWS for 328 of lambda L-B99A9384 (lambda.account_concurrency)")
    assert answer["question"] == "2x the traffic"
    assert answer["summary"] == "2x the traffic: 1 of 1 series breaks. To make room, ask AWS for 1 quota."
    assert answer["actions"] == {"request": 1, "change": 0, "redesign": 0}


async def test_without_usage_nothing_breaks_and_the_factor_is_null(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_series(server, "idle", 0)
    (item,) = (await ask(server, client, traffic="1000"))["items"]
    assert (item["breaking_factor"], item["is_broken"], item["words"]["breaking_factor"]) == (
        None,
        False,
        "no usage",
    )


async def test_the_answer_without_series_is_empty_and_says_so(
    server: Server, client: httpx.AsyncClient
) -> None:
    answer = await ask(server, client, traffic="2")
    assert (answer["items"], answer["total"], answer["newest_sample_at"]) == ([], 0, None)
    assert answer["summary"] == "2x the traffic: no series in question has a known usage and limit."


async def test_at_most_as_many_series_as_the_parameter_limit_are_listed(
    server: Server, client: httpx.AsyncClient
) -> None:
    for number in range(60):
        add_series(server, f"s{number}", 90)
    assert len((await ask(server, client, traffic="2"))["items"]) == 50
    answer = await ask(server, client, traffic="2", limit=3)
    assert (len(answer["items"]), answer["total"], answer["broken"]) == (3, 60, 60)


async def test_a_surrogate_in_a_name_is_replaced(server: Server, client: httpx.AsyncClient) -> None:
    add_series(server, "\udc80", 90)
    (item,) = (await ask(server, client, traffic="2"))["items"]
    assert item["resource"] == "?"


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("traffic=0", "traffic: expected a factor from 0.01 to 1,000, such as 3x, found '0'"),
        ("traffic=NaN", "traffic: expected a factor from 0.01 to 1,000, such as 3x, found 'NaN'"),
        ("traffic=2&limit=0", "limit: Input should be greater than or equal to 1"),
        ("traffic=2&limit=1001", "limit: Input should be less than or equal to 1000"),
        ("traffic=2&factor=3", "factor: unknown parameter"),
        (f"traffic={LONG_TEXT}", "traffic: String should have at most 300 characters"),
        (f"traffic=2&match={LONG_TEXT}", "match: String should have at most 4096 characters"),
        ("traffic=2" + 17 * "&match=a", "match: List should have at most 16 items"),
    ],
)
async def test_an_invalid_question_is_rejected_with_a_sentence(
    client: httpx.AsyncClient, query: str, sentence: str
) -> None:
    response = await client.get(f"{PATH}?{query}")
    assert response.status_code == 422
    assert error_of(response).startswith(sentence)


async def test_openapi_describes_each_parameter(client: httpx.AsyncClient) -> None:
    operation = (await json_of(client, "/openapi.json"))["paths"][PATH]["get"]
    assert operation["summary"] == "Ask what breaks first"
    assert {parameter["name"] for parameter in operation["parameters"]} == {
        "traffic",
        "path",
        "match",
        "region_fails",
        "to",
        "set_limit",
        "resource",
        "counts",
        "limit",
    }
    assert all(parameter["description"] for parameter in operation["parameters"])
