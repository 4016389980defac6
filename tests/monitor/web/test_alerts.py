"""The tabs of the page of alerts: which alert is where, who was told, the history, and the calm."""

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
from monitor.outbound.result import DeliveryResult, refused, retry
from monitor.schema.types import ConfigContext
from monitor.web.alert_rows import AlertTab, by_tab, in_order
from rules.band import Zone
from tests.monitor.alerting.notices import notice
from tests.monitor.alerting.pending import notice as numbered
from tests.monitor.api.test_alerts import fire
from tests.monitor.fleet.fleets import add, judged, key
from tests.monitor.served import Server
from tests.monitor.web.pages import Page, page
from tests.registries import REGISTRY

RECEIVERS = [
    {"name": name, "type": "webhook", "url": f"https://{name}.example.org/secret"}
    for name in ("pager", "mail")
]


def firing(
    alert: str,
    severity: Severity = Severity.WARNING,
    above: FiringAlert | None = None,
    acknowledged: Severity | None = None,
    silenced: bool = False,
) -> FiringAlert:
    """Return a firing alert. above: the one that inhibits it. acknowledged: at which severity."""
    one = notice(alert, severity)
    ack = Acknowledgement(
        alert=alert, severity=acknowledged or severity, author="ana", comment="on it", at=0.0
    )
    silence = Silence(id="s", matchers=("a=b",), starts=0.0, ends=1.0, author="ana", comment="x")
    return FiringAlert(
        one, ack if acknowledged else None, silence if silenced else None, above.notice if above else None
    )


def tabs(alerts: Sequence[FiringAlert]) -> dict[str, str]:
    return {one.notice.alert: tab.value for tab, found in by_tab(alerts).items() for one in found}


def test_each_alert_is_in_one_tab_and_what_follows_is_where_its_cause_is() -> None:
    cause = firing("cause")
    acknowledged = firing("acked", acknowledged=Severity.WARNING)
    alerts = [
        cause,
        acknowledged,
        firing("child", above=cause),
        firing("child of acked", above=acknowledged),
        firing("grandchild", above=firing("child of acked", above=acknowledged)),
        firing("silenced", silenced=True),
        firing("own hand", above=cause, acknowledged=Severity.WARNING),
        firing("orphan", above=firing("gone")),
    ]
    assert tabs(alerts) == {
        "cause": "",
        "child": "",
        "orphan": "",
        "acked": "acknowledged",
        "child of acked": "acknowledged",
        "grandchild": "acknowledged",
        "own hand": "acknowledged",
        "silenced": "silenced",
    }


def test_an_alert_that_got_worse_than_it_was_acknowledged_fires_again() -> None:
    assert tabs([firing("a", Severity.CRITICAL, acknowledged=Severity.WARNING)]) == {"a": ""}
    assert tabs([firing("a", Severity.INFO, acknowledged=Severity.WARNING)]) == {"a": "acknowledged"}


def test_alerts_that_inhibit_each_other_are_shown_all_the_same() -> None:
    first = firing("a")
    second = firing("b", above=first)
    circle = [replace(first, inhibited_by=second.notice), second]
    assert sorted(one.notice.alert for tab in by_tab(circle).values() for one in tab) == ["a", "b"]


def test_the_most_severe_come_first_and_below_each_what_follows_from_it() -> None:
    cause, worse = firing("cause"), firing("worse", Severity.CRITICAL)
    alerts = [cause, firing("info", Severity.INFO), firing("child", Severity.CRITICAL, above=cause), worse]
    assert [(severity.value, one.notice.alert, child) for severity, one, child in in_order(alerts)] == [
        ("critical", "worse", False),
        ("warning", "cause", False),
        ("warning", "child", True),
        ("info", "info", False),
    ]


