"""No exported label has a name that targets often have, or that Prometheus reserves."""

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

PROMETHEUS_LABELS = {"instance", "job", "le", "quantile"}
OPERATOR_LABELS = {"service", "namespace", "pod", "endpoint", "container", "prometheus"}
USER_LABELS = {"account", "region", "cluster", "env", "environment", "host", "node", "app", "team"}
RESERVED_LABELS = PROMETHEUS_LABELS | OPERATOR_LABELS | USER_LABELS

MAX_LABELS = 6
TELEMETRY = Telemetries()
PROMETHEUS_REGISTRY = CollectorRegistry()
TELEMETRIES: tuple[Any, ...] = (
    TELEMETRY.process,
    TELEMETRY.aws,
    TELEMETRY.stream,
    AccessTelemetry(PROMETHEUS_REGISTRY),
    DeliveryTelemetry(PROMETHEUS_REGISTRY),
    PushTelemetry(PROMETHEUS_REGISTRY),
)


def own_families() -> Iterator[MetricWrapperBase]:
    """Yield the families that Headroom exports about itself."""
    for telemetry in TELEMETRIES:
        yield from (family for family in vars(telemetry).values() if isinstance(family, MetricWrapperBase))


def label_names(family: MetricWrapperBase) -> set[str]:
    """Return the label names of a family, read from a child made here: without a child it has no samples."""
    for count in range(MAX_LABELS + 1):
        # A family with another number of labels raises ValueError; one without labels is its own child.
        with suppress(ValueError):
            family.labels(*["x"] * count)
    samples = [sample for collected in family.collect() for sample in collected.samples]
    assert samples
    return {name for sample in samples if not sample.name.endswith("_bucket") for name in sample.labels}


def test_the_labels_of_a_family_are_found() -> None:
    family = Histogram("seconds", "Help.", ["code", "path"], registry=None)
    assert label_names(family) == {"code", "path"}
    assert label_names(Counter("things", "Help.", registry=None)) == set()


@pytest.mark.parametrize("family", [*own_families()], ids=lambda family: family.describe()[0].name)
def test_families_about_headroom_itself_have_no_reserved_label(family: MetricWrapperBase) -> None:
    assert not RESERVED_LABELS & label_names(family)


def test_families_about_series_have_no_reserved_label() -> None:
    key = Key("123456789012", "eu-west-1", "apigateway", "rate", Resource("api", ("a1",), ("orders",)))
    assert exported_labels(key.labels) == {
        "aws_account": "123456789012",
        "aws_region": "eu-west-1",
        "aws_service": "apigateway",
        "signal": "rate",
        "resource": "orders",
        "resource_id": "a1",
    }
    assert not RESERVED_LABELS & exported_labels(key.labels).keys()


def test_notices_have_no_reserved_label() -> None:
    assert not RESERVED_LABELS & labels(notice()).keys()


def test_rules_never_select_by_a_reserved_label() -> None:
    for text in prometheus.files(REGISTRY.services.values()).values():
        for name in ("service", "region", "account"):
            assert f"{{{name}=" not in text and f",{name}=" not in text and f"$labels.{name} " not in text
