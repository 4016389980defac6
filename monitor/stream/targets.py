"""Where streamed points belong: the rows of the rings, by the number of a point's name."""

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from collectors.base import Metric
from monitor.columns import Columns, Flags, Ints
from monitor.fleet import CellKey, Fleet, fragment
from monitor.price import PAYERS
from monitor.stream.names import Name, Names
from monitor.stream.points import Numbers
from monitor.stream.units import factor
from monitor.stream.wanted import AVERAGE, COLUMNS, DECODED, WANTED, WIDTH

Thing = TypeVar("Thing")

NOWHERE = -1
STATISTICS = (*DECODED, AVERAGE)  # the rows of the values that are chosen from


@dataclass(frozen=True, slots=True)
class Kind:
    """A metric of a cell, whatever its dimensions."""

    cell: tuple[str, str]
    namespace: str
    metric: str


class Targets(Columns):
    """Columns by the number of a name, a name having as many targets as statistics of it are read.

    layout: that of the rings when the name was looked up. row: NOWHERE when no series uses it.
    statistic: which one of STATISTICS. factor: turns a value into the metric's unit; NaN: they contradict.
    kind, payer: index in `kinds`, and in `payers`: cell and service.
    asked: the inventory was asked to look for the resource.
    """

    declared: ClassVar = {
        "layout": (np.int64, -1),
        "row": (np.int32, NOWHERE, WIDTH),
        "statistic": (np.int8, 0, WIDTH),
        "factor": (np.float64, np.nan, WIDTH),
        "kind": (np.int32, -1),
        "payer": (np.int32, -1),
        "asked": (np.bool_, False),
    }
    layout: Numbers
    row: Ints
    statistic: npt.NDArray[np.int8]
    factor: npt.NDArray[np.float64]
    kind: Ints
    payer: Ints
    asked: Flags

    def __init__(self, fleet: Fleet, names: Names) -> None:
        super().__init__()
        self.names, self._fleet = names, fleet
        self.kinds: list[Kind] = []
        self._kinds: dict[Kind, int] = {}
        self.payers: list[tuple[CellKey, str]] = []
        self._payers: dict[tuple[CellKey, str], int] = {}
        self._fragments: list[tuple[bytes, ...]] = []

    def look_up(self, numbers: Numbers) -> Numbers:
        """Make the rows of these names current; return those that no series uses."""
        while self.size <= numbers.max(initial=-1):
            self._add(self.names.all[self.size])
        layout = self._fleet.rings.layout
        for number in np.unique(numbers[self.layout[numbers] != layout]).tolist():
            self._look_up(number)
            self.layout[number] = layout
        lost: Numbers = np.unique(numbers[(self.row[numbers] == NOWHERE).all(axis=1)])
        return lost

    def _add(self, name: Name) -> None:
        place, read = self.take(), WANTED[name.namespace, name.metric]
        metrics = [Metric(name.namespace, name.metric, one, dimensions=name.dimensions) for one in read]
        self._fragments.append(tuple(map(fragment, metrics)))
        for n, statistic in enumerate(read):
            self.statistic[place, n] = STATISTICS.index(COLUMNS.get(statistic, statistic))
            self.factor[place, n] = factor(name.namespace, name.metric, statistic, name.unit)
        kind = Kind(name.cell, name.namespace, name.metric)
        self.kind[place] = _index(self._kinds, self.kinds, kind)
        payer = name.cell, PAYERS[name.namespace, name.metric]
        self.payer[place] = _index(self._payers, self.payers, payer)

    def _look_up(self, number: int) -> None:
        rings, listed = self._fleet.rings, self._fleet.metrics(self.names.all[number].cell)
        rows = [listed.get(metric, NOWHERE) for metric in self._fragments[number]]
        self.row[number, : len(rows)] = rows
        self._fragments[number] = tuple(  # the fleet's own objects, rather than copies of them
            metric if row == NOWHERE else rings.metric[row]
            for metric, row in zip(self._fragments[number], rows, strict=True)
        )


def _index(numbers: dict[Thing, int], things: list[Thing], thing: Thing) -> int:
    """Where a thing is in a list, to which it is added when it is new."""
    number = numbers.setdefault(thing, len(things))
    if number == len(things):
        things.append(thing)
    return number
