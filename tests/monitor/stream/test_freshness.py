"""Stream and polls together: what streams in is not asked for, and no minute is left out."""

import numpy as np
import pytest

from monitor.plan import REVISED, Request, due
from monitor.rings import LULL, WINDOW, Rings

NOW, DELAY = 29_000_000, 3


class Streamed:
    """A metric, and the minutes that were asked for or streamed."""

    def __init__(self) -> None:
        self.rings, self.told = Rings(), set[int]()
        self.row = self.rings.take()
        self.rings.delay[self.row] = DELAY
        self.polls = 0

    def poll(self, now: int) -> None:
        for request in self.due(now):
            self.polls += 1
            self.told |= set(request.minutes)
            self.rings.mark_read(request.rows, request.minutes[-1])

    def due(self, now: int) -> list[Request]:
        return list(due(self.rings, {b"metric": self.row}, now))

    def stream(self, now: int, minute: int) -> None:
        self.told.add(minute)
        where = np.array([self.row], np.int32), np.array([minute], np.int32)
        self.rings.write_streamed(*where, np.ones(1, np.float32), now)

    def missing(self, first: int, last: int) -> list[int]:
        return [minute for minute in range(first, last + 1) if minute not in self.told]


def test_a_metric_that_was_never_polled_is_polled_though_it_streams() -> None:
    metric = Streamed()
    metric.stream(NOW, NOW - 2)
    (request,) = metric.due(NOW)
    assert len(request.minutes) == WINDOW
    assert request.minutes[-1] == NOW - DELAY - 1


def test_what_streams_is_not_polled_until_it_falls_silent_for_longer_than_the_lull() -> None:
    metric = Streamed()
    for now in range(NOW, NOW + 60):
        metric.stream(now, now - 2)
        metric.poll(now)
    assert metric.polls == 1 + DELAY - 2  # until a poll reached the first point
    last = NOW + 59
    for now in range(last + 1, last + LULL + 1):
        assert metric.due(now) == []
    (request,) = metric.due(last + LULL + 1)
    assert request.minutes[0] <= last - 1
    assert request.minutes[0] >= last - 2 - DELAY - REVISED
    metric.poll(last + LULL + 1)
    assert metric.missing(NOW - 100, last + LULL - DELAY) == []


@pytest.mark.parametrize("silent", [1, LULL, LULL + 1, 8, 30, 100])
@pytest.mark.parametrize("interval", [1, 5])
def test_no_minute_is_left_out_when_the_stream_pauses(silent: int, interval: int) -> None:
    metric = Streamed()
    for now in range(NOW, NOW + 200):
        if now % interval == 0 or now == NOW:
            metric.poll(now)
        if not NOW + 20 <= now < NOW + 20 + silent:
            metric.stream(now, now - 2)
    lost = metric.missing(NOW - WINDOW, NOW + 190)
    assert len(lost) == (silent if silent < LULL else 0)


def test_a_pause_longer_than_the_lull_is_polled_before_the_stream_is_relied_on_again() -> None:
    metric = Streamed()
    metric.stream(NOW, NOW - 2)
    metric.poll(NOW + 2)
    assert metric.due(NOW + 2) == []
    back = NOW + LULL + 1
    metric.stream(back, back - 2)
    metric.poll(back)
    assert len(metric.due(back + 1)) == 1  # what ended shortly before was not there yet
    metric.poll(back + 2)
    assert metric.due(back + 2) == []
    assert metric.missing(NOW - 50, back - 2) == []


def test_points_of_the_future_do_not_stretch_the_lull() -> None:
    metric = Streamed()
    metric.stream(NOW, NOW - 2)
    metric.poll(NOW + 2)
    metric.stream(NOW + 2, NOW + 7)
    silent = NOW + 2 + LULL + 1
    (request,) = metric.due(silent)
    assert request.minutes[0] <= NOW + 2 - DELAY


def test_points_of_the_future_do_not_hide_a_pause() -> None:
    metric = Streamed()
    metric.stream(NOW, NOW - 2)
    metric.poll(NOW + 2)
    metric.stream(NOW + 2, NOW + 7)
    back = NOW + 2 + LULL + 1
    metric.stream(back, back - 2)
    assert len(metric.due(back)) == 1


def test_the_lull_is_as_configured() -> None:
    metric = Streamed()
    metric.rings.lull = 20
    metric.stream(NOW, NOW - DELAY)
    metric.poll(NOW)
    assert metric.due(NOW + 20) == []
    assert len(metric.due(NOW + 21)) == 1


def test_a_row_given_back_is_not_streamed() -> None:
    metric = Streamed()
    metric.stream(NOW, NOW - DELAY)
    metric.poll(NOW)
    assert metric.due(NOW) == []
    metric.rings.give_back(metric.row)
    assert metric.rings.take() == metric.row
    assert len(metric.due(NOW)) == 1
