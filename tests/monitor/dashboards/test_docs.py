"""The generated list of signals, and the generated runbooks."""

import re
from typing import Any

import pytest

from collectors.registry import Registry, build_registry
from monitor.dashboards import runbooks
from monitor.dashboards.catalogue_page import catalogue_page, service_table
from monitor.runbooks.service_runbook import service_runbook
from rules.not_declared import NotDeclared
from rules.signals import Service
from tests.own_services import own_collector
from tests.registries import REGISTRY, each_service

TEXTS = {"why": "It fails.", "saturation": "Callers see it.", "remedy": ["Ask."]}
DOCS = ["https://docs.aws.amazon.com/one/limits.html"]
SIGNALS: dict[str, dict[str, Any]] = {
    "calls": {
        "title": "Calls | tries",
        "unit": "calls/s",
        "kind": "quota",
        "default": {"value": 20, "by_region": {"eu-west-1": 5}},
        "quota": {"service": "own", "code": "L-12345678"},
        "unverified": "The unit is recalled.",
        "caveats": ["It is a mean."],
        **TEXTS,
        "docs": DOCS,
    },
    "size": {
        "title": "Bytes of a store",
        "unit": "bytes",
        "kind": "fixed",
        "tier": "detail",
        "command": "aws own resize --store=arn:{partition}:own:{store} --to {number} --url own.{suffix}",
        **TEXTS,
        "docs": DOCS,
    },
}


@pytest.fixture
def registry() -> Registry:
    """Return a registry with one service, of the family `storage`."""
    entry = {"service": "one", "title": "Own one", "family": "storage", "signals": SIGNALS}
    return build_registry([own_collector("one")], [Service.model_validate(entry)])


def test_the_catalogue_page_has_one_row_for_each_signal_under_its_service(registry: Registry) -> None:
    not_declared = NotDeclared(signals={"one.age": "Nobody tells it."}, services={"Two": "It is gone."})
    page = catalogue_page(registry, not_declared)
    rows = [
        line for line in page.splitlines() if line.startswith(("#", "- **Storage", "| [", "| `", "| Two"))
    ]
    assert rows == [
        "# Catalogue",
        "- **Storage**: [Own one](#own-one-one)",
        "## Storage",
        "### Own one (one)",
        "| [`calls`](runbooks/one.md#onecalls) | Calls \\| tries | calls/s | quota "
        "| 5 calls/s to 20 calls/s, by region | L-12345678 | core | unverified |",
        "| [`size`](runbooks/one.md#onesize) | Bytes of a store | bytes | fixed "
        "| depends on the resource |  | detail |  |",
        "## Prices",
        "## What is not watched",
        "| `one.age` | Nobody tells it. |",
        "| Two | It is gone. |",
    ]


def test_the_catalogue_page_has_each_price_once_and_names_what_has_none() -> None:
    shard = {
        "hourly": {"us-east-1": 0.015, "eu-west-1": 0.0166},
        "source": "https://aws.amazon.com/one/pricing/",
        "read_on": "2026-09-25",
    }
    sizes: dict[str, dict[str, object]] = {
        "large": {"item": "large shard"},
        "small": {"item": "shard", "price": "shard"},
        "most": {"item": "task", "is_maximum": True},
    }
    bought = {**SIGNALS["size"], "kind": "provisioned", "sizes": sizes}
    entry = {
        "service": "one",
        "title": "One",
        "prices": {"shard": shard},
        "signals": {"a": bought, "b": bought},
    }
    registry = build_registry([own_collector("one")], [Service.model_validate(entry)])
    page = catalogue_page(registry, NotDeclared(signals={}, services={}))
    assert page.index("large shard") < page.index("Maxima, which cost nothing") < page.index("One: task")
    prices = page[page.index("## Prices") : page.index("## What is not watched")].splitlines()
    assert [line for line in prices if line.startswith(("| One", "- "))] == [
        "| One | shard | us-east-1 $0.015, eu-west-1 $0.0166 per hour "
        "| [AWS](https://aws.amazon.com/one/pricing/) | 2026-09-25 |",
        "- One: large shard (`large`)",
        "- One: task (`most`)",
    ]


def test_the_table_of_services_has_one_row_for_each_service(registry: Registry) -> None:
    *_, row = service_table(registry.services.values()).splitlines()
    assert row == "| storage | [Own one](catalogue.md#own-one-one) | `one` | 2 |"


def test_a_runbook_has_the_sections_and_the_commands_of_each_signal(registry: Registry) -> None:
    page = runbooks.files(registry)["one.md"]
    calls, size = page.split("\n## ")[1:3]
    assert [line.partition(" ")[0] for line in calls.splitlines() if line.startswith("**")] == [
        "**Meaning:**",
        "**Impact:**",
        "**Diagnosis:**",
        "**Mitigation:**",
    ]
    quota_options = "--service-code own --quota-code L-12345678"
    assert f"aws service-quotas get-service-quota {quota_options} --region REGION" in calls
    increase_command = "aws service-quotas request-service-quota-increase"
    assert f"{increase_command} {quota_options} --desired-value NUMBER --region REGION" in calls
    assert "Unverified: The unit is recalled." in calls
    assert "- It is a mean." in calls
    assert "aws own resize --store=arn:aws:own:STORE --to NUMBER --url own.amazonaws.com" in size
    assert "Read only on request" in size


@each_service
def test_a_runbook_names_the_iam_actions_that_its_service_needs(service: Service) -> None:
    (collector,) = REGISTRY.collectors_of({service.service})
    text = runbooks.markdown_of(service_runbook(service, collector.iam_actions))
    permissions = text.partition("## Permissions")[2]
    listed_actions = set(re.findall("^- `(.*)`$", permissions, re.MULTILINE))
    assert listed_actions == {*collector.iam_actions}
    assert f"headroom iam-policy --service {service.service}`" in permissions


def test_the_runbook_of_a_service_without_own_actions_refers_to_the_actions_that_every_service_needs(
    registry: Registry,
) -> None:
    text = runbooks.markdown_of(service_runbook(registry.services["one"], ()))
    assert text.partition("## Permissions\n\n")[2].splitlines() == [
        "Reading this service needs only the actions that every service needs.",
        "",
        "`headroom iam-policy --service one` prints the policy with all of them.",
    ]
