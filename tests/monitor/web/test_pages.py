"""The pages: their content, and their handling of strange names, addresses and states."""

import gzip
import re
import time
from dataclasses import replace
from typing import Any

import httpx
import numpy as np
import pytest

from collectors.base import Unobservable, per_second
from collectors.quota_requests import QuotaRequest
from monitor.alerting.links import Links
from monitor.aws.call_rate import LoweredRate
from monitor.aws.failure import Failure
from monitor.aws.run_status import RunStatus
from monitor.aws.status import AccountStatus, CellStatus, MonitorStatus, OrganizationStatus
from monitor.fleet.judge import judge
from monitor.web.header import THEME_COOKIE
from monitor.web.templating import code_spans, doc_title
from rules.band import Zone
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import (
    ACCOUNT,
    REGION,
    SETTINGS,
    add,
    key,
    set_causes,
    set_judgement,
    throttled_metric,
)
from tests.monitor.fleet_server import Server
from tests.monitor.web.pages import Page, feed, page

PATHS = ("/", "/alerts", "/look-back", "/coverage", "/what-if", "/blind", "/cost", "/status", "/docs")
MARKUP = "<script>alert(1)</script>\"'`&amp;\x00"
HOSTILE = f"{MARKUP}\udc80"
LONG = "x" * 1000


async def fill_fleet(server: Server) -> str:
    """Add series in several zones, a readable and a denied cell, and a firing alert, with hostile names.

    Return the id of the saturated series.
    """
    fleet = server.fleet
    saturated = add(fleet, key(HOSTILE))
    set_judgement(fleet, saturated, Zone.SATURATED, usage=900.0, saturation=3.0)
    set_judgement(fleet, add(fleet, key(LONG)), Zone.NEAR, usage=950.0)
    why = Unobservable(f"not enabled {HOSTILE}", f"aws enable {HOSTILE}")
    set_judgement(fleet, add(fleet, key("hidden"), usage=why, throttled=None), Zone.UNOBSERVABLE)
    denied = RunStatus(started_at=60.0, failures=[Failure("ListStreams", MARKUP, "AccessDenied", MARKUP)])
    cells = [
        CellStatus(
            account=ACCOUNT, region=REGION, name=MARKUP, collectors={"kinesis": RunStatus()}, poll=RunStatus()
        ),
        CellStatus(account=ACCOUNT, region="eu-north-1", name="", collectors={"sqs": denied}, poll=denied),
    ]
    server.status = MonitorStatus(
        cells=cells, inaccessible_accounts={MARKUP: denied.failures[0]}, pending=[MARKUP]
    )
    alert = notice(saturated.key.id, resource=HOSTILE, summary=f"{HOSTILE} is busy.")
    server.alerting.engine.alerts[saturated.key.id] = alert
    await server.publish()
    return saturated.key.id


def asset_addresses(shown: Page) -> list[str | None]:
    return [link["href"] for link in shown.all("link")] + [script["src"] for script in shown.all("script")]


async def test_every_page_is_well_formed_and_escapes_names(server: Server, client: httpx.AsyncClient) -> None:
    series_id = await fill_fleet(server)
    for path in (
        *PATHS,
        f"/series/{series_id}",
        "/?q=zone:saturated+%3Cscript%3E",
        "/?q=%22%3Cscript%3E",
        "/map",
    ):
        shown = await page(client, path)
        assert shown.all("script") and not shown.foreign_scripts, path


async def test_pages_load_nothing_from_other_hosts_and_have_no_inline_code(
    server: Server, client: httpx.AsyncClient
) -> None:
    series_id = await fill_fleet(server)
    for path in (*PATHS, f"/series/{series_id}"):
        got = await client.get(path)
        shown, policy = Page(got.text), got.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'") and "unsafe" not in policy
        for tag, attributes in shown.elements:
            assert tag not in ("style", "iframe", "object", "base")
            assert not [name for name in attributes if name == "style" or name.startswith("on")]
        loaded = asset_addresses(shown)
        assert all(re.match("/static/[a-z]+", address or "") for address in loaded)


