"""The overview: its list with query, order and windows of rows, and the answers above the list.

The answers ("Throttled now", "Reaches its limit next", "Not seen") ignore the query.
"""

import time

import httpx
import numpy as np
import pytest

from monitor.web.list_view import WINDOW_ROWS
from rules.band import Zone
from tests.monitor.fleet.fleets import ACCOUNT, add, key, set_judgement
from tests.monitor.fleet_server import Server
from tests.monitor.web.pages import page

LONG = "x" * 1000


async def listed_resources(server: Server, client: httpx.AsyncClient, address: str) -> list[str]:
    """Return the resources of the listed series in order."""
    ids = [(row.get("id") or "")[1:] for row in (await page(client, address)).all("tr")]
    names = {series.key.id: series.key.resource for series in server.fleet.series.values()}
    return [names[id_] for id_ in ids if id_]


async def words_of(client: httpx.AsyncClient, address: str) -> str:
    """Return the text of a page, with one space between words."""
    return " ".join((await page(client, address)).words.split())


async def add_series_of_each_zone(server: Server) -> None:
    """Add series that differ in zone and name."""
    for name, zone, usage, saturation in (
        ("orders", Zone.WITHIN, 500.0, 0.0),
        ("orders.fifo", Zone.ABOVE, 800.0, 0.0),
        ("Payments[1]", Zone.NEAR, 950.0, 0.0),
        ("throttled", Zone.SATURATED, 900.0, 3.0),
        ("throttled-more", Zone.SATURATED, 100.0, 70.0),
        ("hidden", Zone.STALE, np.nan, 0.0),
    ):
        set_judgement(server.fleet, add(server.fleet, key(name)), zone, usage=usage, saturation=saturation)
    await server.publish()


async def test_the_order_is_zone_then_throttled_demand(server: Server, client: httpx.AsyncClient) -> None:
    await add_series_of_each_zone(server)
    order = ["throttled-more", "throttled", "Payments[1]", "orders.fifo", "orders", "hidden"]
    assert await listed_resources(server, client, "/") == order


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("zone:near", {"Payments[1]"}),
        ("zone:near+zone:above", {"Payments[1]", "orders.fifo"}),
        ("zone:near,above", {"Payments[1]", "orders.fifo"}),
        ("orders", {"orders", "orders.fifo"}),
        ("ORDERS+-fifo", {"orders"}),
        ("resource:orders", {"orders"}),
        ("resource:*.fifo", {"orders.fifo"}),
        ("s[1]", {"Payments[1]"}),
        ("-zone:saturated+-zone:stale+-orders", {"Payments[1]"}),
        (f"account:{ACCOUNT}+region:eu-*+service:kinesis+zone:stale", {"hidden"}),
        ("signal:kinesis.stream_write_bytes+hidden", {"hidden"}),
        ("kind:provisioned+throttled", {"throttled", "throttled-more"}),
        ("kind:quota", set()),
        ("service:sqs", set()),
        ("kinesis+hidden", {"hidden"}),
    ],
)
async def test_a_query_selects_series(
    query: str, names: set[str], server: Server, client: httpx.AsyncClient
) -> None:
    await add_series_of_each_zone(server)
    assert {*await listed_resources(server, client, f"/?q={query}")} == names


async def test_the_answers_count_all_series_and_name_the_zones_that_the_query_leaves_out(
    server: Server, client: httpx.AsyncClient
) -> None:
    await add_series_of_each_zone(server)
    for query, left_out in {
        "": "",
        "throttled": "This query leaves out 1 near.",
        "zone:within": "This query leaves out 2 saturated and 1 near.",
        "zone:saturated+zone:near": "",
        "nosuch": "the query leaves all of them out, 2 saturated and 1 near among them.",
    }.items():
        words = await words_of(client, f"/?q={query}")
        assert "Throttled now 2 series" in words, query
        assert left_out in words and ("query leaves" in words) == bool(left_out), query


