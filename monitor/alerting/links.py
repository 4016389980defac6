"""Where to read on: a series' page, the runbook, the AWS console, a dashboard."""

import re
from collections.abc import Callable, Mapping
from functools import cache
from operator import attrgetter
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BeforeValidator, Field, WithJsonSchema

from collectors.base import ACCOUNT
from monitor.config_errors import unexpected
from monitor.config_types import Model, Url
from monitor.fleet import Key
from rules.limits import catalogue

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
NAMES: Mapping[str, Callable[[Key], str]] = {
    **{name: attrgetter(name) for name in (*Key._fields, "id")},
    "parent": lambda key: key.resource.partition("/")[0],
}
KNOWN = tuple(NAMES)
PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")  # what needs no quoting
CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}  # by region
CONSOLE = "console.aws.amazon.com"


def _template(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    for name in PLACEHOLDER.findall(value):
        if name not in KNOWN:
            raise unexpected(f"a URL with {', '.join(f'{{{one}}}' for one in KNOWN)}", f"{{{name}}}", KNOWN)
    if re.search("[{}]", PLACEHOLDER.sub("", value)):
        raise unexpected("a URL with both braces around each name", value)
    return value


Template = Annotated[Url, BeforeValidator(_template), WithJsonSchema({"type": "string"})]


class Links(Model):
    """Addresses that alerts carry. Templates are filled in with the series' {account}, {region}, {service},
    {signal}, {resource}, {parent} (the resource up to its first slash) and {id}."""

    headroom: Url | None = Field(
        default=None,
        description="Where people reach this server, for links to its pages.",
        examples=["https://headroom.example.org"],
    )
    runbook: Template | None = Field(
        default=None,
        description="Template of the runbook's address.",
        examples=["https://wiki.example.org/runbooks/{service}.{signal}"],
    )
    grafana: Template | None = Field(
        default=None,
        description="Template of a dashboard's address.",
        examples=["https://grafana.example.org/d/headroom?var-account={account}&var-resource={resource}"],
    )

    def of(self, key: Key) -> dict[str, str]:
        """The links of a series, by name; those that are known."""
        page = f"{self.headroom.rstrip('/')}/series/{key.id}" if self.headroom else None
        templates = {"runbook": self.runbook, "console": console(key), "grafana": self.grafana}
        filled = {name: _filled(template, key) for name, template in templates.items() if template}
        return ({"page": page} if page else {}) | filled


def console(key: Key) -> str | None:
    """The template of the resource's address in the AWS console; the quota's, for a limit of the account.

    None in a partition whose console is not known.
    """
    return _console(key.region, key.service, key.signal, key.resource == ACCOUNT)


@cache
def _console(region: str, service: str, signal: str, of_account: bool) -> str | None:
    if "iso" in region:
        return None
    known = catalogue()[service]
    host = next((host for start, host in CONSOLES.items() if region.startswith(start)), CONSOLE)
    quota = known.signals[signal].quota
    path = known.console
    if of_account:
        path = f"servicequotas/home/services/{quota.service}/quotas/{quota.code}" if quota else None
    return f"https://{{region}}.{host}/{path}" if path else None


def _filled(template: str, key: Key) -> str:
    before, *rest = _parts(template)
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return before + "".join(quoted(NAMES[name](key)) + text for name, text in pairs)


def quoted(text: str) -> str:
    """Text as a part of a URL; most names need no quoting, which takes its time."""
    return text if PLAIN.fullmatch(text) else quote(text, safe="", errors="replace")


@cache
def _parts(template: str) -> list[str]:
    """Text and names by turns."""
    return PLACEHOLDER.split(template)
