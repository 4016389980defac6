"""The page of the API's operations."""

from collections.abc import Iterator, Mapping
from typing import Any

from monitor.web.shell import render


def operations(openapi: Mapping[str, Any]) -> bytes:
    """The operations of an OpenAPI document."""
    listed = [
        _operation(method, path, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    ]
    return render("docs.html", here="/docs", operations=listed)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "method": method.upper(),
        "path": path,
        "what": operation.get("description", ""),
        "parameters": [_parameter(one) for one in operation.get("parameters", ())],
        "answers": ", ".join(operation["responses"]),
    }


def _parameter(parameter: Mapping[str, Any]) -> tuple[str, str]:
    facts = (parameter.get("description", ""), *_facts(parameter["schema"]))
    return parameter["name"], " ".join(filter(None, facts))


def _facts(schema: Mapping[str, Any]) -> Iterator[str]:
    for one in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
        if "enum" in one:
            yield f"One of {', '.join(one['enum'])}."
    if "minimum" in schema:
        yield f"{schema['minimum']} to {schema['maximum']}."
    if schema.get("default"):
        yield f"Default: {schema['default']}."
