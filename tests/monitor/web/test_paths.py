"""The pages of request paths: cards, a drawing without inline styles, and the rows of limits."""

import re

import httpx
import numpy as np
import pytest

from monitor.topology.path_status import PathStatus, PathStatuses
from monitor.web.path_drawing import flow_svg, room_text
from tests.monitor.fleet_server import Server
from tests.monitor.topology.path_fleet import PathFleet
from tests.monitor.topology.test_evaluation import CHECKOUT, checkout
from tests.monitor.web.pages import Page, page

HOSTILE = "<script>alert(1)</script>"


async def page_with_paths(
    server: Server, client: httpx.AsyncClient, address: str, *statuses: PathStatus
) -> Page:
    server.paths = PathStatuses(statuses, len(statuses))
    await server.publish()
    return await page(client, address)


def words(got: Page) -> str:
    """Return the words of a page, with one space between words."""
    return " ".join(got.words.split())


async def test_the_page_of_a_path_states_its_flow_its_capacity_and_its_weakest_limits(
    server: Server, client: httpx.AsyncClient
) -> None:
    got = await page_with_paths(server, client, "/paths/checkout", await checkout().status(CHECKOUT))
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
    assert (
        next(link for link in got.all("a") if link.get("href") == "/paths/checkout")["aria-current"] == "page"
    )


async def test_the_first_path_is_shown_beside_the_cards_of_all_paths(
    server: Server, client: httpx.AsyncClient
) -> None:
    fleet = checkout()
    paths = [await fleet.status(CHECKOUT.replace("name: checkout", f"name: {name}")) for name in ("a", "b c")]
    got = await page_with_paths(server, client, "/paths", *paths)
    assert {"/paths/a", "/paths/b%20c"} <= {*got.links}
    assert "3 hops · weakest: orders, +150 % room" in words(got)
    assert "b c" in words(await page(client, "/paths/b%20c"))


async def test_an_unknown_flow_is_explained_and_unknown_capacities_are_hatched(
    server: Server, client: httpx.AsyncClient
) -> None:
    fleet = checkout()
    del fleet.flows["Invocations", ("checkout",)]
    text = words(await page_with_paths(server, client, "/paths/checkout", await fleet.status(CHECKOUT)))
    assert "it carries at most 250 requests/s" in text
    assert "declare per_request or uses" in text
    fleet.set_flow("Count", np.nan, "shop", "prod")
    unknown = await fleet.status(CHECKOUT)
    got = await page_with_paths(server, client, "/paths/checkout", unknown)
    assert "What flows now is not known, nor what it carries." in words(got)
    assert "not known what it carries" in words(got)
    drawn = flow_svg(unknown)
    assert drawn.count("url(#hatch)") == len([limit for hop in unknown.hops for limit in hop.limits])
    assert "water" not in drawn


async def test_without_paths_the_page_says_how_to_describe_a_path(
    server: Server, client: httpx.AsyncClient
) -> None:
    text = words(await page_with_paths(server, client, "/paths"))
    assert "No request path is described." in text and "headroom paths discover" in text
    server.paths = PathStatuses((), 3)
    await server.publish()
    assert "The paths are not evaluated yet" in words(await page(client, "/paths"))


async def test_an_unknown_path_is_an_error_page_with_the_reason(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.paths = PathStatuses([await checkout().status(CHECKOUT)], 1)
    got = await page(client, "/paths/nope", 404)
    assert "no request path is called nope" in words(got)


async def test_markup_in_resource_names_is_escaped(server: Server, client: httpx.AsyncClient) -> None:
    fleet = PathFleet()
    fleet.put("sqs.standard_in_flight", (HOSTILE,), 10, 100)
    fleet.set_flow("NumberOfMessagesSent", 5, HOSTILE)
    status = await fleet.status(f"paths: [{{name: x, hops: [{{service: sqs, resource: '{HOSTILE}'}}]}}]")
    got = await page_with_paths(server, client, "/paths/x", status)
    assert HOSTILE in got.words
    assert not got.foreign_scripts
    assert all("style" not in attributes for _, attributes in got.elements)


@pytest.mark.parametrize(
    ("capacity", "text"), [(100, "no room"), (99, "no room"), (108, "+8 %"), (350, "+250 %"), (None, "")]
)
async def test_the_room_of_a_limit_is_in_percent_of_the_flow(capacity: float | None, text: str) -> None:
    assert room_text(await checkout().status(CHECKOUT), capacity) == text


async def test_the_label_of_a_capacity_below_the_flow_is_drawn_above_the_line_of_the_flow() -> None:
    fleet = checkout()
    fleet.put("dynamodb.table_write_capacity", ("orders",), 400, 200)
    status = await fleet.status(CHECKOUT)
    assert status.capacity == pytest.approx(50)
    drawn = flow_svg(status)
    surface = re.search(r'class="surface" x="0" width="100%" y="(\d+)"', drawn)
    label = re.search(r'<g class="weak">.*?<text class="big" x="[\d.]+%" y="(\d+)"', drawn)
    assert surface and label and int(label[1]) < int(surface[1])