def plain(markup: str) -> str:
    """Return the words of markup, with a space where elements meet."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", markup)).split())


async def words(client: httpx.AsyncClient, path: str) -> str:
    text = (await client.get(path)).text
    assert Page(text).words  # it is well-formed
    return plain(text.partition("<main")[2])


def row_words(text: str, alert: str) -> str:
    """Return the words of the row of an alert."""
    return plain(text.partition(f'<tr id="alert-{alert}"')[2].partition("</tr>")[0].partition(">")[2])


async def test_every_tab_is_an_address_of_its_own(client: httpx.AsyncClient) -> None:
    for tab in AlertTab:
        found = await page(client, tab.path)
        assert tab.path in [one["href"] for one in found.all("a") if one.get("aria-current") == "page"]
        assert {one.path for one in AlertTab} <= {*found.links}
    for path in ("/alerts/nosuch", "/alerts/", "/alerts/firing"):
        assert (await client.get(path)).status_code == 404


async def test_a_row_says_what_where_how_long_and_who_was_told(
    server: Server, client: httpx.AsyncClient
) -> None:
    series = add(server.fleet, key("orders"))
    judged(server.fleet, series, Zone.SATURATED, usage=950.0, saturation=8.9)
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
async def receivers(server: Server) -> Server:
    """The server with two receivers."""
    given = {"receivers": RECEIVERS, "route": {"group_wait": 0, "receiver": ["pager", "mail"]}}
    config = Config.model_validate(given, context=ConfigContext())
    server.alerting.configure(config.alerting_settings(REGISTRY))
    return server


async def answer_with(server: Server, result: DeliveryResult, *names: str) -> None:
    """Have receivers answer so, and send what is queued."""

    async def send(_: Notification) -> DeliveryResult:
        return result

    for name in names:
        sender = server.alerting.delivery.senders[name]
        sender.target = DeliveryTarget(name=name, send=send)
        await sender.send_due()


async def told_cell(client: httpx.AsyncClient, alert: str) -> str:
    return row_words((await client.get("/alerts")).text, alert).partition("not known ")[2]


async def test_a_receiver_that_fails_is_marked_in_the_row_and_at_the_tab(
    receivers: Server, client: httpx.AsyncClient
) -> None:
    (alert,) = await fire(receivers, "orders")
    await receivers.publish()
    assert "pager : queued , mail : queued" in await told_cell(client, alert)
    await answer_with(receivers, retry("http", "it answered 429"), "pager")
    await answer_with(receivers, refused("http", "it answered 400"), "mail")
    assert "pager : failing , mail : not delivered" in await told_cell(client, alert)
    shown = await words(client, "/alerts/receivers")
    assert "Receivers 2 of 2 fail" in shown
    assert "it answered 429" in shown and "1 notification could not be delivered" in shown
    sent = {"token": (await page(client, "/alerts")).token, "back": "/alerts/receivers"}
    got = await client.post("/receivers/mail/replay", data=sent)
    assert got.status_code == 303
    assert "1 notification will be sent again." in await words(client, "/alerts/receivers")


async def test_the_history_has_each_notification_with_its_reason_and_receivers(
    receivers: Server, client: httpx.AsyncClient
) -> None:
    (alert,) = await fire(receivers, "orders")
    journal = receivers.alerting.journal
    ended = numbered(90, "b", NoticeKind.RESOLVED, resolution_reason="the limit was raised from 1 to 2")
    await journal.commit({}, [numbered(89, "b"), ended])
    shown = await words(client, "/alerts/history")
    assert re.search(r"resolved b the limit was raised from 1 to 2 nobody told", shown)
    told = r"pager \(first\) , mail \(first\) 2 notifications"
    assert re.search(rf"firing orders warning: Kinesis stream .* {told}", shown)
    assert "first to pager at" in shown and "Nobody was told." in shown
    alone = await words(client, f"/alerts/history?alert={alert}")
    assert "orders" in alone and "the limit was raised" not in alone


async def test_pending_alerts_are_rows_without_buttons(server: Server, client: httpx.AsyncClient) -> None:
    (alert,) = await fire(server, "orders", minutes=3)
    await server.exposition.publish({}, server.alerting.engine.active_alerts())
    text = (await client.get("/alerts/pending")).text
    assert "nobody yet" in row_words(text, alert)
    assert "<button" not in text.partition('id="alerts"')[2].partition("</section>")[0]
    assert "Pending 1" in await words(client, "/alerts")


EMPTY = "No alert fires"


async def test_where_nothing_fires_the_page_says_what_that_rests_on(
    server: Server, client: httpx.AsyncClient
) -> None:
    server.status = replace(server.status, pending=["eu-west-1 kinesis"])
    shown = await words(client, "/alerts")
    assert f"{EMPTY} Nothing is watched yet, so no alert can fire. Not read yet: eu-west-1 kinesis." in shown
    server.status = replace(server.status, pending=[])
    for name, zone in (("a", Zone.WITHIN), ("b", Zone.BELOW), ("c", Zone.UNOBSERVABLE)):
        judged(server.fleet, add(server.fleet, key(name)), zone, usage=480.0)
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


async def test_alerts_that_are_handled_are_not_forgotten_where_no_other_fires(
    server: Server, client: httpx.AsyncClient
) -> None:
    (alert,) = await fire(server, "orders")
    await server.publish()
    await server.alerting.acknowledge(alert, author="Ada", comment="adding shards")
    shown = await words(client, "/alerts")
    assert "No other alert fires" in shown and "1 acknowledged ." in shown
    assert "Ada at" in (shown := await words(client, "/alerts/acknowledged")) and "adding shards" in shown


async def test_a_blind_spot_is_a_row(server: Server, client: httpx.AsyncClient) -> None:
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


async def test_a_long_list_is_cut_and_says_so(server: Server, client: httpx.AsyncClient) -> None:
    for number in range(230):
        one = notice(f"{number:016x}", resource=f"stream-{number}")
        server.alerting.engine.alerts[one.alert] = one
    text = (await client.get("/alerts")).text
    assert text.count('<tr id="alert-') == 200
    assert "230 firing" in " ".join(Page(text).words.split())
    assert "The worst 200 are shown" in text


async def test_names_are_text(server: Server, client: httpx.AsyncClient) -> None:
    name: Any = "<b>&\"'" + "x" * 1000
    one = notice("a" * 16, resource=name)
    server.alerting.engine.alerts[one.alert] = one
    await server.alerting.journal.commit({}, [one])
    for path in ("/alerts", "/alerts/history"):
        assert "<b>&" not in (await client.get(path)).text
