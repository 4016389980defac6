"""The API of alerts, silences and deliveries."""

import time
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from monitor.alerting.sender import DeliveryTarget
from monitor.config.config import Config
from monitor.fleet.judge import judge
from monitor.fleet.metric_query import metric_query
from monitor.notifiers.notice import Notification
from monitor.outbound.result import DeliveryResult, delivered_result, refused_result
from monitor.schema.types import ConfigContext
from tests.monitor.alerting.harness import configuration
from tests.monitor.fleet.fleets import NOW, SETTINGS, add, key, traffic
from tests.monitor.fleet_server import Server, client_of, error_of, json_of
from tests.registries import REGISTRY

ALERTS, SILENCES, DELIVERIES = "/api/v1/alerts", "/api/v1/silences", "/api/v1/deliveries"
ACK = {"author": "me", "comment": "on it"}
SILENCE = {"matchers": ['service="kinesis"'], "duration": "2h", "author": "me", "comment": "load test"}
NEAR_BYTES = 57_000  # in a minute: 95 % of the limit of 1000 bytes/s


async def fire_alerts(server: Server, *resources: str, minutes: int = 6) -> list[str]:
    """Write usage near the limit for each stream, judge it, and return the ids of the streams' alerts.

    minutes: the number of minutes with usage; after three, the alerts are pending, after six, they fire. The
    longer the name of a stream, the higher is its usage.
    """
    for resource in resources:
        query = metric_query(traffic.of(StreamName=key(resource).id))
        if query not in server.fleet.metrics(key(resource).cell):
            add(server.fleet, key(resource), SETTINGS)
        row = server.fleet.metrics(key(resource).cell)[query]
        point = NEAR_BYTES + len(resource)
        for minute in range(NOW, NOW + minutes):
            server.fleet.rings.write(np.array([row]), np.array([minute]), np.array([point], np.float32))
    judge(server.fleet, NOW + minutes)
    await server.alerting.engine.process(server.status, {})
    return [key(resource).id for resource in resources]


async def test_firing_and_pending_alerts_are_listed(server: Server, client: httpx.AsyncClient) -> None:
    (orders,) = await fire_alerts(server, "orders")
    (clicks,) = await fire_alerts(server, "clicks", minutes=3)
    alerts = await json_of(client, ALERTS)
    assert alerts["total"] == 2
    first, second = alerts["items"]
    assert (first["id"], first["state"], first["severity"], first["zone"]) == (
        orders,
        "firing",
        "warning",
        "near",
    )
    assert (second["id"], second["state"], second["severity"]) == (clicks, "pending", "warning")
    assert first["summary"].startswith("Kinesis stream `orders`")
    assert (first["limit"], first["unit"]) == (1000.0, "bytes/s")
    assert first["remedy"] and first["docs"].startswith("https://")
    assert first["acknowledged_by"] is first["silenced_by"] is first["inhibited_by"] is None


async def test_a_list_is_limited_and_has_the_number_of_all_alerts(
    server: Server, client: httpx.AsyncClient
) -> None:
    await fire_alerts(server, *(f"stream-{n}" for n in range(5)))
    await fire_alerts(server, *(f"pending-{n}" for n in range(5)), minutes=3)
    alerts = await json_of(client, f"{ALERTS}?limit=7")
    assert (alerts["total"], [item["state"] for item in alerts["items"]]) == (
        10,
        ["firing"] * 5 + ["pending"] * 2,
    )
    assert [item["state"] for item in (await json_of(client, f"{ALERTS}?limit=2"))["items"]] == ["firing"] * 2
    assert error_of(await client.get(f"{ALERTS}?limit=0")).startswith("limit: ")


async def test_an_acknowledgement_is_listed_and_wakes_the_engine(
    server: Server, client: httpx.AsyncClient
) -> None:
    (alert,) = await fire_alerts(server, "orders")
    server.alerting.engine.wake.clear()
    response = await client.post(f"{ALERTS}/{alert}/ack", json=ACK)
    assert (response.status_code, response.json()["acknowledged_by"]) == (200, "me")
    alert_item = (await json_of(client, ALERTS))["items"][0]
    assert (alert_item["acknowledged_by"], alert_item["acknowledged_comment"]) == ("me", "on it")
    assert server.alerting.engine.wake.is_set()


