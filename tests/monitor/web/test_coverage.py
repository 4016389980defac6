"""The page of the coverage of quotas."""

import re
from html import unescape
from typing import Any
from urllib.parse import unquote_plus, urlencode

import httpx
import pytest

from collectors.base import ACCOUNT as WHOLE_ACCOUNT
from collectors.base import Resource, Unobservable
from collectors.service_quotas.known_quotas import KnownQuotas
from collectors.service_quotas.quota_list import ListedQuota
from collectors.service_quotas.utilization import ReportedQuota, UtilizationReport
from monitor.fleet.key import Key
from monitor.web.coverage_page import QUOTAS_PER_PAGE, SERVICES_PER_PAGE
from rules.band import Zone
from rules.limits import LimitSource
from rules.signals import Quota
from tests.fake_aws import denied
from tests.monitor.fleet.fleets import ACCOUNT, REGION, add, set_judgement
from tests.monitor.fleet_server import Server
from tests.monitor.web.pages import Page, page
from tests.monitor.web.test_pages import HOSTILE, LONG

MAX_SIZE = 100_000  # bytes of a page, before compression
CONCURRENCY = Quota(service="lambda", code="L-B99A9384")
COMMAND = "aws lambda put-something --function-name " + 20 * "a-long-name-of-a-function-"


def quota_in_list(quota: Quota, name: str, value: float | None = 1000.0) -> ListedQuota:
    """Return a quota, as Service Quotas lists it."""
    return ListedQuota(quota, name, value, LimitSource.APPLIED, None, None, True, False)


def subject(quota: Quota) -> Resource:
    """Return a quota as the resource of a series."""
    return Resource("quota", (quota.service, quota.code), (quota.service, "x"), parent_kinds=("service",))


def add_quotas(server: Server, service: str, number: int, name: str = "Name of a quota") -> KnownQuotas:
    """Add a service code in use, with a number of quotas that no series watches."""
    known = server.known_quotas.setdefault((ACCOUNT, REGION), KnownQuotas())
    quotas = (Quota(service=service, code=f"L-{index:08X}") for index in range(number))
    known.lists[service] = tuple(quota_in_list(quota, f"{name} {quota.code}") for quota in quotas)
    known.in_use |= {service}
    return known


def watch_concurrency(server: Server, zone: Zone = Zone.WITHIN, **options: Any) -> None:
    """Add the quota of concurrent executions, and a series that watches it."""
    series = add(
        server.fleet, Key(ACCOUNT, REGION, "lambda", "account_concurrency", WHOLE_ACCOUNT), **options
    )
    set_judgement(server.fleet, series, zone, 500.0)
    known = server.known_quotas.setdefault((ACCOUNT, REGION), KnownQuotas())
    known.lists["lambda"] = (quota_in_list(CONCURRENCY, "Concurrent executions"),)
    known.in_use |= {"lambda"}


async def words(server: Server, client: httpx.AsyncClient, path: str) -> str:
    """Return the text of a page."""
    await server.publish()
    got = await client.get(path)
    assert got.status_code == 200, got.text
    return text_of(got.text)


def text_of(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]*>", " ", html)).split())


async def test_watched_quotas_are_counted_and_linked_to_their_series(
    server: Server, client: httpx.AsyncClient
) -> None:
    watch_concurrency(server)
    add_quotas(server, "glue", 3)
    shown = await words(server, client, "/coverage")
    assert "Coverage: 1 of 4 quotas watched" in shown and "in 1 account and 1 region" in shown
    assert "costs $0.175 a month: metrics and settings by list price" in shown
    assert "glue 0 0 0 0 0 3 $0.00" in shown and "lambda 1 0 0 0 0 0 $0.175" in shown
    watched = await page(client, "/coverage?q=state:watched")
    (series,) = [link for link in watched.links if link.startswith("/?q=account")]
    assert "Concurrent executions" in watched.words and "lambda L-B99A9384 · production" in watched.words
    assert (await page(client, series)).all("form")


