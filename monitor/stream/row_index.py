"""Maps the names of streamed points to rows of the rings."""

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from collectors.base import Metric
from monitor.fleet.columns import Columns
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.metric_query import metric_query
from monitor.stream.declared_metrics import DeclaredMetrics
from monitor.stream.interner import MetricName, NameInterner
from monitor.stream.statistics import AVERAGE, STATISTIC_FIELDS
from monitor.stream.units import conversion_factor
from rules.arrays import Flags, Int64s, Ints, distinct_values

Item = TypeVar("Item")

NO_ROW = -1


@dataclass(frozen=True, slots=True)
class CellMetric:
    """A metric of a cell, with any dimensions."""

    cell: CellKey
    namespace: str
    metric: str


class RowIndex(Columns):
    """Columns by the number of a name. Two-dimensional columns are [name, declared statistic of the metric].

    layout: the rings' layout for which `row` is valid.
    row: the row of the rings; NO_ROW where no series uses the metric.
    statistic: the index in `_statistics`: the decoded statistics and, after them, the average.
    conversion: the factor to the metric's unit; NaN if the units are incompatible.
    metric: the index in `metrics`.
    owner: the index in `owners`, which are pairs of cell and service.
    inventory_requested: true if an inventory was requested for the name.
    """

    declared: ClassVar = {
        "layout": (np.int64, -1),
        "metric": (np.int32, -1),
        "owner": (np.int32, -1),
        "inventory_requested": (np.bool_, False),
    }
    layout: Int64s
    row: Ints
    statistic: npt.NDArray[np.int8]
    conversion: npt.NDArray[np.float64]
    metric: Ints
    owner: Ints
    inventory_requested: Flags

    def __init__(self, fleet: Fleet, metrics: DeclaredMetrics, names: NameInterner) -> None:
        width = metrics.max_statistics
        super().__init__(
            row=(np.int32, NO_ROW, width),
            statistic=(np.int8, 0, width),
            conversion=(np.float64, np.nan, width),
        )
        self.names, self._fleet, self._declared_metrics = names, fleet, metrics
        self._statistics = (*metrics.decoded_statistics, AVERAGE)
        self.metrics: list[CellMetric] = []
        self._metric_numbers: dict[CellMetric, int] = {}
        self.owners: list[tuple[CellKey, str]] = []
        self._owner_numbers: dict[tuple[CellKey, str], int] = {}
        self._queries: list[tuple[bytes, ...]] = []  # by number of the name: one query per declared statistic
        # By number of the name: its candidate cells, if global and regional services share its namespace.
        self._candidate_cells: dict[int, tuple[CellKey, ...]] = {}

    def refresh(self, numbers: Int64s) -> Int64s:
        """Update the rows of names; return the numbers of names that no series uses, ascending."""
        while self.size <= numbers.max(initial=-1):
            self._add(self.names.by_number[self.size])
        layout = self._fleet.rings.layout
        for number in distinct_values(numbers[self.layout[numbers] != layout]).tolist():
            self._find_rows(number)
            self.layout[number] = layout
        unknown: Int64s = distinct_values(numbers[(self.row[numbers] == NO_ROW).all(axis=1)])
        return unknown

    def _add(self, name: MetricName) -> None:
        number, metric_id = self.allocate(), (name.namespace, name.metric)
        statistics = self._declared_metrics.statistics[metric_id]
        unit = self._declared_metrics.units[metric_id]
        metrics = [
            Metric(name.namespace, name.metric, stat, dimensions=name.dimensions) for stat in statistics
        ]
        self._queries.append(tuple(map(metric_query, metrics)))
        for column, statistic in enumerate(statistics):
            field = STATISTIC_FIELDS.get(statistic, statistic)
            self.statistic[number, column] = self._statistics.index(field)
            self.conversion[number, column] = conversion_factor(name.unit, unit, statistic)
        cells = tuple(dict.fromkeys(cell for cell, _ in self._declared_metrics.reading_services(name)))
        self._set_cell(number, cells[0])
        if len(cells) > 1:
            self._candidate_cells[number] = cells

    def _set_cell(self, number: int, cell: CellKey) -> None:
        name = self.names.by_number[number]
        metric = CellMetric(cell, name.namespace, name.metric)
        self.metric[number] = _index_of(self._metric_numbers, self.metrics, metric)
        owner = cell, self._declared_metrics.owners[name.namespace, name.metric]
        self.owner[number] = _index_of(self._owner_numbers, self.owners, owner)

    def _find_rows(self, number: int) -> None:
        """Find the rows of a name; of its candidate cells, the first that has one of its metrics is used."""
        for cell in self._candidate_cells.get(number, ()):
            if not self._fleet.metrics(cell).keys().isdisjoint(self._queries[number]):
                self._set_cell(number, cell)
                break
        rings, row_by_query = self._fleet.rings, self._fleet.metrics(self.metrics[self.metric[number]].cell)
        rows = [row_by_query.get(query, NO_ROW) for query in self._queries[number]]
        self.row[number, : len(rows)] = rows
        self._queries[number] = tuple(  # reuse the objects of the rings to save memory
            query if row == NO_ROW else rings.metric[row]
            for query, row in zip(self._queries[number], rows, strict=True)
        )


def _index_of(numbers: dict[Item, int], items: list[Item], item: Item) -> int:
    """Return the index of an item in a list; append it if it is new."""
    number = numbers.setdefault(item, len(items))
    if number == len(items):
        items.append(item)
    return number
