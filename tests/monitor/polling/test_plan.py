"""The requests of a poll: which metrics share a call, and which minutes a call covers."""

import numpy as np
import pytest

from monitor.fleet.namespaces import SILENT_AFTER
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.rings import Rings
from monitor.polling.plan import (
    MAX_METRICS_PER_CALL,
    REVISED_MINUTES,
    WINDOW_INTERVAL,
    MetricRequest,
    most_overdue,
    plan_requests,
)

NOW = 29_000_000  # minutes since the epoch


def rings_of(*metrics: tuple[int, int | None]) -> tuple[Rings, dict[bytes, int]]:
    """Return rings with these metrics, and the rows by query.

    metrics: of each, the publication delay, and how many minutes ago the last minute is that was read (None:
    no minute was read). A metric of which minutes were read was requested a minute ago.
    """
    rings, queries = Rings(), dict[bytes, int]()
    rows_by_age = dict[int, list[int]]()  # by how many minutes ago the last minute is that was read
    for n, (delay, read_ago) in enumerate(metrics):
        row = queries[b"%d" % n] = rings.allocate()
        rings.delay[row] = delay
        if read_ago is not None:
            rows_by_age.setdefault(read_ago, []).append(row)
    for read_ago, rows in rows_by_age.items():
        rings.mark_requested(np.array(rows), NOW - 1)
        rings.mark_read(np.array(rows), NOW - read_ago)
    return rings, queries


def planned_requests(*metrics: tuple[int, int | None]) -> list[MetricRequest]:
    """Return the requests of a poll. metrics: as for `rings_of`."""
    return list(plan_requests(*rings_of(*metrics), NOW))


def minutes_ago(request: MetricRequest) -> tuple[int, int]:
    """Return the oldest and the newest minute of a request, as minutes before now."""
    return NOW - request.minutes[0], NOW - request.minutes[-1]


def test_without_metrics_no_request_is_planned() -> None:
    assert planned_requests() == []


@pytest.mark.parametrize(("metrics", "calls"), [(1, 1), (500, 1), (501, 2), (1200, 3)])
def test_a_call_has_at_most_500_metrics_and_each_metric_is_requested_once(metrics: int, calls: int) -> None:
    requests = planned_requests(*[(3, 5)] * metrics)
    assert len(requests) == calls
    assert max(len(request.metrics) for request in requests) <= MAX_METRICS_PER_CALL
    assert sorted(metric for request in requests for metric in request.metrics) == sorted(
        b"%d" % n for n in range(metrics)
    )


def test_a_metric_is_requested_for_its_own_row() -> None:
    rings, queries = rings_of((3, 5), (5, 9), (3, None), (3, 70))
    for request in plan_requests(rings, queries, NOW):
        assert request.rows.tolist() == [queries[metric] for metric in request.metrics]


@pytest.mark.parametrize(
    ("read_ago", "oldest"),  # in minutes before now
    [
        pytest.param(5, 14, id="new minutes and ten that CloudWatch may revise"),
        pytest.param(4, 13, id="read up to the publication delay"),
        pytest.param(0, 10, id="read up to now: only minutes that may be revised"),
        pytest.param(60, 69, id="read an hour ago: all minutes since"),
        pytest.param(500, WINDOW, id="read before the window: the whole window"),
        pytest.param(None, WINDOW, id="never read: the whole window"),
    ],
)
def test_a_request_begins_before_the_first_unread_minute(read_ago: int | None, oldest: int) -> None:
    """A request ends with the minute that just ended, whatever publication delay was declared."""
    for delay in (0, 3, 5):
        (request,) = planned_requests((delay, read_ago))
        assert minutes_ago(request) == (oldest, 1)


def test_a_metric_as_late_as_its_namespace_is_requested_from_its_newest_point_on() -> None:
    rings, queries = rings_of((3, None))
    rings.declare(0, rings.namespaces.number_of("AWS/Lambda"), zero_when_absent=True)
    row = np.array([0], np.int32)
    rings.write(row, np.array([NOW - 40]), np.ones(1, np.float32))
    rings.mark_requested(row, NOW - 1)
    rings.mark_read(row, NOW - 4)
    (request,) = plan_requests(rings, queries, NOW)
    assert minutes_ago(request) == (39 + REVISED_MINUTES, 1)


@pytest.mark.parametrize(
    ("newest_ago", "oldest"),  # in minutes before now
    [
        pytest.param(2, 14, id="points are in time"),
        pytest.param(20, 19 + REVISED_MINUTES, id="points may be late"),
        pytest.param(SILENT_AFTER, 14, id="the metric is idle"),
    ],
)
def test_only_a_metric_whose_points_may_be_late_is_requested_from_its_newest_point_on(
    newest_ago: int, oldest: int
) -> None:
    """All minutes up to five minutes ago were read."""
    rings, queries = rings_of((3, 5))
    rings.write(np.array([0]), np.array([NOW - newest_ago]), np.ones(1, np.float32))
    (request,) = plan_requests(rings, queries, NOW)
    assert minutes_ago(request) == (oldest, 1)


@pytest.mark.parametrize("interval", [1, 5, 15, 60])
def test_whole_windows_are_requested_twice_an_hour_or_once_if_polls_are_hourly(
    interval: int,
) -> None:
    """The requests for whole windows are spread over the polls."""
    rings, queries = rings_of(*[(3, 5)] * 1500)
    window_requests = np.zeros(1500)
    for now in range(NOW, NOW + 240, interval):
        wide_requests = 0
        for request in plan_requests(rings, queries, now):
            is_wide = len(request.minutes) == WINDOW
            window_requests[request.rows] += is_wide
            wide_requests += is_wide
            rings.mark_requested(request.rows, now - 1)
            rings.mark_read(request.rows, now - 4)
        assert wide_requests <= (1 if interval == 1 else 3)
    assert set(window_requests) <= ({7, 8} if interval < WINDOW_INTERVAL else {3, 4})


def test_metrics_read_long_ago_share_a_call_so_that_only_that_call_covers_more_minutes() -> None:
    requests = planned_requests((3, 90), *[(3, 5)] * 700, (3, 90), *[(3, 5)] * 698, (3, 90))
    assert sorted(minutes_ago(request)[0] for request in requests) == [14, 14, 99]


def test_polls_together_cover_all_minutes_whatever_the_pause_between_them() -> None:
    rings, queries = rings_of((3, None))
    covered_minutes: set[int] = set()
    for now in (NOW, NOW + 1, NOW + 5, NOW + 45, NOW + 45, NOW + 44, NOW + 46):
        (request,) = plan_requests(rings, queries, now)
        assert request.minutes[-1] == now - 1
        assert len(request.minutes) >= REVISED_MINUTES
        covered_minutes |= set(request.minutes)
        rings.mark_read(request.rows, request.minutes[-1] - 3)
    assert covered_minutes == set(range(NOW - WINDOW, NOW + 46))


def test_a_budget_requests_the_most_overdue_metrics_first() -> None:
    rings, metrics = rings_of((3, 5), (3, 5), (3, 5), (3, None))
    rings.cadence[:4] = [0, 15, 60, 60]
    rings.requested_through[:3] = [NOW - 3, NOW - 16, NOW - 181]
    all_metrics = most_overdue(rings, metrics, NOW, 4)
    assert all_metrics is metrics
    assert [*most_overdue(rings, metrics, NOW, 3)] == [b"3", b"2", b"0"]
    assert [*most_overdue(rings, metrics, NOW, 1)] == [b"3"]
    assert [*most_overdue(rings, metrics, NOW, 0)] == []