async def test_the_address_of_an_asset_changes_with_its_content(
    client: httpx.AsyncClient,
) -> None:
    shown = await page(client, "/")
    for address in asset_addresses(shown):
        got = await client.get(address or "")
        assert got.status_code == 200 and "immutable" in got.headers["cache-control"]
        assert re.search(r"\?v=[0-9a-f]{12}$", address or "")
    assert "does not exist" in (await page(client, "/static/other.js", 404)).words.lower()


@pytest.mark.parametrize("name", ["headroom.js", "live.js"])
async def test_scripts_are_small_and_name_no_other_host(client: httpx.AsyncClient, name: str) -> None:
    script = (await client.get(f"/static/{name}")).text
    assert len(script.splitlines()) <= 250
    assert not re.search(r"https?://", script)


async def test_the_overview_shows_throttled_series_forecasts_and_blind_spots(
    server: Server, client: httpx.AsyncClient
) -> None:
    await fill_fleet(server)
    words = " ".join((await page(client, "/")).words.split())
    assert "Throttled now 1 series" in words and "3/s" in words
    assert "Not known yet: no forecast has been made so far, and one needs two days of history" in words
    assert "Not seen 2 causes, 1 series" in words and "AccessDenied" in words
    labels = [link.get("aria-label") for link in (await page(client, "/")).all("a")]
    assert "Simple Queue Service: not seen" in labels  # on the map: the service was never read


async def test_no_link_is_broken(server: Server, client: httpx.AsyncClient) -> None:
    await fill_fleet(server)
    shown = await page(client, "/")
    assert {"/metrics", "/api/v1/series", "/docs", "/-/ready"} < {*shown.links}
    for path in {*shown.links} - {"#main"}:
        got = await client.get(path, follow_redirects=path.startswith("/colours/"))
        assert got.status_code in (200, 503), path  # 503: not ready yet


ORGANIZATION = OrganizationStatus(
    title="organization acme",
    accounts=3,
    listing=RunStatus(failures=[Failure("ListAccounts", "", "AccessDeniedException", "not you")]),
)


