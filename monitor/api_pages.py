"""The two plain HTML pages: an entrance, and the API's operations. Nothing in them comes from elsewhere."""

from collections.abc import Iterator, Mapping
from html import escape
from typing import Any

LINKS = {
    "/metrics": "all series, for Prometheus",
    "/api/v1/series": "all series as JSON, the most urgent first",
    "/api/v1/catalogue": "every signal: its limit, why it matters, what to do",
    "/api/v1/status": "how each cell and collector fares, what cannot be observed and how to enable it",
    "/docs": "the API's operations and their parameters",
    "/-/healthy": "whether the process answers",
    "/-/ready": "whether everything was read once",
}
STYLE = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}"


def _page(title: str, body: str) -> str:
    head = f'<meta charset="utf-8"><title>{escape(title)}</title><style>{STYLE}</style>'
    body = f"<h1>{escape(title)}</h1>{body}"
    return f'<!doctype html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def entrance() -> str:
    items = (f'<li><a href="{path}">{path}</a>: {escape(what)}</li>' for path, what in LINKS.items())
    return _page("Headroom", f"<ul>{''.join(items)}</ul>")


def operations(openapi: Mapping[str, Any]) -> str:
    """The operations of an OpenAPI document."""
    listed = "".join(
        _operation(method, path, operation)
        for path, methods in openapi["paths"].items()
        for method, operation in methods.items()
    )
    note = '<p>The same for programs: <a href="/openapi.json">/openapi.json</a></p>'
    return _page(f"{openapi['info']['title']} API {openapi['info']['version']}", note + listed)


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    what = escape(operation.get("description", ""))
    rows = "".join(map(_parameter, operation.get("parameters", ())))
    answers = ", ".join(map(escape, operation["responses"]))
    return f"<h2>{method.upper()} {escape(path)}</h2><p>{what}</p><ul>{rows}</ul><p>Answers: {answers}</p>"


def _parameter(parameter: Mapping[str, Any]) -> str:
    facts = (parameter.get("description", ""), *_facts(parameter["schema"]))
    return f"<li><code>{escape(parameter['name'])}</code>: {escape(' '.join(filter(None, facts)))}</li>"


def _facts(schema: Mapping[str, Any]) -> Iterator[str]:
    for one in (schema, schema.get("items", {}), *schema.get("anyOf", ())):
        if "enum" in one:
            yield f"One of {', '.join(one['enum'])}."
    if "minimum" in schema:
        yield f"{schema['minimum']} to {schema['maximum']}."
    if schema.get("default"):
        yield f"Default: {schema['default']}."
