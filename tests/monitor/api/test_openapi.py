"""The OpenAPI document is complete, its examples fit their models, and a server answers its calls."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from html import unescape
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from pydantic import TypeAdapter

from monitor.api.alert_models import AcknowledgeRequest, SilenceRequest
from monitor.api.openapi_document import TAGS
from monitor.api.server_address import requested_url
from tests.monitor.api.example_server import ExampleServer, example_server, run_curl
from tests.monitor.fleet_server import client_of

OPERATIONS: Final = {
    "scrape_metrics": "GET /metrics",
    "list_series": "GET /api/v1/series",
    "get_series": "GET /api/v1/series/{id}",
    "list_signals": "GET /api/v1/catalogue",
    "get_status": "GET /api/v1/status",
    "list_quotas": "GET /api/v1/coverage",
    "get_cost": "GET /api/v1/cost",
    "list_recommendations": "GET /api/v1/recommendations",
    "list_episodes": "GET /api/v1/look-back",
    "list_paths": "GET /api/v1/paths",
    "get_path": "GET /api/v1/paths/{name}",
    "ask_what_if": "GET /api/v1/what-if",
    "check_health": "GET /-/healthy",
    "check_readiness": "GET /-/ready",
    "reload_configuration": "POST /-/reload",
    "list_alerts": "GET /api/v1/alerts",
    "acknowledge_alert": "POST /api/v1/alerts/{id}/ack",
    "unacknowledge_alert": "DELETE /api/v1/alerts/{id}/ack",
    "list_alert_history": "GET /api/v1/alerts/history",
    "list_silences": "GET /api/v1/silences",
    "create_silence": "POST /api/v1/silences",
    "end_silence": "DELETE /api/v1/silences/{id}",
    "list_deliveries": "GET /api/v1/deliveries",
    "replay_deliveries": "POST /api/v1/deliveries/replay",
    "list_dead_letters": "GET /api/v1/stream/dead-letters",
}
REQUEST_MODELS: Final = {model.__name__: model for model in (AcknowledgeRequest, SilenceRequest)}
OPEN_OPERATIONS: Final = {"check_health", "check_readiness"}  # operations that need no credentials
TIME_FIELDS: Final = {  # beside the fields whose names end in `_at`
    "at",
    "since",
    "begin",
    "end",
    "starts",
    "ends",
    "minute",
    "last_attempt",
    "last_success",
}


@pytest.fixture
async def example(tmp_path: Path) -> AsyncIterator[ExampleServer]:
    async with example_server(tmp_path) as example:
        yield example


@pytest.fixture
def document(example: ExampleServer) -> dict[str, Any]:
    return example.document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the method and path of each operation, such as `GET /metrics`, and its part of the document."""
    for path, methods in document["paths"].items():
        yield from ((f"{method.upper()} {path}", operation) for method, operation in methods.items())


def test_the_operations_have_stable_ids(document: dict[str, Any]) -> None:
    assert {
        operation["operationId"]: method_and_path for method_and_path, operation in operations(document)
    } == OPERATIONS


def test_every_operation_has_texts_a_tag_examples_and_its_security(document: dict[str, Any]) -> None:
    assert [tag["name"] for tag in document["tags"]] == [*TAGS]
    assert {*document["components"]["securitySchemes"]} == {"bearer", "basic"}
    for _, operation in operations(document):
        name = operation["operationId"]
        assert operation["summary"] and operation["description"], name
        assert len(operation["tags"]) == 1 and operation["tags"][0] in TAGS, name
        assert operation["security"] == (
            [] if name in OPEN_OPERATIONS else [{"bearer": []}, {"basic": []}]
        ), name
        assert operation["x-codeSamples"][0]["source"].startswith("curl "), name
        for status, response in operation["responses"].items():
            assert response["description"], (name, status)
            assert all("example" in content for content in response["content"].values()), (name, status)
        if body := operation.get("requestBody"):
            assert body["content"]["application/json"]["example"], name


def test_every_parameter_field_and_model_has_a_description(document: dict[str, Any]) -> None:
    for method_and_path, operation in operations(document):
        parameters = operation.get("parameters", ())
        undescribed = [parameter["name"] for parameter in parameters if not parameter.get("description")]
        assert (method_and_path, undescribed) == (method_and_path, [])
    for name, schema in document["components"]["schemas"].items():
        fields = schema.get("properties", {}).items()
        undescribed = [field for field, definition in fields if not definition.get("description")]
        assert (name, undescribed) == (name, [])
        assert schema.get("description") or "enum" in schema, name


