"""The pages of request paths: cards, a drawing without styles of its own, and the limits on the way."""

import re

import httpx
import numpy as np
import pytest

from monitor.topology.path_status import PathStatus, PathStatuses
from monitor.web.path_drawing import flow_svg, room_text
from tests.monitor.served import Server
from tests.monitor.topology.placed import PathFleet
from tests.monitor.topology.test_evaluation import CHECKOUT, checkout
from tests.monitor.web.pages import Page, page

HOSTILE = "<script>alert(1)</script>"


async def shown(server: Server, client: httpx.AsyncClient, path: str, *statuses: PathStatus) -> Page:
    server.paths = PathStatuses(statuses, len(statuses))
    await server.publish()
    return await page(client, path)


def words(got: Page) -> str:
    return " ".join(got.words.split())


async def test_a_path_is_described_in_a_sentence_with_the_limit_to_raise_first(
    server: Server, client: httpx.AsyncClient
) -> None:
    got = await shown(server, client, "/paths/checkout", await checkout().status(CHECKOUT))
    text = words(got)
    assert "100 requests/s flow now; it carries 250 requests/s: +150 %." in text
    assert "Weakest: orders: Write units of a table with provisioned capacity." in text
    assert (
        "Once that is raised: 300 requests/s (+200 %), by checkout: Concurrent executions of the account."
        in text
    )
    assert "To carry more: " in text
    assert "400 of 1k write units/s4 write units250 requests/s2.5x" in text
    assert "Largest payload: 400 KiB, by orders" in text
    assert "/series/" in "".join(got.links)
    assert next(one for one in got.all("a") if one.get("href") == "/paths/checkout")["aria-current"] == "page"


async def test_the_first_path_is_shown_beside_the_cards_of_all(
    server: Server, client: httpx.AsyncClient
) -> None:
    some = checkout()
    paths = [await some.status(CHECKOUT.replace("name: checkout", f"name: {name}")) for name in ("a", "b c")]
    got = await shown(server, client, "/paths", *paths)
    assert {"/paths/a", "/paths/b%20c"} <= {*got.links}
    assert "3 hops · weakest: orders, +150 % room" in words(got)
    assert "b c" in words(await page(client, "/paths/b%20c"))


async def test_an_unknown_flow_is_hatched_and_named(server: Server, client: httpx.AsyncClient) -> None:
    some = checkout()
    del some.flows["Invocations", ("checkout",)]
    text = words(await shown(server, client, "/paths/checkout", await some.status(CHECKOUT)))
    assert "it carries at most 250 requests/s" in text
    assert "declare per_request or uses" in text
    some.flow("Count", np.nan, "shop", "prod")
    unknown = await some.status(CHECKOUT)
    got = await shown(server, client, "/paths/checkout", unknown)
    assert "What flows now is not known, nor what it carries." in words(got)
    assert "not known what it carries" in words(got)
    drawn = flow_svg(unknown)
    assert drawn.count("url(#hatch)") == len([one for hop in unknown.hops for one in hop.limits])
    assert "water" not in drawn


async def test_without_paths_the_page_says_how_to_describe_one(
    server: Server, client: httpx.AsyncClient
) -> None:
    text = words(await shown(server, client, "/paths"))
    assert "No request path is described." in text and "headroom paths discover" in text
    server.paths = PathStatuses((), 3)
    await server.publish()
    assert "The paths are not evaluated yet" in words(await page(client, "/paths"))


async def test_an_unknown_path_is_a_page_with_the_reason(server: Server, client: httpx.AsyncClient) -> None:
    server.paths = PathStatuses([await checkout().status(CHECKOUT)], 1)
    got = await page(client, "/paths/nope", 404)
    assert "no request path is called nope" in words(got)


async def test_names_of_customers_are_text(server: Server, client: httpx.AsyncClient) -> None:
    some = PathFleet()
    some.put("sqs.standard_in_flight", (HOSTILE,), 10, 100)
    some.flow("NumberOfMessagesSent", 5, HOSTILE)
    status = await some.status(f"paths: [{{name: x, hops: [{{service: sqs, resource: '{HOSTILE}'}}]}}]")
    got = await shown(server, client, "/paths/x", status)
    assert HOSTILE in got.words
    assert not got.foreign_scripts
    assert all("style" not in attributes for _, attributes in got.elements)


@pytest.mark.parametrize(
    ("capacity", "text"), [(100, "no room"), (99, "no room"), (108, "+8 %"), (350, "+250 %"), (None, "")]
)
async def test_the_free_capacity_is_in_percent_of_the_flow(capacity: float | None, text: str) -> None:
    assert room_text(await checkout().status(CHECKOUT), capacity) == text


async def test_the_number_of_a_low_column_stands_above_the_waterline() -> None:
    some = checkout()
    some.put("dynamodb.table_write_capacity", ("orders",), 400, 200)
    status = await some.status(CHECKOUT)
    assert status.capacity == pytest.approx(50)
    drawn = flow_svg(status)
    surface = re.search(r'class="surface" x="0" width="100%" y="(\d+)"', drawn)
    number = re.search(r'<g class="weak">.*?<text class="big" x="[\d.]+%" y="(\d+)"', drawn)
    assert surface and number and int(number[1]) < int(surface[1])
