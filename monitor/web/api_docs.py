"""The page that documents the operations of the API, from its OpenAPI document."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.api.call_examples import example_call
from monitor.api.openapi_document import TAGS, OpenApiObject, operations
from monitor.web.templating import render


@dataclass(frozen=True, slots=True)
class ApiField:
    """A parameter, or a field of a body. model: the name of the model that is its type; else empty."""

    name: str
    type: str
    model: str
    text: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class ApiOperation:
    """An operation. response: an example as JSON; empty if there is none. role: empty if none is needed."""

    id: str
    method: str
    path: str
    summary: str
    description: str
    role: str
    curl: str
    parameters: Sequence[ApiField]
    body: Sequence[ApiField]
    response_model: str
    response: str
    errors: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ApiModelText:
    """A model of request or response bodies."""

    name: str
    text: str
    fields: Sequence[ApiField]


def docs_variables(openapi: OpenApiObject, server_url: str) -> Mapping[str, Any]:
    """Return the variables of the template. server_url: the server to which the commands send requests."""
    schemas = openapi["components"]["schemas"]
    operations_by_tag: dict[str, list[ApiOperation]] = {tag: [] for tag in TAGS}
    for method, path, operation in operations(openapi):
        tag = operation["tags"][0]
        operations_by_tag[tag].append(_operation(method, path, operation, schemas, server_url))
    groups = [(tag, TAGS[tag], tag_operations) for tag, tag_operations in operations_by_tag.items()]
    models = [
        ApiModelText(name, schema.get("description", ""), [*_fields(schema)])
        for name, schema in schemas.items()
    ]
    return {
        "groups": groups,
        "models": [model for model in models if model.fields],
        "model_names": {model.name for model in models if model.fields},
        "introduction": openapi["info"]["description"].split("\n\n"),
    }


def render_operations(openapi: OpenApiObject, theme: str, server_url: str) -> bytes:
    """Render the page of all operations of an OpenAPI document.

    theme: one of THEMES. server_url: the URL of the server, to which the commands send their requests.
    """
    return render("docs.html", current_path="/docs", theme=theme, **docs_variables(openapi, server_url))


def _operation(
    method: str, path: str, operation: OpenApiObject, schemas: OpenApiObject, server_url: str
) -> ApiOperation:
    content = operation["responses"]["200"].get("content", {})
    response: OpenApiObject = next(iter(content.values()), {})
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    body_model = _type(body.get("schema", {}))[1]
    errors = [
        (status, error["description"]) for status, error in operation["responses"].items() if status != "200"
    ]
    return ApiOperation(
        id=operation["operationId"],
        method=method.upper(),
        path=path,
        summary=operation["summary"],
        description=operation["description"],
        role=operation.get("x-role", ""),
        curl=example_call(operation["operationId"]).curl(method, path, server_url),
        parameters=[_parameter(parameter) for parameter in operation.get("parameters", ())],
        body=[*_fields(schemas[body_model])] if body_model else [],
        response_model=_type(response.get("schema", {}))[1],
        response=_example_text(response.get("example")),
        errors=errors,
    )


def _example_text(example: Any) -> str:
    if isinstance(example, str):
        return example
    return "" if example is None else json.dumps(example, indent=2, ensure_ascii=False)


def _parameter(parameter: OpenApiObject) -> ApiField:
    schema = parameter["schema"]
    text = " ".join(filter(None, (parameter.get("description", ""), *_constraints(schema))))
    kind, model = _type(schema)
    return ApiField(parameter["name"], kind, model, text, parameter.get("required", False))


def _fields(schema: OpenApiObject) -> Iterator[ApiField]:
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        text = " ".join(filter(None, (field.get("description", ""), *_constraints(field))))
        kind, model = _type(field)
        yield ApiField(name, kind, model, text, name in required)


def _type(schema: OpenApiObject) -> tuple[str, str]:
    """Return the type of a schema in words, and the name of its model, which may be empty."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return name, name
    options = schema.get("anyOf", schema.get("allOf", ()))
    if options:
        kinds = [_type(option) for option in options]
        return " or ".join(kind for kind, _ in kinds), next((model for _, model in kinds if model), "")
    if schema.get("type") == "array":
        kind, model = _type(schema.get("items", {}))
        return f"list of {kind}", model
    values = schema.get("additionalProperties")
    if isinstance(values, dict):
        kind, model = _type(values)
        return f"object of {kind}", model
    names = schema.get("format") or schema.get("type", "value")
    return names if isinstance(names, str) else " or ".join(names), ""


def _constraints(schema: OpenApiObject) -> Iterator[str]:
    for part in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
        if "enum" in part:
            yield f"One of {', '.join(map(str, part['enum']))}."
    if "minimum" in schema and "maximum" in schema:
        yield f"{schema['minimum']} to {schema['maximum']}."
    if schema.get("default"):
        yield f"Default: {schema['default']}."
