"""The page of what-if: the question as a form, the series with their lanes, and the unknown series.

A lane is the drawing of a series: a line of factors of the traffic, with the factor at which it breaks.
"""

from dataclasses import replace
from typing import Any

import httpx
import pytest

from collectors.base import ACCOUNT as WHOLE_ACCOUNT
from collectors.base import Resource, Unobservable
from collectors.quota_requests import QuotaRequest
from monitor.topology.path_status import PathStatuses
from monitor.web.what_if_page import lane_position
from rules.band import Zone
from tests.monitor.fleet_server import Server
from tests.monitor.topology.test_evaluation import CHECKOUT, checkout
from tests.monitor.web.pages import Page, page
from tests.monitor.web.test_pages import HOSTILE, LONG
from tests.monitor.what_if.fleets import OTHER_REGION, add_series

MAX_SIZE = 200_000  # bytes of a page, before compression


async def published_page(server: Server, client: httpx.AsyncClient, path: str, status: int = 200) -> Page:
    """Publish the fleet and return the page."""
    await server.publish()
    return await page(client, path, status)


def fields(found: Page) -> dict[str, Any]:
    """Return the value of each input, by its name."""
    return {field["name"] or "": field.get("value") for field in found.all("input")}


async def test_the_default_question_is_twice_the_traffic(server: Server, client: httpx.AsyncClient) -> None:
    add_series(server, WHOLE_ACCOUNT, 90, signal="lambda.account_concurrency")
    add_series(server, Resource("stream", ("idle",)), 10)
    found = await published_page(server, client, "/what-if")
    assert fields(found)["traffic"] == "2x"
    assert "2x the traffic: 1 of 2 series breaks. To make room, ask AWS for 1 quota." in found.words
    assert "\u00d7 1.11" in found.words
    assert "Holds at \u00d72" in found.words
    assert "--desired-value 328" in found.words
    assert "/what-if?traffic=3x" in found.links


@pytest.mark.parametrize(
    ("desired", "expected_text"),
    [(200, "1 already asked for, not enough"), (400, "1 already asked for, enough")],
)
async def test_the_card_says_whether_a_requested_quota_is_enough(
    server: Server, client: httpx.AsyncClient, desired: float, expected_text: str
) -> None:
    series = add_series(server, WHOLE_ACCOUNT, 90, signal="lambda.account_concurrency")
    settings = replace(series.settings, quota_request=QuotaRequest(desired, "PENDING", 0.0))
    server.fleet.retag(series.key, replace(settings, tags={"team": "a"}))
    found = await published_page(server, client, "/what-if")
    assert expected_text in found.words


@pytest.mark.parametrize(
    ("traffic", "position"),
    [("1", "0"), ("2x", "8"), ("2.07", "8"), ("10x", "23"), ("50", "23"), ("0.5", "0")],
)
async def test_the_slider_stands_at_the_factor(
    server: Server, client: httpx.AsyncClient, traffic: str, position: str
) -> None:
    found = await published_page(server, client, f"/what-if?traffic={traffic}")
    (slider,) = [field for field in found.all("input") if field.get("type") == "range"]
    factors = (slider["data-factors"] or "").split()
    assert (slider["value"], slider["min"], slider["max"]) == (position, "0", str(len(factors) - 1))
    assert slider["aria-valuetext"] == f"times {traffic.rstrip('x')}"
    assert (factors[0], factors[8], factors[-1]) == ("1", "2", "10")


