"""Links in alerts: to the page of the series, the runbook, the AWS console and a dashboard."""

import re
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from operator import attrgetter
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BeforeValidator, Field, WithJsonSchema

from collectors.registry import Registry
from monitor.fleet.key import LABELS, Key
from monitor.lib.anchors import BLIND_HEADING, OWN_RUNBOOK, runbook_path
from monitor.lib.partitions import partition_of
from monitor.notifiers.notice import Notice
from monitor.schema.problems import unexpected
from monitor.schema.types import ConfigModel, Url

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# By field of a template: returns its value for the key of a series.
FIELDS: Mapping[str, Callable[[Key], str]] = {
    **{name: attrgetter(name) for name in (*LABELS, "id")},
    "resource_id": lambda key: key.subject.id,
    "parent": lambda key: key.subject.path[0] if key.subject.path else "",
}
FIELD_NAMES = (*FIELDS, "suffix")
MAX_CACHED_CONSOLES = 16_384  # URL templates of the console; one template serves many series
UNRESERVED = re.compile(r"[A-Za-z0-9_.~-]*")  # text that needs no percent-encoding


def _check_template(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    for name in PLACEHOLDER.findall(value):
        if name not in FIELD_NAMES:
            raise unexpected(
                f"a URL with {', '.join(f'{{{field}}}' for field in FIELD_NAMES)}", f"{{{name}}}", FIELD_NAMES
            )
    if re.search("[{}]", PLACEHOLDER.sub("", value)):
        raise unexpected("a URL with both braces around each name", value)
    return value


UrlTemplate = Annotated[Url, BeforeValidator(_check_template), WithJsonSchema({"type": "string"})]


class Links(ConfigModel):
    """URLs that alerts contain.

    Templates can contain the fields {account}, {region}, {service}, {signal}, {resource}, {resource_id},
    {parent}, {id} and {suffix}. parent: the id of the stream, function or bucket that contains the resource,
    or the resource's own id if nothing contains it. id: the series' id. suffix: the domain of the region's
    endpoints, such as amazonaws.com.
    """

    headroom: Url | None = Field(
        default=None,
        description="The URL at which people reach this server, for links to its pages.",
        examples=["https://headroom.example.org"],
    )
    runbook: UrlTemplate | None = Field(
        default=None,
        description="Template of the runbook's URL; without it, Headroom's own runbook.",
        examples=["https://wiki.example.org/runbooks/{service}.{signal}"],
    )
    grafana: UrlTemplate | None = Field(
        default=None,
        description="Template of a dashboard's URL.",
        examples=["https://grafana.example.org/d/headroom?var-account={account}&var-resource={resource}"],
    )

    @property
    def _server(self) -> str:
        return self.headroom.rstrip("/") if self.headroom else ""

    def for_blind_spots(self) -> dict[str, str]:
        """Return the links of alerts about blind spots, by name; empty if `headroom` is not configured."""
        paths = {"page": "/blind", "runbook": runbook_path(OWN_RUNBOOK, BLIND_HEADING)}
        return {name: self._server + path for name, path in paths.items()} if self._server else {}

    def for_series(self, key: Key, registry: Registry, aws_region: str = "") -> dict[str, str]:
        """Return the links of a series by name. Links that are not configured are left out.

        aws_region: the region in AWS of a global service (see `Series`); the key's region if empty.
        """
        key_in_aws = key._replace(region=aws_region or key.region)
        page = f"{self._server}/series/{key.id}" if self._server else None
        own_runbook = f"{self._server}{runbook_of(key.service, key.signal)}" if self._server else None
        console = console_template(key_in_aws, registry)
        suffix = partition_of(key_in_aws.region).dns_suffix
        templates = {
            "runbook": (self.runbook or own_runbook, key),
            "console": (console, key_in_aws),
            "grafana": (self.grafana, key),
        }
        filled = {
            name: _fill_template(template, filling_key, suffix)
            for name, (template, filling_key) in templates.items()
            if template
        }
        return ({"page": page} if page else {}) | filled


def runbook_of(service: str, signal: str) -> str:
    """Return the path at which Headroom serves the runbook of a signal."""
    return runbook_path(service, f"{service}.{signal}")


def runbook_of_alert(notice: Notice) -> str:
    """Return the URL of an alert's runbook in its last notice, or without one the path on this server."""
    labels = notice.labels
    if url := notice.links.get("runbook"):
        return url
    if "service" in labels:
        return runbook_of(labels["service"], labels["signal"])
    return runbook_path(OWN_RUNBOOK, BLIND_HEADING)


def console_template(key: Key, registry: Registry) -> str | None:
    """Return the template of the AWS console's URL for the resource, or for the quota of an account limit.

    Returns None if the console of the partition, or the quota, is unknown.
    """
    return _cached_console_template(registry, key.region, key.service, key.signal, key.is_of_account)


@lru_cache(MAX_CACHED_CONSOLES)
def _cached_console_template(
    registry: Registry, region: str, service: str, signal: str, is_of_account: bool
) -> str | None:
    entry, host = registry.services[service], partition_of(region).console
    quota = entry.signals[signal].quota
    path = entry.console
    if is_of_account:
        path = f"servicequotas/home/services/{quota.service}/quotas/{quota.code}" if quota else None
    return f"https://{{region}}.{host}/{path}" if host and path else None


def _fill_template(template: str, key: Key, suffix: str) -> str:
    first_text, *fields_and_texts = _split_template(template)
    pairs = zip(fields_and_texts[::2], fields_and_texts[1::2], strict=True)
    values = ((suffix if name == "suffix" else FIELDS[name](key), text) for name, text in pairs)
    return first_text + "".join(quote_part(value) + text for value, text in values)


def quote_part(text: str) -> str:
    """Percent-encode text for a URL. Encoding is slow, so text that needs none is returned at once."""
    return text if UNRESERVED.fullmatch(text) else quote(text, safe="", errors="replace")


@cache
def _split_template(template: str) -> list[str]:
    """Split a template into texts and field names, which alternate. The first and last parts are texts."""
    return PLACEHOLDER.split(template)