async def test_an_acknowledgement_can_be_undone(server: Server, client: httpx.AsyncClient) -> None:
    (alert,) = await fire_alerts(server, "orders")
    path = f"{ALERTS}/{alert}/ack"
    assert error_of(await client.delete(path)) == f"the alert {alert} is not acknowledged"
    await client.post(path, json=ACK)
    response = await client.delete(path)
    assert (response.status_code, response.json()["id"], response.json()["acknowledged_by"]) == (
        200,
        alert,
        None,
    )
    assert (await json_of(client, ALERTS))["items"][0]["acknowledged_by"] is None
    assert (await client.delete(f"{ALERTS}/0000/ack")).status_code == 404


async def test_undoing_an_acknowledgement_restores_the_one_it_replaced(
    server: Server, client: httpx.AsyncClient
) -> None:
    (alert,) = await fire_alerts(server, "orders")
    path = f"{ALERTS}/{alert}/ack"
    first = (await client.post(path, json=ACK | {"duration": "2h"})).json()
    await client.post(path, json={"author": "ada", "comment": "mine now"})
    assert (await client.delete(path)).json() == first
    assert (await client.delete(path)).json()["acknowledged_by"] is None


async def test_an_alert_is_listed_with_its_receivers(server: Server, client: httpx.AsyncClient) -> None:
    settings = {"receivers": [{"name": "hook", "type": "webhook", "url": "https://hook.example.org/x"}]}
    config = Config.model_validate(settings, context=ConfigContext())
    server.alerting.configure(config.alerting_settings(REGISTRY))
    (alert,) = await fire_alerts(server, "orders")
    (alert_item,) = (await json_of(client, ALERTS))["items"]
    assert alert_item["receivers"] == [{"receiver": "hook", "state": "soon"}]  # `group_wait` has not passed
    response = await client.post(f"{ALERTS}/{alert}/ack", json=ACK)
    assert response.json()["receivers"] == alert_item["receivers"]


async def test_an_alert_links_to_its_runbook_on_this_server(
    server: Server, client: httpx.AsyncClient
) -> None:
    await fire_alerts(server, "orders")
    (alert_item,) = (await json_of(client, ALERTS))["items"]
    assert alert_item["runbook"] == "/runbooks/kinesis#kinesisstream_write_bytes"


async def test_a_silence_has_the_number_of_alerts_it_matches(
    server: Server, client: httpx.AsyncClient
) -> None:
    await fire_alerts(server, "orders")
    response = (await client.post(SILENCES, json=SILENCE)).json()
    assert (response["alerts"], response["unmatched_reason"]) == (1, None)
    response = (await client.post(SILENCES, json=SILENCE | {"matchers": ['resource="order"']})).json()
    assert (response["alerts"], response["unmatched_reason"]) == (
        0,
        'No series has resource="order"; did you mean orders?',
    )
    silences = (await json_of(client, SILENCES))["items"]
    assert sorted((silence["alerts"], silence["unmatched_reason"] is None) for silence in silences) == [
        (0, False),
        (1, True),
    ]


async def test_an_acknowledgement_with_a_duration_has_an_end(
    server: Server, client: httpx.AsyncClient
) -> None:
    (alert,) = await fire_alerts(server, "orders")
    before = time.time()
    response = await client.post(f"{ALERTS}/{alert}/ack", json=ACK | {"duration": "2h"})
    acknowledged_until = datetime.fromisoformat(response.json()["acknowledged_until"]).timestamp()
    assert before + 7200 <= acknowledged_until <= time.time() + 7200
    assert server.alerting.engine.silences.acknowledgements[alert].until == pytest.approx(acknowledged_until)


async def test_an_alert_that_does_not_fire_cannot_be_acknowledged(
    server: Server, client: httpx.AsyncClient
) -> None:
    (pending,) = await fire_alerts(server, "orders", minutes=3)
    for alert in ("0123456789abcdef", pending, "no id", "%2e%2e"):
        response = await client.post(f"{ALERTS}/{alert}/ack", json=ACK)
        assert response.status_code == 404
    assert error_of(response) == "no alert with the id .. fires"