async def test_an_organization_that_cannot_be_listed_is_reported_with_its_known_accounts(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.status = MonitorStatus(organizations=[ORGANIZATION])
    await server.publish()
    words = " ".join((await page(client, "/status")).words.split())
    assert (
        "Headroom cannot list the accounts of the organization acme: ListAccounts: not you "
        "(AccessDeniedException). Monitored: 3 known accounts."
    ) in words


STATUSES_WITHOUT_SERIES = [
    (
        {
            "inaccessible_accounts": {
                "default": Failure("", "", "NoCredentialsError", "Unable to locate credentials")
            }
        },
        "Headroom cannot access the account default: Unable to locate credentials.",
        "aws sts get-caller-identity",
    ),
    (
        {"inaccessible_accounts": {"default": Failure("", "", "MissingRegionError", "no region is set")}},
        "Headroom cannot access the account default: no region is set.",
        "export AWS_REGION=eu-west-1",
    ),
    (
        {"inaccessible_accounts": {"prod": Failure("AssumeRole", "", "AccessDenied", "not you")}},
        "AccessDenied of sts:AssumeRole: Headroom cannot access the account prod: not you.",
        "aws sts get-caller-identity",
    ),
    (
        {"organizations": [ORGANIZATION]},
        "AccessDeniedException of organizations:ListAccounts: Headroom cannot list the accounts of the "
        "organization acme: not you.",
        "aws organizations list-accounts",
    ),
    ({"pending": ["account prod"]}, "Not read yet: account prod.", ""),
    (
        {"accounts": [AccountStatus(name="prod", access=RunStatus(), disabled_regions=["me-south-1"])]},
        "account prod: me-south-1 is not enabled.",
        "",
    ),
    ({}, "`exclude` excludes everything that is configured.", "headroom config check"),
]


@pytest.mark.parametrize(("fields", "reason", "command"), STATUSES_WITHOUT_SERIES)
async def test_nothing_on_the_pages_is_green_while_no_series_is_monitored(
    fields: dict[str, Any], reason: str, command: str, server: Server, client: httpx.AsyncClient
) -> None:
    server.status = MonitorStatus(has_data=False, **fields)
    await server.publish()
    shown = await page(client, "/")
    words = " ".join(shown.words.split())
    assert "No series is watched" in words or "The first reading is under way" in words
    assert reason in words and command in words
    assert "Nothing." not in words and "read of AWS succeeded" not in words
    assert "Throttled nowNot known" in words
    assert not [element for element in shown.all("div") if "calm" in (element.get("class") or "").split()]
    status = await page(client, "/status")
    assert "Each read has been tried" not in status.words
    assert "are observable" not in (await page(client, "/blind")).words


async def test_stale_series_are_not_shown_as_good(server: Server, client: httpx.AsyncClient) -> None:
    set_judgement(server.fleet, add(server.fleet, key("old")), Zone.STALE)
    await server.publish()
    words = (await page(client, "/")).words
    assert "no series has a recent sample" in words
    assert "Nothing." not in words


async def test_failures_with_one_cause_are_one_group(server: Server, client: httpx.AsyncClient) -> None:
    denied_streams = RunStatus(
        failures=[Failure("ListStreams", "", "AccessDeniedException", "an explicit deny")]
    )
    denied_queues = RunStatus(failures=[Failure("ListQueues", "", "AccessDenied", "an explicit deny")])
    succeeded = RunStatus(succeeded_at=60.0)
    regions = [f"ap-south-{number}" for number in (1, 2, 3, 4)]
    cells = [
        CellStatus(account=ACCOUNT, region=region, name="prod", collectors=collectors, poll=succeeded)
        for region in (*regions, REGION)
        for collectors in [
            {"sqs": succeeded} if region == REGION else {"kinesis": denied_streams, "sqs": denied_queues}
        ]
    ]
    server.status = MonitorStatus(cells=cells)
    await server.publish()
    shown = await page(client, "/blind")
    words = " ".join(shown.words.split())
    assert "Blind spots: 1 failed read" in words
    assert "AccessDenied, AccessDeniedException prod, 4 of 5 regions never read · 8 failures" in words
    assert "in 4 of 5 regions of prod (ap-south-1, ap-south-2, ap-south-3 and 1 more)" in words
    assert all(f"{region} Kinesis Data Streams, Simple Queue Service" in words for region in regions)
    assert "Not seenEverything. 1 cause" in " ".join((await page(client, "/")).words.split())


async def test_the_status_page_lists_calls_that_aws_throttles(
    server: Server, client: httpx.AsyncClient
) -> None:
    rates = [LoweredRate("cloudwatch", "GetMetricData", 2.5, 40.0), LoweredRate("ec2", "", 5.0, 10.0)]
    server.status = MonitorStatus(
        cells=[
            CellStatus(
                account=ACCOUNT,
                region=REGION,
                name="prod",
                collectors={},
                poll=RunStatus(),
                lowered_rates=rates,
            )
        ]
    )
    words = " ".join((await page(client, "/status")).words.split())
    assert "Calls of cloudwatch GetMetricDatathrottled by AWS at most 2.5 a second now, 40 once" in words
    assert "Calls of ec2throttled by AWS at most 5 a second now" in words
    assert "Each read has been tried at least once" in words


async def test_the_status_page_says_of_polls_that_had_nothing_to_read_that_nothing_was_read(
    server: Server, client: httpx.AsyncClient
) -> None:
    poll = RunStatus()
    for minute in (1, 2):
        poll.start(minute * 60.0)
        poll.end((), minute * 60.0 + 1, has_read=False)
    server.status = MonitorStatus(
        cells=[CellStatus(account=ACCOUNT, region=REGION, name="prod", collectors={}, poll=poll)]
    )
    words = " ".join((await page(client, "/status")).words.split())
    assert "CloudWatch metrics01 Jan 00:02 UTCnevernothing read yet" in words
    assert "succeeded" not in words.partition("CloudWatch metrics")[2]
    (cell,) = (await client.get("/api/v1/status")).json()["cells"]
    assert cell["poll"] == {"last_attempt": "1970-01-01T00:02:00Z", "last_success": None, "failures": []}


@pytest.mark.parametrize("query", ["sort=colour", "row=0", "row=x", "page=0"])
async def test_an_invalid_parameter_is_named_on_an_error_page(client: httpx.AsyncClient, query: str) -> None:
    shown = await page(client, f"/?{query}", 422)
    assert query.partition("=")[0] in shown.words


async def test_the_page_of_a_series_shows_chart_limit_and_remedy(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("", "lambda.account_concurrency"))
    feed(server.fleet, series, [950.0] * 30, [0.0] * 20 + [5.0] * 10)
    judge(server.fleet, int(time.time() // 60))
    await server.publish()
    shown = await page(client, f"/series/{series.key.id}")
    assert "aws service-quotas request-service-quota-increase" in shown.words
    assert "--desired-value 1728" in shown.words  # 950 is 55 % of 1728
    assert "Read from the service's API: 1k concurrent executions" in shown.words
    drawn = [element["class"] for element in shown.all("path") if element.get("class")]
    assert {"limit", "near-line", "usage"} <= set(drawn)
    assert "refused" in {element.get("class") for element in shown.all("rect")}


async def test_blind_spots_name_the_signals_that_are_off_and_how_to_enable_them(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.status = MonitorStatus(signals_off=["ebs.volume_iops", "ec2.cpu_credits"])
    assert "enabled: [ebs.volume_iops, ec2.cpu_credits]" in (await page(client, "/blind")).words


async def test_a_series_shows_the_unverified_facts_of_its_signal(
    server: Server, client: httpx.AsyncClient
) -> None:
    signal = SETTINGS.signal.model_copy(update={"unverified": "The quota is recalled."})
    series = add(server.fleet, key("orders"), replace(SETTINGS, signal=signal))
    await server.publish()
    assert "The quota is recalled." in (await page(client, f"/series/{series.key.id}")).words


async def test_a_series_shows_the_pending_request_for_its_quota(
    server: Server, client: httpx.AsyncClient
) -> None:
    request = QuotaRequest(5000.0, "CASE_OPENED", 1_800_000_000.0)
    signal = "lambda.account_concurrency"
    with_request = add(server.fleet, key("", signal), replace(SETTINGS, quota_request=request))
    without_request = add(server.fleet, key("a"))
    await server.publish()
    words = " ".join((await page(client, f"/series/{with_request.key.id}")).words.split())
    sentence = "An increase to 5k concurrent executions was requested on 15 Jan 2027"
    assert f"{sentence} and is pending, with a support case." in words
    assert "Requested" not in (await page(client, f"/series/{without_request.key.id}")).words


async def test_the_page_of_a_series_names_the_largest_resource(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("orders"), replace(SETTINGS, largest_resource="sales/<orders>"))
    await server.publish()
    assert "Largest of all sales/<orders>" in (await page(client, f"/series/{series.key.id}")).words


async def test_a_series_links_to_runbook_console_and_grafana(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("orders & co"))
    set_judgement(server.fleet, series, Zone.NEAR, usage=950.0)
    links = {
        "runbook": "https://wiki.example.org/{service}.{signal}",
        "grafana": "https://grafana.example.org/d/headroom-series?var-resource={resource}",
    }
    builder = server.alerting.engine.notice_builder
    builder.settings = replace(builder.settings, links=Links.model_validate(links))
    await server.publish()
    found = (await page(client, f"/series/{series.key.id}")).links
    assert "https://wiki.example.org/kinesis.stream_write_bytes" in found
    assert "https://grafana.example.org/d/headroom-series?var-resource=orders%20%26%20co" in found
    assert [link for link in found if "console.aws.amazon.com/kinesis" in link and "eu-west-1" in link]


async def test_unobservable_series_are_shown_with_reason_and_command(
    server: Server, client: httpx.AsyncClient
) -> None:
    why = Unobservable("metrics are off", "aws turn --on 'it'")
    hidden = add(server.fleet, key("hidden"), usage=why, throttled=None)
    set_judgement(server.fleet, hidden, Zone.UNOBSERVABLE)
    await server.publish()
    for path in ("/blind", f"/series/{hidden.key.id}"):
        words = (await page(client, path)).words
        assert "metrics are off" in words and "aws turn --on 'it'" in words


async def test_the_page_of_a_series_that_left_the_fleet_is_an_error_page(
    server: Server, client: httpx.AsyncClient
) -> None:
    series_id = await fill_fleet(server)
    await page(client, f"/series/{series_id}")
    server.fleet.drop(key(HOSTILE))
    await server.publish()
    assert "its resource may be gone" in (await page(client, f"/series/{series_id}", 404)).words
    for path in PATHS:
        await page(client, path)


async def test_a_browser_gets_a_page_at_an_unknown_address_and_a_program_gets_json(
    client: httpx.AsyncClient,
) -> None:
    html = await client.get("/nosuch", headers={"Accept": "text/html,*/*;q=0.8"})
    assert (html.status_code, html.headers["content-type"]) == (404, "text/html; charset=utf-8")
    assert "/nosuch does not exist" in Page(html.text).words
    answer = await client.get("/nosuch", headers={"Accept": "*/*"})
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "/nosuch does not exist; / has links to all pages"},
    )


@pytest.mark.parametrize("path", ["/docs", "/nosuch", "/series/nosuch"])
async def test_every_page_follows_the_chosen_colours(client: httpx.AsyncClient, path: str) -> None:
    shown = await client.get(path, headers={"Accept": "text/html", "Cookie": f"{THEME_COOKIE}=dark"})
    assert 'data-theme="dark"' in shown.text


async def test_pages_omit_a_series_that_left_the_fleet_after_the_snapshot(
    server: Server, client: httpx.AsyncClient
) -> None:
    series_id = await fill_fleet(server)
    server.fleet.drop(key(HOSTILE))
    assert "its resource may be gone" in (await page(client, f"/series/{series_id}", 404)).words
    await page(client, "/")


@pytest.mark.parametrize("identity", ["0" * 16, "xyz", "%00", "a" * 3000])
async def test_an_unknown_id_is_not_found(client: httpx.AsyncClient, identity: str) -> None:
    await page(client, f"/series/{identity}", 404)


async def test_all_pages_exist_before_the_first_read(client: httpx.AsyncClient) -> None:
    for path in PATHS:
        await page(client, path)
    assert "No series is watched" in (await page(client, "/")).words


async def test_an_unchanged_page_is_not_sent_again(server: Server, client: httpx.AsyncClient) -> None:
    series = add(server.fleet, key("orders"))
    set_judgement(server.fleet, series, Zone.WITHIN, usage=500.0)
    await server.publish()
    first = await client.get("/", headers={"Accept-Encoding": "gzip"})
    assert first.headers["content-encoding"] == "gzip"
    unchanged = await client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert (unchanged.status_code, unchanged.content) == (304, b"")
    set_judgement(server.fleet, series, Zone.NEAR, usage=950.0)
    await server.publish()
    changed = await client.get("/", headers={"If-None-Match": first.headers["etag"]})
    assert changed.status_code == 200 and "95 %" in changed.text
    async with client.stream("GET", "/", headers={"Accept-Encoding": "gzip"}) as got:
        raw = b"".join([part async for part in got.aiter_raw()])
    assert gzip.decompress(raw).decode() == changed.text


async def test_the_page_of_a_series_without_usage_says_that_throttled_demand_alone_is_judged(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("orders"), usage=Unobservable("no metric tells it"))
    set_judgement(server.fleet, series, Zone.UNOBSERVABLE, saturation=0.0)
    await server.publish()
    words = " ".join((await page(client, f"/series/{series.key.id}")).words.split())
    assert "no metric tells it" in words and "Throttled demand alone is judged." in words
    assert "Throttled now0 /s" in words


async def test_the_page_of_a_series_without_a_limit_says_so(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("orders"), replace(SETTINGS, limit=None))
    set_judgement(server.fleet, series, Zone.UNOBSERVABLE)
    await server.publish()
    shown = await page(client, f"/series/{series.key.id}")
    assert "unknown" in shown.words and "no limit is known" in shown.words


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("run `headroom check` now", "run <code>headroom check</code> now"),
        ("`a` or `<b>`", "<code>a</code> or <code>&lt;b&gt;</code>"),
        ("nothing <i>", "nothing &lt;i&gt;"),
        ("one ` alone", "one <code> alone</code>"),
        ("", ""),
    ],
)
def test_text_between_backticks_is_code(text: str, markup: str) -> None:
    assert code_spans(text) == markup


