"""Notices of resolutions and worsenings, previews for pending alerts, and the tags and links of notices."""

from dataclasses import replace
from pathlib import Path

import pytest

from monitor.notifiers.notice import NoticeKind, Severity
from rules.alerts import AlertState
from rules.limits import Limit, LimitSource
from tests.monitor.alerting.harness import LIMIT, SHORT, AlertingHarness, configuration
from tests.monitor.fleet.fleets import key

# Samples of a series until its alert fires (in the letters of `harness`), the new limit in bytes/s, later
# samples, and the reason of the resolution; empty if the notice has none.
RESOLUTIONS = {
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


@pytest.mark.parametrize(("before", "new_limit", "after", "reason"), RESOLUTIONS.values(), ids=RESOLUTIONS)
async def test_a_resolution_has_the_raised_limit_as_its_reason_if_usage_would_still_breach_the_old_limit(
    before: str, new_limit: float, after: str, reason: str, tmp_path: Path
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders=before)
        harness.change_limit("orders", new_limit)
        await harness.run_minutes(orders=after)
        resolved = harness.notices[-1]
        assert resolved.kind is NoticeKind.RESOLVED
        assert resolved.resolution_reason == reason
        assert resolved.summary.endswith(f"; {reason}." if reason else ").")


async def test_a_lowered_limit_resolves_an_alert_on_idle_capacity(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        paid_settings = replace(SHORT, paid=True)
        harness.series("orders", paid_settings)
        await harness.run_hours(25, orders="b")
        harness.series("orders", replace(paid_settings, limit=Limit(200.0, LimitSource.API, 0)))
        (resolved,) = await harness.process()
        assert resolved.resolution_reason == "the limit was lowered from 1000 B/s to 200 B/s"


async def test_a_pending_alert_has_a_preview_of_its_notice(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..cc")
        builder, series = harness.engine.notice_builder, harness.series("orders")
        preview = builder.preview(series, harness.seconds)
        assert preview and preview.severity is Severity.WARNING
        assert preview.since == (harness.minute - 2) * 60
        assert builder.worst_rule(series, AlertState.FIRING) is None
        assert builder.preview(harness.series("clicks"), harness.seconds) is None


async def test_a_worsening_keeps_the_start_of_the_alert(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccccss")
        first, worsened = harness.notices
        assert (worsened.kind, worsened.zone) == (NoticeKind.WORSENED, "saturated")
        assert worsened.since == first.since
        assert worsened.number > first.number


async def test_a_notice_has_tags_and_links(tmp_path: Path) -> None:
    links = {"runbook": "https://wiki.example.org/{service}.{signal}", "headroom": "https://h.example.org"}
    async with AlertingHarness.opened(tmp_path, configuration(links=links)) as harness:
        harness.series("orders", replace(SHORT, tags={"tag_team": "core"}))
        await harness.run_minutes(orders="..ccc")
        (notice,) = harness.notices
        assert notice.labels["tag_team"] == "core"
        assert notice.links["runbook"] == "https://wiki.example.org/kinesis.stream_write_bytes"
        assert notice.links["page"] == f"https://h.example.org/series/{notice.alert}"


async def test_the_alert_of_a_deleted_resource_whose_name_has_special_characters_is_resolved(
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(**{"a) b": "..ccc"})
        harness.fleet.drop(key("a) b"))
        (resolved,) = await harness.process()
        assert resolved.summary.startswith("Kinesis stream `a) b` (prod, eu-west-1) is no longer alerting")