TOTALS_BY_QUERY = {
    'match=service="kinesis"': 3,
    'match=resource="orders"&match=service="kinesis"': 1,
    'match=service="s3"': 0,
    'match=severity="warning"&state=pending': 1,
    "state=firing": 2,
    "state=pending": 1,
    'match=service="kinesis"&limit=1': 3,
}


@pytest.mark.parametrize(("query", "total"), TOTALS_BY_QUERY.items())
async def test_alerts_are_filtered_by_labels_and_state(
    server: Server, client: httpx.AsyncClient, query: str, total: int
) -> None:
    await fire_alerts(server, "orders", "audit")
    await fire_alerts(server, "clicks", minutes=3)
    alerts = await json_of(client, f"{ALERTS}?{quote(query, safe='=&')}")
    assert alerts["total"] == total
    assert len(alerts["items"]) == (1 if "limit=1" in query else total)


async def test_an_invalid_filter_of_alerts_is_rejected_with_a_sentence(client: httpx.AsyncClient) -> None:
    for query, sentence in {"match=a%3D%3Db": "match: column 3: ", "state=resolved": "state: "}.items():
        response = await client.get(f"{ALERTS}?{query}")
        assert response.status_code == 422 and error_of(response).startswith(sentence)


# The path, in which {} is the id of the alert, the body, and a part of the error.
INVALID_BODIES: dict[str, tuple[str, dict[str, Any], str]] = {
    "acknowledge: no comment": (f"{ALERTS}/{{}}/ack", {"author": "me"}, "comment: Field required"),
    "acknowledge: empty comment": (f"{ALERTS}/{{}}/ack", {"author": "me", "comment": ""}, "comment: "),
    "acknowledge: comment of spaces": (
        f"{ALERTS}/{{}}/ack",
        {"author": "me", "comment": "  "},
        "expected comment, as text",
    ),
    "acknowledge: long author": (f"{ALERTS}/{{}}/ack", {"author": "x" * 1001, "comment": "y"}, "author: "),
    "acknowledge: unknown field": (f"{ALERTS}/{{}}/ack", ACK | {"until": 1}, "until: "),
    "acknowledge: duration of 0": (f"{ALERTS}/{{}}/ack", ACK | {"duration": 0}, "duration: "),
    "acknowledge: list as body": (f"{ALERTS}/{{}}/ack", [1], "body: "),  # type: ignore[dict-item]
    "silence: no matchers": (SILENCES, SILENCE | {"matchers": []}, "matchers: "),
    "silence: matcher without a value": (SILENCES, SILENCE | {"matchers": ["service="]}, "column 9: "),
    "silence: invalid second matcher": (
        SILENCES,
        SILENCE | {"matchers": ['service="s3"', "a=~b("]},
        "column 4: ",
    ),
    "silence: matcher of everything": (
        SILENCES,
        SILENCE | {"matchers": ['service=~".*"']},
        "does not match everything",
    ),
    "silence: no duration": (
        SILENCES,
        {name: SILENCE[name] for name in SILENCE if name != "duration"},
        "duration: Field required",
    ),
    "silence: duration of 0": (SILENCES, SILENCE | {"duration": 0}, "duration: "),
    "silence: negative duration": (SILENCES, SILENCE | {"duration": "-1h"}, "duration: "),
    "silence: duration that is no number": (SILENCES, SILENCE | {"duration": "soon"}, "duration: "),
    "silence: endless duration": (SILENCES, SILENCE | {"duration": 1e300}, "at most a year"),
    "silence: unknown field": (SILENCES, SILENCE | {"created_by": "x"}, "created_by: "),
}


