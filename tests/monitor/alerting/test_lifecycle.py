"""Stories: what a series' samples say, minute by minute, and what is told of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.alerting.notice import Severity
from rules.limits import Band
from tests.monitor.alerting.stage import SHORT, Stage, configuration
from tests.monitor.fleets import key

# The hold is 2 minutes, an alert is over after 2 clear ones (`saturated`: 7, as long as a poll may be late).
STORIES = {
    "it lasts": ("..cccccc", "....F..."),
    "too short": ("..cc....", "........"),
    "and ends": ("..ccccc......", "....F....R..."),
    "worse is told at once, and easier": ("..ccccsccccccccccc", "....F.W.......E..."),
    "straight into saturation": ("...s.........", "...F.......R."),
    "from critical to above": ("..ccccaaaaa", "....F...E.."),
    "above the band": ("..aaaa......", "....F...R..."),
    "not clear of the band": ("..aaaahhhhhhhh", "....F........."),
    "flapping stays one alert": ("..cccc.c.c.c.c.c...", "....F.............R"),
    "flapping that never lasts": ("..c.c.c.c.c.c.c.", "................"),
    "missing samples resolve nothing": ("..cccc______________", "....F..............."),
    "and do not end it when they end": ("..cccc__________cc", "....F............."),
    "it ends on samples alone": ("..cccc_______.....", "....F..........R.."),
    "below what is not paid for": ("..bbbbbbbbbbbb", ".............."),
}


@pytest.mark.parametrize(("samples", "told"), STORIES.values(), ids=STORIES)
async def test_what_is_told(samples: str, told: str, tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        assert await stage.play(orders=samples) == told


async def test_late_and_revised_samples_count_as_if_in_order(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        assert await stage.play(orders="..cc") == "...."
        stage.write(stage.series("orders"), stage.minute - 2, ".")  # revised: it was not that much
        assert await stage.play(orders="ccc") == ".F."


async def test_a_sample_that_is_late_tells_what_it_would_have_told_in_time(tmp_path: Path) -> None:
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


async def test_a_poll_brings_many_minutes_at_once(tmp_path: Path) -> None:
    """A refusal at the beginning of a poll is told though the minutes after it are clear."""
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="...")
        for letter in "s....":
            stage.write(stage.series("orders"), stage.minute, letter)
            stage.minute += 1
        stage.seconds = stage.minute * 60.0
        assert [one.severity for one in await stage.turn()] == [Severity.CRITICAL]


async def test_what_is_not_paid_for_is_not_even_pending_below_its_band(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        stage.series("audit", PAID)
        await stage.play(orders="..bbb", audit="..bbb")
        assert stage.states == {key("audit"): "pending info"}


PAID = replace(SHORT, paid=True)


async def test_idle_capacity_is_a_finding_after_a_day(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        stage.series("orders", PAID)
        told = await stage.play(orders="b" * (24 * 60 + 5))
        assert told.strip(".") == "F"
        assert told.index("F") == 24 * 60
        (notice,) = stage.notices
        assert (notice.severity, notice.zone) == (Severity.INFO, "below")
        assert "paid for and idle" in notice.summary
        assert await stage.play(orders="llll......") == "......R..."


async def test_info_needs_a_route_that_names_it(tmp_path: Path) -> None:
    routes = {"group_wait": 0, "group_interval": 0, "routes": [{"receiver": "all", "severities": "info"}]}
    config = configuration(["pager", "all"], route={"receiver": "pager", **routes})
    async with Stage.opened(tmp_path, config) as stage:
        assert await stage.play(orders="..aaa") == "....F"
        assert [one.receiver for one in stage.sent] == ["all"]


BANDS = {
    "by the default band": (Band(), "..hhhh", "......"),
    "by one that is narrower": (Band(low=0.1, high=0.6, critical=0.67), "..hhhh", "....F."),
}


@pytest.mark.parametrize(("band", "samples", "told"), BANDS.values(), ids=BANDS)
async def test_the_band_decides(band: Band, samples: str, told: str, tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        stage.series("orders", replace(SHORT, band=band))
        assert await stage.play(orders=samples) == told


async def test_a_narrower_band_is_judged_at_once_and_its_hold_begins_then(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="hhhhhh")
        stage.series("orders", replace(SHORT, band=Band(low=0.1, high=0.6, critical=0.67)))
        assert await stage.play(orders="hhh") == ".F."


KINESIS = {"service": "kinesis"}
OVERRIDES: dict[str, tuple[list[dict[str, Any]], str, str, list[Severity]]] = {
    "severities": ([{**KINESIS, "critical": "critical"}], "..cccc", "....F.", [Severity.CRITICAL]),
    "none at all": ([{**KINESIS, "critical": "none", "above": "none"}], "..cccc", "......", []),
    "none for the worst: the next one counts": (
        [{**KINESIS, "saturated": "none"}],
        "..ssss",
        "....F.",
        [Severity.WARNING],
    ),
    "of others": ([{"resource": "other-*", "critical": "none"}], "..cccc", "....F.", [Severity.WARNING]),
    "the last that says it counts": (
        [{**KINESIS, "critical": "none"}, {**KINESIS, "hold": "1m"}, {**KINESIS, "critical": "info"}],
        "..cccc",
        "....F.",
        [Severity.INFO],
    ),
}


@pytest.mark.parametrize(("alerts", "samples", "told", "severities"), OVERRIDES.values(), ids=OVERRIDES)
async def test_overrides(
    alerts: list[dict[str, Any]], samples: str, told: str, severities: list[Severity], tmp_path: Path
) -> None:
    async with Stage.opened(tmp_path, configuration(alerts=alerts)) as stage:
        assert await stage.play(orders=samples) == told
        assert [one.severity for one in stage.notices] == severities
