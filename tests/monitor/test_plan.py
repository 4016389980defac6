import numpy as np
import pytest

from monitor.plan import BATCH, REVISED, Request, due
from monitor.rings import WINDOW, Rings

NOW = 29_000_000


def rings_of(*metrics: tuple[int, int | None]) -> tuple[Rings, dict[bytes, int]]:
    """Rings with a metric for each (delay, minutes ago it was read up to; None: never), and its fragments."""
    rings, fragments = Rings(), dict[bytes, int]()
    for n, (delay, ago) in enumerate(metrics):
        row = fragments[b"%d" % n] = rings.take()
        rings.delay[row] = delay
        if ago is not None:
            rings.mark_read(np.array([row]), NOW - ago)
    return rings, fragments


def requests(*metrics: tuple[int, int | None]) -> list[Request]:
    return list(due(*rings_of(*metrics), NOW))


def ago(request: Request) -> tuple[int, int]:
    """The oldest and the newest minute asked for, as minutes before now."""
    return NOW - request.minutes[0], NOW - request.minutes[-1]


def test_nothing_is_due_of_nothing() -> None:
    assert requests() == []


@pytest.mark.parametrize(("metrics", "calls"), [(1, 1), (500, 1), (501, 2), (1200, 3)])
def test_each_call_takes_500_metrics_and_each_metric_is_asked_for_once(metrics: int, calls: int) -> None:
    asked = requests(*[(3, 5)] * metrics)
    assert len(asked) == calls
    assert max(len(request.metrics) for request in asked) <= BATCH
    assert sorted(metric for request in asked for metric in request.metrics) == sorted(
        b"%d" % n for n in range(metrics)
    )


def test_a_metric_is_asked_for_its_own_row() -> None:
    rings, fragments = rings_of((3, 5), (5, 9), (3, None), (3, 70))
    for request in due(rings, fragments, NOW):
        assert request.rows.tolist() == [fragments[metric] for metric in request.metrics]


@pytest.mark.parametrize(
    ("delay", "read", "oldest"),
    [
        pytest.param(3, 5, 14, id="new minutes, and the last ten again, as CloudWatch revises them"),
        pytest.param(3, 4, 13, id="nothing new: only what may be revised"),
        pytest.param(3, 2, 13, id="read beyond the end: only what may be revised"),
        pytest.param(3, 60, 69, id="behind: all that was missed"),
        pytest.param(3, 500, 3 + WINDOW, id="behind by more than the window"),
        pytest.param(3, None, 3 + WINDOW, id="never read: the whole window"),
        pytest.param(0, 1, 10, id="without delay: up to the last complete minute"),
    ],
)
def test_the_minutes_asked_for(delay: int, read: int | None, oldest: int) -> None:
    (request,) = requests((delay, read))
    assert ago(request) == (oldest, delay + 1)  # a minute is complete when the next one begins


def test_metrics_of_different_delay_are_asked_for_apart() -> None:
    assert {ago(request)[1]: len(request.metrics) for request in requests((3, 5), (5, 5), (3, 5))} == {
        4: 2,
        6: 1,
    }


def test_metrics_that_are_behind_share_a_call_and_make_only_its_others_ask_for_more() -> None:
    asked = requests((3, 90), *[(3, 5)] * 700, (3, 90), *[(3, 5)] * 698, (3, 90))
    assert sorted(ago(request)[0] for request in asked) == [14, 14, 99]


def test_at_every_turn_all_minutes_are_covered_whatever_the_pause() -> None:
    rings, fragments = rings_of((3, None))
    covered: set[int] = set()
    for now in (NOW, NOW + 1, NOW + 5, NOW + 45, NOW + 45, NOW + 44, NOW + 46):
        (request,) = due(rings, fragments, now)
        assert request.minutes[-1] == now - 4
        assert len(request.minutes) >= REVISED
        covered |= set(request.minutes)
        rings.mark_read(request.rows, request.minutes[-1])
    assert covered == set(range(NOW - 3 - WINDOW, NOW + 46 - 3))
