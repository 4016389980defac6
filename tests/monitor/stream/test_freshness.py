"""Stream and polls together: streamed metrics are not polled, and no minute is left out."""

import numpy as np
import pytest

from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.rings import STREAM_GAP, STREAM_LAG, Rings
from monitor.polling.plan import REVISED_MINUTES, MetricRequest, due_metrics, plan_requests

NOW, DELAY = 29_000_000, 3  # minutes


class StreamedMetric:
    """A metric that is streamed and polled.

    covered_minutes: those that were requested or streamed. polls: the number of requests.
    """

    def __init__(self) -> None:
        self.rings, self.covered_minutes = Rings(), set[int]()
        self.row = self.rings.allocate()
        self.rings.delay[self.row] = DELAY
        self.polls = 0

    def poll(self, now: int) -> None:
        """Make the requests that are due, and mark their minutes as read."""
        for request in self.due_requests(now):
            self.polls += 1
            self.covered_minutes |= set(request.minutes)
            self.rings.mark_requested(request.rows, request.minutes[-1])
            self.rings.mark_read(request.rows, request.minutes[-1] - DELAY)

    def due_requests(self, now: int) -> list[MetricRequest]:
        """Return the requests that are due."""
        metrics = due_metrics(self.rings, {b"metric": self.row}, now)
        return list(plan_requests(self.rings, metrics, now))

    def stream(self, now: int, minute: int) -> None:
        """Write the streamed point of a minute."""
        self.covered_minutes.add(minute)
        row_and_minute = np.array([self.row], np.int32), np.array([minute], np.int32)
        self.rings.write_streamed(*row_and_minute, np.ones(1, np.float32), now)

    def missing_minutes(self, first: int, last: int) -> list[int]:
        """Return the minutes that neither a poll nor the stream covered."""
        return [minute for minute in range(first, last + 1) if minute not in self.covered_minutes]


def test_a_streamed_metric_that_was_never_polled_is_polled() -> None:
    metric = StreamedMetric()
    metric.stream(NOW, NOW - 2)
    (request,) = metric.due_requests(NOW)
    assert len(request.minutes) == WINDOW
    assert request.minutes[-1] == NOW - 1


def test_a_streamed_metric_is_not_polled_until_the_stream_pauses_too_long() -> None:
    metric = StreamedMetric()
    for now in range(NOW, NOW + 60):
        metric.stream(now, now - 2)
        metric.poll(now)
    # The first poll reads up to NOW - 1 - DELAY. Polls go on up to NOW - 3, before the first streamed minute.
    assert metric.polls == 1 + DELAY - 2
    last = NOW + 59
    for now in range(last + 1, last + STREAM_GAP + 1):
        assert metric.due_requests(now) == []
    (request,) = metric.due_requests(last + STREAM_GAP + 1)
    assert request.minutes[0] <= last - 1
    assert request.minutes[0] >= last - 2 - DELAY - REVISED_MINUTES
    metric.poll(last + STREAM_GAP + 1)
    assert metric.missing_minutes(NOW - 100, last + STREAM_GAP - DELAY) == []


@pytest.mark.parametrize("pause", [1, STREAM_GAP, STREAM_GAP + 1, 8, 30, 100])
@pytest.mark.parametrize("interval", [1, 5])
def test_only_a_pause_shorter_than_the_gap_leaves_minutes_out(pause: int, interval: int) -> None:
    metric = StreamedMetric()
    for now in range(NOW, NOW + 200):
        if now % interval == 0 or now == NOW:
            metric.poll(now)
        if not NOW + 20 <= now < NOW + 20 + pause:
            metric.stream(now, now - 2)
    missing = metric.missing_minutes(NOW - WINDOW, NOW + 190)
    assert len(missing) == (pause if pause < STREAM_GAP else 0)


def test_a_longer_gap_is_polled_before_polls_stop_again() -> None:
    metric = StreamedMetric()
    metric.stream(NOW, NOW - 2)
    metric.poll(NOW + 2)
    assert metric.due_requests(NOW + 2) == []
    resumed_at = NOW + STREAM_GAP + 1
    metric.stream(resumed_at, resumed_at - 2)
    metric.poll(resumed_at)
    assert (
        len(metric.due_requests(resumed_at + 1)) == 1
    )  # the minutes that ended shortly before were not published yet
    metric.poll(resumed_at + 2)
    assert metric.due_requests(resumed_at + 2) == []
    assert metric.missing_minutes(NOW - 50, resumed_at - 2) == []


def metric_streamed_ahead() -> StreamedMetric:
    """Return a metric whose last point arrived at NOW + 2, for a minute that is five minutes ahead."""
    metric = StreamedMetric()
    metric.stream(NOW, NOW - 2)
    metric.poll(NOW + 2)
    metric.stream(NOW + 2, NOW + 7)
    return metric


def test_after_a_gap_polls_begin_where_the_stream_paused_despite_points_ahead_of_the_clock() -> None:
    metric = metric_streamed_ahead()
    after_gap = NOW + 2 + STREAM_GAP + 1
    (request,) = metric.due_requests(after_gap)
    assert request.minutes[0] <= NOW + 2 - DELAY


def test_a_point_ahead_of_the_clock_completes_no_minute_that_has_not_ended() -> None:
    metric = StreamedMetric()
    metric.stream(NOW, NOW - 2)
    metric.poll(NOW + 2)
    metric.stream(NOW + 2, NOW + 7)
    assert metric.rings.complete_through(np.array([metric.row])).tolist() == [NOW + 1]


def test_points_ahead_of_the_clock_do_not_hide_a_gap() -> None:
    metric = metric_streamed_ahead()
    resumed_at = NOW + 2 + STREAM_GAP + 1
    metric.stream(resumed_at, resumed_at - 2)
    assert len(metric.due_requests(resumed_at)) == 1


def test_the_longest_gap_is_configurable() -> None:
    metric = StreamedMetric()
    metric.rings.stream_gap = 20
    metric.stream(NOW, NOW - STREAM_LAG)
    metric.poll(NOW + 1)
    assert metric.due_requests(NOW + 20) == []
    assert len(metric.due_requests(NOW + 21)) == 1


def test_a_freed_row_is_not_streamed() -> None:
    metric = StreamedMetric()
    metric.stream(NOW, NOW - STREAM_LAG)
    metric.poll(NOW + 1)
    assert metric.due_requests(NOW) == []
    metric.rings.free(metric.row)
    assert metric.rings.allocate() == metric.row
    assert len(metric.due_requests(NOW)) == 1