async def test_an_alert_is_shown_with_its_time_and_the_present_usage(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("orders"))
    set_judgement(server.fleet, series, Zone.WITHIN, usage=480.0, saturation=0.0)
    firing = notice(series.key.id, resource="orders", summary="orders; 821 throttled/s.")
    server.alerting.engine.alerts[series.key.id] = firing
    await server.publish()
    words = " ".join((await page(client, f"/series/{series.key.id}")).words.split())
    assert "orders; 821 throttled/s." in words
    assert re.search(r"Now, as of \d\d \w{3} \d\d:\d\d UTC ?, it writes 480 B/s .*; 0 throttled/s\.", words)


async def test_a_firing_alert_of_an_account_has_the_name_of_its_service_beside_the_list(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("", "lambda.account_concurrency"))
    firing = notice(series.key.id, resource="", service="lambda", signal="account_concurrency")
    server.alerting.engine.alerts[series.key.id] = firing
    await server.publish()
    words = " ".join((await page(client, "/")).words.split())
    assert "warning Lambda account" in words


async def words_about_throttling(
    server: Server, client: httpx.AsyncClient, throttled: float, **causes: float
) -> str:
    """Return the words on the page of a series. throttled, causes: demand per second."""
    by_cause = dict.fromkeys(causes, per_second(throttled_metric))
    series = add(server.fleet, key("orders"), throttled_by_cause=by_cause)
    set_judgement(server.fleet, series, Zone.WITHIN, usage=480.0, saturation=throttled)
    set_causes(server.fleet, series, **causes)
    await server.publish()
    return " ".join((await page(client, f"/series/{series.key.id}")).words.split())


