"""The pages: what they say, and what they make of strange names, addresses and moments."""

import gzip
import re
import time
from dataclasses import replace

import httpx
import pytest

from collectors.base import Unobservable
from monitor.alerting.links import Links
from monitor.aws import Failure
from monitor.inventory import Outcome
from monitor.judge import judge
from monitor.status import CellStatus, Told
from monitor.web.shell import asset
from rules.band import Zone
from tests.monitor.alerting.notices import notice
from tests.monitor.fleets import ACCOUNT, REGION, RULING, add, judged, key
from tests.monitor.served import Server
from tests.monitor.web.pages import Page, feed, page

PATHS = ("/", "/alerts", "/blind", "/cost", "/status", "/docs")
MARKUP = "<script>alert(1)</script>\"'`&amp;\x00"
HOSTILE = f"{MARKUP}\udc80"
LONG = "x" * 1000


async def filled(server: Server) -> str:
    """A fleet with something of everything; gives the id of its worst series."""
    fleet = server.fleet
    worst = add(fleet, key(HOSTILE))
    judged(fleet, worst, Zone.SATURATED, usage=900.0, saturation=3.0)
    judged(fleet, add(fleet, key(LONG)), Zone.CRITICAL, usage=950.0)
    why = Unobservable(f"not enabled {HOSTILE}", f"aws enable {HOSTILE}")
    judged(fleet, add(fleet, key("hidden"), usage=why, refused=None), Zone.UNOBSERVABLE)
    refused = Outcome(attempted=60.0, failures=[Failure("ListStreams", MARKUP, "AccessDenied", MARKUP)])
    cells = [
        CellStatus(
            account=ACCOUNT, region=REGION, name=MARKUP, collectors={"kinesis": Outcome()}, poll=Outcome()
        ),
        CellStatus(account=ACCOUNT, region="eu-north-1", name="", collectors={"sqs": refused}, poll=refused),
    ]
    server.told = Told(cells=cells, shut={MARKUP: refused.failures[0]}, waited_for=[MARKUP])
    one = notice(worst.key.id, resource=HOSTILE, summary=f"{HOSTILE} is busy.")
    server.alerting.alarm.standing[worst.key.id] = one
    await server.publish()
    return worst.key.id


async def test_every_page_is_well_formed_and_keeps_markup_in_names_apart(
    server: Server, client: httpx.AsyncClient
) -> None:
    worst = await filled(server)
    for path in (*PATHS, f"/series/{worst}", "/?zone=saturated&resource=%3Cscript%3E"):
        shown = await page(client, path)
        assert [one["src"] for one in shown.all("script")] == [asset("headroom.js")], path


async def test_nothing_is_asked_of_other_hosts_and_nothing_runs_inline(
    server: Server, client: httpx.AsyncClient
) -> None:
    worst = await filled(server)
    for path in (*PATHS, f"/series/{worst}"):
        got = await client.get(path)
        shown, policy = Page(got.text), got.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
        for tag, attributes in shown.elements:
            assert tag not in ("style", "iframe", "object", "base")
            assert not [name for name in attributes if name == "style" or name.startswith("on")]
        loaded = [one["href"] for one in shown.all("link")] + [one["src"] for one in shown.all("script")]
        assert all(re.match("/static/[a-z]+", address or "") for address in loaded)


async def test_assets_are_there_and_change_their_address_with_their_content(
    client: httpx.AsyncClient,
) -> None:
    shown = await page(client, "/")
    for address in [one["href"] for one in shown.all("link")] + [one["src"] for one in shown.all("script")]:
        got = await client.get(address or "")
        assert got.status_code == 200 and "immutable" in got.headers["cache-control"]
        assert re.search(r"\?v=[0-9a-f]{12}$", address or "")
    assert "not here" in (await page(client, "/static/other.js", 404)).words.lower()


async def test_the_script_stays_small(client: httpx.AsyncClient) -> None:
    script = (await client.get("/static/headroom.js")).text
    assert len(script.splitlines()) <= 200
    assert not re.search(r"https?://", script)


