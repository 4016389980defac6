"""The page of a series: ranges, sources of the limit, quota requests, related series, and unusual states."""

import time
from dataclasses import replace

import httpx
import pytest

from collectors.quota_requests import QuotaRequest
from monitor.aws.run_status import RunStatus
from monitor.aws.status import CellStatus, MonitorStatus
from monitor.fleet.outlook import Outlook, TrackRecord
from monitor.web.chart_data import RANGES
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import LimitKind
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import ACCOUNT, SETTINGS, add, key, set_judgement
from tests.monitor.fleet_server import Server
from tests.monitor.web.pages import Page, feed, page
from tests.registries import REGISTRY

LAMBDA = REGISTRY.services["lambda"].signals["account_concurrency"]


async def page_and_words(
    server: Server, client: httpx.AsyncClient, identity: str, query: str = ""
) -> tuple[Page, str]:
    await server.publish()
    found = await page(client, f"/series/{identity}{query}")
    return found, " ".join(found.words.split())


@pytest.mark.parametrize("name", RANGES)
async def test_each_range_has_an_address_and_points(
    server: Server, client: httpx.AsyncClient, name: str
) -> None:
    series = add(server.fleet, key("orders"))
    feed(server.fleet, series, [500.0] * 30)
    found, words = await page_and_words(server, client, series.key.id, f"?range={name}")
    (current,) = [link for link in found.all("a") if link.get("aria-current") == "true"]
    assert current["href"] == f"/series/{series.key.id}?range={name}"
    (plot,) = [element for element in found.all("svg") if "data-points" in element]
    points = (plot["data-points"] or "").split("|")
    assert len(points) <= 400 and any("500 B/s" in point for point in points)
    assert "no data: never drawn as 0" in words


async def test_an_unknown_range_redirects_to_the_page_without_a_range(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("orders"))
    await server.publish()
    got = await client.get(f"/series/{series.key.id}?range=1y")
    assert (got.status_code, got.headers["location"]) == (307, f"/series/{series.key.id}")


async def test_the_source_in_force_is_marked_among_the_sources_of_the_limit(
    server: Server, client: httpx.AsyncClient
) -> None:
    limit = Limit(1000.0, LimitSource.APPLIED, time.time())
    series = add(server.fleet, key("", LAMBDA.id), replace(SETTINGS, signal=LAMBDA, limit=limit))
    found, words = await page_and_words(server, client, series.key.id)
    assert [item.get("class") for item in found.all("li")].count("on") == 1
    assert "Set in Headroom's configuration: none" in words
    assert "that Service Quotas applies to this account: 1k concurrent executions" in words
    assert "Documented by AWS: 1k concurrent executions (not used)" in words


@pytest.mark.parametrize(
    ("unknown_reason", "quota_request", "words"),
    [
        ("", None, "Request for an increase None asked for."),
        (
            "ListRequestedServiceQuotaChangeHistory: not authorized (AccessDenied)",
            None,
            "the role lacks servicequotas:ListRequestedServiceQuotaChangeHistory",
        ),
        ("they have not been read yet", None, "Not readable: they have not been read yet."),
        ("", QuotaRequest(5000.0, "DENIED", 1_800_000_000.0, 1_800_100_000.0), "was denied on 16 Jan 2027"),
        ("", QuotaRequest(5000.0, "APPROVED", 1_800_000_000.0), "was approved"),
        ("", QuotaRequest(5000.0, "CASE_OPENED", 1_800_000_000.0), "is pending, with a support case"),
    ],
)
async def test_the_page_shows_the_quota_request_or_why_it_is_unknown(
    server: Server,
    client: httpx.AsyncClient,
    unknown_reason: str,
    quota_request: QuotaRequest | None,
    words: str,
) -> None:
    cell = CellStatus(
        account=ACCOUNT,
        region="eu-west-1",
        name="",
        collectors={},
        poll=RunStatus(),
        requests_unknown_reason=unknown_reason,
    )
    server.status = MonitorStatus(cells=[cell])
    settings = replace(SETTINGS, signal=LAMBDA, quota_request=quota_request)
    series = add(server.fleet, key("", LAMBDA.id), settings)
    assert words in (await page_and_words(server, client, series.key.id))[1]