def test_lists_have_items_and_a_total_and_times_are_date_times(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for _, operation in operations(document):
        schema = operation["responses"]["200"]["content"].get("application/json", {}).get("schema")
        if schema is None:
            continue
        name = schema["$ref"].rpartition("/")[2]
        assert schemas[name]["type"] == "object"
        if operation["operationId"].startswith("list_") or "items" in schemas[name]["properties"]:
            fields = schemas[name]["properties"]
            assert (name, [*fields][:2]) == (name, ["items", "total"])
            assert (fields["items"]["type"], fields["total"]["type"]) == ("array", "integer"), name
            assert {"items", "total"} <= {*schemas[name]["required"]}, name
    for name, schema in schemas.items():
        for field, definition in schema.get("properties", {}).items():
            if field in TIME_FIELDS or field.endswith("_at"):
                text = json.dumps(definition)
                assert "date-time" in text or "object" in text, (name, field)


def test_each_example_fits_its_model(example: ExampleServer, document: dict[str, Any]) -> None:
    routes = example.routes
    for _, operation in operations(document):
        route = routes[operation["operationId"]]
        for content in operation.get("requestBody", {}).get("content", {}).values():
            REQUEST_MODELS[content["schema"]["$ref"].rpartition("/")[2]].model_validate(content["example"])
        if (model := route.response_model) is not None:
            recorded = operation["responses"]["200"]["content"]["application/json"]["example"]
            adapter = TypeAdapter[Any](model)
            values = adapter.dump_python(adapter.validate_python(recorded), mode="json", by_alias=True)
            assert shape(values) == shape(recorded), operation["operationId"]


def shape(value: Any) -> Any:
    """Return a JSON value with all its field names, and None in place of texts, numbers and null."""
    if isinstance(value, dict):
        return {name: shape(member) for name, member in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else None


async def test_each_curl_command_succeeds(example: ExampleServer) -> None:
    for name, command in example.commands():
        status, body = await run_curl(command)
        assert (name, status, body if status != 200 else "") == (name, 200, "")


def page_commands(page: str) -> list[str]:
    """Return the curl commands of the page /docs."""
    return [unescape(command) for command in re.findall(r">(curl [^<]+)<", page)]


async def test_the_page_docs_has_the_address_by_which_it_was_requested(example: ExampleServer) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        page = (await client.get(f"http://{example.address}/docs")).text
    commands = page_commands(page)
    assert len(commands) == len(OPERATIONS)
    assert all(f"http://{example.address}/" in command for command in commands)
    (catalogue,) = (command for command in commands if command.endswith("/catalogue"))
    assert (await run_curl(catalogue))[0] == 200


ADDRESSES: Final = {  # by the scheme and the header Host of a request: the address in the commands
    ("https", "headroom.example.org"): "https://headroom.example.org",
    ("http", "LOCALHOST:8080"): "http://LOCALHOST:8080",
    ("http", "my_host-1:80"): "http://my_host-1:80",
    ("http", "[::1]:8080"): "'http://[::1]:8080",  # the shell needs quotes around the brackets
    ("http", ""): "http://127.0.0.1:4070",
    ("http", "localhost:"): "http://127.0.0.1:4070",
    ("http", "localhost:80 evil"): "http://127.0.0.1:4070",
    ("http", "localhost/$(id)"): "http://127.0.0.1:4070",
    ("http", "localhost';id;'"): "http://127.0.0.1:4070",
    ("http", "<b>localhost</b>"): "http://127.0.0.1:4070",
    ("http", "user@localhost"): "http://127.0.0.1:4070",
    ("http", "-o.example.org"): "http://127.0.0.1:4070",
    ("http", "h\xf6st"): "http://127.0.0.1:4070",
    ("http", "a" * 254): "http://127.0.0.1:4070",
}


@pytest.mark.parametrize(("scheme", "host"), ADDRESSES)
async def test_the_page_docs_shows_the_address_of_the_request_only_if_it_is_a_host_and_port(
    example: ExampleServer, scheme: str, host: str
) -> None:
    async with client_of(example.server) as client:
        page = (
            await client.get(f"{scheme}://localhost/docs", headers={b"Host": host.encode("latin-1")})
        ).text
    expected = ADDRESSES[scheme, host]
    assert [
        command for command in page_commands(page) if command.startswith(f"curl {expected}/api/v1/catalogue")
    ]


async def test_the_page_docs_has_every_operation_parameter_and_model(
    example: ExampleServer, document: dict[str, Any]
) -> None:
    async with client_of(example.server) as client:
        page = (await client.get("/docs")).text
    for _, operation in operations(document):
        assert f'id="{operation["operationId"]}"' in page
        assert operation["summary"] in page
    assert "saturated, near" in page  # the allowed values of the parameter `zone`
    for name, schema in document["components"]["schemas"].items():
        if schema.get("properties"):
            assert f'id="model-{name}"' in page


@pytest.mark.parametrize(
    ("host", "public_url", "expected"),
    [
        ("headroom.example.org", "https://headroom.example.org/", "https://headroom.example.org"),
        ("Headroom.example.org", "https://headroom.example.org", "https://Headroom.example.org"),
        ("localhost:4070", "https://headroom.example.org", "http://localhost:4070"),
        ("user@localhost", "https://user@localhost", "http://127.0.0.1:4070"),
        ("headroom.example.org", None, "http://headroom.example.org"),
    ],
)
def test_the_scheme_of_the_public_url_counts_for_its_host(
    host: str, public_url: str | None, expected: str
) -> None:
    assert requested_url("http", host, public_url) == expected