async def test_quotas_that_a_setting_makes_observable_come_first_with_its_command(
    server: Server, client: httpx.AsyncClient
) -> None:
    watch_concurrency(
        server, Zone.UNOBSERVABLE, usage=Unobservable("it is off", "aws on --x"), throttled=None
    )
    add_quotas(server, "glue", 2)
    shown = await words(server, client, "/coverage")
    first = shown.partition("what you can change first")[2]
    assert "not enabled Concurrent executions" in first and "it is off" in first
    assert "Name of a quota" not in first
    assert "without 1 quota whose cost depends on" in shown


async def test_quotas_are_filtered_by_the_address(server: Server, client: httpx.AsyncClient) -> None:
    watch_concurrency(server)
    add_quotas(server, "glue", 2)
    for query, found in {
        "service:glue": {"L-00000000", "L-00000001"},
        "service:gl* l-00000001": {"L-00000001"},
        "CONCURRENT": {"L-B99A9384"},
        "state:no_usage_source": {"L-00000000", "L-00000001"},
        "state:no_usage_source,watched -l-00000000": {"L-00000001", "L-B99A9384"},
        f"account:{ACCOUNT} region:{REGION}": {"L-00000000", "L-00000001", "L-B99A9384"},
        "region:eu-north-1": set(),
    }.items():
        shown = (await words(server, client, f"/coverage?{urlencode({'q': query})}")).partition("By quota")[2]
        assert set(re.findall("glue (L-[0-9A-F]{8})|lambda (L-[0-9A-F]{8})", shown)) == {
            (code, "") if code[2:] < "A" else ("", code) for code in found
        }, query
    assert "No quota matches" in shown
    assert (await client.get("/coverage?page=0")).status_code == 422


async def test_a_query_that_is_not_understood_says_why(server: Server, client: httpx.AsyncClient) -> None:
    add_quotas(server, "glue", 2)
    shown = await words(server, client, "/coverage?q=state:watchd")
    assert "The query is not understood state: watchd is not known; did you mean watched?" in shown
    assert "zone is not a field" in await words(server, client, "/coverage?q=zone:near")


async def test_addresses_of_the_older_form_lead_to_the_query(client: httpx.AsyncClient) -> None:
    for old, query in {
        "service_code=glue&state=stale&text=a+name&page=2": 'service:glue state:stale "a name"&page=2',
        "state=": "",
        "q=service:glue&q=x": "service:glue x",
    }.items():
        got = await client.get(f"/coverage?{old}")
        assert (got.status_code, unquote_plus(got.headers["location"])) == (
            307,
            f"/coverage?q={query}" if query else "/coverage",
        )


async def test_the_active_filters_are_shown(server: Server, client: httpx.AsyncClient) -> None:
    add_quotas(server, "glue", 2)
    await server.publish()
    shown = await page(client, "/coverage?q=service:glue+state:stale+name")
    chips = {link["aria-label"]: link["href"] for link in shown.all("a") if link.get("class") == "chip"}
    assert chips == {
        "Remove service:glue": "/coverage?q=state:stale+name",
        "Remove state:stale": "/coverage?q=service:glue+name",
    }
    fields = [(field.get("type"), field["value"]) for field in shown.all("input")]
    assert fields == [("hidden", "service:glue state:stale"), ("search", "name")]
    current = [link["href"] or "" for link in shown.all("a") if link.get("aria-current") == "true"]
    assert sorted(current) == ["/coverage?q=service:glue+name", "/coverage?q=state:stale+name"]


async def every_page(server: Server, client: httpx.AsyncClient, path: str) -> list[str]:
    """Return the texts of a page and of all its following pages."""
    await server.publish()
    pages, next_path = list[str](), path
    while next_path:
        got = await client.get(next_path)
        assert (got.status_code, len(got.content) < MAX_SIZE) == (200, True), (next_path, len(got.content))
        pages.append(text_of(got.text))
        links = Page(got.text).all("a")
        next_path = next((link["href"] or "" for link in links if link.get("rel") == "next"), "")
    return pages


