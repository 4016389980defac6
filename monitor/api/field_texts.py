"""Describes the fields of models in OpenAPI: by the field's text, the model's docstring or a common text."""

import re
from collections.abc import Iterator, Mapping, MutableMapping
from typing import Any, Final

JsonSchema = MutableMapping[str, Any]

# The descriptions of fields with these names, in models that do not describe the field themselves.
COMMON_TEXTS: Final[Mapping[str, str]] = {
    "items": "The items of the list, in the order that the operation describes.",
    "total": "The number of items, listed or not.",
    "account": "The 12-digit id of the account.",
    "region": "The region, such as eu-west-1; `global` for global services.",
    "service": "The service, such as kinesis.",
    "signal": "The signal of the service, such as stream_write_bytes.",
    "resource": "The name of the resource; empty for a limit of the whole account.",
    "resource_id": "The AWS ids of the resource, unique within the signal.",
    "series_id": "The id of the series.",
    "unit": "The unit of usage and limit, such as bytes/s.",
    "zone": "The zone: saturated, near, above, within, below, stale or unobservable.",
    "severity": "The severity: critical, warning or info.",
    "receiver": "The name of the receiver in the configuration.",
    "author": "The name of the author; the name of an authenticated user takes precedence.",
    "comment": "A comment of the author, such as the reason.",
    "matchers": 'Matchers in Alertmanager\'s syntax, such as `service="s3"`.',
    "labels": "The labels by name: account, region, service, signal, resource and others.",
    "usage": "The usage in `unit`; null when it is not known.",
    "limit": "The limit in `unit`; null when it is not known.",
    "utilization": "The usage divided by the limit: 0.8 is 80 %.",
    "saturation": "The throttled or delayed demand, per second.",
    "summary": "A summary in a sentence.",
    "remedy": "The steps to take, in sentences.",
    "links": "URLs by name: page, runbook, console, grafana.",
    "docs": "The URL of AWS's page.",
}
# A list of field names before a colon, at the start of a sentence: `smallest, step (of all): ...`.
FIELD_NAMES = re.compile(r"(?:^|(?<=[.:;] ))([a-z_0-9]+(?:, [a-z_0-9]+)*)(?: \([^)]*\))?: ")
NONE = re.compile(r"\bNone\b")
# The JSON names of fields, by their names in docstrings, where these differ.
ALIASES: Final[Mapping[str, str]] = {"pending_for": "for", "prices": "price"}


def describe_fields(schemas: Mapping[str, JsonSchema]) -> None:
    """Describe the fields that have no description, and remove their texts from the schema's description."""
    for schema in schemas.values():
        properties = schema.get("properties", {})
        text = schema.get("description", "")
        texts_by_field = dict(_texts_by_field(text, properties.keys()))
        if texts_by_field:
            schema["description"] = texts_by_field.pop("", "")
        for name, field in properties.items():
            field_text = field.get("description") or texts_by_field.get(name) or COMMON_TEXTS.get(name)
            if field_text:
                field["description"] = field_text


def _texts_by_field(docstring: str, known_names: Any) -> Iterator[tuple[str, str]]:
    """Yield the text of each field in a docstring, and under the empty name the text before all fields."""
    text = " ".join(docstring.split())
    matches = [match for match in FIELD_NAMES.finditer(text) if _field_names(match).issubset(known_names)]
    ends = [match.start() for match in matches[1:]] + [len(text)]
    yield "", text[: matches[0].start()].strip() if matches else text
    for match, end in zip(matches, ends, strict=True) if matches else ():
        sentence = NONE.sub("null", text[match.end() : end].strip())
        yield from ((name, sentence[:1].upper() + sentence[1:]) for name in _field_names(match))


def _field_names(match: re.Match[str]) -> set[str]:
    return {ALIASES.get(name, name) for name in match[1].split(", ")}