async def test_zone_counts_ignore_the_zones_of_the_query(server: Server, client: httpx.AsyncClient) -> None:
    await add_series_of_each_zone(server)
    words = await words_of(client, "/?q=orders+zone:above")
    assert "saturated 0 near 0 above 1 within 1 below 0 stale 0" in words
    assert "1 of 6 series" in words
    links = (await page(client, "/?q=orders+zone:above")).links
    assert {"/?q=orders", "/?q=orders+zone:above+zone:within"} <= {*links}  # adds or removes a zone


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("zon:near", "zon is not a field; did you mean zone?"),
        ("zone:critcal", "zone: critcal is not known"),
        ("zone:saturatd", "did you mean saturated?"),
        ("ttl:soon", "expected a time such as &lt;1h"),
        ("%22open", "a closing quote is missing"),
        ("service:kinesi", "Did you mean <a"),
        ("region:eu-west-11", "region:eu-west-1"),
        ("x" * 3000, "expected at most 2,048 characters"),
    ],
)
async def test_an_invalid_query_is_explained_and_shows_no_rows(
    query: str, sentence: str, server: Server, client: httpx.AsyncClient
) -> None:
    await add_series_of_each_zone(server)
    got = await client.get(f"/?q={query}")
    assert got.status_code == 200 and sentence in got.text
    assert 'id="rows"' not in got.text and "Throttled now" in got.text


@pytest.mark.parametrize(
    ("old_query", "new_address"),
    [
        ("zone=near", "/?q=zone:near"),
        ("service=kinesis&zone=near&zone=above", "/?q=service:kinesis+zone:near+zone:above"),
        ("account=1&region=eu-west-1&signal=a", "/?q=account:1+region:eu-west-1+signal:a"),
        ("resource=orders", "/?q=orders"),
        ("resource=a*b", "/?q=resource:a*b"),
        ("resource=a+b", "/?q=%22a+b%22"),
        ("service=&zone=&resource=", "/"),
        ("page=3&zone=within", "/?q=zone:within&row=51"),
        ("q=service:kinesis&q=orders", "/?q=service:kinesis+orders"),
    ],
)
async def test_an_address_of_an_older_form_redirects_to_the_new_form(
    old_query: str, new_address: str, client: httpx.AsyncClient
) -> None:
    got = await client.get(f"/?{old_query}", follow_redirects=False)
    assert (got.status_code, got.headers["location"]) == (307, new_address)
    assert (await client.get(new_address)).status_code == 200


async def add_250_series(server: Server) -> None:
    for number in range(250):
        zone = Zone.NEAR if number >= 240 else Zone.WITHIN
        set_judgement(server.fleet, add(server.fleet, key(f"s{number:03}")), zone, usage=400.0 + number)
    await server.publish()


async def test_windows_cover_the_list_and_link_to_the_first_row_of_a_zone(
    server: Server, client: httpx.AsyncClient
) -> None:
    await add_250_series(server)
    windows = [await listed_resources(server, client, f"/?row={row}") for row in (1, 101, 201)]
    assert [len(window) for window in windows] == [100, 100, 50]
    everything = [name for window in windows for name in window]
    assert everything == [f"s{number:03}" for number in (*range(249, 239, -1), *range(239, -1, -1))]
    first = await page(client, "/")
    assert {"/?row=101", "/?row=11", "/"} <= {*first.links}  # the next rows, and the first of a zone
    assert "Rows 1 - 100 of 250" in " ".join(first.words.split()).replace("\u2013", "-")
    assert len(windows[0]) == WINDOW_ROWS
    assert "No row 900" in await words_of(client, "/?row=900")


@pytest.mark.parametrize("row", [1, 5, 95, 205])
@pytest.mark.parametrize("sort", ["zone", "-zone", "utilization", "-utilization", "throttled", "-ttl"])
async def test_each_sort_order_lists_no_series_twice(
    sort: str, row: int, server: Server, client: httpx.AsyncClient
) -> None:
    await add_250_series(server)
    names: list[str] = []
    while row <= 250:
        names += await listed_resources(server, client, f"/?sort={sort}&row={row}")
        row += 100
    assert len(names) == len({*names})


async def test_a_heading_sorts_the_list_and_then_reverses_its_order(
    server: Server, client: httpx.AsyncClient
) -> None:
    await add_series_of_each_zone(server)
    rising = await listed_resources(server, client, "/?sort=utilization&q=-hidden")
    assert rising == ["throttled-more", "orders", "orders.fifo", "throttled", "Payments[1]"]
    falling = await listed_resources(server, client, "/?sort=-utilization&q=-hidden")
    assert falling == rising[::-1]
    for order in ("-utilization", "utilization"):  # an unknown utilization comes last
        assert (await listed_resources(server, client, f"/?sort={order}"))[-1] == "hidden"
    assert (await listed_resources(server, client, "/?sort=-throttled"))[:2] == [
        "throttled-more",
        "throttled",
    ]
    first = await page(client, "/?sort=-utilization&q=orders")
    assert "/?q=orders&sort=utilization" in first.links
    heading = next(heading for heading in first.all("th") if heading.get("class") == "c-use")
    assert heading["aria-sort"] == "descending"


