"""The tabs of the page of alerts: their alerts and receivers, the history, and the page without alerts."""

import html
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import httpx
import pytest

from monitor.alerting.firing_alerts import FiringAlert
from monitor.alerting.records import Acknowledgement, Silence
from monitor.alerting.sender import DeliveryTarget
from monitor.config.config import Config
from monitor.notifiers.notice import Notice, NoticeKind, Notification, Severity
from monitor.outbound.result import DeliveryResult, refused_result, retry_result
from monitor.schema.types import ConfigContext
from monitor.web.alert_rows import AlertTab, by_tab, roots_with_inhibited
from rules.band import Zone
from tests.monitor.alerting.notices import notice
from tests.monitor.alerting.pending import notice as numbered_notice
from tests.monitor.api.test_alerts import fire_alerts
from tests.monitor.fleet.fleets import add, key, set_judgement
from tests.monitor.fleet_server import Server
from tests.monitor.web.pages import Page, page
from tests.registries import REGISTRY

RECEIVERS = [
    {"name": name, "type": "webhook", "url": f"https://{name}.example.org/secret"}
    for name in ("pager", "mail")
]


def firing_alert(
    alert: str,
    severity: Severity = Severity.WARNING,
    inhibited_by: FiringAlert | None = None,
    acknowledged: Severity | None = None,
    silenced: bool = False,
) -> FiringAlert:
    """Return a firing alert.

    inhibited_by: the alert that inhibits it. acknowledged: the acknowledged severity.
    """
    firing_notice = notice(alert, severity)
    ack = Acknowledgement(
        alert=alert, severity=acknowledged or severity, author="ana", comment="on it", at=0.0
    )
    silence = Silence(id="s", matchers=("a=b",), starts=0.0, ends=1.0, author="ana", comment="x")
    return FiringAlert(
        firing_notice,
        ack if acknowledged else None,
        silence if silenced else None,
        inhibited_by.notice if inhibited_by else None,
    )


def tabs(alerts: Sequence[FiringAlert]) -> dict[str, str]:
    """Return the tab of each alert, by the id of the alert; empty for the tab of firing alerts."""
    return {alert.notice.alert: tab.value for tab, found in by_tab(alerts).items() for alert in found}


def test_each_alert_is_in_one_tab_and_an_inhibited_alert_is_with_the_alert_that_inhibits_it() -> None:
    cause = firing_alert("cause")
    acknowledged = firing_alert("acked", acknowledged=Severity.WARNING)
    alerts = [
        cause,
        acknowledged,
        firing_alert("inhibited", inhibited_by=cause),
        firing_alert("inhibited by acked", inhibited_by=acknowledged),
        firing_alert(
            "inhibited by both", inhibited_by=firing_alert("inhibited by acked", inhibited_by=acknowledged)
        ),
        firing_alert("silenced", silenced=True),
        firing_alert("acked itself", inhibited_by=cause, acknowledged=Severity.WARNING),
        firing_alert("orphan", inhibited_by=firing_alert("gone")),
    ]
    assert tabs(alerts) == {
        "cause": "",
        "inhibited": "",
        "orphan": "",
        "acked": "acknowledged",
        "inhibited by acked": "acknowledged",
        "inhibited by both": "acknowledged",
        "acked itself": "acknowledged",
        "silenced": "silenced",
    }


def test_an_alert_above_its_acknowledged_severity_is_with_the_firing_alerts() -> None:
    assert tabs([firing_alert("a", Severity.CRITICAL, acknowledged=Severity.WARNING)]) == {"a": ""}
    assert tabs([firing_alert("a", Severity.INFO, acknowledged=Severity.WARNING)]) == {"a": "acknowledged"}


def test_alerts_that_inhibit_each_other_are_all_shown() -> None:
    first = firing_alert("a")
    second = firing_alert("b", inhibited_by=first)
    circle = [replace(first, inhibited_by=second.notice), second]
    assert sorted(alert.notice.alert for tab in by_tab(circle).values() for alert in tab) == ["a", "b"]


def test_the_most_severe_alerts_come_first_each_followed_by_the_alerts_it_inhibits() -> None:
    cause, worse = firing_alert("cause"), firing_alert("worse", Severity.CRITICAL)
    alerts = [
        cause,
        firing_alert("info", Severity.INFO),
        firing_alert("inhibited", Severity.CRITICAL, inhibited_by=cause),
        worse,
    ]
    assert [
        (severity.value, alert.notice.alert, follows)
        for severity, alert, follows in roots_with_inhibited(alerts)
    ] == [
        ("critical", "worse", False),
        ("warning", "cause", False),
        ("warning", "inhibited", True),
        ("info", "info", False),
    ]


