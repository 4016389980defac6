"""Any body of a write: it is rejected with a sentence, or stored and read back unchanged."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monitor.alerting.tables import ACKNOWLEDGEMENTS, SILENCES, TABLES, Table
from tests.monitor.alerting.delivery_fixture import stored_rows
from tests.monitor.api.test_alerts import ACK, ALERTS, SILENCE, fire
from tests.monitor.api.test_alerts import SILENCES as SILENCES_PATH
from tests.monitor.served import Server, answer, client_of, refusal

FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
JSON = {"content-type": "application/json"}
MANY = 100  # silences at once
Stage = tuple[Server, httpx.AsyncClient, str]  # and the id of an alert that fires
HALF = "\ud800"
LONG = "x" * 1_000_000
numbers = st.one_of(
    st.sampled_from([0, -1, 1e12, 1e308, 10**400, float("nan"), float("inf"), -float("inf"), 2**63, 1e-320]),
    st.floats(),
    st.integers(),
)
texts = st.one_of(
    st.text(st.characters(codec=None), max_size=20),  # halves of surrogate pairs as well
    st.sampled_from([HALF, "\0", "a\nb", "\u202e", LONG, "2h", "99999999999d", "1e9"]),
)
values = st.one_of(numbers, texts, st.none(), st.booleans(), st.lists(texts, max_size=3))
matchers = st.one_of(
    values,
    st.lists(
        st.one_of(
            texts,
            texts.map(lambda text: f'service="{text}"'),
            st.sampled_from(
                ['service="\\ud800"', 'service=~"["', "a=b", "{" * 4000, "[" * 4000, 'a="1"' + ",a=b" * 99]
            ),
        ),
        max_size=4,
    ),
)
optional_fields = {"author": values, "comment": values, "duration": values}
acks = st.fixed_dictionaries({}, optional=optional_fields).map(lambda one: ACK | one)
silences = st.fixed_dictionaries({}, optional=optional_fields | {"matchers": matchers}).map(
    lambda one: SILENCE | one
)
forms = st.fixed_dictionaries(
    {},
    optional={"author": texts, "comment": texts, "duration": st.one_of(texts, st.just("4 h")), "back": texts},
)
some = settings(max_examples=150, suppress_health_check=list(HealthCheck))


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    """One server for all requests of a test, which see the effects of earlier ones."""
    async with Server.opened(tmp_path) as server:
        async with client_of(server) as client:
            (alert,) = await fire(server, "orders")
            yield server, client, alert
        kept = {table.name: [*server.alerting.journal.all(table).values()] for table in TABLES}
    assert await stored_rows(tmp_path / "headroom.db") == {name: rows for name, rows in kept.items() if rows}


def sentences(server: Server, got: httpx.Response, *good: int) -> None:
    """Check that the response is a success or a sentence, and that the state can be read back."""
    assert got.status_code in (*good, 404, 413, 422), got.text
    if got.status_code not in good and got.headers["content-type"] == "application/json":
        assert refusal(got)
    journal = server.alerting.journal
    assert journal.healthy, journal.failure
    tables: tuple[Table[Any], ...] = (SILENCES, ACKNOWLEDGEMENTS)
    for table in tables:
        for row in journal.all(table).values():
            assert table.decode(table.encode(row)) == row


@some
@example({"duration": 1e12})
@example({"duration": float("nan")})
@example({"duration": 10**400})
@example({"author": HALF})
@given(acks)
async def test_an_acknowledgement(stage: Stage, body: dict[str, Any]) -> None:
    server, client, alert = stage
    got = await client.post(f"{ALERTS}/{alert}/ack", content=json.dumps(ACK | body), headers=JSON)
    sentences(server, got, 200)
    await answer(client, ALERTS)
    assert (await client.get("/alerts")).status_code == 200


@some
@example({"matchers": ['resource="\\ud800"']})
@example({"matchers": [f'resource="{HALF}"']})
@example({"duration": 1e12})
@given(silences)
async def test_a_silence(stage: Stage, body: dict[str, Any]) -> None:
    server, client, _ = stage
    got = await client.post(SILENCES_PATH, content=json.dumps(SILENCE | body), headers=JSON)
    sentences(server, got, 200)
    listed = (await answer(client, SILENCES_PATH))["items"]
    for one in listed if len(listed) > MANY else ():
        assert (await client.delete(f"{SILENCES_PATH}/{one['id']}")).status_code == 200
    assert (await client.get("/alerts")).status_code == 200


@some
@given(forms, st.sampled_from(["ack", "silence"]))
async def test_a_form(stage: Stage, form: dict[str, str], action: str) -> None:
    server, client, alert = stage
    fields = {"token": server.state.form_tokens.token(), "author": "me", "duration": "1 h"}
    body = urlencode(fields | form, errors="surrogatepass")
    got = await client.post(f"/alerts/{alert}/{action}", content=body, headers=FORM)
    sentences(server, got, 303)
    assert (await client.get("/alerts")).status_code == 200
