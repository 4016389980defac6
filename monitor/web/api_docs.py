"""The page that documents the operations of the API, from its OpenAPI document."""

from collections.abc import Iterator, Mapping
from typing import Any

from monitor.web.templating import render


def render_operations(openapi: Mapping[str, Any]) -> bytes:
    """Render the page of all operations of an OpenAPI document."""
    operations = [
        _operation(method, path, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    return render("docs.html", current_path="/docs", operations=operations)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "method": method.upper(),
        "path": path,
        "description": operation.get("description", ""),
        "parameters": [_parameter(one) for one in operation.get("parameters", ())],
        "statuses": ", ".join(operation["responses"]),
    }


def _parameter(parameter: Mapping[str, Any]) -> tuple[str, str]:
    """Return the name and the description of a parameter, with what its schema allows."""
    texts = (parameter.get("description", ""), *_constraints(parameter["schema"]))
    return parameter["name"], " ".join(filter(None, texts))


def _constraints(schema: Mapping[str, Any]) -> Iterator[str]:
    for one in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
        if "enum" in one:
            yield f"One of {', '.join(one['enum'])}."
    if "minimum" in schema:
        yield f"{schema['minimum']} to {schema['maximum']}."
    if schema.get("default"):
        yield f"Default: {schema['default']}."
