"""The OpenAPI document: complete, with examples that fit their models and are answered by a server."""

import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from pydantic import TypeAdapter

from monitor.api.alert_models import AcknowledgeRequest, SilenceRequest
from monitor.api.openapi_document import TAGS
from tests.monitor.api.example_server import ExampleServer, call, example_server
from tests.monitor.served import client_of

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
BODIES: Final = {one.__name__: one for one in (AcknowledgeRequest, SilenceRequest)}
OPEN: Final = {"check_health", "check_readiness"}  # without credentials
TIMES: Final = {"at", "since", "begin", "end", "starts", "ends", "minute", "last_attempt", "last_success"}


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[ExampleServer]:
    async with example_server(tmp_path) as served:
        yield served


@pytest.fixture
def document(served: ExampleServer) -> dict[str, Any]:
    return served.document


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        yield from ((f"{method.upper()} {path}", one) for method, one in methods.items())


def test_the_ids_of_operations_stay_the_same(document: dict[str, Any]) -> None:
    assert {one["operationId"]: call for call, one in operations(document)} == OPERATIONS


def test_no_operation_lacks_a_text_a_tag_an_example_or_its_security(document: dict[str, Any]) -> None:
    assert [one["name"] for one in document["tags"]] == [*TAGS]
    assert {*document["components"]["securitySchemes"]} == {"bearer", "basic"}
    for _, one in operations(document):
        name = one["operationId"]
        assert one["summary"] and one["description"], name
        assert len(one["tags"]) == 1 and one["tags"][0] in TAGS, name
        assert one["security"] == ([] if name in OPEN else [{"bearer": []}, {"basic": []}]), name
        assert one["x-codeSamples"][0]["source"].startswith("curl "), name
        for status, response in one["responses"].items():
            assert response["description"], (name, status)
            assert all("example" in each for each in response["content"].values()), (name, status)
        if body := one.get("requestBody"):
            assert body["content"]["application/json"]["example"], name


def test_no_parameter_and_no_field_lacks_a_description(document: dict[str, Any]) -> None:
    for call_, one in operations(document):
        lacking = [each["name"] for each in one.get("parameters", ()) if not each.get("description")]
        assert (call_, lacking) == (call_, [])
    for name, schema in document["components"]["schemas"].items():
        fields = schema.get("properties", {}).items()
        assert (name, [each for each, field in fields if not field.get("description")]) == (name, [])
        assert schema.get("description") or "enum" in schema, name


def test_lists_are_items_and_times_are_date_times(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for _, one in operations(document):
        schema = one["responses"]["200"]["content"].get("application/json", {}).get("schema")
        if schema is None:
            continue
        name = schema["$ref"].rpartition("/")[2]
        assert schemas[name]["type"] == "object"
        if one["operationId"].startswith("list_"):
            assert schemas[name]["properties"]["items"]["type"] == "array", name
    for name, schema in schemas.items():
        for field, one in schema.get("properties", {}).items():
            if field in TIMES or (field.endswith("_at") and field != "breaks_at"):
                assert "date-time" in json.dumps(one) or "object" in json.dumps(one), (name, field)


def test_each_example_fits_its_model(served: ExampleServer, document: dict[str, Any]) -> None:
    routes = served.routes
    for _, one in operations(document):
        route = routes[one["operationId"]]
        for content in one.get("requestBody", {}).get("content", {}).values():
            BODIES[content["schema"]["$ref"].rpartition("/")[2]].model_validate(content["example"])
        if (model := route.response_model) is not None:
            example = one["responses"]["200"]["content"]["application/json"]["example"]
            adapter = TypeAdapter[Any](model)
            dumped = adapter.dump_python(adapter.validate_python(example), mode="json", by_alias=True)
            assert shape(dumped) == shape(example), one["operationId"]


def shape(value: Any) -> Any:
    """Return the names of the fields of a value, and of what it holds."""
    if isinstance(value, dict):
        return {name: shape(one) for name, one in value.items()}
    return [shape(one) for one in value] if isinstance(value, list) else None


async def test_each_curl_line_is_answered(served: ExampleServer) -> None:
    for name, line in served.lines():
        status, body = await call(line)
        assert (name, status, body if status != 200 else "") == (name, 200, "")


async def test_the_page_has_every_operation_parameter_and_model(
    served: ExampleServer, document: dict[str, Any]
) -> None:
    async with client_of(served.server) as client:
        page = (await client.get("/docs")).text
    for _, one in operations(document):
        assert f'id="{one["operationId"]}"' in page
        assert one["summary"] in page
    assert "saturated, near" in page  # the values of a parameter
    for name, schema in document["components"]["schemas"].items():
        if schema.get("properties"):
            assert f'id="model-{name}"' in page
