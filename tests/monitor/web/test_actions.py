"""The forms of the pages: acknowledge, silence, undo; the results that are shown; forms that are rejected."""

import html
import re
from dataclasses import replace

import httpx
import msgspec
import pytest

from monitor.notifiers.notice import Severity
from monitor.server.web_app import create_app
from monitor.web.actions import local_path
from tests.monitor.alerting.notices import notice
from tests.monitor.fleet.fleets import add, key
from tests.monitor.fleet_server import Server, client_of
from tests.monitor.web.pages import Page, page

Form = dict[str, str]
FORMS = (
    "/alerts/acknowledge",
    "/alerts/silence",
    "/alerts/{}/ack",
    "/alerts/{}/unack",
    "/alerts/{}/comment",
    "/alerts/{}/silence",
    "/acknowledgements/undo",
    "/silences",
    "/silences/undo",
    "/silences/{}/end",
    "/receivers/{}/replay",
)


@pytest.fixture
async def alert(server: Server) -> str:
    """The id of an alert that fires."""
    series_key = add(server.fleet, key('a "b"')).key
    server.alerting.engine.alerts[series_key.id] = notice(series_key.id, resource=series_key.resource)
    await server.publish()
    return series_key.id


async def form(client: httpx.AsyncClient, **fields: str) -> Form:
    """Return the fields of a form with its token."""
    return {"token": (await page(client, "/alerts")).token, "back": "/?zone=near", **fields}


async def shown_result(client: httpx.AsyncClient, path: str = "/alerts") -> tuple[str, dict[str, str]]:
    """Return the result that a page shows of the last form, and the fields of the form that undoes it."""
    text = (await client.get(path)).text
    toast = text.partition('id="form-result"')[2]
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', toast))
    return " ".join(re.sub(r"<[^>]*>", "", toast.partition(">")[2].partition("<form")[0]).split()), fields


