"""The metrics that the comparison with other monitors requests. `python -m bench.peers.requests`

Headroom's planner plans the reads of the streams of `bench.peers.streams`, minute by minute, in this process,
without a network and in simulated time. The bench prints the requests a minute, by metric and kind of stream,
and beside them the requests of an oracle, which knows the future and honours the same intervals: it requests
the metrics of a stream each minute while the stream is above its band, and otherwise as seldom as the
intervals allow. An alert counts as active for as long as it keeps firing after a minute above the band, or
after throttled demand.
"""

import argparse
import asyncio
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np
import orjson

from bench.peers.streams import EDGE, HISTORY, METRICS, SHARDS, THROTTLED, Streams
from collectors.kinesis import summary_series
from monitor.fleet.fleet import Fleet
from monitor.fleet.key import Key
from monitor.fleet.metric_query import without_abbreviations
from monitor.fleet.namespaces import NEVER
from monitor.fleet.series_settings import SeriesSettings
from monitor.planning.intervals import Intervals
from monitor.planning.planner import Planner
from monitor.polling.plan import MetricRequest, due_metrics, plan_requests
from rules.alert_rules import KEEP_FIRING_FOR, Rule
from rules.arrays import Flags, Ints
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION
from tests.registries import REGISTRY

STREAM_KINDS = ("far", "within", "above")  # usage is usually far below the band, within it, or above it
WARM_UP = 180  # minutes in which the planner learns how usage rises; requests are not counted yet
POLLED_AFTER = 10  # seconds after the end of a minute
SUMMARY = {
    "OpenShardCount": SHARDS,
    "RetentionPeriodHours": 24,
    "StreamCreationTimestamp": "2020-01-01T00:00:00Z",
}


class Requests(defaultdict[tuple[str, str], float]):
    """The number of requested metrics, by the metric's name and the kind of stream."""

    def __init__(self) -> None:
        super().__init__(float)

    def total(self, kind: str | None = None) -> float:
        """Return the number of metrics requested for a kind of stream, or for all."""
        return sum(number for (_, of_kind), number in self.items() if kind in (None, of_kind))


def kinds_of(streams: Streams) -> list[str]:
    """Return the kind of each stream."""
    return [STREAM_KINDS[int(kind)] for kind in np.where(streams.is_above, 2, streams.is_within)]


@dataclass
class PlannedStreams:
    """A fleet of the streams. The planner plans its reads, and `run` makes them.

    now: the current minute. requests: the metrics that were requested so far.
    """

    streams: Streams
    intervals: Intervals
    fleet: Fleet = field(default_factory=Fleet)
    now: int = 0
    requests: Requests = field(default_factory=Requests)

    def __post_init__(self) -> None:
        self.now = self.streams.first + HISTORY
        for name in self.streams.names:
            self._add(name)
        self._metrics = {}
        for query, row in self.fleet.metrics((ACCOUNT, REGION)).items():
            metric = orjson.loads(without_abbreviations(query))["Metric"]
            self._metrics[row] = metric["MetricName"], metric["Dimensions"][0]["Value"]
        self._kinds = dict(zip(self.streams.names, kinds_of(self.streams), strict=True))
        self._planner = Planner(self.fleet, self.intervals, self._slots_with_active_alert)

    def _add(self, name: str) -> None:
        for observed in summary_series(name, {**SUMMARY, "StreamName": name}):
            signal = REGISTRY.signal("kinesis", observed.signal)
            value = signal.default_limit(REGION) if observed.limit is None else observed.limit
            limit = None if value is None else Limit(value, LimitSource.API, self.now * 60)
            settings = SeriesSettings(signal=signal, limit=limit, band=signal.band or Band())
            key = Key(ACCOUNT, REGION, "kinesis", observed.signal, observed.resource)
            self.fleet.put(key, observed, settings, self.now)

    def _slots_with_active_alert(self) -> Ints:
        """Return the slots of series with an active alert."""
        fleet, slots = self.fleet, np.arange(self.fleet.size, dtype=np.int32)
        active = np.zeros(fleet.size, np.bool_)
        newest = fleet.usages.newest_minutes(fleet.rings, slots)
        for minutes_back in range(KEEP_FIRING_FOR[Rule.ABOVE] + 1):
            edge = fleet.high[: fleet.size] * fleet.limits_at(slots, newest - minutes_back)
            active |= fleet.usages.at(fleet.rings, slots, newest - minutes_back) >= edge
        newest = fleet.throttled.newest_minutes(fleet.rings, slots)
        for minutes_back in range(KEEP_FIRING_FOR[Rule.SATURATED] + 1):
            active |= fleet.throttled.at(fleet.rings, slots, newest - minutes_back) > 0
        return slots[active]

    async def run(self, minutes: int) -> None:
        """Let some minutes pass, and read the due metrics in each minute."""
        for _ in range(minutes):
            await self._planner.update(self.now)
            metrics = dict(due_metrics(self.fleet.rings, self.fleet.metrics((ACCOUNT, REGION)), self.now))
            for request in plan_requests(self.fleet.rings, metrics, self.now):
                self._read(request)
            self.now += 1

    def _read(self, request: MetricRequest) -> None:
        rings, requested = self.fleet.rings, request.minutes
        rows, point_minutes, point_values = list[int](), list[int](), list[float]()
        for row in request.rows.tolist():
            name, stream = self._metrics[row]
            self.requests[name, self._kinds[stream]] += 1
            start, end = requested.start * 60, requested.stop * 60
            minutes, values = self.streams.points(name, stream, start, end, self.now * 60.0 + POLLED_AFTER)
            rows += [row] * len(minutes)
            point_minutes += minutes
            point_values += values
        rings.mark_requested(request.rows, self.now - 1)
        rings.write(np.array(rows, np.int32), np.array(point_minutes, np.int32), np.array(point_values, "f"))
        requested_from = NEVER if request.is_whole_window else requested.start
        rings.mark_read(request.rows, self.now - rings.delays(request.rows) - 1, requested_from)


