"""What a stream says by saying nothing: that a metric which is zero when absent was zero.

AWS publishes nothing of such a metric when nothing happened, so no point of it ever comes to say so. It is
learnt from its neighbours: once metrics of the same namespace and cell came for a minute, a metric without
a point ABSENT_AFTER minutes before that was zero there. That holds only for metrics that the stream carries,
as its filters may leave any metric out: one that it was never seen to tell of, of whatever resource, within
the window is left to polling. A point that comes later still replaces the zero.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from collectors.base import Metric
from monitor.columns import Ints
from monitor.fleet import CellKey, Fleet, fragment
from monitor.rings import NEVER, WINDOW
from monitor.stream.targets import Kind
from monitor.stream.wanted import WANTED

ABSENT_AFTER = 2  # minutes; streams tell of a minute's metrics within one or two of each other
DIMENSIONS = b',"Dimensions":'
HEADS: Mapping[bytes, tuple[str, str]] = {
    fragment(Metric(*metric, stat="")).partition(DIMENSIONS)[0]: metric for metric in WANTED
}

ZeroRows = Mapping[str, Ints]  # by metric


@dataclass(slots=True)
class Ground:
    """One namespace of a cell. front: the newest minute told of. carried: when a metric was last heard of."""

    front: int = NEVER
    carried: dict[str, int] = field(default_factory=dict)

    def carries(self, metric: str, now: int) -> bool:
        """Whether the stream told of a metric, of some resource, within the window."""
        return self.carried.get(metric, NEVER) > now - WINDOW


class Absence:
    """The grounds of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self._grounds = defaultdict[tuple[CellKey, str], Ground](Ground)
        self._zeros: dict[CellKey, tuple[int, Mapping[str, ZeroRows]]] = {}  # with the layout they are of

    def hear(self, told: Mapping[Kind, int], now: int) -> None:
        """A stream told of kinds, up to a minute each; `now` is that of the clock."""
        changed = set()
        watched = {kind: minute for kind, minute in told.items() if self._fleet.metrics(kind.cell)}
        for kind, minute in watched.items():
            ground = self._grounds[kind.cell, kind.namespace]
            if minute > ground.front or not ground.carries(kind.metric, now):
                changed.add((kind.cell, kind.namespace))
            ground.front = max(ground.front, minute)
            ground.carried[kind.metric] = now
        marked = [part for cell, namespace in sorted(changed) for part in self._marked(cell, namespace, now)]
        if marked:
            rows = np.concatenate([rows for rows, _ in marked])
            minutes = np.repeat([minute for _, minute in marked], [rows.size for rows, _ in marked])
            self._fleet.rings.mark_streamed(rows, minutes.astype(np.int32), now)

    def _marked(self, cell: CellKey, namespace: str, now: int) -> Iterator[tuple[Ints, int]]:
        ground, zeros = self._grounds[cell, namespace], self._zero_rows(cell).get(namespace, {})
        for metric, rows in zeros.items():
            if ground.carries(metric, now):
                yield rows, ground.front - ABSENT_AFTER

    def _zero_rows(self, cell: CellKey) -> Mapping[str, ZeroRows]:
        """By namespace and metric, the rows of a cell where absence is zero."""
        rings, (layout, zeros) = self._fleet.rings, self._zeros.get(cell, (NEVER, {}))
        if layout != rings.layout:
            found = defaultdict[str, dict[str, list[int]]](lambda: defaultdict(list))
            for metric, row in self._fleet.metrics(cell).items():
                if rings.zero[row] and (kind := HEADS.get(metric.partition(DIMENSIONS)[0])):
                    found[kind[0]][kind[1]].append(row)
            zeros = {
                namespace: {name: np.array(rows, np.int32) for name, rows in metrics.items()}
                for namespace, metrics in found.items()
            }
            self._zeros[cell] = rings.layout, zeros
        return zeros
