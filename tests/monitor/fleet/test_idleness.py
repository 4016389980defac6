"""Idle purchases: judgement and alerts both look at all series of a purchase."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.base import Metric, Resource, per_second
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.idleness import highest_other_ratio_to_low
from monitor.fleet.judge import judge
from monitor.fleet.key import Key
from monitor.fleet.metric_query import metric_query
from monitor.fleet.series_settings import SeriesSettings
from rules.band import Zone
from rules.limits import Limit, LimitSource
from tests.monitor.alerting.harness import AlertingHarness
from tests.monitor.fleet.fleets import ACCOUNT, NOW, REGION, SETTINGS, add

DAY_MINUTES = 24 * 60
BYTES, RECORDS = "stream_write_bytes", "stream_write_records"
SHARD_READ, CONSUMER = "shard_read_bytes", "efo_read_bytes"
BOUGHT_SETTINGS: SeriesSettings = replace(SETTINGS, limit=Limit(100.0, LimitSource.API, 0), paid=True)
throttles = Metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum", zero_when_absent=True)


def key(signal: str, *path: str) -> Key:
    return Key(ACCOUNT, REGION, "kinesis", signal, Resource("thing", path))


def add_bought(
    fleet: Fleet, signal: str, *path: str, series_settings: SeriesSettings = BOUGHT_SETTINGS
) -> Series:
    """Add a series with a purchased limit of 100, a metric of its own and its stream's throttled calls."""
    usage = per_second(Metric("AWS/Kinesis", signal, "Sum").of(StreamName="/".join(path)))
    throttled = per_second(throttles.of(StreamName=path[0]))
    return add(fleet, key(signal, *path), series_settings, usage=usage, throttled=throttled)


def write(fleet: Fleet, series: Series, minute: int, used_percent: float, throttled: float = 0.0) -> None:
    """Write the usage of a minute, as a percentage of the limit, and its throttled calls per second."""
    write_all(fleet, series, range(minute, minute + 1), used_percent, throttled)


def write_all(
    fleet: Fleet, series: Series, minutes: range, used_percent: float, throttled: float = 0.0
) -> None:
    """Write the same usage and throttled calls for each of some minutes."""
    for formulas, value in ((fleet.usages, used_percent), (fleet.throttled, throttled)):
        formula = formulas.get(series.slot)
        assert formula
        rows, sample_minutes = np.repeat(formula.rows, len(minutes)), np.array(minutes, np.int32)
        fleet.rings.write(rows, sample_minutes, np.full(rows.size, value * 60, np.float32))
        fleet.rings.mark_read(np.array(formula.rows), minutes[-1])


def idle_flags(*used_percents: tuple[str, float | None], throttled: float = 0.0) -> list[bool]:
    """Return for each series of one stream whether it is idle.

    used_percents: the signal of each series, and its usage as a percentage of the limit; None: no sample.
    """
    fleet = Fleet()
    for number, (signal, percent) in enumerate(used_percents):
        path = ("orders",) if signal.startswith("stream") else ("orders", str(number))
        series = add_bought(fleet, signal, *path)
        if percent is not None:
            write(fleet, series, NOW - 3, percent, throttled)
    judge(fleet, NOW)
    return [bool(flag) for flag in fleet.idle[: fleet.size]]


@pytest.mark.parametrize(
    ("used_percents", "expected"),
    [
        pytest.param([(BYTES, 5), (RECORDS, 5)], True, id="both are idle"),
        pytest.param([(BYTES, 5), (RECORDS, 60)], False, id="only one of two is idle"),
        pytest.param([(BYTES, 5), (RECORDS, 95)], False, id="one is idle, the other near its limit"),
        pytest.param([(BYTES, 5), (RECORDS, None)], False, id="one is idle, the other has no sample"),
        pytest.param([(BYTES, 60), (SHARD_READ, 5)], False, id="written, and hardly read"),
        pytest.param([(BYTES, 60), (CONSUMER, 5)], False, id="written, and hardly read by a consumer"),
        pytest.param([(BYTES, 5), (CONSUMER, 5), (SHARD_READ, 39)], True, id="hardly written, hardly read"),
    ],
)
def test_series_of_one_purchase_are_idle_together(
    used_percents: list[tuple[str, float | None]], expected: bool
) -> None:
    assert idle_flags(*used_percents) == [expected] * len(used_percents)


def test_a_throttled_purchase_is_not_idle_even_within_the_tolerance() -> None:
    assert not any(idle_flags((BYTES, 5), (RECORDS, 5), throttled=0.02))


@pytest.mark.parametrize("is_incomplete", [False, True])
def test_a_purchase_whose_demand_may_be_throttled_is_not_idle(is_incomplete: bool) -> None:
    """The metric of throttled calls was not read, or counts only some of them."""
    fleet = Fleet()
    usage = per_second(Metric("AWS/Kinesis", BYTES, "Sum").of(StreamName="orders"))
    throttled = None if is_incomplete else per_second(throttles.of(StreamName="orders", ShardId="unread"))
    first = add(
        fleet,
        key(BYTES, "orders"),
        BOUGHT_SETTINGS,
        usage=usage,
        throttled=throttled,
        throttled_incomplete=is_incomplete,
    )
    second = add_bought(fleet, RECORDS, "orders")
    write(fleet, second, NOW - 3, 5)
    rows = fleet.metrics(first.key.cell)
    row = np.array([rows[metric_query(metric)] for metric in usage.metrics])
    fleet.rings.write(row, np.array([NOW - 3]), np.array([60.0], np.float32))
    fleet.rings.mark_read(row, NOW - 3)
    judge(fleet, NOW)
    assert fleet.zone[first.slot] == Zone.BELOW
    assert not fleet.idle[: fleet.size].any()
    sample_minutes = np.array([NOW - 3], np.int32)
    assert highest_other_ratio_to_low(fleet, np.array([second.slot], np.int32), sample_minutes).tolist() == [
        np.inf
    ]


