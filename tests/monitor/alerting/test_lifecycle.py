"""The lifecycle of an alert: which notices follow from the samples of a series, minute by minute."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from collectors.base import per_second
from monitor.fleet.metric_query import metric_query
from monitor.notifiers.notice import Severity
from rules.band import Zone
from rules.signals import Band
from tests.monitor.alerting.harness import (
    LETTERS,
    LIMIT,
    SHORT,
    UNREAD_THROTTLED_DEMAND,
    AlertingHarness,
    configuration,
)
from tests.monitor.fleet.fleets import key, throttled_metric, traffic

PAID = replace(SHORT, paid=True)  # settings of series whose capacity is paid for

# The letters of samples and notices are explained in `harness`. `for` and `keep_firing_for` are 2 minutes;
# alerts on throttling keep firing for 7 minutes, because one poll may bring the samples of 7 minutes.
SAMPLES_AND_NOTICES = {
    "a breach that lasts": ("..cccccc", "....F..."),
    "a breach that is too short": ("..cc....", "........"),
    "a breach that lasts and ends": ("..ccccc......", "....F....R..."),
    "a worsening is sent at once, easing is delayed": ("..ccccsccccccccccc", "....F.W.......E..."),
    "saturation, directly from within the band": ("...s.........", "...F.......R."),
    "from near to above": ("..ccccaaaaa", "....F...E.."),
    "above the band": ("..aaaa......", "....F...R..."),
    "above the band, then within it but near its edge": ("..aaaahhhhhhhh", "....F........."),
    "a firing alert that flaps is not resolved": ("..cccc.c.c.c.c.c...", "....F.............R"),
    "a breach that never lasts": ("..c.c.c.c.c.c.c.", "................"),
    "missing samples resolve nothing": ("..cccc______________", "....F..............."),
    "breaching samples after a gap continue the alert": ("..cccc__________cc", "....F............."),
    "only clear samples after a gap resolve the alert": ("..cccc_______.....", "....F..........R.."),
    "below the band, but not paid for": ("..bbbbbbbbbbbb", ".............."),
}


@pytest.mark.parametrize(("samples", "notices"), SAMPLES_AND_NOTICES.values(), ids=SAMPLES_AND_NOTICES)
async def test_notices_follow_from_the_samples_of_a_series(
    samples: str, notices: str, tmp_path: Path
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        assert await harness.run_minutes(orders=samples) == notices


async def test_a_breach_that_a_revision_undoes_does_not_count(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        assert await harness.run_minutes(orders="..cc") == "...."
        harness.write(harness.series("orders"), harness.minute - 2, ".")  # a revised, lower value
        assert await harness.run_minutes(orders="ccc") == ".F."


async def test_a_late_sample_leads_to_a_notice(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        assert await harness.run_minutes(orders="..c_.") == "....."
        harness.write(harness.series("orders"), harness.minute - 2, "s")
        assert await harness.run_minutes(orders="...") == "F.."


async def test_a_revision_that_undoes_a_breach_resolves_its_alert(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        assert await harness.run_minutes(orders="..ccc") == "....F"
        for minutes_ago in (3, 2, 1):
            harness.write(harness.series("orders"), harness.minute - minutes_ago, ".")
        assert await harness.run_minutes(orders=".") == "R"


def write_incomplete_minute(harness: AlertingHarness, letter: str) -> None:
    """Write a sample of the present minute, whose value may still grow."""
    series = harness.series("orders")
    rows = harness.fleet.metrics(series.key.cell)
    values = np.array(LETTERS[letter], np.float32) * (LIMIT * 60, 1)
    for metric, value in zip((traffic, throttled_metric), values, strict=True):
        row = np.array([rows[metric_query(metric.of(StreamName=series.key.id))]])
        if value:
            harness.fleet.rings.write(row, np.array([harness.minute]), np.array([value], np.float32))


async def test_an_incomplete_minute_resolves_no_alert_but_a_breach_in_it_fires(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        assert await harness.run_minutes(orders="..ccc") == "....F"
        # In each minute, an incomplete sample (`letter`) is written first, and then replaced by `c`.
        for letter in "......b..":
            write_incomplete_minute(harness, letter)
            assert await harness.process(20) == []
            assert await harness.run_minutes(orders="c") == "."
        assert await harness.run_minutes(orders="...") == "..R"
        write_incomplete_minute(harness, "s")
        assert [notice.severity for notice in await harness.process(20)] == [Severity.CRITICAL]
        assert harness.fleet.zone[harness.series("orders").slot] == Zone.SATURATED


async def test_an_incomplete_minute_does_not_count_as_clear(tmp_path: Path) -> None:
    """The incomplete minute already has a higher sum than the minute before, and its sum may still grow."""
    async with AlertingHarness.opened(tmp_path) as harness:
        assert await harness.run_minutes(orders="..cccb.") == "....F.."
        write_incomplete_minute(harness, ".")
        assert await harness.process(20) == []
        assert await harness.run_minutes(orders="c") == "."
        assert await harness.run_minutes(orders="...") == "..R"


async def test_an_incomplete_minute_begins_no_alert_on_idle_capacity(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        harness.series("orders", PAID)
        await harness.run_minutes(orders="..")
        write_incomplete_minute(harness, "b")
        assert await harness.process(20) == []
        assert (harness.states, harness.fleet.zone[harness.series("orders", PAID).slot]) == ({}, Zone.WITHIN)
        await harness.run_minutes(orders="b")
        assert harness.states == {key("orders"): "pending info"}


@pytest.mark.parametrize("minutes_late", [6, 20, 40])
async def test_no_alert_is_resolved_while_cloudwatch_returns_no_points(
    minutes_late: int, tmp_path: Path
) -> None:
    """Points that arrive late lead to the same notices as points that arrive in time."""
    async with AlertingHarness.opened(tmp_path) as harness:
        assert await harness.run_minutes(orders="..sss") == "..F.."
        rows = np.arange(harness.fleet.rings.size, dtype=np.int32)
        first_late_minute = harness.minute
        for _ in range(minutes_late):
            harness.fleet.rings.mark_read(rows, harness.minute)
            harness.minute += 1
            harness.set_read_result()
            assert await harness.process(60) == []
        harness.minute = first_late_minute
        assert await harness.run_minutes(orders="s" * minutes_late) == "." * minutes_late
        assert (await harness.run_minutes(orders="." * 9)).strip(".") == "R"


METRIC_NOT_READ = "the metric of throttled demand is not read"
METRICS_UNKNOWN = "it is unknown which metrics count throttled demand"
METRICS_INCOMPLETE = "only some metrics of throttled demand are known"


@pytest.mark.parametrize("cause", [METRIC_NOT_READ, METRICS_UNKNOWN, METRICS_INCOMPLETE])
async def test_an_alert_keeps_firing_while_throttled_demand_is_unknown(cause: str, tmp_path: Path) -> None:
    """The usage is read in every minute, but unknown throttled demand does not count as zero."""
    async with AlertingHarness.opened(tmp_path) as harness:
        assert (await harness.run_minutes(orders="s" * 12)).strip(".") == "F"
        series = harness.series("orders")
        throttled = per_second(throttled_metric.of(StreamName=series.key.id))
        if cause == METRICS_UNKNOWN:
            harness.series("orders", throttled=None, throttled_incomplete=True)
        if cause == METRICS_INCOMPLETE:
            harness.series("orders", throttled=throttled, throttled_incomplete=True)
        letter = "." if cause == METRICS_INCOMPLETE else UNREAD_THROTTLED_DEMAND
        assert await harness.run_minutes(orders=letter * 40) == "." * 40
        assert harness.states == {series.key: "firing critical"}
        harness.series("orders", throttled=throttled)
        assert (await harness.run_minutes(orders="." * 9)).strip(".") == "R"


async def test_throttling_in_the_first_of_many_minutes_of_a_poll_is_notified(tmp_path: Path) -> None:
    """The minutes after the throttled minute are clear, and the same poll brings all of them."""
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="...")
        for letter in "s....":
            harness.write(harness.series("orders"), harness.minute, letter)
            harness.minute += 1
        harness.seconds = harness.minute * 60.0
        assert [notice.severity for notice in await harness.process()] == [Severity.CRITICAL]


async def test_only_paid_capacity_is_pending_below_its_band(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        harness.series("audit", PAID)
        await harness.run_minutes(orders="..bbb", audit="..bbb")
        assert harness.states == {key("audit"): "pending info"}


async def test_idle_capacity_has_an_alert_of_severity_info_after_a_day(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        harness.series("orders", PAID)
        assert await harness.run_hours(23, orders="b") == "." * 23
        assert await harness.run_minutes(orders="b" * 65) == "." * 60 + "F" + "." * 4
        (notice,) = harness.notices
        assert (notice.severity, notice.zone) == (Severity.INFO, "below")
        assert "paid for and idle" in notice.summary
        assert await harness.run_minutes(orders="llll......") == "......R..."


async def test_severity_info_is_sent_only_by_a_route_that_names_it(tmp_path: Path) -> None:
    routes = {"group_wait": 0, "group_interval": 0, "routes": [{"receiver": "all", "severities": "info"}]}
    config = configuration(["pager", "all"], route={"receiver": "pager", **routes})
    async with AlertingHarness.opened(tmp_path, config) as harness:
        assert await harness.run_minutes(orders="..aaa") == "....F"
        assert [notification.receiver for notification in harness.sent] == ["all"]


BANDS = {
    "the default band": (Band(), "..hhhh", "......"),
    "a narrower band": (Band(low=0.1, high=0.6, near=0.67), "..hhhh", "....F."),
}


@pytest.mark.parametrize(("band", "samples", "notices"), BANDS.values(), ids=BANDS)
async def test_notices_depend_on_the_band(band: Band, samples: str, notices: str, tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        harness.series("orders", replace(SHORT, band=band))
        assert await harness.run_minutes(orders=samples) == notices


async def test_an_alert_that_a_narrower_band_causes_is_pending_from_the_change_of_the_band_on(
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="hhhhhh")
        harness.series("orders", replace(SHORT, band=Band(low=0.1, high=0.6, near=0.67)))
        assert await harness.run_minutes(orders="hhh") == ".F."


KINESIS = {"service": "kinesis"}
# By name: overrides, samples, notices, and the severities of the notices.
OVERRIDES: dict[str, tuple[list[dict[str, Any]], str, str, list[Severity]]] = {
    "a higher severity": ([{**KINESIS, "near": "critical"}], "..cccc", "....F.", [Severity.CRITICAL]),
    "all alerts switched off": ([{**KINESIS, "near": "none", "above": "none"}], "..cccc", "......", []),
    "the worst rule switched off: the next rule applies": (
        [{**KINESIS, "saturated": "none"}],
        "..ssss",
        "....F.",
        [Severity.WARNING],
    ),
    "an override of other resources": (
        [{"resource": "other-*", "near": "none"}],
        "..cccc",
        "....F.",
        [Severity.WARNING],
    ),
    "the last override that sets a key counts": (
        [{**KINESIS, "near": "none"}, {**KINESIS, "for": "1m"}, {**KINESIS, "near": "info"}],
        "..cccc",
        "....F.",
        [Severity.INFO],
    ),
}


@pytest.mark.parametrize(("overrides", "samples", "notices", "severities"), OVERRIDES.values(), ids=OVERRIDES)
async def test_overrides_set_severities_and_durations_of_alerts(
    overrides: list[dict[str, Any]], samples: str, notices: str, severities: list[Severity], tmp_path: Path
) -> None:
    async with AlertingHarness.opened(tmp_path, configuration(alerts=overrides)) as harness:
        assert await harness.run_minutes(orders=samples) == notices
        assert [notice.severity for notice in harness.notices] == severities