async def test_the_overview_says_what_is_refused_what_is_next_and_what_is_not_seen(
    server: Server, client: httpx.AsyncClient
) -> None:
    await filled(server)
    words = " ".join((await page(client, "/")).words.split())
    assert "Refused now 1saturated" in words and "3 refused/s" in words
    assert "Next 1critical" in words and "95 % of the limit" in words
    assert "Not seen 1series" in words and "AccessDenied" in words
    assert "not seen" in words  # on the map: the cell that nobody is let into


async def test_links_lead_to_what_there_is(server: Server, client: httpx.AsyncClient) -> None:
    await filled(server)
    shown = await page(client, "/")
    assert {"/metrics", "/api/v1/series", "/docs", "/-/ready"} < {*shown.links}
    for path in {*shown.links} - {"#main"}:
        got = await client.get(path, follow_redirects=False)
        assert got.status_code in (200, 503), path  # not ready yet


async def test_filters_are_those_of_the_address(server: Server, client: httpx.AsyncClient) -> None:
    for name in ("orders", "orders.fifo", "clicks[1]"):
        judged(server.fleet, add(server.fleet, key(name)), Zone.WITHIN, usage=500.0)
    judged(server.fleet, add(server.fleet, key("orders-dead")), Zone.CRITICAL, usage=950.0)
    await server.publish()

    async def shown(query: str) -> set[str]:
        links = (await page(client, f"/?{query}")).links
        names = {one.key.id: one.key.resource for one in server.fleet.series.values()}
        rows = [link.removeprefix("/series/") for link in links if link.startswith("/series/")]
        return {names[row] for row in rows}

    assert await shown("resource=orders&zone=within") >= {"orders", "orders.fifo"}
    assert "clicks[1]" not in await shown("resource=orders")
    assert "clicks[1]" in await shown("resource=s[1]")
    assert "orders" not in await shown("resource=*.fifo")
    assert "orders" in await shown("service=kinesis&account=&region=&zone=&resource=")
    assert await shown("service=sqs") == set()


async def test_alerts_are_filtered_likewise(server: Server, client: httpx.AsyncClient) -> None:
    for name in ("orders", "clicks"):
        series = add(server.fleet, key(name))
        alert = notice(series.key.id, resource=name, summary=f"{name} is busy.")
        server.alerting.alarm.standing[series.key.id] = alert
    await server.publish()
    for query, told in {
        "": {"orders", "clicks"},
        "resource=order": {"orders"},
        "resource=*s": {"orders", "clicks"},
        "zone=critical": {"orders", "clicks"},
        "zone=above": set(),
        "service=sqs": set(),
        f"account={ACCOUNT}": {"orders", "clicks"},
    }.items():
        words = (await page(client, f"/?{query}")).words
        assert {name for name in ("orders", "clicks") if f"{name} is busy." in words} == told, query


async def test_a_filter_that_matches_nothing_says_so(server: Server, client: httpx.AsyncClient) -> None:
    await filled(server)
    shown = await page(client, "/?resource=nosuch")
    assert "No series matches these filters" in shown.words


@pytest.mark.parametrize("query", ["zone=purple", "page=0", f"resource={'x' * 5000}", "page=x"])
async def test_a_wrong_filter_is_said_in_words(client: httpx.AsyncClient, query: str) -> None:
    shown = await page(client, f"/?{query}", 422)
    assert query.partition("=")[0] in shown.words


async def test_pages_follow_one_another(server: Server, client: httpx.AsyncClient) -> None:
    for number in range(30):
        judged(server.fleet, add(server.fleet, key(f"s{number}")), Zone.WITHIN, usage=400.0 + number)
    await server.publish()
    first, second = await page(client, "/"), await page(client, "/?page=2")
    rows = [{link for link in one.links if link.startswith("/series/")} for one in (first, second)]
    assert "/?page=2" in first.links
    assert len(rows[0]) == 25 and len(rows[1]) == 5 and not rows[0] & rows[1]