async def test_a_series_without_throttled_demand_shows_the_tolerance(
    server: Server, client: httpx.AsyncClient
) -> None:
    words = await words_about_throttling(server, client, throttled=0.0)
    assert "Throttled now0 /s" in words
    assert "An alert needs at least 0.05 throttled records per second in one minute" in words


async def test_throttled_demand_is_shown_by_cause(server: Server, client: httpx.AsyncClient) -> None:
    words = await words_about_throttling(server, client, throttled=2.4, other=0.3, hot=2.1, late=np.nan)
    assert "of it 2.1 /s hot, 0.3 /s other, late unknown; in the worst minute" in words


async def test_throttled_demand_within_the_tolerance_is_marked(
    server: Server, client: httpx.AsyncClient
) -> None:
    words = await words_about_throttling(server, client, throttled=0.02)
    assert "0.02 /s" in words and "within the tolerance" in words


@pytest.mark.parametrize(
    ("signal", "card", "table_cell"),
    [
        ("lambda.account_concurrency", "Throttled nownot known at present", "not known"),
        ("sqs.standard_in_flight", "Throttled nownot reported AWS publishes no metric of it", "no metric"),
    ],
)
async def test_throttling_that_is_unknown_now_differs_from_throttling_without_a_metric(
    server: Server, client: httpx.AsyncClient, signal: str, card: str, table_cell: str
) -> None:
    series = add(server.fleet, key("", signal), throttled=None)
    set_judgement(server.fleet, series, Zone.STALE)
    await server.publish()
    assert card in " ".join((await page(client, f"/series/{series.key.id}")).words.split())
    got = (await client.get("/?q=zone:stale")).text
    assert f'<td class="mute">{table_cell}<' in got