async def test_moving_the_slider_keeps_the_other_parts_of_the_question(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_series(server, "orders", 40)
    found = await published_page(server, client, "/what-if?traffic=2x&match=service%3Dkinesis&counts=true")
    hidden_fields = {
        field["name"]: field["value"] for field in found.all("input") if field.get("type") == "hidden"
    }
    assert hidden_fields == {"match": "service=kinesis", "counts": "true"}
    moved = await client.get("/what-if?slider=12&match=service%3Dkinesis&counts=true")
    assert moved.headers["location"] == "/what-if?traffic=3x&match=service%3Dkinesis&counts=true"
    assert (await client.get("/what-if?slider=99")).status_code == 422


async def test_the_form_and_the_links_keep_the_chosen_request_path(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.paths = PathStatuses([await checkout().status(CHECKOUT)], 1)
    found = await published_page(server, client, "/what-if?traffic=2x&path=checkout")
    names = [(option.get("value"), "selected" in option) for option in found.all("option")][:2]
    assert names == [("", False), ("checkout", True)]
    assert "/what-if?traffic=3x&path=checkout" in found.links
    assert "/what-if?traffic=2x&path=checkout" in (await page(client, "/paths/checkout")).links
    found = await published_page(server, client, "/what-if?path=nowhere", 422)
    assert "expected the name of a request path, found 'nowhere'" in found.words


async def test_a_lane_is_red_from_the_breaking_factor_to_the_asked_factor(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_series(server, "busy", 50)
    add_series(server, "steady", 20)
    found = await published_page(server, client, "/what-if?traffic=3x")
    drawn = [(rect["class"], rect.get("x"), rect["width"]) for rect in found.all("rect") if "class" in rect]
    assert (
        "over",
        f"{lane_position(2, 10)}%",
        f"{lane_position(3, 10) - lane_position(2, 10):.2f}%",
    ) in drawn
    assert [rect[0] for rect in drawn].count("over") == 1
    assert ("at", f"{lane_position(5, 10)}%", "2.5") in drawn


@pytest.mark.parametrize(
    ("factor", "highest", "expected"),
    [(1, 10, 0), (0.5, 10, 0), (10, 10, 100), (1000, 10, 100), (None, 10, 100), (10, 1000, 33.33)],
)
def test_the_position_of_a_factor_is_logarithmic_and_within_the_lane(
    factor: float | None, highest: float, expected: float
) -> None:
    assert lane_position(factor, highest) == expected


async def test_the_form_keeps_the_question(server: Server, client: httpx.AsyncClient) -> None:
    add_series(server, "orders", 40)
    add_series(server, "orders", 40, region=OTHER_REGION)
    query = f"traffic=3&match=service%3Dkinesis&region_fails=eu-west-1&to={OTHER_REGION}"
    found = await published_page(server, client, f"/what-if?{query}&set_limit=&resource=&counts=true")
    filled = fields(found)
    assert (filled["traffic"], filled["match"]) == ("3", "service=kinesis")
    assert [option for option in found.all("option") if "selected" in option] == 2 * [{"selected": None}]
    assert any(field.get("name") == "counts" and "checked" in field for field in found.all("input"))
    assert "with the traffic received" in found.words


async def test_a_question_that_cannot_be_answered_says_why_beside_the_form(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_series(server, "orders", 40)
    found = await published_page(server, client, "/what-if?traffic=0&match=service%3Dkinesis", 422)
    assert "This cannot be answered. traffic: expected a factor from 0.01 to 1,000" in found.words
    assert fields(found)["traffic"] == "0"
    found = await published_page(server, client, "/what-if?traffic=2&match=service%3Dkinesi", 422)
    assert "did you mean kinesis?" in found.words


async def test_unknown_series_and_those_without_a_counterpart_are_listed(
    server: Server, client: httpx.AsyncClient
) -> None:
    why = Unobservable("request metrics are not enabled")
    add_series(server, "orders", 40)
    add_series(server, "hidden", zone=Zone.UNOBSERVABLE, usage=why)
    add_series(server, "clicks", 40, region=OTHER_REGION)
    found = await published_page(server, client, "/what-if?traffic=2x")
    assert "request metrics are not enabled" in found.words
    assert "1 series of this question is not known, and may break earlier." in found.words
    found = await published_page(server, client, f"/what-if?region_fails=eu-west-1&to={OTHER_REGION}")
    assert f"nothing in {OTHER_REGION} carries it" in found.words


async def test_without_series_the_page_does_not_say_that_a_series_holds(
    server: Server, client: httpx.AsyncClient
) -> None:
    found = await published_page(server, client, "/what-if")
    assert "no series in question has a known usage and limit" in found.words
    assert "nothing is known to judge" in found.words
    assert "Holds" not in found.words


async def test_names_are_escaped_and_a_page_of_many_series_stays_small(
    server: Server, client: httpx.AsyncClient
) -> None:
    for number in range(300):
        add_series(server, f"{number}{HOSTILE}{LONG}", 90)
    await server.publish()
    got = await client.get("/what-if?traffic=3x")
    assert got.status_code == 200
    assert "<script>alert" not in got.text
    assert len(got.content) < MAX_SIZE
    assert "The first <b>50</b> of <b>300</b>" in got.text
