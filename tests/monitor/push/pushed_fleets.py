"""Writes usage to a fleet minute by minute, and collects the samples that are pushed to a receiver."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from collectors.base import total
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.series_settings import SeriesSettings
from monitor.push.encodings import ENCODINGS
from monitor.push.label_encoder import METRIC_NAME, LabelEncoder
from monitor.push.pending_samples import LATE_MINUTES, PendingSamples
from monitor.push.request_batcher import build_requests
from monitor.push.watermarks import WATERMARK_DTYPE, WatermarkRows, Watermarks
from tests.monitor.fleet.fleets import NOW, SETTINGS, add, key, throttled_metric, traffic
from tests.monitor.push.schemas import Sample, parse_remote_write

PROTOCOL = "remote_write 1"
Point = tuple[str, int, float]  # resource, age in minutes at NOW, value


def metric_row(fleet: Fleet, series: Series, of_throttling: bool = False) -> int:
    """Return the row of the only metric of a series' usage, or of its throttled demand."""
    formula = (fleet.throttled if of_throttling else fleet.usages).get(series.slot)
    assert formula and len(formula.rows) == 1
    return formula.rows[0]


def write_usage(
    fleet: Fleet, series: Series, by_minute: Mapping[int, float], of_throttling: bool = False
) -> None:
    """Write usage, or throttled demand, by minute."""
    rows = np.full(len(by_minute), metric_row(fleet, series, of_throttling), np.int32)
    values = np.array(list(by_minute.values()), np.float32)
    fleet.rings.write(rows, np.array(list(by_minute), np.int32), values)


def mark_polled(fleet: Fleet, series: Series, minute: int) -> None:
    """Mark all metrics of a series as polled up to a minute."""
    rows = [
        metric_row(fleet, series),
        *([metric_row(fleet, series, True)] if fleet.throttled.get(series.slot) else []),
    ]
    fleet.rings.mark_read(np.array(rows, np.int32), minute)


def add_stream(
    fleet: Fleet, name: str = "clicks", series_settings: SeriesSettings = SETTINGS, **observed: Any
) -> Series:
    """Add a stream with a limit of 1000, whose metrics are in the limit's unit.

    observed: arguments of `Observed`, which may replace its usage and throttled demand.
    """
    stream = key(name)
    usage, throttled = (metric.of(StreamName=stream.id) for metric in (traffic, throttled_metric))
    return add(
        fleet, stream, series_settings, **({"usage": total(usage), "throttled": total(throttled)} | observed)
    )


class ImmediateReceiver:
    """A receiver that accepts every request at once. saved: the watermarks that a queue would store."""

    def __init__(self, fleet: Fleet, out_of_order: bool = False) -> None:
        self.fleet, self.late_minutes = fleet, LATE_MINUTES if out_of_order else 0
        self.labels = LabelEncoder(ENCODINGS[PROTOCOL].encode_label)
        self.watermarks = Watermarks(np.empty(0, WATERMARK_DTYPE), self.late_minutes)
        self.saved: dict[int, WatermarkRows] = {}

    def push(self) -> list[list[Sample]]:
        """Push all pending samples, and return them by request."""
        pending, pushed = PendingSamples(self.fleet, self.watermarks), []
        for batch in pending.batches():
            requests, queued = build_requests(batch, ENCODINGS[PROTOCOL], self.labels)
            self.saved |= self.watermarks.rows_by_chunk(batch.chunk, queued)
            pending.mark_queued(batch, queued)
            pushed += [parse_remote_write(request.body) for request in requests]
            assert [request.sample_count for request in requests] == [
                len(samples) for samples in pushed[len(pushed) - len(requests) :]
            ]
        return pushed

    def push_family(self, family: str) -> list[tuple[str, int, float]]:
        """Push all pending samples; return the points of a family, in the order of sending."""
        return [point for name, point in points_of(self.push()) if name == family]

    def restart(self) -> None:
        """Start again with the saved watermarks."""
        self.watermarks = Watermarks(np.concatenate([*self.saved.values()]), self.late_minutes)


def points_of(requests: Iterable[Iterable[Sample]]) -> list[tuple[str, Point]]:
    """Return the family and the point of each sample; the family without the prefix `headroom_`."""
    points = []
    for request in requests:
        for labels, ms, value in request:
            values = dict(labels)
            assert ms % 60_000 == 0
            name = values[METRIC_NAME].removeprefix("headroom_")
            points.append((name, (values["resource"], NOW - ms // 60_000, value)))
    return points
