"""No label of ours has a name that a scrape gives its target, or that Prometheus keeps for itself."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.metrics import MetricWrapperBase

from collectors.base import Resource
from monitor.access.telemetry import AccessTelemetry
from monitor.alerting.telemetry import DeliveryTelemetry
from monitor.dashboards import prometheus
from monitor.fleet.key import Key
from monitor.lib.label_names import exported_labels
from monitor.notifiers.alertmanager_format import labels
from monitor.push.telemetry import PushTelemetry
from tests.monitor.alerting.notices import notice
from tests.registries import REGISTRY
from tests.telemetries import Telemetries

OF_PROMETHEUS = {"instance", "job", "le", "quantile"}
OF_OPERATORS = {"service", "namespace", "pod", "endpoint", "container", "prometheus"}
OF_PEOPLE = {"account", "region", "cluster", "env", "environment", "host", "node", "app", "team"}
TAKEN = OF_PROMETHEUS | OF_OPERATORS | OF_PEOPLE

MAX_LABELS = 6
TELEMETRY = Telemetries()
METRICS = CollectorRegistry()
TELEMETRIES: tuple[Any, ...] = (
    TELEMETRY.process,
    TELEMETRY.aws,
    TELEMETRY.stream,
    AccessTelemetry(METRICS),
    DeliveryTelemetry(METRICS),
    PushTelemetry(METRICS),
)


def own() -> Iterator[MetricWrapperBase]:
    """Yield the families that Headroom exports about itself."""
    for telemetry in TELEMETRIES:
        yield from (one for one in vars(telemetry).values() if isinstance(one, MetricWrapperBase))


def label_names(family: MetricWrapperBase) -> set[str]:
    """Return the labels of a family: those of a child that is made here, as a family without one has none."""
    for count in range(MAX_LABELS + 1):
        with suppress(ValueError):  # another number of labels, or none: then the family is its own child
            family.labels(*["x"] * count)
    samples = [sample for collected in family.collect() for sample in collected.samples]
    assert samples
    return {name for one in samples if not one.name.endswith("_bucket") for name in one.labels}


def test_the_labels_of_a_family_are_found() -> None:
    family = Histogram("seconds", "Help.", ["code", "path"], registry=None)
    assert label_names(family) == {"code", "path"}
    assert label_names(Counter("things", "Help.", registry=None)) == set()


@pytest.mark.parametrize("family", [*own()], ids=lambda one: one.describe()[0].name)
def test_the_families_about_headroom_itself(family: MetricWrapperBase) -> None:
    assert not TAKEN & label_names(family)


def test_the_families_about_series() -> None:
    key = Key("123456789012", "eu-west-1", "apigateway", "rate", Resource("api", ("a1",), ("orders",)))
    assert exported_labels(key.labels) == {
        "aws_account": "123456789012",
        "aws_region": "eu-west-1",
        "aws_service": "apigateway",
        "signal": "rate",
        "resource": "orders",
        "resource_id": "a1",
    }
    assert not TAKEN & exported_labels(key.labels).keys()


def test_no_label_of_a_notice_collides_with_labels_of_targets() -> None:
    assert not TAKEN & labels(notice()).keys()


def test_rules_never_select_by_names_that_other_labels_may_have() -> None:
    for text in prometheus.files(REGISTRY.services.values()).values():
        for name in ("service", "region", "account"):
            assert f"{{{name}=" not in text and f",{name}=" not in text and f"$labels.{name} " not in text
