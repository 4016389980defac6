"""The life of an alert: the notices that the samples of a series lead to, minute by minute."""

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
from tests.monitor.alerting.stage import LETTERS, LIMIT, SHORT, Stage, configuration
from tests.monitor.fleet.fleets import key, refused, traffic

# `for` is 2 minutes, an alert is over after 2 clear ones (`saturated`: 7, as long as a poll may be late).
STORIES = {
    "a breach that lasts": ("..cccccc", "....F..."),
    "a breach that is too short": ("..cc....", "........"),
    "a breach that lasts and ends": ("..ccccc......", "....F....R..."),
    "worse is sent at once, easing later": ("..ccccsccccccccccc", "....F.W.......E..."),
    "straight into saturation": ("...s.........", "...F.......R."),
    "from near to above": ("..ccccaaaaa", "....F...E.."),
    "above the band": ("..aaaa......", "....F...R..."),
    "not clear of the band": ("..aaaahhhhhhhh", "....F........."),
    "flapping stays one alert": ("..cccc.c.c.c.c.c...", "....F.............R"),
    "flapping that never lasts": ("..c.c.c.c.c.c.c.", "................"),
    "missing samples resolve nothing": ("..cccc______________", "....F..............."),
    "samples that come again after a gap continue it": ("..cccc__________cc", "....F............."),
    "it ends on samples alone": ("..cccc_______.....", "....F..........R.."),
    "below what is not paid for": ("..bbbbbbbbbbbb", ".............."),
}


