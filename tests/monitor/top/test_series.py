"""One series in full: its chart and what is said of it."""

import time

import pytest

from collectors.base import Unobservable
from monitor.alerting.notice import Severity
from monitor.fleet import Ruling
from rules.band import Zone
from rules.limits import Band, Limit, Source
from tests.monitor.fleets import add, judged, key
from tests.monitor.top.stage import NARROW, OFTEN, SIZE, Headroom, at
from tests.monitor.web.pages import feed


@pytest.mark.parametrize("size", [NARROW, SIZE], ids=str)
async def test_enter_opens_it_with_its_chart_and_escape_leads_back(
    headroom: Headroom, size: tuple[int, int]
) -> None:
    clicks, _ = await headroom.stand(("clicks", Zone.SATURATED, 0.8), ("orders", Zone.ABOVE, 0.8))
    feed(headroom.server.fleet, clicks, [500.0] * 60 + [800.0] * 30, [0.0] * 85 + [5.0] * 5)
    async with at(headroom.address, size=size) as user:
        await user.press("enter")
        screen = await user.sees("clicks Bytes written to a provisioned stream", "demand refused")
        assert "production · eu-west-1 · kinesis.stream_write_bytes" in screen
        assert "saturated for 4 min: 80 %, 800 B/s of 1000 B/s; 200 B/s left; refused 5 /s" in " ".join(
            screen.split()
        )
        chart = {line.split("│")[0].strip(): line.split("│")[1] for line in user.lines if "│" in line}
        assert "──────" in chart["1000 B/s"] and "╌╌╌" in chart["900 B/s"]
        assert "┈┈┈┈┈┈" in chart["700 B/s"] and "┈┈┈┈" in chart["400 B/s"]
        assert chart["refused"].rstrip().endswith("!") and "···" in chart["refused"]
        assert any(0x2800 < ord(character) < 0x2900 for line in chart.values() for character in line)
        await user.press("escape")
        await user.sees("2 series")


async def test_all_that_the_page_says_is_said(headroom: Headroom) -> None:
    ruling = Ruling(
        limit=Limit(950.0, Source.APPLIED, time.time() - 600),
        band=Band(low=0.3, high=0.6, critical=0.8),
        tags={"team": "web [x]\x1b[2J"},
    )
    series = add(headroom.server.fleet, key("account", "lambda.account_concurrency"), ruling)
    place = series.place
    headroom.server.fleet.usage[place], headroom.server.fleet.utilization[place] = 900.0, 900 / 950
    headroom.server.fleet.zone[place] = Zone.CRITICAL
    await headroom.server.publish()
    headroom.fire(series, since=time.time() - 600, links={"runbook": "https://wiki.example/[red]"})
    async with at(headroom.address, size=(200, 100)) as user:
        await user.press("enter")
        screen = await user.sees("Why this limit", "Its alert", "firing, warning")
    for said in (
        "whole account Concurrent executions",
        "critical for 10 min: 95 %, 900 of 950 concurrent executions; 50 concurrent executions left",
        "950 concurrent executions (quota): the value that Service Quotas applies to this account",
        "Source: quota_applied, read ",
        "Target band: 30 % (285 concurrent executions) to 60 % (570 concurrent executions); critical from ",
        "Newest sample: never",
        r"Tags: team=web [x]\x1b[2J",
        "How refusals show: ",
        "\n1. ",
        "\naws service-quotas request-service-quota-increase --service-code lambda --quota-code L-B99A9384",
        "alert firing, warning\n",
        "runbook: https://wiki.example/[red]",
        "AWS documentation 1: https://docs.aws.amazon.com/",
    ):
        assert said in screen, said


async def test_why_it_cannot_be_seen_and_how_it_could(headroom: Headroom) -> None:
    hidden = Unobservable("request metrics are not enabled", "aws s3api put-bucket-metrics-configuration")
    series = add(headroom.server.fleet, key("backups", "s3.prefix_read_rate"), usage=hidden, refused=None)
    judged(headroom.server.fleet, series, Zone.UNOBSERVABLE)
    await headroom.server.publish()
    async with at(headroom.address) as user:
        await user.press("enter")
        screen = await user.sees("Not judged")
    assert "request metrics are not enabled\naws s3api put-bucket-metrics-configuration\n" in screen


async def test_it_follows_what_happens(headroom: Headroom) -> None:
    clicks, _ = await headroom.stand(("clicks", Zone.CRITICAL, 0.95), ("orders", Zone.ABOVE, 0.8))
    async with at(headroom.address, OFTEN) as user:
        await user.press("enter")
        await user.sees("critical for over 3 h: 95 %", "no alert")
        headroom.fire(clicks, Severity.CRITICAL)
        await headroom.stand(("clicks", Zone.SATURATED, 1.0))
        await user.sees("refused 5 /s", "alert firing, critical")
        await user.press("j", "j")
        assert user.app.screen.query_one("VerticalScroll").scroll_offset.y == 2
        await user.press("k")
        assert user.app.screen.query_one("VerticalScroll").scroll_offset.y == 1
