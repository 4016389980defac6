"""Infers zeros for metrics that AWS does not publish when nothing happened.

A stream delivers no point of such a metric for a minute in which nothing happened. The zero is inferred from
other metrics (`monitor.fleet.namespaces`): once points of the same namespace and cell have arrived for a
minute, a metric that has no point ABSENT_AFTER minutes earlier was zero in that earlier minute. A point that
arrives later replaces the zero. Points ahead of the clock imply no zeros for minutes that have not ended.

This holds only for metrics that the stream carries, as its filters may exclude metrics. If no resource had a
point of a metric within the window, the stream may not carry the metric, and only polling reads it.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from monitor.fleet.fleet import Fleet
from monitor.fleet.key import CellKey
from monitor.fleet.metric_query import name_part, name_part_of
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from monitor.stream.declared_metrics import DeclaredMetrics
from monitor.stream.row_index import CellMetric
from rules.arrays import Ints

ABSENT_AFTER = 2  # minutes; the points of one minute arrive within one or two minutes

ZeroRows = Mapping[str, Ints]  # rows for which a missing point means zero, by the metric's name


@dataclass(slots=True)
class CarriedMetrics:
    """The metrics of one namespace of a cell that a stream carries.

    last_received: by metric, the minute in which its last point arrived. marked_through: the minute
    up to which absent metrics were marked as zero.
    """

    last_received: dict[str, int] = field(default_factory=dict)
    marked_through: int = NEVER

    def includes(self, metric: str, now: int) -> bool:
        """Return whether a point of a metric arrived within the window, for any resource."""
        return self.last_received.get(metric, NEVER) > now - WINDOW


class ImpliedZeros:
    """Marks minutes of metrics as zero, where a stream carries the metric but delivered no point.

    It advances the watermarks of the rings' namespaces, which polls advance, too.
    """

    def __init__(self, fleet: Fleet, metrics: DeclaredMetrics) -> None:
        self._fleet = fleet
        self._metric_by_name_part = {name_part_of(*metric): metric for metric in metrics.statistics}
        self._carried = defaultdict[tuple[CellKey, str], CarriedMetrics](CarriedMetrics)
        # By cell: the layout of the rings for which the rows are valid, and the rows by namespace.
        self._zero_rows: dict[CellKey, tuple[int, Mapping[str, ZeroRows]]] = {}

    def observe(self, newest_minutes: Mapping[CellMetric, int], now: int) -> None:
        """Record delivered metrics, each with its newest minute, and mark zeros. now: the present minute."""
        namespaces, to_mark = self._fleet.rings.namespaces, set[tuple[CellKey, str]]()
        monitored = {
            metric: minute for metric, minute in newest_minutes.items() if self._fleet.metrics(metric.cell)
        }
        if not monitored:
            return
        numbers = [namespaces.number_of((metric.cell, metric.namespace)) for metric in monitored]
        minutes = np.array([*monitored.values()], np.int32)
        self._fleet.rings.advance_watermarks(np.array(numbers, np.int32), minutes)
        for metric, number in zip(monitored, numbers, strict=True):
            carried = self._carried[metric.cell, metric.namespace]
            complete_through = min(int(namespaces.watermark[number]), now) - ABSENT_AFTER
            if complete_through > carried.marked_through or not carried.includes(metric.metric, now):
                to_mark.add((metric.cell, metric.namespace))
            carried.marked_through = max(carried.marked_through, complete_through)
            carried.last_received[metric.metric] = now
        self._mark(
            [part for key in sorted(to_mark) for part in self._rows_to_mark(*key, now)],
            now,
        )

    def _mark(self, parts: list[tuple[Ints, int]], now: int) -> None:
        if parts:
            rows = np.concatenate([rows for rows, _ in parts])
            minutes = np.repeat([minute for _, minute in parts], [rows.size for rows, _ in parts])
            self._fleet.rings.mark_streamed(rows, minutes.astype(np.int32), now)

    def _rows_to_mark(self, cell: CellKey, namespace: str, now: int) -> Iterator[tuple[Ints, int]]:
        """Yield the rows of carried metrics, and the minute up to which to mark them."""
        carried, zero_rows = self._carried[cell, namespace], self._zero_rows_of(cell).get(namespace, {})
        for metric, rows in zero_rows.items():
            if carried.includes(metric, now):
                yield rows, carried.marked_through

    def _zero_rows_of(self, cell: CellKey) -> Mapping[str, ZeroRows]:
        """Return the rows of a cell for which a missing point means zero, by namespace and metric."""
        rings, (layout, zero_rows) = self._fleet.rings, self._zero_rows.get(cell, (NEVER, {}))
        if layout != rings.layout:
            row_lists = defaultdict[str, dict[str, list[int]]](lambda: defaultdict(list))
            for query, row in self._fleet.metrics(cell).items():
                metric = self._metric_by_name_part.get(name_part(query))
                if metric and rings.zero_when_absent[row] and rings.period[row] == 1:
                    row_lists[metric[0]][metric[1]].append(row)
            zero_rows = {
                namespace: {name: np.array(rows, np.int32) for name, rows in metrics.items()}
                for namespace, metrics in row_lists.items()
            }
            self._zero_rows[cell] = rings.layout, zero_rows
        return zero_rows