async def test_a_forecast_stands_beside_its_series_and_in_the_answers(
    server: Server, client: httpx.AsyncClient
) -> None:
    await add_series_of_each_zone(server)
    slot, now = server.fleet.series[key("orders")].slot, int(time.time() // 60)
    server.fleet.reach_probability[slot] = (0.2, 0.92, 0.95, 0.95)
    server.fleet.reach_minutes[slot] = (now + 45, now + 90, now + 125)
    await server.publish()
    words = (await words_of(client, "/")).replace("\u00a0", " ").replace("\u2013", "-")
    assert "Reaches its limit next 1 within 24 h" in words
    assert (
        words.count("min - 2.1 h") == 3
    )  # in the answers, in the list, and in "The next 3 days" beside the list
    assert await listed_resources(server, client, "/?q=ttl:<24h") == ["orders"]
    assert (await listed_resources(server, client, "/?sort=ttl"))[0] == "orders"


async def test_an_improbable_time_counts_as_none_and_comes_after_the_probable_ones(
    server: Server, client: httpx.AsyncClient
) -> None:
    now = int(time.time() // 60)
    for name, probability, times in (
        ("improbable", (0.0, 0.01, 0.02, 0.08), (now + 10, now + 10, now + 10)),
        ("probable", (0.2, 0.3, 0.95, 0.95), (now + 600, now + 610, now + 620)),
        # Usage that grows steadily: times after the longest horizon count without a probability.
        ("growing", (0.0, 0.0, 0.0, 0.01), (now + 9000, now + 9500, now + 9999)),
        ("calm", (0.0, 0.0, 0.0, 0.01), ()),
    ):
        slot = add(server.fleet, key(name)).slot
        set_judgement(server.fleet, server.fleet.series[key(name)], Zone.WITHIN, usage=500.0)
        server.fleet.minute[slot], server.fleet.reach_probability[slot] = now, probability
        if times:
            server.fleet.reach_minutes[slot] = times
    await server.publish()
    assert "Reaches its limit next 1 within 24 h" in (await words_of(client, "/")).replace("\u00a0", " ")
    assert await listed_resources(server, client, "/?q=ttl:<24h") == ["probable"]
    by_time = await listed_resources(server, client, "/?sort=ttl")
    assert by_time == ["probable", "growing", "improbable", "calm"]


async def test_without_throttled_series_the_answer_counts_the_series_that_report_throttling(
    server: Server, client: httpx.AsyncClient
) -> None:
    set_judgement(server.fleet, add(server.fleet, key("a")), Zone.WITHIN, usage=500.0, saturation=0.0)
    set_judgement(server.fleet, add(server.fleet, key("b"), throttled=None), Zone.WITHIN, usage=500.0)
    await server.publish()
    assert "Throttled now Nothing. 1 series reports throttling, 1 does not." in await words_of(client, "/")


async def test_a_link_with_a_long_name_has_the_name_in_its_title(
    server: Server, client: httpx.AsyncClient
) -> None:
    set_judgement(server.fleet, add(server.fleet, key(LONG)), Zone.NEAR, usage=950.0)
    await server.publish()
    links = (await page(client, "/")).all("a")
    assert any((link.get("title") or "").startswith("x" * 50) for link in links)


async def test_the_map_has_its_own_page(server: Server, client: httpx.AsyncClient) -> None:
    await add_series_of_each_zone(server)
    shown_map = await page(client, "/map")
    labels = [link.get("aria-label") or "" for link in shown_map.all("a")]
    assert any(label.endswith("2 saturated") for label in labels)
    assert any("q=service:kinesis+account:" in link for link in shown_map.links)


async def test_the_list_omits_series_that_left_the_fleet_after_the_judgement(
    server: Server, client: httpx.AsyncClient
) -> None:
    await add_series_of_each_zone(server)
    server.fleet.series.pop(key("orders"))
    assert "orders" not in await listed_resources(server, client, "/")
