"""The forms of the pages: acknowledge, silence, end a silence; and forms that are rejected."""

from dataclasses import replace

import httpx
import msgspec
import pytest

from monitor.server.web_app import create_app
from monitor.web.actions import local_path
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import add, key
from tests.monitor.served import Server
from tests.monitor.web.pages import Page, page

Form = dict[str, str]


@pytest.fixture
async def alert(server: Server) -> str:
    """The id of an alert that fires."""
    one = add(server.fleet, key('a "b"')).key
    server.alerting.engine.alerts[one.id] = notice(one.id, resource=one.resource)
    await server.publish()
    return one.id


async def form(client: httpx.AsyncClient, **fields: str) -> Form:
    """Return the fields of a form with its token."""
    return {
        "token": (await page(client, "/alerts")).token,
        "author": "Ada",
        "back": "/?zone=near",
        **fields,
    }


async def test_an_acknowledgement_is_stored_and_redirects_back(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    sent = await form(client, comment="on it")
    got = await client.post(f"/alerts/{alert}/ack", data=sent)
    assert (got.status_code, got.headers["location"]) == (303, "/?zone=near")
    ack = server.alerting.engine.silences.acknowledgements[alert]
    assert (ack.author, ack.comment) == ("Ada", "on it")
    assert "acknowledged by Ada: on it" in " ".join((await page(client, "/")).words.split())


async def test_a_silence_matches_only_its_series_and_can_be_ended(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    silences, labels = server.alerting.engine.silences, server.alerting.engine.alerts[alert].labels
    sent = await form(client, duration="4 h")
    assert (await client.post(f"/alerts/{alert}/silence", data=sent)).status_code == 303
    (silence,) = silences.stored
    assert silence.ends - silence.starts == 4 * 3600
    assert silences.matching(labels, silence.starts) and not silences.matching(
        {**labels, "resource": "b"}, silence.starts
    )
    assert "silenced by Ada" in " ".join((await page(client, "/alerts")).words.split())
    got = await client.post(f"/silences/{silence.id}/end", data=sent)
    assert got.status_code == 303 and not silences.stored
    assert (await client.post(f"/silences/{silence.id}/end", data=sent)).status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
    ],
)
async def test_a_form_of_another_site_is_rejected(
    server: Server, client: httpx.AsyncClient, alert: str, headers: Form
) -> None:
    got = await client.post(f"/alerts/{alert}/ack", data=await form(client), headers=headers)
    assert got.status_code == 403
    assert not server.alerting.engine.silences.acknowledgements


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://headroom"}])
async def test_a_form_of_our_own_site_is_accepted(
    client: httpx.AsyncClient, alert: str, headers: Form
) -> None:
    got = await client.post(f"/alerts/{alert}/ack", data=await form(client), headers=headers)
    assert got.status_code == 303


@pytest.mark.parametrize("path", ["/alerts/{}/ack", "/alerts/{}/silence", "/silences/{}/end"])
@pytest.mark.parametrize("token", ["", "wrong", "\u00e9"])
async def test_a_form_without_the_token_is_rejected(
    server: Server, client: httpx.AsyncClient, alert: str, path: str, token: str
) -> None:
    got = await client.post(path.format(alert), data={"author": "x", "duration": "1 h", "token": token})
    assert got.status_code == 403
    assert not server.alerting.engine.silences.acknowledgements and not server.alerting.engine.silences.stored


@pytest.mark.parametrize(
    ("path", "fields", "status"),
    [
        ("/alerts/{}/ack", {"author": " "}, 422),
        ("/alerts/{}/ack", {"author": "x" * 1001}, 422),
        ("/alerts/{}/silence", {"duration": "for ever"}, 422),
        ("/alerts/{}/silence", {"duration": "1 h", "author": ""}, 422),
        ("/alerts/0000/ack", {}, 404),
        ("/alerts/0000/silence", {"duration": "1 h"}, 404),
        ("/alerts/{}/ack", {f"field{n}": "x" for n in range(20)}, 422),
    ],
)
async def test_an_invalid_form_is_answered_with_an_error_page(
    client: httpx.AsyncClient, alert: str, path: str, fields: Form, status: int
) -> None:
    got = await client.post(path.format(alert), data=await form(client, **fields))
    assert got.status_code == status
    assert "expected" in Page(got.text).words or "no longer firing" in Page(got.text).words


async def test_bodies_that_are_no_form_or_too_large_are_rejected(
    client: httpx.AsyncClient, alert: str
) -> None:
    sent = await form(client)
    assert (await client.post(f"/alerts/{alert}/ack", json=sent)).status_code == 422
    assert (
        await client.post(f"/alerts/{alert}/ack", data=sent | {"comment": "x" * 2**20})
    ).status_code == 413


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/", "/"),
        ("/alerts", "/alerts"),
        ("/?zone=near&resource=%2A.fifo", "/?zone=near&resource=%2A.fifo"),
        ("https://evil.example/", "/"),
        ("//evil.example/", "/"),
        ("/\\evil.example", "/"),
        ("///evil.example", "/evil.example"),
        ("javascript:alert(1)", "/"),
        ("alerts", "/"),
        ("/a\r\nSet-Cookie: x", "/aSet-Cookie%3A%20x"),
    ],
)
def test_redirects_stay_on_this_server(address: str, path: str) -> None:
    assert local_path(address) == path


async def test_a_silence_does_not_match_another_api_of_the_same_name(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    engine, silences = server.alerting.engine, server.alerting.engine.silences
    labels = {**engine.alerts[alert].labels, "resource": "orders", "resource_id": "a1"}
    engine.alerts[alert] = msgspec.structs.replace(engine.alerts[alert], labels=labels)
    assert (
        await client.post(f"/alerts/{alert}/silence", data=await form(client, duration="4 h"))
    ).status_code == 303
    (silence,) = silences.stored
    assert silences.matching(labels, silence.starts)
    assert not silences.matching({**labels, "resource_id": "b2"}, silence.starts)


class SharedTokens:
    """A store as replicas would share it: a form of a page of the one is valid at the other."""

    def token(self) -> str:
        return "shared"

    def is_valid(self, token: str) -> bool:
        return token == "shared"


async def test_another_store_of_form_tokens_can_be_used(alert: str, server: Server) -> None:
    state = replace(server.state, form_tokens=SharedTokens())
    transport = httpx.ASGITransport(create_app(state))
    async with httpx.AsyncClient(transport=transport, base_url="http://headroom") as client:
        assert (await page(client, "/alerts")).token == "shared"
        got = await client.post(f"/alerts/{alert}/ack", data={"author": "Ada", "token": "shared"})
    assert got.status_code == 303
