"""What the README says of signals and metrics is what the product has."""

import re
from pathlib import Path

from prometheus_client import CollectorRegistry

from monitor.catalogue import as_markdown
from monitor.exposition import HEADERS
from monitor.telemetry import Telemetry
from rules.limits import signals

README = (Path(__file__).parents[1] / "README.md").read_text("utf-8")


def test_every_signal_has_its_row() -> None:
    """If not: put the output of `headroom catalogue --format markdown` between the two marks."""
    _, _, rest = README.partition("<!-- signals: `headroom catalogue --format markdown` -->\n")
    table, mark, _ = rest.partition("\n<!-- end of signals -->")
    assert mark
    assert table == as_markdown(signals())


def test_every_exported_family_is_named() -> None:
    told = set(re.findall(r"headroom_[a-z_]+", README))
    own = {name for name in names(Telemetry().registry) if name.startswith("headroom_")}
    assert (set(HEADERS) | own) - told == set()


def names(registry: CollectorRegistry) -> set[str]:
    """The families of a registry, as they are exported."""
    return {family.name + ("_total" if family.type == "counter" else "") for family in registry.collect()}