async def test_a_sample_that_may_still_grow_is_marked(server: Server, client: httpx.AsyncClient) -> None:
    series, now = add(server.fleet, key("orders"), throttled=None), int(time.time() // 60)
    rows = np.array([*server.fleet.metrics(series.key.cell).values()])
    for read_through, marked in ((now - 3, True), (now, False)):
        feed(server.fleet, series, [500.0] * 30)
        server.fleet.rings.mark_read(rows, read_through)
        judge(server.fleet, now)
        await server.publish()
        shown = await page(client, f"/series/{series.key.id}")
        assert ("it may still grow" in shown.words) is marked


async def test_the_page_of_a_stale_series_says_why_and_links_to_blind_spots(
    server: Server, client: httpx.AsyncClient
) -> None:
    read, unread = (add(server.fleet, key(name)) for name in ("orders", "clicks"))
    for series in (read, unread):
        set_judgement(server.fleet, series, Zone.STALE)
    server.fleet.minute[unread.slot] = -1
    await server.publish()
    for series, why in ((read, "is too old to be judged"), (unread, "no sample has been read yet")):
        words = " ".join((await page(client, f"/series/{series.key.id}")).words.split())
        assert why in words and "See why no sample comes".lower() in words and "since -" not in words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (9000.0, "Leftnone exhausted in 2 h 30 min at the present rateThrottled"),
        (0.0, "Leftnone exhaustedThrottled"),
        (np.nan, "LeftnoneThrottled"),
    ],
)
async def test_a_budget_that_drains_is_shown_with_the_time_until_it_is_exhausted(
    server: Server, client: httpx.AsyncClient, seconds: float, words: str
) -> None:
    series = add(server.fleet, key("orders"))
    set_judgement(server.fleet, series, Zone.NEAR, usage=1000.0)
    server.fleet.seconds_to_exhaustion[series.slot] = seconds
    await server.publish()
    shown = await page(client, f"/series/{series.key.id}")
    assert words in " ".join(shown.words.split())
    answer = (await client.get(f"/api/v1/series/{series.key.id}")).json()
    assert answer["seconds_to_exhaustion"] == (None if np.isnan(seconds) else seconds)


async def test_a_deliberate_cap_is_marked(server: Server, client: httpx.AsyncClient) -> None:
    group = key("web", "autoscaling.group_max_size")
    series = add(server.fleet, group, replace(SETTINGS, deliberate=True))
    set_judgement(server.fleet, series, Zone.WITHIN, usage=1000.0)
    await server.publish()
    words = " ".join((await page(client, f"/series/{series.key.id}")).words.split())
    assert "set on purpose" in words and "near from 90 %" not in words


@pytest.mark.parametrize(
    ("url", "title"),
    [
        (
            "https://docs.aws.amazon.com/ses/latest/dg/manage-sending-quotas.html",
            "AWS: manage sending quotas",
        ),
        ("https://wiki.example.com/checkout/busy_workers/", "busy workers"),
        ("https://docs.aws.amazon.com.example.com/quotas", "quotas"),
    ],
)
def test_the_title_of_linked_documentation_is_made_of_its_address(url: str, title: str) -> None:
    assert doc_title(url) == title