async def test_the_page_of_a_fixed_limit_has_no_section_about_requests(
    server: Server, client: httpx.AsyncClient
) -> None:
    signal = SETTINGS.signal.model_copy(update={"kind": LimitKind.FIXED, "command": None})
    series = add(server.fleet, key("orders"), replace(SETTINGS, signal=signal))
    words = (await page_and_words(server, client, series.key.id))[1]
    assert "Request for an increase" not in words and "fixed by the service" in words


async def test_the_page_lists_other_limits_of_the_same_resource(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("orders"))
    other_limit = add(server.fleet, key("orders", "kinesis.stream_write_records"))
    other_resource = add(server.fleet, key("clicks", "kinesis.stream_write_records"))
    found, words = await page_and_words(server, client, series.key.id)
    assert (
        f"/series/{other_limit.key.id}" in found.links
        and f"/series/{other_resource.key.id}" not in found.links
    )
    assert "Other limits of this resource" in words


async def test_changes_of_the_limit_between_notices_are_listed(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("orders"))
    feed(server.fleet, series, [500.0] * 30)
    identity, now = series.key.id, time.time()
    old_notice = notice(
        identity, resource="orders", at=now - 86_400, since=now - 86_400, limit=500.0, usage=480.0
    )
    await server.alerting.journal.write({}, [old_notice])
    words = (await page_and_words(server, client, identity, "?range=14d"))[1]
    assert "Limit 500 B/s → 1000 B/s, at the latest" in words
    assert "assumed limit: no limit of that time is stored" in words
    assert "firing, nobody notified" in words


async def test_the_track_record_is_shown(server: Server, client: httpx.AsyncClient) -> None:
    series = add(server.fleet, key("orders"))
    set_judgement(server.fleet, series, Zone.WITHIN, usage=500.0)
    server.fleet.reach_probability[series.slot] = (0.1, 0.2, 0.3, 0.4)
    server.fleet.history_bins[series.slot] = 1344
    server.outlooks[series.slot] = Outlook(TrackRecord(38, 31, 33))
    assert "came true 31 of 38 times" in (await page_and_words(server, client, series.key.id))[1]


async def test_a_long_name_with_markup_is_shown_whole_and_escaped(
    server: Server, client: httpx.AsyncClient
) -> None:
    name = "<script>alert(1)</script>|~" + "x" * 970
    series = add(server.fleet, key(name))
    found, words = await page_and_words(server, client, series.key.id)
    assert name in words and all("src" in script for script in found.all("script"))


async def test_the_page_of_a_removed_series_names_its_signal_and_resource(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("orders"))
    identity = series.key.id
    await server.alerting.journal.write({}, [notice(identity, resource="orders", at=time.time())])
    server.fleet.drop(series.key)
    await server.publish()
    words = (await page(client, f"/series/{identity}", 404)).words
    assert "kinesis.stream_write_bytes of orders in" in words and "no longer watched" in words
    assert f"{identity} is busy" in words


async def test_an_alert_is_acknowledged_with_one_button(server: Server, client: httpx.AsyncClient) -> None:
    series = add(server.fleet, key("orders"))
    identity = series.key.id
    server.alerting.engine.alerts[identity] = notice(identity, resource="orders")
    found, _ = await page_and_words(server, client, identity)
    fields = {field["name"] or "": field["value"] or "" for field in found.all("input") if "value" in field}
    got = await client.post(f"/alerts/{identity}/ack", data=fields)
    assert (got.status_code, got.headers["location"]) == (303, f"/series/{identity}?range=3h")
    words = (await page_and_words(server, client, identity))[1]
    assert "Acknowledged by" in words
    assert f"/alerts/{identity}/ack" not in [
        form.get("action") for form in (await page(client, f"/series/{identity}")).all("form")
    ]
