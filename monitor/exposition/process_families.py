"""The families of the process in the Prometheus text format.

They are rendered for each scrape. `generate_latest` spends most of its time on names and labels, which hardly
change, so it is called once for each of them here.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

MAX_CACHED = 2**14  # headers, and names with labels
number_text: Callable[[float], str] = floatToGoString  # it has no types


class _OneFamily(Collector):
    """The collector of one family."""

    def __init__(self, family: Metric) -> None:
        self._family = family

    def collect(self) -> Iterator[Metric]:
        yield self._family


def process_families(registry: CollectorRegistry) -> bytes:
    """Return all families of a registry, as `generate_latest` does, without the times of creation.

    Each of these times would be a series of its own, which only OpenMetrics gives a meaning.
    """
    lines = []
    for family in registry.collect():
        lines.append(_header(family.name, family.documentation, family.type))
        created = f"{family.name}_created"
        for sample in family.samples:
            if sample.name != created:
                series = _series(sample.name, tuple(sample.labels.items()))
                lines.append(f"{series} {number_text(sample.value)}\n")
    return "".join(lines).encode()


@lru_cache(MAX_CACHED)
def _header(name: str, documentation: str, family_type: str) -> str:
    """Return the lines before the samples of a family."""
    return generate_latest(_OneFamily(Metric(name, documentation, family_type))).decode()


@lru_cache(MAX_CACHED)
def _series(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    """Return a name with labels, as it stands before a value."""
    family = Metric(name, "", "gauge")
    family.add_sample(name, dict(labels), 0)
    last_line = generate_latest(_OneFamily(family)).decode().removesuffix("\n").rpartition("\n")[2]
    return last_line.rpartition(" ")[0]
