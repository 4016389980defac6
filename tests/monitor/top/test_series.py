"""The screen of one series: its chart and its text."""

import re
import time

import pytest

from collectors.base import Unobservable
from collectors.quota_requests import QuotaRequest
from monitor.fleet.series_settings import SeriesSettings
from monitor.notifiers.notice import Severity
from rules.band import Zone
from rules.limits import Limit, LimitSource
from rules.signals import Band
from tests.monitor.fleet.fleets import add, key, set_judgement
from tests.monitor.top.harness import FAST_REFRESH, NARROW, SIZE, Headroom, run_top
from tests.monitor.web.pages import feed
from tests.registries import STREAM_WRITE_BYTES


@pytest.mark.parametrize("size", [NARROW, SIZE], ids=str)
async def test_enter_opens_a_series_with_its_chart_and_escape_closes_it(
    headroom: Headroom, size: tuple[int, int]
) -> None:
    clicks, _ = await headroom.publish_streams(("clicks", Zone.SATURATED, 0.8), ("orders", Zone.ABOVE, 0.8))
    feed(headroom.server.fleet, clicks, [500.0] * 60 + [800.0] * 30, [0.0] * 85 + [5.0] * 5)
    async with run_top(headroom.address, size=size) as user:
        await user.press("enter")
        screen = await user.wait_for("clicks Bytes written to a provisioned stream", "throttled")
        assert "production · eu-west-1 · kinesis.stream_write_bytes" in screen
        text = " ".join(screen.split())
        values = "80 %, 800 B/s of 1000 B/s; headroom 200 B/s; throttled 5 /s"
        assert re.search(rf"saturated for [45] min: {values}", text), "a minute may end during the test"
        chart = {line.split("│")[0].strip(): line.split("│")[1] for line in user.lines if "│" in line}
        assert "──────" in chart["1000 B/s"] and "╌╌╌" in chart["900 B/s"]
        assert "┈┈┈┈┈┈" in chart["700 B/s"] and "┈┈┈┈" in chart["400 B/s"]
        assert chart["throttled"].rstrip().endswith("!") and "···" in chart["throttled"]
        assert any(0x2800 < ord(character) < 0x2900 for line in chart.values() for character in line)
        await user.press("escape")
        await user.wait_for("2 series")


async def test_the_screen_shows_all_facts_of_the_series_and_its_alert(headroom: Headroom) -> None:
    series_settings = SeriesSettings(
        signal=STREAM_WRITE_BYTES,
        limit=Limit(950.0, LimitSource.APPLIED, time.time() - 600),
        band=Band(low=0.3, high=0.6, near=0.8),
        tags={"team": "web [x]\x1b[2J"},
        largest_resource="sales",
        quota_request=QuotaRequest(5000.0, "CASE_OPENED", time.time() - 600),
    )
    series = add(headroom.server.fleet, key("", "lambda.account_concurrency"), series_settings)
    slot = series.slot
    headroom.server.fleet.usage[slot], headroom.server.fleet.utilization[slot] = 900.0, 900 / 950
    headroom.server.fleet.zone[slot] = Zone.NEAR
    await headroom.server.publish()
    headroom.fire_alert(series, since=time.time() - 600, links={"runbook": "https://wiki.example/[red]"})
    async with run_top(headroom.address, size=(200, 100)) as user:
        await user.press("enter")
        screen = await user.wait_for("Limit", "Alert", "firing, warning")
    for text in (
        "whole account Concurrent executions",
        "near for 10 min: 95 %, 900 of 950 concurrent executions; headroom 50 concurrent executions",
        "950 concurrent executions (quota): the value that Service Quotas applies to this account",
        "Source: quota_applied, read ",
        "Target band: 30 % (285 concurrent executions) to 60 % (570 concurrent executions); near ",
        "and is pending, with a support case.",
        "Largest of all: sales",
        "Newest sample: never",
        r"Tags: team=web [x]\x1b[2J",
        "Throttling: ",
        "\n1. ",
        "\naws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384",
        "alert firing, warning\n",
        "runbook: https://wiki.example/[red]",
        "documentation 1: https://docs.aws.amazon.com/",
    ):
        assert text in screen, text


async def test_an_unobservable_series_shows_its_reason_and_the_command_that_enables_it(
    headroom: Headroom,
) -> None:
    unobservable = Unobservable(
        "request metrics are not enabled", "aws s3api put-bucket-metrics-configuration"
    )
    series = add(
        headroom.server.fleet, key("backups", "s3.prefix_read_rate"), usage=unobservable, throttled=None
    )
    set_judgement(headroom.server.fleet, series, Zone.UNOBSERVABLE)
    await headroom.server.publish()
    async with run_top(headroom.address) as user:
        await user.press("enter")
        screen = await user.wait_for("Unobservable")
    assert "request metrics are not enabled\naws s3api put-bucket-metrics-configuration\n" in screen


async def test_the_screen_of_a_series_shows_its_new_zone_and_alert_and_scrolls(headroom: Headroom) -> None:
    clicks, _ = await headroom.publish_streams(("clicks", Zone.NEAR, 0.95), ("orders", Zone.ABOVE, 0.8))
    async with run_top(headroom.address, FAST_REFRESH) as user:
        await user.press("enter")
        await user.wait_for("near for over 3 h: 95 %", "no alert")
        headroom.fire_alert(clicks, Severity.CRITICAL)
        await headroom.publish_streams(("clicks", Zone.SATURATED, 1.0))
        await user.wait_for("throttled 5 /s", "alert firing, critical")
        await user.press("j", "j")
        assert user.app.screen.query_one("VerticalScroll").scroll_offset.y == 2
        await user.press("k")
        assert user.app.screen.query_one("VerticalScroll").scroll_offset.y == 1