async def test_a_series_shows_its_chart_its_limit_and_what_to_do(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("account", "lambda.account_concurrency"))
    feed(server.fleet, series, [950.0] * 30, [0.0] * 20 + [5.0] * 10)
    judge(server.fleet, int(time.time() // 60))
    await server.publish()
    shown = await page(client, f"/series/{series.key.id}")
    assert "aws service-quotas request-service-quota-increase" in shown.words
    assert "--desired-value 1728" in shown.words  # 950 is 55 % of it
    assert "read from the resource's or the account's own API" in shown.words
    drawn = [one["class"] for one in shown.all("path") if one.get("class")]
    assert {"limit", "critical", "line", "refused"} <= set(drawn)


async def test_a_series_links_to_runbook_console_and_grafana(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("orders & co"))
    judged(server.fleet, series, Zone.CRITICAL, usage=950.0)
    links = {
        "runbook": "https://wiki.example.org/{service}.{signal}",
        "grafana": "https://grafana.example.org/d/headroom-series?var-resource={resource}",
    }
    writer = server.alerting.alarm.writer
    writer.config = writer.config.model_copy(update={"links": Links.model_validate(links)})
    await server.publish()
    found = (await page(client, f"/series/{series.key.id}")).links
    assert "https://wiki.example.org/kinesis.stream_write_bytes" in found
    assert "https://grafana.example.org/d/headroom-series?var-resource=orders%20%26%20co" in found
    assert [one for one in found if "console.aws.amazon.com/kinesis" in one and "eu-west-1" in one]


async def test_what_cannot_be_observed_is_told_with_the_command(
    server: Server, client: httpx.AsyncClient
) -> None:
    why = Unobservable("metrics are off", "aws turn --on 'it'")
    hidden = add(server.fleet, key("hidden"), usage=why, refused=None)
    judged(server.fleet, hidden, Zone.UNOBSERVABLE)
    await server.publish()
    for path in ("/blind", f"/series/{hidden.key.id}"):
        words = (await page(client, path)).words
        assert "metrics are off" in words and "aws turn --on 'it'" in words


async def test_a_series_that_vanishes_becomes_a_page_that_says_so(
    server: Server, client: httpx.AsyncClient
) -> None:
    worst = await filled(server)
    await page(client, f"/series/{worst}")
    server.fleet.drop(key(HOSTILE))
    await server.publish()
    assert "the resource is gone" in (await page(client, f"/series/{worst}", 404)).words
    for path in PATHS:
        await page(client, path)


async def test_dropped_between_two_judgements_it_is_left_out(
    server: Server, client: httpx.AsyncClient
) -> None:
    worst = await filled(server)
    server.fleet.drop(key(HOSTILE))
    assert "the resource is gone" in (await page(client, f"/series/{worst}", 404)).words
    await page(client, "/")


@pytest.mark.parametrize("identity", ["0" * 16, "xyz", "%00", "a" * 3000])
async def test_an_id_that_no_series_has(client: httpx.AsyncClient, identity: str) -> None:
    await page(client, f"/series/{identity}", 404)


async def test_before_anything_is_read_all_pages_are_there(client: httpx.AsyncClient) -> None:
    for path in PATHS:
        await page(client, path)
    assert "No series is watched yet" in (await page(client, "/")).words


async def test_a_page_is_sent_again_only_when_it_changed(server: Server, client: httpx.AsyncClient) -> None:
    series = add(server.fleet, key("orders"))
    judged(server.fleet, series, Zone.WITHIN, usage=500.0)
    await server.publish()
    first = await client.get("/", headers={"Accept-Encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip"
    again = await client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    judged(server.fleet, series, Zone.CRITICAL, usage=950.0)
    await server.publish()
    changed = await client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200 and "95 %" in changed.text
    async with client.stream("GET", "/", headers={"Accept-Encoding": "gzip"}) as got:
        raw = b"".join([part async for part in got.aiter_raw()])
    assert gzip.decompress(raw).decode() == changed.text


async def test_an_override_is_told_as_the_limit_it_is(server: Server, client: httpx.AsyncClient) -> None:
    series = add(server.fleet, key("orders"), replace(RULING, limit=None))
    judged(server.fleet, series, Zone.UNOBSERVABLE)
    await server.publish()
    shown = await page(client, f"/series/{series.key.id}")
    assert "not known" in shown.words and "no limit is known" in shown.words
