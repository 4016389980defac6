"""Interns the names of streamed metrics as small numbers.

A spelling of a name is the bytes in which a record contains it; one name may have several spellings.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

from monitor.fleet.key import CellKey
from monitor.lib.errors import HeadroomError

UNDECLARED, INVALID = -1, -2  # instead of a number: no collector declares the metric; malformed name
MAX_DIMENSIONS_BYTES = 64 * 1024  # per metric; CloudWatch allows 30 dimensions of up to 1 KiB
SPELLING_OVERHEAD = 500  # bytes of memory that a spelling takes besides its copies
SPELLING_COPIES = 3  # copies of a spelling in memory: the bytes, and the texts decoded from them
MAX_INTERNER_BYTES = 384 * 1024**2  # bytes of memory for all spellings
MAX_NEW_BYTES = 64 * 1024**2  # bytes of memory for the new spellings of one body

MetricSet = Collection[tuple[str, str]]  # namespace, name


class TooManyNamesError(HeadroomError):
    """A body has more new names than one body may add; the sender should repeat it."""


class MetricName(NamedTuple):
    """A metric of an account and region, without statistic, and the unit of its points."""

    account: str
    region: str
    namespace: str
    metric: str
    dimensions: tuple[tuple[str, str], ...]  # ascending
    unit: str

    @property
    def cell(self) -> CellKey:
        """Account and region."""
        return self.account, self.region


class NameInterner:
    """All names so far; the number of a name is its index in `by_number`.

    Decoders look up numbers by spelling in the following mappings, and add new spellings:
    json_numbers: numbers by (account, region, namespace, metric, unit) and the bytes of the dimensions.
    otlp_numbers: numbers by the bytes of the resource, then by the bytes of unit and attributes.
    cells: cells by the bytes of the resource.
    undeclared_namespaces: namespaces of undeclared metrics, by the metric's name in OpenTelemetry.
    """

    def __init__(
        self,
        declared: MetricSet | None = None,
        max_bytes: int = MAX_INTERNER_BYTES,
        max_new_bytes: int = MAX_NEW_BYTES,
    ) -> None:
        """declared: the metrics to intern; None: any metric."""
        self._declared, self._max_bytes, self._max_new_bytes = declared, max_bytes, max_new_bytes
        self._numbers: dict[MetricName, int] = {}
        self._texts: dict[str, str] = {}
        self.by_number: list[MetricName] = []
        self.json_numbers: dict[tuple[tuple[str, str, str, str, str], bytes], int] = {}
        self.otlp_numbers: dict[bytes, dict[tuple[bytes, bytes], int]] = {}
        self.cells: dict[bytes, CellKey] = {}
        self.undeclared_namespaces: dict[bytes, str] = {}
        self._size = self._new_bytes = 0

    @property
    def is_full(self) -> bool:
        """True once the memory limit is reached, so that an empty interner should replace this one."""
        return self._size >= self._max_bytes

    def begin_body(self) -> None:
        """Reset the count of new spellings for another body."""
        self._new_bytes = 0

    def reserve(self, size: int) -> None:
        """Count a new spelling of `size` bytes.

        Raises TooManyNamesError when the body has too many new spellings. Spellings that were added stay, so
        that a retry of the body gets further.
        """
        if self._new_bytes >= self._max_new_bytes:
            raise TooManyNamesError
        added = SPELLING_OVERHEAD + SPELLING_COPIES * size
        self._new_bytes, self._size = self._new_bytes + added, self._size + added

    def is_declared(self, namespace: str, metric: str) -> bool:
        """Return whether a collector declares a metric; points of other metrics are not decoded."""
        return self._declared is None or (namespace, metric) in self._declared

    def intern(
        self, cell: CellKey, namespace: str, metric: str, dimensions: Mapping[str, str], unit: str
    ) -> int:
        """Return the number of a name; add the name if it is new."""
        account, region, namespace, metric, unit = map(self.intern_text, (*cell, namespace, metric, unit))
        pairs = tuple(sorted((self.intern_text(key), value) for key, value in dimensions.items()))
        name = MetricName(account, region, namespace, metric, pairs, unit)
        number = self._numbers.setdefault(name, len(self.by_number))
        if number == len(self.by_number):
            self.by_number.append(name)
        return number

    def intern_text(self, text: str) -> str:
        """Return the same object for equal texts, to save memory: 100,000 names share a few namespaces."""
        return self._texts.setdefault(text, text)