def plain(markup: str) -> str:
    """Return the words of markup, with a space where elements meet."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


async def words(client: httpx.AsyncClient, path: str) -> str:
    """Return the words of a page below its header."""
    text = (await client.get(path)).text
    assert Page(text).words  # the page is well-formed
    return plain(text.partition("<main")[2])


def row_words(text: str, alert: str) -> str:
    """Return the words of the row of an alert."""
    return plain(text.partition(f'<tr id="alert-{alert}"')[2].partition("</tr>")[0].partition(">")[2])


async def test_every_tab_has_its_own_address(client: httpx.AsyncClient) -> None:
    for tab in AlertTab:
        found = await page(client, tab.path)
        assert tab.path in [link["href"] for link in found.all("a") if link.get("aria-current") == "page"]
        assert {other.path for other in AlertTab} <= {*found.links}
    for path in ("/alerts/nosuch", "/alerts/", "/alerts/firing"):
        assert (await client.get(path)).status_code == 404


async def test_a_row_shows_severity_zone_usage_account_region_forecast_and_receivers(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("orders"))
    set_judgement(server.fleet, series, Zone.SATURATED, usage=950.0, saturation=8.9)
    server.alerting.engine.alerts[series.key.id] = notice(
        series.key.id, Severity.CRITICAL, resource="orders", since=0.0
    )
    await server.publish()
    text = (await client.get("/alerts")).text
    row = row_words(text, series.key.id)
    assert row.startswith("critical")
    assert "saturated orders 8.9 throttled/s : Kinesis stream writes 950 B/s of 1000 B/s (95 %)" in row
    assert "123456789012 eu-west-1 not known" in row
    assert "nobody" in row and row.endswith("Runbook")
    assert "/runbooks/kinesis#kinesisstream_write_bytes" in Page(text).links
    assert "critical: someone is woken · 1" in " ".join(Page(text).words.split())


@pytest.fixture
async def server_with_receivers(server: Server) -> Server:
    """The server with two receivers."""
    settings = {"receivers": RECEIVERS, "route": {"group_wait": 0, "receiver": ["pager", "mail"]}}
    config = Config.model_validate(settings, context=ConfigContext())
    server.alerting.configure(config.alerting_settings(REGISTRY))
    return server


async def answer_with(server: Server, result: DeliveryResult, *names: str) -> None:
    """Let the receivers answer with this result, and send their queued notices."""

    async def send(_: Notification) -> DeliveryResult:
        return result

    for name in names:
        sender = server.alerting.delivery.senders[name]
        sender.target = DeliveryTarget(name=name, send=send)
        await sender.send_due()


async def receivers_column(client: httpx.AsyncClient, alert: str) -> str:
    """Return the words in the column of receivers in the row of an alert."""
    return row_words((await client.get("/alerts")).text, alert).partition("not known ")[2]


async def test_a_receiver_that_fails_is_marked_in_the_row_and_at_the_tab(
    server_with_receivers: Server, client: httpx.AsyncClient
) -> None:
    (alert,) = await fire_alerts(server_with_receivers, "orders")
    await server_with_receivers.publish()
    assert "pager : queued , mail : queued" in await receivers_column(client, alert)
    await answer_with(server_with_receivers, retry_result("http", "it answered 429"), "pager")
    await answer_with(server_with_receivers, refused_result("http", "it answered 400"), "mail")
    assert "pager : failing , mail : not delivered" in await receivers_column(client, alert)
    shown = await words(client, "/alerts/receivers")
    assert "Receivers 2 of 2 fail" in shown
    assert "it answered 429" in shown and "1 notification could not be delivered" in shown
    form_fields = {"token": (await page(client, "/alerts")).token, "back": "/alerts/receivers"}
    got = await client.post("/receivers/mail/replay", data=form_fields)
    assert got.status_code == 303
    assert "1 notification will be sent again." in await words(client, "/alerts/receivers")


async def test_the_history_shows_each_change_with_its_reason_and_receivers(
    server_with_receivers: Server, client: httpx.AsyncClient
) -> None:
    (alert,) = await fire_alerts(server_with_receivers, "orders")
    journal = server_with_receivers.alerting.journal
    ended = numbered_notice(
        90, "b", NoticeKind.RESOLVED, resolution_reason="the limit was raised from 1 to 2"
    )
    await journal.commit({}, [numbered_notice(89, "b"), ended])
    shown = await words(client, "/alerts/history")
    assert re.search(r"resolved b the limit was raised from 1 to 2 nobody notified", shown)
    receiver_words = r"pager \(first\) , mail \(first\) 2 notifications"
    assert re.search(rf"firing orders warning: Kinesis stream .* {receiver_words}", shown)
    assert "first to pager at" in shown and "Nobody was notified." in shown
    history_of_alert = await words(client, f"/alerts/history?alert={alert}")
    assert "orders" in history_of_alert and "the limit was raised" not in history_of_alert


async def test_pending_alerts_are_rows_without_buttons(server: Server, client: httpx.AsyncClient) -> None:
    (alert,) = await fire_alerts(server, "orders", minutes=3)
    await server.exposition.publish({}, server.alerting.engine.active_alerts())
    text = (await client.get("/alerts/pending")).text
    assert "nobody yet" in row_words(text, alert)
    assert "<button" not in text.partition('id="alerts"')[2].partition("</section>")[0]
    assert "Pending 1" in await words(client, "/alerts")


EMPTY = "No alert fires"


async def test_without_firing_alerts_the_page_shows_how_many_series_were_judged(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.status = replace(server.status, pending=["eu-west-1 kinesis"])
    shown = await words(client, "/alerts")
    assert f"{EMPTY} Nothing is watched yet, so no alert can fire. Not read yet: eu-west-1 kinesis." in shown
    server.status = replace(server.status, pending=[])
    for name, zone in (("a", Zone.WITHIN), ("b", Zone.BELOW), ("c", Zone.UNOBSERVABLE)):
        set_judgement(server.fleet, add(server.fleet, key(name)), zone, usage=480.0)
    await server.publish()
    shown = await words(client, "/alerts")
    assert re.search(
        rf"{EMPTY} 2 series were judged by samples up to \d\d \w{{3}} \d\d:\d\d UTC ?; 1 could not be", shown
    )
    for tab, sentence in (
        ("pending", "No alert is pending"),
        ("acknowledged", "No alert is acknowledged"),
        ("silenced", "No firing alert is silenced"),
        ("history", "No alert has changed yet"),
        ("receivers", "No receiver is configured"),
    ):
        assert sentence in await words(client, f"/alerts/{tab}")


async def test_without_other_firing_alerts_the_page_counts_the_acknowledged_alerts(
    server: Server, client: httpx.AsyncClient
) -> None:
    (alert,) = await fire_alerts(server, "orders")
    await server.publish()
    await server.alerting.acknowledge(alert, author="Ada", comment="adding shards")
    shown = await words(client, "/alerts")
    assert "No other alert fires" in shown and "1 acknowledged ." in shown
    assert "Ada at" in (shown := await words(client, "/alerts/acknowledged")) and "adding shards" in shown


async def test_a_blind_spot_has_a_row(server: Server, client: httpx.AsyncClient) -> None:
    labels = {"account": "123456789012", "account_name": "prod", "signal": "blind", "cause": "denied"}
    blind = Notice(
        alert="b" * 16,
        number=1,
        kind=NoticeKind.FIRING,
        severity=Severity.WARNING,
        zone="blind",
        summary="prod cannot be read. Remedy: Grant it.",
        labels=labels,
        at=0.0,
        since=0.0,
    )
    server.alerting.engine.alerts[blind.alert] = blind
    text = (await client.get("/alerts")).text
    assert "blind spot prod prod cannot be read. prod" in row_words(text, blind.alert)
    assert {"/blind", "/runbooks/headroom#headroomblind"} <= {*Page(text).links}


async def test_a_long_list_is_cut_to_the_worst_200_alerts(server: Server, client: httpx.AsyncClient) -> None:
    for number in range(230):
        firing_notice = notice(f"{number:016x}", resource=f"stream-{number}")
        server.alerting.engine.alerts[firing_notice.alert] = firing_notice
    text = (await client.get("/alerts")).text
    assert text.count('<tr id="alert-') == 200
    assert "230 firing" in " ".join(Page(text).words.split())
    assert "The worst 200 are shown" in text


async def test_names_are_escaped(server: Server, client: httpx.AsyncClient) -> None:
    name: Any = "<b>&\"'" + "x" * 1000
    firing_notice = notice("a" * 16, resource=name)
    server.alerting.engine.alerts[firing_notice.alert] = firing_notice
    await server.alerting.journal.commit({}, [firing_notice])
    for path in ("/alerts", "/alerts/history"):
        assert "<b>&" not in (await client.get(path)).text
