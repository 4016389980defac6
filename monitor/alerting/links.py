"""Where to read on: a series' page, the runbook, the AWS console, a dashboard."""

import re
from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import BeforeValidator, Field, WithJsonSchema

from collectors.base import ACCOUNT
from monitor.config_errors import unexpected
from monitor.config_types import Model, Url
from monitor.fleet import Key
from rules.limits import catalogue

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
KNOWN = ("account", "region", "service", "signal", "resource", "parent", "id")
CONSOLES = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}  # by region
CONSOLE = "console.aws.amazon.com"


def _template(value: Any) -> Any:
    for name in PLACEHOLDER.findall(value) if isinstance(value, str) else ():
        if name not in KNOWN:
            raise unexpected(f"a URL with {', '.join(f'{{{one}}}' for one in KNOWN)}", f"{{{name}}}", KNOWN)
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
        names = _names(key)
        page = f"{self.headroom.rstrip('/')}/series/{key.id}" if self.headroom else None
        templates = {"runbook": self.runbook, "console": console(key), "grafana": self.grafana}
        filled = {name: _filled(template, names) for name, template in templates.items() if template}
        return ({"page": page} if page else {}) | filled


def console(key: Key) -> str | None:
    """The template of the resource's address in the AWS console; the quota's, for a limit of the account.

    None in a partition whose console is not known.
    """
    if "iso" in key.region:
        return None
    service = catalogue()[key.service]
    host = next((host for start, host in CONSOLES.items() if key.region.startswith(start)), CONSOLE)
    quota = service.signals[key.signal].quota
    path = service.console
    if key.resource == ACCOUNT:
        path = f"servicequotas/home/services/{quota.service}/quotas/{quota.code}" if quota else None
    return f"https://{{region}}.{host}/{path}" if path else None


def _names(key: Key) -> Mapping[str, str]:
    return key._asdict() | {"parent": key.resource.partition("/")[0], "id": key.id}


def _filled(template: str, names: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda found: quote(names[found[1]], safe="", errors="replace"), template)