@pytest.mark.parametrize(("path", "body", "sentence"), INVALID_BODIES.values(), ids=INVALID_BODIES)
async def test_an_invalid_body_is_rejected_with_the_reason(
    server: Server, client: httpx.AsyncClient, path: str, body: dict[str, Any], sentence: str
) -> None:
    (alert,) = await fire_alerts(server, "orders")
    response = await client.post(path.format(alert), json=body)
    assert response.status_code == 422
    assert sentence in error_of(response)
    assert not server.alerting.engine.silences.acknowledgements and not server.alerting.engine.silences.stored


# The headers and the body of each request.
NOT_JSON: dict[str, tuple[dict[str, str], bytes]] = {
    "a form": ({"content-type": "application/x-www-form-urlencoded"}, b"author=me&comment=x"),
    "text": ({"content-type": "text/plain"}, b'{"author":"me","comment":"x"}'),
    "a form with files": ({"content-type": "multipart/form-data; boundary=x"}, b"--x--"),
    "no content type": ({}, b'{"author":"me","comment":"x"}'),
    "no body": ({}, b""),
    "invalid JSON": ({"content-type": "application/json"}, b"{"),
    "invalid UTF-8": ({"content-type": "application/json"}, b'"\xff"'),
}


@pytest.mark.parametrize(("headers", "body"), NOT_JSON.values(), ids=NOT_JSON)
async def test_a_body_that_is_not_json_is_rejected(
    server: Server, client: httpx.AsyncClient, headers: dict[str, str], body: bytes
) -> None:
    (alert,) = await fire_alerts(server, "orders")
    response = await client.post(f"{ALERTS}/{alert}/ack", headers=headers, content=body)
    assert 400 <= response.status_code < 500
    assert error_of(response)
    assert not server.alerting.engine.silences.acknowledgements


SENDERS = {  # by the sender of a request: the headers, and the status
    "another site's form": ({"sec-fetch-site": "cross-site"}, 403),
    "a sibling domain's form": ({"sec-fetch-site": "same-site"}, 403),
    "another site's form in an old browser": ({"origin": "https://evil.example"}, 403),
    "a sandboxed frame": ({"origin": "null"}, 403),
    "our own page": ({"sec-fetch-site": "same-origin", "origin": "https://proxied.example"}, 200),
    "our own page in an old browser": ({"origin": "http://headroom"}, 200),
    "a script": ({}, 200),
}


@pytest.mark.parametrize(("headers", "status"), SENDERS.values(), ids=SENDERS)
async def test_requests_from_another_site_change_nothing(
    server: Server, client: httpx.AsyncClient, headers: dict[str, str], status: int
) -> None:
    for path in (f"{DELIVERIES}/replay", "/-/reload"):
        response = await client.post(path, headers=headers)
        assert response.status_code == status, path
    if status == 403:
        assert "another site" in error_of(response)
    assert (await client.get(ALERTS, headers=headers)).status_code == 200


async def chunks() -> AsyncIterator[bytes]:
    """Yield a body that is too large, piece by piece."""
    for _ in range(20):
        yield b" " * 100_000


@pytest.mark.parametrize("in_chunks", [False, True])
async def test_a_body_over_a_mebibyte_is_rejected(client: httpx.AsyncClient, in_chunks: bool) -> None:
    content = chunks() if in_chunks else b'"' + b"x" * 1024**2 + b'"'
    response = await client.post(SILENCES, content=content, headers={"content-type": "application/json"})
    assert response.status_code == 413
    assert error_of(response) == "expected a body of at most 1 MiB"


async def test_a_body_of_a_mebibyte_is_read(client: httpx.AsyncClient) -> None:
    body = b'{"matchers": ["a=b"], "duration": 60, "author": "me", "comment": "x"'
    body += b" " * (1024**2 - len(body) - 1) + b"}"
    response = await client.post(SILENCES, content=body, headers={"content-type": "application/json"})
    assert response.status_code == 200


async def test_a_silence_is_created_listed_and_ended(server: Server, client: httpx.AsyncClient) -> None:
    await fire_alerts(server, "orders")
    silence = (await client.post(SILENCES, json=SILENCE)).json()
    assert silence["matchers"] == ['service="kinesis"']
    assert (await json_of(client, SILENCES))["items"] == [silence]
    assert (await json_of(client, ALERTS))["items"][0]["silenced_by"] == silence["id"]
    assert (await client.delete(f"{SILENCES}/{silence['id']}")).json() == silence
    assert (await json_of(client, SILENCES))["items"] == []
    response = await client.delete(f"{SILENCES}/{silence['id']}")
    assert (response.status_code, error_of(response)) == (404, f"no silence has the id {silence['id']}")


