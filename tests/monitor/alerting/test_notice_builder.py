"""Notices about the end of an alert, and about a pending one."""

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.notifiers.notice import NoticeKind, Severity
from rules.alerts import AlertState
from rules.limits import Limit, LimitSource
from tests.monitor.alerting.stage import LIMIT, SHORT, Stage, configuration
from tests.monitor.fleet.fleets import key

# Samples of a series until its alert fires, its new limit, later samples, and the reason of the resolution.
ENDS = {
    "usage fell": ("..ccc", LIMIT, "...", ""),
    "the limit was raised": ("..ccc", 2000, "ccc", "the limit was raised from 1000 B/s to 1.95 KiB/s"),
    "the limit was raised a little, and usage fell": ("..ccc", 1010, "...", ""),
    "the limit was raised after demand was throttled": (
        "..sss",
        4000,
        "." + "a" * 9,
        "",
    ),
    "the limit was raised while usage was above the band": (
        "..aaa",
        2000,
        "aaa",
        "the limit was raised from 1000 B/s to 1.95 KiB/s",
    ),
}


@pytest.mark.parametrize(("before", "limit", "after", "reason"), ENDS.values(), ids=ENDS)
async def test_a_resolution_has_the_reason(
    before: str, limit: float, after: str, reason: str, tmp_path: Path
) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders=before)
        stage.relimit("orders", limit)
        await stage.play(orders=after)
        over = stage.notices[-1]
        assert over.kind is NoticeKind.RESOLVED
        assert over.resolution_reason == reason
        assert over.summary.endswith(f"; {reason}." if reason else ").")


async def test_a_lowered_limit_resolves_an_alert_on_idle_capacity(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        paid = replace(SHORT, paid=True)
        stage.series("orders", paid)
        await stage.play_hours(25, orders="b")
        stage.series("orders", replace(paid, limit=Limit(200.0, LimitSource.API, 0)))
        (over,) = await stage.process()
        assert over.resolution_reason == "the limit was lowered from 1000 B/s to 200 B/s"


async def test_a_pending_alert_has_a_preview_of_its_notice(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..cc")
        writer, series = stage.engine.notice_builder, stage.series("orders")
        waiting = writer.preview(series, stage.seconds)
        assert waiting and waiting.severity is Severity.WARNING
        assert waiting.since == (stage.minute - 2) * 60
        assert writer.worst_rule(series, AlertState.FIRING) is None
        assert writer.preview(stage.series("clicks"), stage.seconds) is None


async def test_an_alert_that_gets_worse_keeps_its_start(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccccss")
        first, worse = stage.notices
        assert (worse.kind, worse.zone) == (NoticeKind.WORSENED, "saturated")
        assert worse.since == first.since
        assert worse.number > first.number


async def test_a_notice_has_tags_and_links(tmp_path: Path) -> None:
    links = {"runbook": "https://wiki.example.org/{service}.{signal}", "headroom": "https://h.example.org"}
    async with Stage.opened(tmp_path, configuration(links=links)) as stage:
        stage.series("orders", replace(SHORT, tags={"tag_team": "core"}))
        await stage.play(orders="..ccc")
        (notice,) = stage.notices
        assert notice.labels["tag_team"] == "core"
        assert notice.links["runbook"] == "https://wiki.example.org/kinesis.stream_write_bytes"
        assert notice.links["page"] == f"https://h.example.org/series/{notice.alert}"


async def test_a_departed_series_may_have_any_name(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(**{"a) b": "..ccc"})
        stage.fleet.drop(key("a) b"))
        (over,) = await stage.process()
        assert over.summary.startswith("Kinesis stream `a) b` (prod, eu-west-1) is no longer alerting")
