"""Which metric a streamed point is of: names as small numbers, found again by their bytes as they come."""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from monitor.fleet import CellKey

UNWANTED, BAD = -1, -2  # instead of a number: nobody uses the metric; it is none
LARGEST = 64 * 1024  # bytes of a metric's dimensions; 30 of 1 KiB are the most that CloudWatch has
MOST = 500_000  # names and spellings of them that are remembered

Metrics = Collection[tuple[str, str]]  # namespace, name


class Name(NamedTuple):
    """A metric of an account and region without statistic, and the unit it came in."""

    account: str
    region: str
    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]  # ascending
    unit: str

    @property
    def cell(self) -> CellKey:
        return self.account, self.region


class Names:
    """The names met so far, by number. `wanted`: the metrics that somebody uses; None: all of them.

    Decoders look up a name by the bytes it came in, and note it when these are new: `json` by account,
    region, namespace, metric and unit, then by dimensions; `otlp` by resource, then by unit and attributes.
    """

    def __init__(self, wanted: Metrics | None = None) -> None:
        self._wanted = wanted
        self._numbers: dict[Name, int] = {}
        self._texts: dict[str, str] = {}
        self.all: list[Name] = []
        self.json: dict[tuple[tuple[str, str, str, str, str], bytes], int] = {}
        self.otlp: dict[bytes, dict[tuple[bytes, bytes], int]] = {}
        self.cells: dict[bytes, CellKey] = {}  # by the resource
        self.unwanted: dict[bytes, str] = {}  # namespaces, by OpenTelemetry's name of a metric
        self.spellings = 0

    @property
    def full(self) -> bool:
        """Whether it is time to begin anew, lest endless new names fill the memory."""
        return self.spellings >= MOST

    def wants(self, namespace: str, metric: str) -> bool:
        return self._wanted is None or (namespace, metric) in self._wanted

    def number(
        self, cell: CellKey, namespace: str, metric: str, dimensions: Mapping[str, str], unit: str
    ) -> int:
        """The number of a name, new or known."""
        account, region, namespace, metric, unit = map(self.text, (*cell, namespace, metric, unit))
        pairs = tuple(sorted((self.text(key), value) for key, value in dimensions.items()))
        name = Name(account, region, namespace, metric, pairs, unit)
        number = self._numbers.setdefault(name, len(self.all))
        if number == len(self.all):
            self.all.append(name)
        self.spellings += 1
        return number

    def text(self, text: str) -> str:
        """One object for equal texts: a hundred thousand names have a few namespaces."""
        return self._texts.setdefault(text, text)