async def test_thousands_of_quotas_are_split_into_small_pages(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_quotas(server, "ec2", 1700, LONG)
    pages = await every_page(server, client, "/coverage?q=service:ec2")
    assert len(pages) == 1700 / QUOTAS_PER_PAGE
    found = [code for text in pages for code in re.findall("ec2 (L-[0-9A-F]{8})", text)]
    assert sorted(found) == [f"L-{number:08X}" for number in range(1700)]
    assert "Quotas 1,651 \u2013 1,700 of 1,700" in " ".join(pages[-1].split())


async def test_quotas_with_long_commands_are_split_into_small_pages(
    server: Server, client: httpx.AsyncClient
) -> None:
    known = add_quotas(server, "lambda", 200)
    for listed_quota in known.lists["lambda"]:
        key = Key(ACCOUNT, REGION, "quotas", "count", subject(listed_quota.quota))
        unobservable = Unobservable(LONG, COMMAND)
        set_judgement(
            server.fleet, add(server.fleet, key, usage=unobservable, throttled=None), Zone.UNOBSERVABLE
        )
    assert len(await every_page(server, client, "/coverage?q=state:not_enabled")) == 200 / QUOTAS_PER_PAGE
    await every_page(server, client, "/coverage")


async def test_hundreds_of_services_are_paged(server: Server, client: httpx.AsyncClient) -> None:
    for number in range(190):
        add_quotas(server, f"service-with-a-long-name-{number:03}", 2)
    pages = await every_page(server, client, "/coverage")
    assert len(pages) == -(-190 // SERVICES_PER_PAGE)
    assert sum(len(re.findall(r"long-name-\d+ 0", text)) for text in pages) == 190


async def test_links_of_states_lead_to_the_page_on_which_the_state_begins(
    server: Server, client: httpx.AsyncClient
) -> None:
    add_quotas(server, "glue", 120)
    watch_concurrency(server)
    await server.publish()
    shown = await page(client, f"/coverage?q=region:{REGION}")
    assert (
        f"/coverage?q=region:{REGION}&page=3" in shown.links
    )  # the page of the watched quotas, which are last
    assert "Concurrent executions" in (await page(client, f"/coverage?q=region:{REGION}&page=3")).words


async def test_names_are_escaped(server: Server, client: httpx.AsyncClient) -> None:
    add_quotas(server, "glue", 2, HOSTILE)
    watch_concurrency(server, Zone.UNOBSERVABLE, usage=Unobservable(HOSTILE, HOSTILE), throttled=None)
    await server.publish()
    for path in ("/coverage", "/coverage?q=service:glue", "/coverage?q=%3Cscript%3E&page=9"):
        shown = await page(client, path)
        assert not shown.foreign_scripts, path


async def test_the_utilization_report_of_aws_and_its_failure_are_shown(
    server: Server, client: httpx.AsyncClient
) -> None:
    watch_concurrency(server)
    known = server.known_quotas[ACCOUNT, REGION]
    known.report = UtilizationReport(1_800_000_000.0, {CONCURRENCY: ReportedQuota("x", 0.5, 20.0)})
    known.report_failure = denied()
    shown = await words(server, client, "/coverage?q=state:watched")
    assert "tells the value 20, and Service Quotas lists 1,000." in shown
    assert "AWS's report of utilization, a cross-check, is not permitted" in shown


@pytest.mark.parametrize("query", ["", "?q=state:stale"])
async def test_the_page_without_quotas_shows_the_reason(
    server: Server, client: httpx.AsyncClient, query: str
) -> None:
    server.known_quotas[ACCOUNT, REGION] = KnownQuotas()
    server.services_read = {(ACCOUNT, REGION): {"sqs"}}
    shown = await words(server, client, f"/coverage{query}")
    assert "the quotas are not read, as the configuration leaves them out" in shown