async def test_an_acknowledgement_is_stored_and_can_be_undone(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    got = await client.post(f"/alerts/{alert}/ack", data=await form(client))
    assert (got.status_code, got.headers["location"]) == (303, "/?zone=near")
    acknowledgements = server.alerting.engine.silences.acknowledgements
    ack = acknowledgements[alert]
    assert (ack.author, ack.comment, ack.until) == ("page", "acknowledged on the page", None)
    result, undo = await shown_result(client, "/alerts/acknowledged")
    assert result == "a &#34;b&#34; acknowledged."
    assert undo["back"] == "/alerts/acknowledged"
    assert (await shown_result(client))[0] == ""  # a result is shown once
    assert (await client.post("/acknowledgements/undo", data=undo)).headers["location"] == undo["back"]
    assert not acknowledgements
    assert (await shown_result(client))[0] == "Undone."
    await client.post("/acknowledgements/undo", data=undo)
    assert (await shown_result(client))[0] == "There was nothing to undo any more."


async def test_undoing_an_acknowledgement_does_not_end_a_later_acknowledgement_by_another_author(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    await client.post(f"/alerts/{alert}/ack", data=await form(client))
    _, undo = await shown_result(client)
    await server.alerting.acknowledge(alert, author="Bob", comment="mine")
    await client.post("/acknowledgements/undo", data=undo)
    assert server.alerting.engine.silences.acknowledgements[alert].author == "Bob"


async def test_undoing_an_acknowledgement_restores_the_one_it_replaced(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    engine = server.alerting.engine
    engine.alerts[alert] = msgspec.structs.replace(engine.alerts[alert], severity=Severity.WARNING)
    first = await server.alerting.acknowledge(alert, author="Ada", comment="on it", duration=3600)
    engine.alerts[alert] = msgspec.structs.replace(engine.alerts[alert], severity=Severity.CRITICAL)
    await client.post(f"/alerts/{alert}/ack", data=await form(client))
    assert engine.silences.acknowledgements[alert].author == "page"
    _, undo = await shown_result(client)
    await client.post("/acknowledgements/undo", data=undo)
    assert engine.silences.acknowledgements == {alert: first}
    result, _ = await shown_result(client)
    assert re.fullmatch(
        r"Undone\. a &#34;b&#34; is acknowledged by Ada, at \d\d \w{3} \d\d:\d\d UTC\.", result
    )


async def test_acknowledging_an_acknowledged_alert_shows_its_author_and_time(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    form_fields = await form(client)
    first = await server.alerting.acknowledge(alert, author="Ada", comment="on it")
    assert (await client.post(f"/alerts/{alert}/ack", data=form_fields)).status_code == 303
    result, undo = await shown_result(client)
    assert re.fullmatch(
        r"a &#34;b&#34; was acknowledged before, by Ada at \d\d \w{3} \d\d:\d\d UTC\.", result
    )
    assert not undo
    assert server.alerting.engine.silences.acknowledgements[alert] == first


async def test_several_alerts_are_acknowledged_and_silenced_at_once(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    engine = server.alerting.engine
    for name in ("orders", "clicks"):
        series_key = add(server.fleet, key(name)).key
        engine.alerts[series_key.id] = notice(series_key.id, resource=series_key.resource)
    await server.alerting.acknowledge(alert, author="Ada", comment="on it")
    form_fields = {**await form(client), "alert": [*engine.alerts, "0" * 16]}
    assert (await client.post("/alerts/acknowledge", data=form_fields)).status_code == 303
    result, undo = await shown_result(client)
    assert result.startswith("2 alerts acknowledged. a &#34;b&#34; was acknowledged before, by Ada at ")
    assert result.endswith(" 1 alert no longer fires.")
    assert len(engine.silences.acknowledgements) == 3
    await client.post("/acknowledgements/undo", data=undo)
    assert [*engine.silences.acknowledgements] == [alert]
    await client.post("/alerts/silence", data=form_fields | {"duration": "1 h"})
    result, undo = await shown_result(client)
    assert re.match(r"3 silences added, until \d\d \w{3} \d\d:\d\d UTC\. 1 alert no longer fires\.", result)
    assert len(engine.silences.stored) == 3
    await client.post("/silences/undo", data=undo)
    assert not engine.silences.stored
    for path in ("/alerts/acknowledge", "/alerts/silence"):
        await client.post(path, data=await form(client, duration="1 h"))
        assert (await shown_result(client))[0] == "No alert was selected."


async def test_an_alert_that_no_longer_fires_is_reported_without_an_error(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    for path in ("/alerts/0000/ack", "/alerts/0000/silence"):
        got = await client.post(path, data=await form(client, duration="1 h"))
        assert got.status_code == 303
        assert "1 alert no longer fires." in (await shown_result(client))[0]


async def test_a_comment_can_be_added_later(server: Server, client: httpx.AsyncClient, alert: str) -> None:
    acknowledgements = server.alerting.engine.silences.acknowledgements
    path, form_fields = f"/alerts/{alert}/comment", await form(client, comment="adding shards")
    assert (await client.post(path, data=form_fields)).status_code == 404
    await client.post(f"/alerts/{alert}/ack", data=form_fields | {"comment": ""})
    at = acknowledgements[alert].at
    assert (await client.post(path, data=form_fields)).status_code == 303
    assert (await shown_result(client))[0] == "The comment is stored."
    assert (acknowledgements[alert].comment, acknowledgements[alert].at) == ("adding shards", at)
    assert (await client.post(path, data=form_fields | {"comment": " "})).status_code == 422
    assert "adding shards" in (await page(client, "/alerts/acknowledged")).words


async def test_a_silence_matches_only_its_series_and_can_be_ended(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    silences, labels = server.alerting.engine.silences, server.alerting.engine.alerts[alert].labels
    form_fields = await form(client, duration="4 h")
    assert (await client.post(f"/alerts/{alert}/silence", data=form_fields)).status_code == 303
    (silence,) = silences.stored
    assert silence.ends - silence.starts == 4 * 3600
    assert silences.matching_silence(labels, silence.starts) and not silences.matching_silence(
        {**labels, "resource": "b"}, silence.starts
    )
    words = " ".join((await page(client, "/alerts/silenced")).words.split())
    assert "page, until" in words and "1 firing alert" in words
    got = await client.post(f"/silences/{silence.id}/end", data=form_fields)
    assert got.status_code == 303 and not silences.stored
    assert (await client.post(f"/silences/{silence.id}/end", data=form_fields)).status_code == 404


async def test_the_result_of_a_silence_that_matches_nothing_says_so_with_a_hint(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    form_fields = await form(client, duration="1 day", matchers='region="eu-west1"\nservice="kinesis"\n')
    assert (await client.post("/silences", data=form_fields)).status_code == 303
    hint = 'No series has region="eu-west1"; did you mean eu-west-1?'
    assert hint in html.unescape((await shown_result(client))[0])
    assert f"Matches nothing. {hint}" in (await page(client, "/alerts/silenced")).words
    for invalid in ("region=", "", 'resource=~".*"'):
        assert (await client.post("/silences", data=form_fields | {"matchers": invalid})).status_code == 422
    assert len(server.alerting.engine.silences.stored) == 1


@pytest.mark.parametrize("at", ["", "x", "-1", "1e5", "9" * 40, "\u0661"])
async def test_undoing_needs_a_valid_time(client: httpx.AsyncClient, alert: str, at: str) -> None:
    for path in ("/acknowledgements/undo", "/silences/undo"):
        assert (await client.post(path, data=await form(client, at=at))).status_code == 422


@pytest.mark.parametrize(
    "cookie", ["", "x", "acknowledged", "acknowledged.1.1.1.1.<b>", "nosuch.1.1.0.0.", "sent.99999999.0.0.0."]
)
async def test_an_invalid_cookie_shows_no_result(client: httpx.AsyncClient, alert: str, cookie: str) -> None:
    got = await client.get("/alerts", headers={"cookie": f"headroom_form_result={cookie}"})
    assert got.status_code == 200 and 'id="form-result"' not in got.text


async def test_the_result_of_a_form_is_shown_only_to_its_sender(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    got = await client.post(f"/alerts/{alert}/ack", data=await form(client))
    assert "HttpOnly" in got.headers["set-cookie"] and "samesite=strict" in got.headers["set-cookie"].lower()
    async with client_of(server) as other:
        for path in ("/alerts/acknowledged", "/"):
            assert 'id="form-result"' not in (await other.get(path)).text
    got = await client.get("/alerts/acknowledged", headers={"accept-encoding": "gzip"})
    assert got.headers["cache-control"] == "no-store" and 'id="form-result"' in got.text


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


@pytest.mark.parametrize("path", [*FORMS])
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
        ("/alerts/{}/ack", {"comment": "x" * 1001}, 422),
        ("/alerts/{}/silence", {"duration": "for ever"}, 422),
        ("/alerts/{}/silence", {}, 422),
        ("/alerts/{}/ack", {f"field{n}": "x" for n in range(300)}, 422),
        ("/receivers/nosuch/replay", {}, 404),
    ],
)
async def test_an_invalid_form_is_answered_with_an_error_page(
    client: httpx.AsyncClient, alert: str, path: str, fields: Form, status: int
) -> None:
    got = await client.post(path.format(alert), data=await form(client, **fields))
    assert got.status_code == status
    assert "expected" in Page(got.text).words or "no receiver" in Page(got.text).words


async def test_a_body_that_is_not_a_form_or_is_too_large_is_rejected(
    client: httpx.AsyncClient, alert: str
) -> None:
    form_fields = await form(client)
    assert (await client.post(f"/alerts/{alert}/ack", json=form_fields)).status_code == 422
    assert (
        await client.post(f"/alerts/{alert}/ack", data=form_fields | {"comment": "x" * 2**20})
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


async def test_a_silence_does_not_match_another_resource_of_the_same_name(
    server: Server, client: httpx.AsyncClient, alert: str
) -> None:
    engine, silences = server.alerting.engine, server.alerting.engine.silences
    labels = {**engine.alerts[alert].labels, "resource": "orders", "resource_id": "a1"}
    engine.alerts[alert] = msgspec.structs.replace(engine.alerts[alert], labels=labels)
    assert (
        await client.post(f"/alerts/{alert}/silence", data=await form(client, duration="4 h"))
    ).status_code == 303
    (silence,) = silences.stored
    assert silences.matching_silence(labels, silence.starts)
    assert not silences.matching_silence({**labels, "resource_id": "b2"}, silence.starts)


class SharedTokens:
    """A token store that replicas share: a form from a page of one replica is valid at another replica."""

    def token(self) -> str:
        return "shared"

    def is_valid(self, token: str) -> bool:
        return token == "shared"


async def test_another_token_store_can_be_used(alert: str, server: Server) -> None:
    state = replace(server.state, form_tokens=SharedTokens())
    transport = httpx.ASGITransport(create_app(state))
    async with httpx.AsyncClient(transport=transport, base_url="http://headroom") as client:
        assert (await page(client, "/alerts")).token == "shared"
        got = await client.post(f"/alerts/{alert}/ack", data={"token": "shared"})
    assert got.status_code == 303
