"""Streams whose readers publish no metric: the age of unread records is a usage, and not stale."""

import numpy as np
import pytest

from collectors.base import Metric, Observed, reader_lag, unread_duration
from monitor.fleet.fleet import Fleet
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.registries import STREAM_WRITE_BYTES

NOW = 29_000_000
MINUTE, HOUR = 60_000.0, 3_600_000.0  # milliseconds, the unit of the ages
BAND = Band(low=0.0, high=0.25, near=0.5)
# The age of the oldest record that readers have not got: of readers that poll, and of consumers by push.
polled_age, pushed_age = Metric("AWS/Test", "Age", "Maximum"), Metric("AWS/Test", "Behind", "Maximum")
calls = Metric("AWS/Test", "Calls", "SampleCount", zero_when_absent=True)
written_records = Metric("AWS/Test", "Written", "Sum", zero_when_absent=True)
USAGES = {
    "age": reader_lag(polled_age, pushed_age, written=written_records),
    "unread": unread_duration(calls, pushed_age, written=written_records),
}


class Stream:
    """A stream whose metrics are written minute by minute.

    The limit of `age` is a day, that of `unread` (the time for which records have not been read) an hour.
    """

    def __init__(self) -> None:
        self.fleet, self.minute = Fleet(), NOW
        self.create(NOW - 30 * WINDOW)
        self.row_by_query = self.fleet.metrics(("123456789012", "eu-west-1"))
        self.keys = {key.signal: key for key in self.fleet.series}

    def create(self, minute: int) -> None:
        """Put the series, as an inventory does that finds the stream created at `minute`."""
        for signal, usage in USAGES.items():
            limit = Limit(24 * HOUR if signal == "age" else HOUR, LimitSource.API, 0)
            key = Key("123456789012", "eu-west-1", "test", signal, "orders")
            observed = Observed(signal=signal, resource=key.subject, usage=usage, created_at=minute * 60.0)
            self.fleet.put(
                key, observed, SeriesSettings(signal=STREAM_WRITE_BYTES, limit=limit, band=BAND), NOW
            )

    def let_pass(self, minutes: int, **values: float) -> None:
        """Let minutes pass in which these metrics have points; all metrics are read in each minute."""
        metrics = {metric.name.lower(): metric for metric in (polled_age, pushed_age, calls, written_records)}
        rings, rows = self.fleet.rings, np.array([*self.row_by_query.values()], np.int32)
        for _ in range(minutes):
            self.minute += 1
            this_minute = np.array([self.minute], np.int32)
            for name, value in values.items():
                row = np.array([self.row_by_query[metric_query(metrics[name])]], np.int32)
                rings.write(row, this_minute, np.array([value], np.float32))
            rings.mark_read(rows, self.minute)
            rings.advance_watermarks(rings.namespace[rows[:1]], this_minute)  # other streams have points
        for series in self.fleet.series.values():
            self.fleet.confirmed[series.slot] = self.minute
        judge(self.fleet, self.minute)

    def usage(self, signal: str) -> float:
        return float(self.fleet.usage[self.fleet.series[self.keys[signal]].slot])

    def zone(self, signal: str) -> Zone:
        return Zone(int(self.fleet.zone[self.fleet.series[self.keys[signal]].slot]))


def test_the_age_of_a_stream_that_is_read_is_the_age_of_its_slowest_reader() -> None:
    stream = Stream()
    stream.let_pass(5, age=500.0, behind=20 * HOUR, calls=60, written=1000)
    assert (stream.usage("age"), stream.usage("unread")) == (20 * HOUR, 0)
    assert stream.zone("age") is Zone.NEAR


@pytest.mark.parametrize("reader", [{"age": 0.0, "calls": 60.0}, {"behind": 0.0}], ids=["polling", "pushed"])
def test_a_reader_that_stops_is_reported_within_the_hour(reader: dict[str, float]) -> None:
    stream = Stream()
    stream.let_pass(60, written=1000, **reader)
    assert (stream.usage("age"), stream.usage("unread")) == (0, 0)
    stream.let_pass(31, written=1000)
    assert stream.usage("age") == stream.usage("unread") == 30 * MINUTE  # since the first unread record
    assert stream.zone("unread") is Zone.NEAR
    stream.let_pass(1, written=1000, **reader)
    assert (stream.usage("age"), stream.usage("unread")) == (0, 0)


def test_the_age_of_a_stopped_reader_grows_even_if_nothing_is_written() -> None:
    stream = Stream()
    stream.let_pass(5, age=11 * HOUR, calls=60, written=1000)
    stream.let_pass(60)
    assert stream.usage("age") == pytest.approx(12 * HOUR)
    assert stream.zone("age") is Zone.NEAR
    assert stream.usage("unread") == 0  # nothing was written since the last read
    stream.let_pass(WINDOW)
    assert stream.usage("age") == pytest.approx(15 * HOUR)  # longer than the window


def test_the_age_of_an_unread_record_grows_beyond_the_window() -> None:
    stream = Stream()
    stream.let_pass(5, age=0.0, calls=60, written=1000)
    stream.let_pass(2 * WINDOW, written=1000)
    assert stream.usage("age") == stream.usage("unread") == 2 * WINDOW * MINUTE


def test_a_single_record_on_an_idle_stream_is_as_old_as_its_minute() -> None:
    stream = Stream()
    stream.let_pass(5, age=0.0, calls=60, written=1000)
    stream.let_pass(2 * WINDOW)
    stream.let_pass(1, written=1)
    stream.let_pass(10)
    assert stream.usage("age") == stream.usage("unread") == 10 * MINUTE


def test_a_stream_that_was_never_read_is_unread_for_the_whole_window() -> None:
    stream = Stream()
    stream.let_pass(2 * WINDOW, written=1000)
    assert stream.usage("unread") == (WINDOW - 1) * MINUTE
    assert stream.zone("unread") is Zone.NEAR


def test_the_age_of_an_idle_stream_is_unknown() -> None:
    stream = Stream()
    stream.let_pass(60)
    assert stream.usage("unread") == 0
    assert np.isnan(stream.usage("age"))
    assert stream.zone("age") is Zone.STALE


@pytest.mark.parametrize("is_found_late", [False, True])
def test_metrics_of_a_former_stream_do_not_count_for_a_new_stream_of_the_same_name(
    is_found_late: bool,
) -> None:
    """CloudWatch still has the points of the former stream under the name.

    is_found_late: whether the old points are read only after the inventory found the new stream. If not,
    they are read before.
    """
    stream = Stream()
    if is_found_late:
        stream.create(NOW + 31)
    stream.let_pass(30, age=20 * HOUR, written=1.0)
    stream.create(NOW + 31)
    stream.let_pass(5, written=1.0)
    assert 0 < stream.usage("age") <= 5 * MINUTE
    assert 0 < stream.usage("unread") <= 5 * MINUTE
    assert stream.zone("age") is Zone.WITHIN


def test_one_minute_without_a_reader_does_not_count_as_unread() -> None:
    stream = Stream()
    stream.let_pass(30, age=0.0, calls=60, written=1000)
    stream.let_pass(1, written=1000)
    assert stream.usage("age") == stream.usage("unread") == 0
