"""Builds past samples of streams from letters, one letter a minute.

`LETTERS` of `tests.monitor.alerting.harness` has the utilization and the throttled demand of each letter.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from monitor.alerting.lifecycle import Lifecycle, batch_minutes
from monitor.alerting.notice_builder import NoticeBuilder
from monitor.config.config import Config
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.metric_query import metric_query
from monitor.fleet.series_settings import SeriesSettings
from monitor.lookback.lookback import Lookback
from monitor.lookback.replay import Judging, look_back
from monitor.lookback.sample_file import chunk_minutes
from monitor.lookback.ways import Way
from rules.arrays import Floats, Ints
from tests.monitor.alerting.harness import LETTERS, LIMIT, SHORT, configuration
from tests.monitor.fleet.fleets import NOW, add, key, throttled_metric, traffic
from tests.registries import REGISTRY

START = NOW - NOW % 60  # the first minute of every stream's samples
HOUR, DAY = 60, 24 * 60  # minutes


@dataclass
class PointsInMemory:
    """Past points in memory. points: values by row and minute. unread: rows whose points were not read."""

    minutes: range
    points: dict[int, dict[int, float]]
    unread: set[int] = field(default_factory=set)

    @property
    def rows(self) -> Ints:
        return np.array(sorted({*self.points} - self.unread), np.int32)

    def chunk(self, number: int) -> tuple[Ints, Ints, Floats]:
        minutes = chunk_minutes(self.minutes, number)
        points = [
            (row, minute, value)
            for row, by_minute in self.points.items()
            for minute, value in by_minute.items()
            if minute in minutes
        ]
        rows, point_minutes, values = zip(*points, strict=True) if points else ((), (), ())
        return np.array(rows, np.int32), np.array(point_minutes, np.int32), np.array(values, np.float32)


class Past:
    """A fleet of streams with their past points, by row and minute. stop: the minute after the last point."""

    def __init__(self) -> None:
        self.fleet = Fleet()
        self.points: dict[int, dict[int, float]] = {}
        self.stop = START + 1

    def row_of(self, series: Series, metric: Any) -> int:
        rows = self.fleet.metrics(series.key.cell)
        return rows[metric_query(metric.of(StreamName=series.key.id))]

    def add_stream(
        self, resource: str, letters: str, settings: SeriesSettings = SHORT, **observed: Any
    ) -> Series:
        """Add a stream whose samples are these letters, one a minute from START on.

        observed: what the inventory found, as arguments of `add`.
        """
        series = add(self.fleet, key(resource), settings, **observed)
        for minute, letter in enumerate(letters, START):
            utilization, throttled = LETTERS[letter]
            if letter != "_":
                self.add_point(series, traffic, minute, utilization * LIMIT * 60)
                self.add_point(series, throttled_metric, minute, throttled)
        self.stop = max(self.stop, START + len(letters))
        return series

    def add_point(self, series: Series, metric: Any, minute: int, value: float) -> None:
        self.points.setdefault(self.row_of(series, metric), {})[minute] = value

    def look_back(self, config: Config | None = None, other_ways: Iterable[Way] = ()) -> Lookback:
        """Look back at all points of all streams, judged as configured and in `other_ways`."""
        settings = (config or configuration()).alerting_settings(REGISTRY)
        builder = NoticeBuilder(self.fleet, Lifecycle(self.fleet, START), settings, 0)
        ways = [Way.in_force(self.fleet, "as configured"), *other_ways]
        judging = Judging(ways, builder.severity_of, batch_minutes(settings.poll_interval))
        slots = [series.slot for series in self.fleet.series.values()]
        past = PointsInMemory(range(START, self.stop), self.points)
        return look_back(self.fleet, past, np.array(slots, np.int32), judging)


def letters_of_runs(*runs: tuple[str, int]) -> str:
    """Return one letter a minute; each run is a letter and for how many minutes it is repeated."""
    return "".join(letter * minutes for letter, minutes in runs)


def notices_of(lookback: Lookback, names: Mapping[int, str], way: int = 0) -> list[tuple[int, str, str, str]]:
    """Return the minute after START, the resource, the kind and the severity of each notice, sorted."""
    return sorted(
        (notice.minute - START, names[notice.slot], str(notice.kind), str(notice.severity))
        for notice in lookback.ways[way].notices
    )
