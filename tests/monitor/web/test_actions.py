"""Acknowledging and muting from the pages, and what is refused."""

import httpx
import pytest

from monitor.web.actions import local
from tests.monitor.alerting.notices import notice
from tests.monitor.fleets import add, key
from tests.monitor.served import Server
from tests.monitor.web.pages import Page, page

Form = dict[str, str]


@pytest.fixture
async def alert(server: Server) -> str:
    """The id of an alert that fires."""
    one = add(server.fleet, key('a "b"')).key
    server.alerting.alarm.standing[one.id] = notice(one.id, resource=one.resource)
    await server.publish()
    return one.id


async def form(client: httpx.AsyncClient, **fields: str) -> Form:
    return {"token": (await page(client, "/alerts")).token, "who": "Ada", "back": "/?zone=critical", **fields}


async def test_an_acknowledgement_is_kept_and_leads_back(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    sent = await form(client, why="on it")
    got = await client.post(f"/alerts/{alert}/ack", data=sent)
    assert (got.status_code, got.headers["location"]) == (303, "/?zone=critical")
    ack = server.alerting.alarm.silences.acks[alert]
    assert (ack.who, ack.why) == ("Ada", "on it")
    assert "acknowledged by Ada: on it" in " ".join((await page(client, "/")).words.split())


async def test_a_mute_is_of_this_series_alone_and_can_be_ended(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    silences, labels = server.alerting.alarm.silences, server.alerting.alarm.standing[alert].labels
    sent = await form(client, lasts="4 h")
    assert (await client.post(f"/alerts/{alert}/mute", data=sent)).status_code == 303
    (mute,) = silences.mutes
    assert mute.ends - mute.starts == 4 * 3600
    assert silences.muting(labels, mute.starts) and not silences.muting(
        {**labels, "resource": "b"}, mute.starts
    )
    assert "muted by Ada" in " ".join((await page(client, "/alerts")).words.split())
    got = await client.post(f"/mutes/{mute.id}/end", data=sent)
    assert got.status_code == 303 and not silences.mutes
    assert (await client.post(f"/mutes/{mute.id}/end", data=sent)).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_a_form_on_another_site_is_refused(
    server: Server, client: httpx.AsyncClient, alert: str, headers: Form
) -> None:
    got = await client.post(f"/alerts/{alert}/ack", data=await form(client), headers=headers)
    assert got.status_code == 403
    assert not server.alerting.alarm.silences.acks


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://headroom"}])
async def test_a_form_of_our_own_is_taken(client: httpx.AsyncClient, alert: str, headers: Form) -> None:
    got = await client.post(f"/alerts/{alert}/ack", data=await form(client), headers=headers)
    assert got.status_code == 303


@pytest.mark.parametrize("path", ["/alerts/{}/ack", "/alerts/{}/mute", "/mutes/{}/end"])
@pytest.mark.parametrize("token", ["", "wrong", "\u00e9"])
async def test_without_our_token_nothing_is_done(
    server: Server, client: httpx.AsyncClient, alert: str, path: str, token: str
) -> None:
    got = await client.post(path.format(alert), data={"who": "x", "lasts": "1 h", "token": token})
    assert got.status_code == 403
    assert not server.alerting.alarm.silences.acks and not server.alerting.alarm.silences.mutes


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/alerts/{}/ack", {"who": " "}, 422),
        ("/alerts/{}/ack", {"who": "x" * 1001}, 422),
        ("/alerts/{}/mute", {"lasts": "for ever"}, 422),
        ("/alerts/{}/mute", {"lasts": "1 h", "who": ""}, 422),
        ("/alerts/0000/ack", {}, 404),
        ("/alerts/0000/mute", {"lasts": "1 h"}, 404),
        ("/alerts/{}/ack", {f"field{n}": "x" for n in range(20)}, 422),
    ],
)
async def test_what_cannot_be_done_is_said_on_a_page(
    client: httpx.AsyncClient, alert: str, path: str, fields: Form, status: int
) -> None:
    got = await client.post(path.format(alert), data=await form(client, **fields))
    assert got.status_code == status
    assert "expected" in Page(got.text).words or "does not fire" in Page(got.text).words


async def test_other_bodies_are_refused(client: httpx.AsyncClient, alert: str) -> None:
    sent = await form(client)
    assert (await client.post(f"/alerts/{alert}/ack", json=sent)).status_code == 422
    assert (await client.post(f"/alerts/{alert}/ack", data=sent | {"why": "x" * 2**20})).status_code == 413


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/", "/"),
        ("/alerts", "/alerts"),
        ("/?zone=critical&resource=%2A.fifo", "/?zone=critical&resource=%2A.fifo"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("///evil.example", "/evil.example"),
        ("javascript:alert(1)", "/"),
        ("alerts", "/"),
        ("/a\r\nSet-Cookie: x", "/aSet-Cookie%3A%20x"),
    ],
)
def test_the_way_back_never_leads_elsewhere(address: str, path: str) -> None:
    assert local(address) == path