async def test_the_history_is_filtered_by_alert_and_limited(
    server: Server, client: httpx.AsyncClient
) -> None:
    orders, clicks = await fire_alerts(server, "orders", "clicks")
    history = await json_of(client, f"{ALERTS}/history")
    assert ([item["alert"] for item in history["items"]], history["total"]) == ([clicks, orders], 2)
    orders_history = await json_of(client, f"{ALERTS}/history?alert={orders}")
    assert [(item["alert"], item["kind"]) for item in orders_history["items"]] == [(orders, "firing")]
    assert orders_history["total"] == 1
    limited_history = await json_of(client, f"{ALERTS}/history?limit=1")
    assert (len(limited_history["items"]), limited_history["total"]) == (1, 2)
    for invalid in ("limit=0", "limit=1001", "limit=x"):
        assert error_of(await client.get(f"{ALERTS}/history?{invalid}")).startswith("limit: ")


async def test_deliveries_are_listed_and_dead_letters_sent_again(
    server: Server, client: httpx.AsyncClient
) -> None:
    results: list[DeliveryResult] = [
        refused_result("http_400", "it answered 400"),
        delivered_result("it answered 200"),
    ]
    sent: list[Notification] = []

    async def send(notification: Notification) -> DeliveryResult:
        sent.append(notification)
        return results[len(sent) - 1]

    alerting = server.alerting
    alerting.delivery.configure([DeliveryTarget(name="on-call", send=send)])
    alerting.engine.configure(configuration(["on-call"]).alerting_settings(REGISTRY))
    await fire_alerts(server, "orders")
    sender = alerting.delivery.senders["on-call"]
    await sender.send_due()
    alerting.reachability.unreachable["on-call"] = "https://example.org: the connection failed"
    (receiver,) = (await json_of(client, DELIVERIES))["items"]
    assert (receiver["receiver"], receiver["queued"], receiver["failed"]) == ("on-call", 0, 1)
    assert receiver["unreachable"] == alerting.reachability.unreachable.pop("on-call")
    assert receiver["dead_letters"][0]["error"] == "it answered 400"
    response = await client.post(f"{DELIVERIES}/replay?receiver=nobody")
    assert (response.status_code, error_of(response)) == (404, "no receiver is called nobody")
    response = await client.post(f"{DELIVERIES}/replay?receiver=on-call")
    assert response.json() == {"replayed": 1}
    await sender.send_due()
    (receiver,) = (await json_of(client, DELIVERIES))["items"]
    assert (receiver["dead_letters"], receiver["sent"], receiver["last_error"]) == ([], 1, None)
    assert receiver["unreachable"] is None
    assert sent[0].id == sent[1].id
    assert (await client.post(f"{DELIVERIES}/replay")).json() == {"replayed": 0}


async def test_headroom_is_not_ready_while_the_journal_fails(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    folder.mkdir()
    (folder / "headroom.db.lock").mkdir()  # a folder in place of the file: no process can take the lock
    async with Server.opened(folder) as server, client_of(server) as client:
        response = await client.get("/-/ready")
        assert response.status_code == 503
        assert "headroom.db cannot be used" in error_of(response)
        assert (await client.get("/-/healthy")).status_code == 200
        (orders,) = await fire_alerts(server, "orders")  # alerts are in memory, too
        assert [item["id"] for item in (await json_of(client, ALERTS))["items"]] == [orders]
        assert "headroom_journal_healthy 0.0" in (await client.get("/metrics")).text
        (folder / "headroom.db.lock").rmdir()
        await server.alerting.journal.maintain()
        assert (await client.get("/-/ready")).status_code == 200
        assert [item["alert"] for item in (await json_of(client, f"{ALERTS}/history"))["items"]] == [orders]
