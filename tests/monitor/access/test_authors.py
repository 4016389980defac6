"""Authors of actions: their recorded names, the forms shown to them, and forged requests."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from monitor.access.principal import Principal
from tests.monitor.access.authenticated_server import (
    ADA_PASSWORD,
    AUTH,
    BOB_PASSWORD,
    OPERATOR_TOKEN,
    READER_TOKEN,
    AuthenticatedServer,
    authenticated_server,
    basic,
    bearer,
)
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import add, key
from tests.monitor.web.pages import Page

PROXY = "10.1.2.3"
CAROL = {"X-Forwarded-User": "carol", "X-Role": "operate"}
ADA = basic("ada", ADA_PASSWORD)


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[AuthenticatedServer]:
    async with authenticated_server(tmp_path, AUTH) as server:
        yield server


@pytest.fixture
async def alert(server: AuthenticatedServer) -> str:
    """The id of an alert that fires."""
    series = add(server.server.fleet, key("orders")).key
    server.server.alerting.engine.alerts[series.id] = notice(series.id, resource=series.resource)
    await server.server.publish()
    return series.id


async def load_page(client: httpx.AsyncClient, path: str) -> Page:
    """Request a page, and return it parsed."""
    response = await client.get(path, headers={"Accept": "text/html"})
    assert response.status_code == 200, response.text
    return Page(response.text)


def field_names(page: Page) -> set[str | None]:
    """Return the names of the fields that people can fill in."""
    return {field.get("name") for field in page.all("input") if field.get("type") != "hidden"}


def form_urls(page: Page) -> list[str | None]:
    """Return the URLs of the forms that change something."""
    return [form["action"] for form in page.all("form") if form.get("method") == "post"]


@pytest.mark.parametrize(
    ("name", "claimed_name", "author"),
    [
        (None, "ann", "ann"),
        (None, " ann\n b ", "ann b"),
        ("ann", "", "ann"),
        ("ann", "ann ", "ann"),
        ("chatops", "ann", "chatops (ann)"),
    ],
)
def test_an_author_is_the_principal_followed_by_the_claimed_name_in_brackets(
    name: str | None, claimed_name: str, author: str
) -> None:
    assert Principal(name).author_name(claimed_name) == author


@pytest.mark.parametrize(
    ("headers", "peer", "author"), [(ADA, "192.0.2.1", "ada"), (CAROL, PROXY, "carol")], ids=["ada", "carol"]
)
async def test_the_author_of_an_action_on_the_page_is_the_logged_in_user(
    server: AuthenticatedServer, alert: str, headers: Any, peer: str, author: str
) -> None:
    silences = server.server.alerting.engine.silences
    async with server.client(peer, **headers) as client:
        page = await load_page(client, "/alerts")
        assert "author" not in field_names(page)
        form = {"token": page.token, "back": "/alerts", "duration": "1 h"}
        assert (await client.post(f"/alerts/{alert}/ack", data=form)).status_code == 303
        assert silences.acknowledgements[alert].author == author
        await client.post(f"/alerts/{alert}/unack", data=form)
        forged = form | {"author": "the boss"}
        assert (await client.post(f"/alerts/{alert}/ack", data=forged)).status_code == 303
        assert silences.acknowledgements[alert].author == author
        assert (await client.post(f"/alerts/{alert}/silence", data=form)).status_code == 303
        assert [silence.author for silence in silences.stored] == [author]


async def test_the_author_of_an_action_over_the_api_is_the_token_followed_by_the_claimed_name(
    server: AuthenticatedServer, alert: str
) -> None:
    body = {"author": "ann", "comment": "on it"}
    silence = {**body, "matchers": ['service="s3"'], "duration": "1h"}
    async with server.client(**bearer(OPERATOR_TOKEN)) as client:
        response = await client.post(f"/api/v1/alerts/{alert}/ack", json=body)
        assert response.json()["acknowledged_by"] == "otto (ann)"
        created = await client.post("/api/v1/silences", json=silence)
        assert created.json()["author"] == "otto (ann)"
        ended = await client.delete(f"/api/v1/silences/{created.json()['id']}")
        assert ended.status_code == 200


@pytest.mark.parametrize("path", ["/alerts", "/series/{}"])
async def test_forms_are_shown_only_with_the_role_operate(
    server: AuthenticatedServer, alert: str, path: str
) -> None:
    """Two users take turns: a form for one user is not shown to the other."""
    address = path.format(alert)
    for _ in range(2):
        async with server.client(**bearer(READER_TOKEN)) as client:
            assert not form_urls(await load_page(client, address))
        async with server.client(**ADA) as client:
            page = await load_page(client, address)
            assert form_urls(page) and "author" not in field_names(page)
    server.configure(None)
    async with server.client() as client:
        page = await load_page(client, address)
        assert form_urls(page) and "author" not in field_names(page)


async def test_a_silence_is_ended_only_with_the_role_operate(server: AuthenticatedServer, alert: str) -> None:
    async with server.client(**ADA) as client:
        token = (await load_page(client, "/alerts")).token
        await client.post(f"/alerts/{alert}/silence", data={"token": token, "duration": "1 h"})
        (silence,) = server.server.alerting.engine.silences.stored
        assert f"/silences/{silence.id}/end" in form_urls(await load_page(client, "/alerts/silenced"))
    async with server.client(**basic("bob", BOB_PASSWORD)) as client:
        page = await load_page(client, "/alerts/silenced")
        assert "by ada" in " ".join(page.words.split())
        assert not form_urls(page)
        response = await client.post(f"/silences/{silence.id}/end", data={"token": token})
        assert response.status_code == 403
    assert server.server.alerting.engine.silences.stored == [silence]


async def test_an_anonymous_user_sees_the_form_and_must_log_in_to_send_it(
    server: AuthenticatedServer, alert: str
) -> None:
    server.configure({"allow_anonymous": True, "users": AUTH["users"]})
    async with server.client() as client:
        page = await load_page(client, "/alerts")
        form = {"token": page.token}
        response = await client.post(f"/alerts/{alert}/ack", data=form)
        assert response.status_code == 401 and response.headers["www-authenticate"].startswith("Basic ")
        assert (await client.post(f"/alerts/{alert}/ack", data=form, headers=ADA)).status_code == 303
    assert server.server.alerting.engine.silences.acknowledgements[alert].author == "ada"


CROSS_SITE_HEADERS = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://localhost:81"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", CROSS_SITE_HEADERS)
@pytest.mark.parametrize(
    ("credentials", "peer"), [(ADA, "192.0.2.1"), (CAROL, PROXY)], ids=["a password", "the proxy"]
)
async def test_requests_from_another_site_are_rejected_despite_the_browsers_credentials(
    server: AuthenticatedServer, alert: str, headers: dict[str, str], credentials: Any, peer: str
) -> None:
    silences = server.server.alerting.engine.silences
    ack = {"author": "x", "comment": "y"}
    silence = {"matchers": ['service="s3"'], "duration": 60, **ack}
    async with server.client(peer, **credentials) as client:
        form = {"token": (await load_page(client, "/alerts")).token, "author": "x", "duration": "1 h"}
        for path, body in (
            ("/-/reload", {}),
            ("/api/v1/deliveries/replay", {}),
            (f"/api/v1/alerts/{alert}/ack", {"json": ack}),
            ("/api/v1/silences", {"json": silence}),
            (f"/alerts/{alert}/ack", {"data": form}),
            (f"/alerts/{alert}/silence", {"data": form}),
        ):
            response = await client.post(path, headers=headers, **body)
            assert (path, response.status_code) == (path, 403)
        response = await client.delete("/api/v1/silences/any", headers=headers)
        assert response.status_code == 403
    assert not silences.acknowledgements and not silences.stored and not server.server.reload_count
