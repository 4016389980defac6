"""Who is recorded, what forms they are offered, and that no other site acts in their name."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.access.visitor import Visitor
from tests.monitor.access.gated import AUTH, HASHED, OPERATOR, READER, SECRET, Guarded, basic, bearer, guarded
from tests.monitor.alerting.notices import notice
from tests.monitor.fleets import add, key
from tests.monitor.web.pages import Page

PROXY = "10.1.2.3"
CAROL = {"X-Forwarded-User": "carol", "X-Role": "operate"}
ADA = basic("ada", SECRET)


@pytest.fixture
async def gate(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with guarded(tmp_path, AUTH) as gate:
        yield gate


@pytest.fixture
async def alert(gate: Guarded) -> str:
    """The id of an alert that fires."""
    one = add(gate.server.fleet, key("orders")).key
    gate.server.alerting.alarm.standing[one.id] = notice(one.id, resource=one.resource)
    await gate.server.publish()
    return one.id


async def page(client: httpx.AsyncClient, path: str) -> Page:
    got = await client.get(path, headers={"Accept": "text/html"})
    assert got.status_code == 200, got.text
    return Page(got.text)


def fields(page: Page) -> set[str | None]:
    """What can be filled in."""
    return {one.get("name") for one in page.all("input") if one.get("type") != "hidden"}


def acting(page: Page) -> list[str | None]:
    """Where the forms that do something send it."""
    return [one["action"] for one in page.all("form") if one.get("method") == "post"]


@pytest.mark.parametrize(
    ("name", "who", "signed"),
    [
        (None, "ann", "ann"),
        (None, " ann\n b ", "ann b"),
        ("ann", "", "ann"),
        ("ann", "ann ", "ann"),
        ("chatops", "ann", "chatops (ann)"),
    ],
)
def test_nobody_signs_with_another_name(name: str | None, who: str, signed: str) -> None:
    assert Visitor(name).signed(who) == signed


@pytest.mark.parametrize(
    ("headers", "peer", "who"), [(ADA, "192.0.2.1", "ada"), (CAROL, PROXY, "carol")], ids=["ada", "carol"]
)
async def test_on_the_page_who_is_logged_in_acts(
    gate: Guarded, alert: str, headers: Any, peer: str, who: str
) -> None:
    silences = gate.server.alerting.alarm.silences
    async with gate.client(peer, **headers) as client:
        shown = await page(client, "/alerts")
        assert "why" in fields(shown) and "who" not in fields(shown)
        sent = {"token": shown.token, "back": "/alerts", "lasts": "1 h"}
        assert (await client.post(f"/alerts/{alert}/ack", data=sent)).status_code == 303
        assert silences.acks[alert].who == who
        forged = sent | {"who": "the boss"}
        assert (await client.post(f"/alerts/{alert}/ack", data=forged)).status_code == 303
        assert silences.acks[alert].who == f"{who} (the boss)"
        assert (await client.post(f"/alerts/{alert}/mute", data=sent)).status_code == 303
        assert [one.who for one in silences.mutes] == [who]


async def test_over_the_api_too(gate: Guarded, alert: str) -> None:
    body = {"who": "ann", "why": "on it"}
    mute = {**body, "matchers": ['service="s3"'], "lasts": "1h"}
    async with gate.client(**bearer(OPERATOR)) as client:
        got = await client.post(f"/api/v1/alerts/{alert}/ack", json=body)
        assert got.json()["acknowledged_by"] == "otto (ann)"
        made = await client.post("/api/v1/silences", json=mute)
        assert made.json()["who"] == "otto (ann)"
        ended = await client.delete(f"/api/v1/silences/{made.json()['id']}")
        assert ended.status_code == 200


@pytest.mark.parametrize("path", ["/", "/alerts", "/series/{}"])
async def test_forms_are_for_those_who_may_act(gate: Guarded, alert: str, path: str) -> None:
    """One after the other: what one was shown is not shown to the next."""
    asked = path.format(alert)
    for _ in range(2):
        async with gate.client(**bearer(READER)) as client:
            assert not acting(await page(client, asked))
        async with gate.client(**ADA) as client:
            shown = await page(client, asked)
            assert acting(shown) and "who" not in fields(shown)
    gate.configure(None)
    async with gate.client() as client:
        assert "who" in fields(await page(client, asked))


async def test_a_mute_is_ended_only_by_those_who_may(gate: Guarded, alert: str) -> None:
    async with gate.client(**ADA) as client:
        token = (await page(client, "/alerts")).token
        await client.post(f"/alerts/{alert}/mute", data={"token": token, "lasts": "1 h"})
        (mute,) = gate.server.alerting.alarm.silences.mutes
        assert f"/mutes/{mute.id}/end" in acting(await page(client, "/alerts"))
    async with gate.client(**basic("bob", HASHED)) as client:
        assert "muted by ada" in " ".join((await page(client, "/alerts")).words.split())
        assert not acting(await page(client, "/alerts"))
        got = await client.post(f"/mutes/{mute.id}/end", data={"token": token})
        assert got.status_code == 403
    assert gate.server.alerting.alarm.silences.mutes == [mute]


async def test_who_is_not_logged_in_yet_is_offered_the_form_and_asked_for_the_password(
    gate: Guarded, alert: str
) -> None:
    gate.configure({"allow_anonymous": True, "users": AUTH["users"]})
    async with gate.client() as client:
        shown = await page(client, "/alerts")
        assert "who" in fields(shown)
        sent = {"token": shown.token, "who": "ada"}
        got = await client.post(f"/alerts/{alert}/ack", data=sent)
        assert got.status_code == 401 and got.headers["www-authenticate"].startswith("Basic ")
        assert (await client.post(f"/alerts/{alert}/ack", data=sent, headers=ADA)).status_code == 303
    assert gate.server.alerting.alarm.silences.acks[alert].who == "ada"


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:81"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", FOREIGN)
@pytest.mark.parametrize(
    ("who", "peer"), [(ADA, "192.0.2.1"), (CAROL, PROXY)], ids=["a password", "the proxy"]
)
async def test_another_site_does_nothing_with_what_the_browser_adds(
    gate: Guarded, alert: str, headers: dict[str, str], who: Any, peer: str
) -> None:
    silences = gate.server.alerting.alarm.silences
    ack, mute = {"who": "x", "why": "y"}, {"matchers": ['service="s3"'], "lasts": 60, "who": "x", "why": "y"}
    async with gate.client(peer, **who) as client:
        sent = {"token": (await page(client, "/alerts")).token, "who": "x", "lasts": "1 h"}
        for path, body in (
            ("/-/reload", {}),
            ("/api/v1/deliveries/replay", {}),
            (f"/api/v1/alerts/{alert}/ack", {"json": ack}),
            ("/api/v1/silences", {"json": mute}),
            (f"/alerts/{alert}/ack", {"data": sent}),
            (f"/alerts/{alert}/mute", {"data": sent}),
        ):
            got = await client.post(path, headers=headers, **body)
            assert (path, got.status_code) == (path, 403)
        got = await client.delete("/api/v1/silences/any", headers=headers)
        assert got.status_code == 403
    assert not silences.acks and not silences.mutes and not gate.server.reloads