def oracle(streams: Streams, minutes: slice, intervals: Intervals) -> Requests:
    """Return the requests that an oracle, which knows the future, makes in some minutes."""
    above: Flags = streams.utilization[:, minutes] >= EDGE
    requests = Requests()
    for kind, row in zip(kinds_of(streams), above, strict=True):
        for name in METRICS:
            longest = intervals.throttled if name in THROTTLED else intervals.longest
            # The iterator age stays far below its limit, the retention of a day.
            is_each_minute = row if name != "GetRecords.IteratorAgeMilliseconds" else np.zeros_like(row)
            requests[name, kind] += float(np.where(is_each_minute, 1, 1 / longest).sum())
    return requests


def table(requests: Requests, minutes: int, metrics: int) -> str:
    """Return requests a minute as lines of text, by metric and kind of stream.

    minutes: in how many minutes the requests were made. metrics: the number of metrics of all streams.
    """
    per_minute = requests.total() / minutes
    lines = [f"{per_minute:.0f} a minute of {metrics}: {per_minute / metrics:.3f}"]
    for name in METRICS:
        numbers = (f"{kind} {requests[name, kind] / minutes:.1f}" for kind in STREAM_KINDS)
        lines.append(f"  {name}: {', '.join(numbers)}")
    sums = (f"{kind} {requests.total(kind) / minutes:.1f}" for kind in STREAM_KINDS)
    return "\n".join([*lines, f"  all: {', '.join(sums)}"])


def main() -> None:
    """Plan the reads of the streams with each pair of longest intervals, and print the requests."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--streams", type=int, default=166)
    parser.add_argument("--minutes", type=int, default=240)
    parser.add_argument("--intervals", nargs="*", default=["15:5"], help="longest:throttled, in minutes")
    arguments = parser.parse_args()
    streams = Streams(arguments.streams, NOW - HISTORY, HISTORY + WARM_UP + arguments.minutes + 1)
    counted = slice(HISTORY + WARM_UP, HISTORY + WARM_UP + arguments.minutes)
    for longest, throttled in (map(int, pair.split(":")) for pair in arguments.intervals):
        intervals = Intervals(1, longest, throttled)
        planned = PlannedStreams(streams, intervals)
        asyncio.run(planned.run(WARM_UP))
        planned.requests.clear()
        asyncio.run(planned.run(arguments.minutes))
        metrics = arguments.streams * len(METRICS)
        print(f"read at least every {longest} minutes, throttled demand at least every {throttled}:")
        print(table(planned.requests, arguments.minutes, metrics))
        print("oracle:", table(oracle(streams, counted, intervals), arguments.minutes, metrics))


if __name__ == "__main__":
    main()