def test_other_streams_and_free_limits_are_no_part_of_a_purchase() -> None:
    fleet = Fleet()
    only_series = add_bought(fleet, BYTES, "orders")
    others = [
        add_bought(fleet, RECORDS, "clicks"),
        add_bought(fleet, RECORDS, "orders", series_settings=replace(BOUGHT_SETTINGS, paid=False)),
    ]
    write(fleet, only_series, NOW - 3, 5)
    for other in others:
        write(fleet, other, NOW - 3, 90)
    judge(fleet, NOW)
    assert fleet.idle[only_series.slot]


def test_a_series_that_is_added_or_dropped_changes_its_purchase_at_once() -> None:
    fleet = Fleet()
    first = add_bought(fleet, BYTES, "orders")
    write(fleet, first, NOW - 3, 5)
    judge(fleet, NOW)
    assert fleet.idle[first.slot]
    second = add_bought(fleet, RECORDS, "orders")
    write(fleet, second, NOW - 3, 60)
    judge(fleet, NOW)
    assert not fleet.idle[first.slot]
    fleet.drop(second.key)
    judge(fleet, NOW)
    assert fleet.idle[first.slot]


percents = st.one_of(st.none(), st.integers(0, 100).map(float))


@given(st.lists(st.tuples(st.sampled_from(["orders", "clicks"]), percents), min_size=1, max_size=8))
def test_alerts_and_judgement_agree_on_idle_purchases(streams: list[tuple[str, float | None]]) -> None:
    """Alerts compare `highest_other_ratio_to_low` with 1; the judgement writes the column `idle`."""
    fleet = Fleet()
    for number, (stream, percent) in enumerate(streams):
        series = add_bought(fleet, SHARD_READ, stream, str(number))
        if percent is not None:
            write(fleet, series, NOW - 3, percent)
    judge(fleet, NOW)
    slots = np.arange(fleet.size, dtype=np.int32)
    others = highest_other_ratio_to_low(fleet, slots, np.full(slots.size, NOW - 3, np.int32))
    are_idle_by_alerts = (fleet.utilization[slots] < fleet.low[slots]) & ~(others >= 1)
    assert are_idle_by_alerts.tolist() == fleet.idle[slots].tolist()


def test_the_sample_of_another_series_of_a_purchase_counts_until_it_is_stale() -> None:
    """Two metrics may have their newest points in different minutes; only a stale usage is unknown."""
    fleet = Fleet()
    first, second = add_bought(fleet, BYTES, "orders"), add_bought(fleet, RECORDS, "orders")
    write(fleet, second, NOW - 5, 20)
    stale_after = int(fleet.stale_after[second.slot])
    slots = np.array([first.slot] * 3, np.int32)
    minutes = np.array([NOW - 4, NOW - 5 + stale_after, NOW - 4 + stale_after], np.int32)
    assert highest_other_ratio_to_low(fleet, slots, minutes).tolist() == [
        pytest.approx(0.5),
        pytest.approx(0.5),
        np.inf,
    ]


def test_a_throttled_series_makes_its_purchase_busy_however_little_it_uses() -> None:
    fleet = Fleet()
    usage = per_second(Metric("AWS/Kinesis", BYTES, "Sum").of(StreamName="orders"))
    first = add(fleet, key(BYTES, "orders"), BOUGHT_SETTINGS, usage=usage, throttled=None)
    second = add_bought(fleet, RECORDS, "orders")
    write(fleet, second, NOW - 3, 5, throttled=0.02)
    sample_minutes = np.array([NOW - 3], np.int32)
    assert highest_other_ratio_to_low(fleet, np.array([first.slot], np.int32), sample_minutes).tolist() == [
        np.inf
    ]


@pytest.mark.parametrize(("records", "expected"), [(60, []), (5, ["below"] * 2)])
async def test_a_purchase_raises_alerts_only_if_both_of_its_limits_are_hardly_used(
    records: float, expected: list[str], tmp_path: Path
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        fleet, zones = harness.fleet, []
        series_and_percents = [
            (add_bought(fleet, BYTES, "orders"), 5.0),
            (add_bought(fleet, RECORDS, "orders"), records),
        ]
        for minute in range(harness.minute, harness.minute + DAY_MINUTES + 10, 30):
            for series, percent in series_and_percents:
                write_all(fleet, series, range(minute - 29, minute + 1), percent)
            harness.minute, harness.seconds = minute, minute * 60.0
            fleet.confirmed[: fleet.size] = minute
            harness.set_read_result()
            zones += [notice.zone for notice in await harness.process()]
        assert zones == expected