@pytest.mark.parametrize(("samples", "notices"), STORIES.values(), ids=STORIES)
async def test_notices_of_these_samples(samples: str, notices: str, tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        assert await stage.play(orders=samples) == notices


async def test_late_and_revised_samples_count_as_if_in_order(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        assert await stage.play(orders="..cc") == "...."
        stage.write(stage.series("orders"), stage.minute - 2, ".")  # revised: it was not that much
        assert await stage.play(orders="ccc") == ".F."


async def test_a_late_sample_leads_to_the_notice_that_it_would_have_led_to_in_time(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        assert await stage.play(orders="..c_.") == "....."
        stage.write(stage.series("orders"), stage.minute - 2, "s")
        assert await stage.play(orders="...") == "F.."


async def test_a_revision_that_undoes_a_breach_ends_it(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        assert await stage.play(orders="..ccc") == "....F"
        for back in (3, 2, 1):
            stage.write(stage.series("orders"), stage.minute - back, ".")
        assert await stage.play(orders=".") == "R"


def grows(stage: Stage, letter: str) -> None:
    """Write a part of a minute that is incomplete."""
    series = stage.series("orders")
    rows = stage.fleet.metrics(series.key.cell)
    values = np.array(LETTERS[letter], np.float32) * (LIMIT * 60, 1)
    for metric, value in zip((traffic, refused), values, strict=True):
        row = np.array([rows[metric_query(metric.of(StreamName=series.key.id))]])
        if value:
            stage.fleet.rings.write(row, np.array([stage.minute]), np.array([value], np.float32))


async def test_an_incomplete_minute_ends_no_alert_and_begins_what_it_proves(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        assert await stage.play(orders="..ccc") == "....F"
        for letter in "......b..":  # each minute is first seen with a part of its value
            grows(stage, letter)
            assert await stage.process(20) == []
            assert await stage.play(orders="c") == "."
        assert await stage.play(orders="...") == "..R"
        grows(stage, "s")
        assert [one.severity for one in await stage.process(20)] == [Severity.CRITICAL]
        assert stage.fleet.zone[stage.series("orders").slot] == Zone.SATURATED


async def test_an_incomplete_minute_is_not_the_clear_one_that_ends_an_alert(tmp_path: Path) -> None:
    """Its sum is higher than that of the complete minute before, and may still get near the limit."""
    async with Stage.opened(tmp_path) as stage:
        assert await stage.play(orders="..cccb.") == "....F.."
        grows(stage, ".")
        assert await stage.process(20) == []
        assert await stage.play(orders="c") == "."
        assert await stage.play(orders="...") == "..R"


async def test_an_incomplete_minute_begins_no_idleness(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        stage.series("orders", PAID)
        await stage.play(orders="..")
        grows(stage, "b")
        assert await stage.process(20) == []
        assert (stage.states, stage.fleet.zone[stage.series("orders", PAID).slot]) == ({}, Zone.WITHIN)
        await stage.play(orders="b")
        assert stage.states == {key("orders"): "pending info"}


@pytest.mark.parametrize("late", [6, 20, 40])
async def test_no_alert_is_resolved_while_a_namespace_is_silent(late: int, tmp_path: Path) -> None:
    """Polls return no points; those that arrive at last lead to the same notices as in time."""
    async with Stage.opened(tmp_path) as stage:
        assert await stage.play(orders="..sss") == "..F.."
        row = np.arange(stage.fleet.rings.size, dtype=np.int32)
        first = stage.minute
        for _ in range(late):
            stage.fleet.rings.mark_read(row, stage.minute)
            stage.minute += 1
            stage.set_read_result()
            assert await stage.process(60) == []
        stage.minute = first
        assert await stage.play(orders="s" * late) == "." * late
        assert (await stage.play(orders="." * 9)).strip(".") == "R"


@pytest.mark.parametrize("known", ["its metric is not read", "it is not known which metrics count", "a part"])
async def test_an_alert_stays_while_throttled_demand_is_unknown(known: str, tmp_path: Path) -> None:
    """The usage is read all the time: that nothing of the refusals is known is not that there are none."""
    async with Stage.opened(tmp_path) as stage:
        assert (await stage.play(orders="s" * 12)).strip(".") == "F"
        series = stage.series("orders")
        usual = per_second(refused.of(StreamName=series.key.id))
        if known == "it is not known which metrics count":
            stage.series("orders", throttled=None, throttled_incomplete=True)
        if known == "a part":
            stage.series("orders", throttled=usual, throttled_incomplete=True)
        assert await stage.play(orders=("." if known == "a part" else "?") * 40) == "." * 40
        assert stage.states == {series.key: "firing critical"}
        stage.series("orders", throttled=usual)
        assert (await stage.play(orders="." * 9)).strip(".") == "R"


async def test_a_poll_brings_many_minutes_at_once(tmp_path: Path) -> None:
    """Throttling at the beginning of a poll is notified although the minutes after it are clear."""
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="...")
        for letter in "s....":
            stage.write(stage.series("orders"), stage.minute, letter)
            stage.minute += 1
        stage.seconds = stage.minute * 60.0
        assert [one.severity for one in await stage.process()] == [Severity.CRITICAL]


async def test_only_paid_capacity_is_pending_below_its_band(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        stage.series("audit", PAID)
        await stage.play(orders="..bbb", audit="..bbb")
        assert stage.states == {key("audit"): "pending info"}


PAID = replace(SHORT, paid=True)


async def test_idle_capacity_is_a_finding_after_a_day(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        stage.series("orders", PAID)
        assert await stage.play_hours(23, orders="b") == "." * 23
        assert await stage.play(orders="b" * 65) == "." * 60 + "F" + "." * 4
        (notice,) = stage.notices
        assert (notice.severity, notice.zone) == (Severity.INFO, "below")
        assert "paid for and idle" in notice.summary
        assert await stage.play(orders="llll......") == "......R..."


async def test_severity_info_is_sent_only_by_a_route_that_names_it(tmp_path: Path) -> None:
    routes = {"group_wait": 0, "group_interval": 0, "routes": [{"receiver": "all", "severities": "info"}]}
    config = configuration(["pager", "all"], route={"receiver": "pager", **routes})
    async with Stage.opened(tmp_path, config) as stage:
        assert await stage.play(orders="..aaa") == "....F"
        assert [one.receiver for one in stage.sent] == ["all"]


BANDS = {
    "by the default band": (Band(), "..hhhh", "......"),
    "by one that is narrower": (Band(low=0.1, high=0.6, near=0.67), "..hhhh", "....F."),
}


@pytest.mark.parametrize(("band", "samples", "notices"), BANDS.values(), ids=BANDS)
async def test_notices_depend_on_the_band(band: Band, samples: str, notices: str, tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        stage.series("orders", replace(SHORT, band=band))
        assert await stage.play(orders=samples) == notices


async def test_a_narrower_band_is_evaluated_at_once_and_is_pending_from_then_on(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="hhhhhh")
        stage.series("orders", replace(SHORT, band=Band(low=0.1, high=0.6, near=0.67)))
        assert await stage.play(orders="hhh") == ".F."


KINESIS = {"service": "kinesis"}
OVERRIDES: dict[str, tuple[list[dict[str, Any]], str, str, list[Severity]]] = {
    "severities": ([{**KINESIS, "near": "critical"}], "..cccc", "....F.", [Severity.CRITICAL]),
    "none at all": ([{**KINESIS, "near": "none", "above": "none"}], "..cccc", "......", []),
    "none for the worst: the next one counts": (
        [{**KINESIS, "saturated": "none"}],
        "..ssss",
        "....F.",
        [Severity.WARNING],
    ),
    "of others": ([{"resource": "other-*", "near": "none"}], "..cccc", "....F.", [Severity.WARNING]),
    "the last that says it counts": (
        [{**KINESIS, "near": "none"}, {**KINESIS, "for": "1m"}, {**KINESIS, "near": "info"}],
        "..cccc",
        "....F.",
        [Severity.INFO],
    ),
}


@pytest.mark.parametrize(("alerts", "samples", "notices", "severities"), OVERRIDES.values(), ids=OVERRIDES)
async def test_overrides_set_severities_and_durations_of_alerts(
    alerts: list[dict[str, Any]], samples: str, notices: str, severities: list[Severity], tmp_path: Path
) -> None:
    async with Stage.opened(tmp_path, configuration(alerts=alerts)) as stage:
        assert await stage.play(orders=samples) == notices
        assert [one.severity for one in stage.notices] == severities
