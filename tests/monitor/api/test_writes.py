"""The body of a write is rejected with a sentence, or stored and read back unchanged."""

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
from tests.monitor.api.test_alerts import ACK, ALERTS, SILENCE, fire_alerts
from tests.monitor.api.test_alerts import SILENCES as SILENCES_PATH
from tests.monitor.fleet_server import Server, client_of, error_of, json_of

FORM = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
JSON = {"content-type": "application/json"}
MAX_SILENCES = 100  # when a test has created more, it ends them
FilledServer = tuple[Server, httpx.AsyncClient, str]  # a server, its client, and the id of a firing alert
LONE_SURROGATE = "\ud800"
LONG_TEXT = "x" * 1_000_000
numbers = st.one_of(
    st.sampled_from([0, -1, 1e12, 1e308, 10**400, float("nan"), float("inf"), -float("inf"), 2**63, 1e-320]),
    st.floats(),
    st.integers(),
)
texts = st.one_of(
    st.text(st.characters(codec=None), max_size=20),  # lone surrogates, too
    st.sampled_from([LONE_SURROGATE, "\0", "a\nb", "\u202e", LONG_TEXT, "2h", "99999999999d", "1e9"]),
)
json_values = st.one_of(numbers, texts, st.none(), st.booleans(), st.lists(texts, max_size=3))
matchers = st.one_of(
    json_values,
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
optional_fields = {"author": json_values, "comment": json_values, "duration": json_values}
acknowledgements = st.fixed_dictionaries({}, optional=optional_fields).map(lambda fields: ACK | fields)
silences = st.fixed_dictionaries({}, optional=optional_fields | {"matchers": matchers}).map(
    lambda fields: SILENCE | fields
)
forms = st.fixed_dictionaries(
    {},
    optional={"author": texts, "comment": texts, "duration": st.one_of(texts, st.just("4 h")), "back": texts},
)
example_settings = settings(max_examples=150, suppress_health_check=list(HealthCheck))


@pytest.fixture
async def filled_server(tmp_path: Path) -> AsyncIterator[FilledServer]:
    """Yield one server for all requests of a test; after the test, check that the file has all rows."""
    async with Server.opened(tmp_path) as server:
        async with client_of(server) as client:
            (alert,) = await fire_alerts(server, "orders")
            yield server, client, alert
        rows_by_table = {table.name: [*server.alerting.journal.rows_of(table).values()] for table in TABLES}
    assert await stored_rows(tmp_path / "headroom.db") == {
        name: rows for name, rows in rows_by_table.items() if rows
    }


def check_response(server: Server, response: httpx.Response, *successes: int) -> None:
    """Check that the response is a success or an error, and that the journal's rows can be read back.

    successes: the HTTP statuses of a success.
    """
    assert response.status_code in (*successes, 404, 413, 422), response.text
    if response.status_code not in successes and response.headers["content-type"] == "application/json":
        assert error_of(response)
    journal = server.alerting.journal
    assert journal.failure is None, journal.failure
    tables: tuple[Table[Any], ...] = (SILENCES, ACKNOWLEDGEMENTS)
    for table in tables:
        for row in journal.rows_of(table).values():
            assert table.decode(table.encode(row)) == row


@example_settings
@example({"duration": 1e12})
@example({"duration": float("nan")})
@example({"duration": 10**400})
@example({"author": LONE_SURROGATE})
@given(acknowledgements)
async def test_any_acknowledgement_is_stored_or_rejected(
    filled_server: FilledServer, body: dict[str, Any]
) -> None:
    server, client, alert = filled_server
    response = await client.post(f"{ALERTS}/{alert}/ack", content=json.dumps(ACK | body), headers=JSON)
    check_response(server, response, 200)
    await json_of(client, ALERTS)
    assert (await client.get("/alerts")).status_code == 200


@example_settings
@example({"matchers": ['resource="\\ud800"']})
@example({"matchers": [f'resource="{LONE_SURROGATE}"']})
@example({"duration": 1e12})
@given(silences)
async def test_any_silence_is_stored_or_rejected(filled_server: FilledServer, body: dict[str, Any]) -> None:
    server, client, _ = filled_server
    response = await client.post(SILENCES_PATH, content=json.dumps(SILENCE | body), headers=JSON)
    check_response(server, response, 200)
    stored_silences = (await json_of(client, SILENCES_PATH))["items"]
    for silence in stored_silences if len(stored_silences) > MAX_SILENCES else ():
        assert (await client.delete(f"{SILENCES_PATH}/{silence['id']}")).status_code == 200
    assert (await client.get("/alerts")).status_code == 200


@example_settings
@given(forms, st.sampled_from(["ack", "silence"]))
async def test_any_form_is_processed_or_rejected(
    filled_server: FilledServer, form: dict[str, str], action: str
) -> None:
    server, client, alert = filled_server
    fields = {"token": server.state.form_tokens.token(), "author": "me", "duration": "1 h"}
    body = urlencode(fields | form, errors="surrogatepass")
    response = await client.post(f"/alerts/{alert}/{action}", content=body, headers=FORM)
    check_response(server, response, 303)
    assert (await client.get("/alerts")).status_code == 200
