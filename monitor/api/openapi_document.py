"""Builds the OpenAPI document: FastAPI's document of the routes, with security, examples and texts added."""

from collections.abc import Iterator, Mapping, MutableMapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute

from monitor.access.authenticator import METRICS_PATH, PROBES
from monitor.access.roles import Role
from monitor.api.call_examples import example_call, example_responses
from monitor.api.field_texts import describe_fields
from monitor.api.server_address import DEFAULT_URL

TAGS: Final[Mapping[str, str]] = {
    "Series": "The watched series as judged last, and the signals of the catalogue.",
    "Foresight": "Past episodes near a limit, request paths, what-if questions, and right sizes.",
    "Alerts": "Alerts, acknowledgements, silences, and the deliveries to receivers.",
    "Coverage": "The watched quotas, failed reads, and the cost of monitoring.",
    "Metrics": "The metrics for Prometheus, and the dead letters of metric streams.",
    "Operation": "Probes, and the reload of the configuration.",
}
ERROR_TEXTS: Final[Mapping[int, tuple[str, str]]] = {  # by status: its meaning, and an example of an error
    401: (
        "The credentials are missing or unknown.",
        "expected a bearer token, or a user name and a password",
    ),
    403: ("The role of the credentials does not allow the operation.", "the role read does not allow this"),
    404: ("Nothing has this id or name.", "no series has the id 0123456789abcdef"),
    413: ("The body is too large, or no body is expected.", "expected no body"),
    422: (
        "A parameter or the body is invalid, or the request is impossible; the error says which and why.",
        "limit: expected at least 1, found 0",
    ),
    429: (
        "Too many wrong credentials came from this address; try again after `Retry-After` seconds.",
        "too many attempts",
    ),
    500: ("Headroom made an error, which its log describes.", "internal error"),
    503: ("Headroom is not ready yet; the error says why.", "nothing was read yet"),
}
SECURITY_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "A token of `auth.tokens` in the configuration. Commands send $HEADROOM_TOKEN.",
    },
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "A user of `auth.users` in the configuration.",
    },
}
DESCRIPTION: Final = """The utilization of AWS limits, and the alerts about them.

Lists are objects with `items`, times are ISO 8601 in UTC, unknown values are null, and the body of each error
is `{"error": "a sentence"}`. Without `auth` in the configuration, the server answers only on loopback, and no
credentials are needed; with `auth`, each operation needs the role that it names.
"""
OpenApiObject = MutableMapping[str, Any]


def operation_id(route: APIRoute) -> str:
    """Return the stable id of the operation of a route: the name of the route's function."""
    return route.name


def openapi_document(app: FastAPI) -> dict[str, Any]:
    """Return the OpenAPI document of an application."""
    document = get_openapi(
        title=app.title,
        version=app.version,
        description=DESCRIPTION,
        routes=app.routes,
        tags=[{"name": name, "description": text} for name, text in TAGS.items()],
        servers=[{"url": DEFAULT_URL, "description": "The default of `headroom serve`."}],
    )
    describe_fields(document["components"]["schemas"])
    document["components"]["securitySchemes"] = SECURITY_SCHEMES
    for method, path, operation in operations(document):
        _add_security(method, path, operation)
        _describe_errors(operation)
        _add_example(method, path, operation)
    return document


def operations(document: Mapping[str, Any]) -> Iterator[tuple[str, str, OpenApiObject]]:
    """Yield the method, the path and the description of each operation of a document."""
    for path, methods in document["paths"].items():
        yield from ((method, path, operation) for method, operation in methods.items())


def _add_security(method: str, path: str, operation: OpenApiObject) -> None:
    role = needed_role(method, path)
    operation["security"] = [] if role is None else [{scheme: []} for scheme in SECURITY_SCHEMES]
    if role is not None:
        operation["x-role"] = role.value


def needed_role(method: str, path: str) -> Role | None:
    """Return the role that an operation needs if `auth` is configured; None if no role is needed."""
    if path in PROBES:
        return None
    if method != "get":
        return Role.OPERATE
    return Role.METRICS if path == METRICS_PATH else Role.READ


def _describe_errors(operation: OpenApiObject) -> None:
    for status, response in operation["responses"].items():
        if status == "200":
            response["description"] = "Success."
        elif int(status) in ERROR_TEXTS:
            text, example = ERROR_TEXTS[int(status)]
            response["description"] = text
            response["content"]["application/json"]["example"] = {"error": example}
    if not operation["security"]:
        for status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            operation["responses"].pop(str(status.value), None)


def _add_example(method: str, path: str, operation: OpenApiObject) -> None:
    """Add example values to the parameters, the body and the response, and the call as a curl command."""
    operation_name = operation["operationId"]
    call = example_call(operation_name)
    for parameter in operation.get("parameters", ()):
        examples = call.path_parameters if parameter["in"] == "path" else call.query
        if (value := examples.get(parameter["name"])) is not None:
            parameter["example"] = [value] if parameter["schema"].get("type") == "array" else value
    if call.body is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = call.body
    source = call.curl(method, path, DEFAULT_URL)
    operation["x-codeSamples"] = [{"lang": "Shell", "label": "curl", "source": source}]
    if (response := example_responses().get(operation_name)) is not None:
        content: Mapping[str, OpenApiObject] = operation["responses"]["200"]["content"]
        for media_type in content.values():
            media_type["example"] = response


def schema_of(document: Mapping[str, Any], reference: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the schema that a `$ref` names; without a `$ref`, the argument itself."""
    name = reference.get("$ref", "").rpartition("/")[2]
    schemas: Mapping[str, Mapping[str, Any]] = document["components"]["schemas"]
    return schemas.get(name, reference)
