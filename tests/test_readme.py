"""The README lists the services and metrics that the code has."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from monitor.aws.telemetry import AwsTelemetry
from monitor.cost.telemetry import CostTelemetry
from monitor.exposition.exposition import HEADERS
from monitor.lib.telemetry import ProcessTelemetry
from tests.service_table import with_service_table

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_every_service_has_its_row() -> None:
    assert with_service_table(README) == README, "run `make dashboards`"


def test_every_exported_family_is_named() -> None:
    documented = set(re.findall(r"headroom_[a-z_]+", README))
    registry = ProcessTelemetry().registry
    aws = AwsTelemetry(registry)
    CostTelemetry(registry, aws)
    own = {name for name in names(registry) if name.startswith("headroom_")}
    own |= {"headroom_stream_updates_total", "headroom_blind_places"}
    assert (set(HEADERS) | own) - documented == set()


def names(registry: CollectorRegistry) -> set[str]:
    """The families of a registry, as they are exported."""
    return {family.name + ("_total" if family.type == "counter" else "") for family in registry.collect()}
