"""The alert engine as a whole: the notifications of each receiver, and how often they are sent.

The letters of samples and notices are explained in `harness.py`.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.exposition.exposition import Exposition
from monitor.notifiers.notice import NoticeKind, Severity
from rules.limits import Limit, LimitSource
from tests.background import background
from tests.monitor.alerting.harness import AT_ONCE, LIMIT, SHORT, AlertingHarness, configuration
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.fleet.fleets import ACCOUNT, REGION, add, key, text


async def test_a_notification_has_the_summary_the_usage_the_limit_and_the_links_of_its_alert(
    tmp_path: Path,
) -> None:
    config = configuration(links={"headroom": "https://headroom.example.org"})
    async with AlertingHarness.opened(tmp_path, config) as harness:
        await harness.run_minutes(orders="..ccc")
        (sent,) = harness.sent
        (notice,) = sent.notices
        assert sent.group == {"account": ACCOUNT, "region": REGION, "service": "kinesis"}
        assert notice.summary.startswith(
            "Kinesis stream `orders` (prod, eu-west-1) writes 950 B/s of 1000 B/s (95 %); "
            "0 throttled so far. "
            "Remedy: "
        )
        assert notice.usage == pytest.approx(950)
        assert (notice.limit, notice.source) == (LIMIT, "api")
        assert notice.labels["account_name"] == "prod"
        assert notice.links["page"].endswith(f"/series/{notice.alert}")


async def test_a_group_waits_for_group_wait_and_an_escalation_does_not_wait_for_group_interval(
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(
        tmp_path, configuration(route={"group_wait": 30, "group_interval": 300})
    ) as harness:
        assert await harness.run_minutes(orders="..ccc", clicks="..ccc") == "....."
        assert await harness.process(29) == []
        assert [notice.kind for notice in await harness.process(1)] == [NoticeKind.FIRING] * 2
        assert len(harness.sent) == 1
        assert await harness.run_minutes(orders="cs", clicks="cc") == ".."
        (escalated,) = await harness.process(30)  # an escalation does not wait for group_interval
        assert (escalated.kind, escalated.severity) == (NoticeKind.WORSENED, Severity.CRITICAL)


async def test_a_repeat_has_the_present_usage(tmp_path: Path) -> None:
    async with AlertingHarness.opened(
        tmp_path, configuration(route={**AT_ONCE, "repeat_interval": 300})
    ) as harness:
        assert await harness.run_minutes(orders="..cccccccss") == "....F....W."
        assert await harness.run_minutes(orders="ss" + "." * 3) == "...r."
        assert "writes 500 B/s of 1000 B/s" in harness.notices[-1].summary
        assert len({notice.number for notice in harness.notices}) == len(harness.notices)


async def test_each_receiver_is_notified_by_its_route(tmp_path: Path) -> None:
    routes = [
        {"receiver": "saturated", "severities": "critical", "continue": True},
        {"receiver": "streams", "matchers": 'service="kinesis"'},
    ]
    config = configuration(
        ["saturated", "streams", "nobody"], route={**AT_ONCE, "receiver": "nobody", "routes": routes}
    )
    async with AlertingHarness.opened(tmp_path, config) as harness:
        assert await harness.run_minutes(orders="..cccsc") == "....FFW."
        assert [(sent.receiver, sent.notices[0].kind) for sent in harness.sent] == [
            ("streams", NoticeKind.FIRING),
            ("saturated", NoticeKind.FIRING),
            ("streams", NoticeKind.WORSENED),
        ]


async def test_a_raised_limit_resolves_an_alert_at_once_with_that_reason(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc")
        harness.change_limit("orders", 2 * LIMIT)
        (resolved,) = await harness.process()
        assert resolved.kind is NoticeKind.RESOLVED
        assert resolved.resolution_reason == "the limit was raised from 1000 B/s to 1.95 KiB/s"
        assert resolved.resolution_reason in resolved.summary


async def test_a_limit_raised_during_a_restart_resolves_the_alert_with_that_reason(
    storage: Path | MemoryStore,
) -> None:
    async with AlertingHarness.opened(storage) as harness:
        await harness.run_minutes(orders="..ccc")
        minute = harness.minute
    async with AlertingHarness.opened(storage, minute=minute) as harness:
        orders = harness.series("orders", replace(SHORT, limit=Limit(2 * LIMIT, LimitSource.API, 0)))
        for minutes_ago, letter in enumerate("ccc..", 1):
            harness.write(orders, minute - minutes_ago, letter)
        assert await harness.run_minutes(orders="cccc") == "R..."
        assert harness.notices[-1].resolution_reason.startswith("the limit was raised")


async def test_a_resolution_by_falling_usage_has_no_reason_though_the_limit_changed_slightly(
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc")
        harness.change_limit("orders", 1001)
        assert await harness.run_minutes(orders="...") == "..R"
        assert harness.notices[-1].resolution_reason == ""


async def test_a_resource_that_is_gone_resolves_its_alert(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc", clicks="....c")
        for resource in ("orders", "clicks"):
            harness.fleet.drop(key(resource))
        (resolved,) = await harness.process()
        subject = "Kinesis stream `orders` (prod, eu-west-1)"
        assert (
            resolved.summary == f"{subject} is no longer alerting after 3 min: the resource no longer exists."
        )
        assert harness.engine.active_alerts() == []
        assert await harness.run_minutes(orders="...") == "..."


async def test_a_series_does_not_inherit_the_alert_of_the_previous_series_in_its_slot(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc")
        slot = harness.series("orders").slot
        harness.fleet.drop(key("orders"))
        assert await harness.process()
        assert harness.series("clicks").slot == slot
        assert await harness.run_minutes(clicks="ccc") == "..F"


async def test_the_alert_of_a_resource_that_goes_and_comes_back_at_once_is_resolved_and_fires_anew(
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc")
        harness.fleet.drop(key("orders"))
        assert await harness.run_minutes(orders="ccc") == "R.F"


async def test_a_run_that_is_cancelled_loses_nothing(tmp_path: Path) -> None:
    names = [f"stream-{n}" for n in range(15)]
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(**dict.fromkeys(names, "..cc"))
        harness.fleet.drop(key("stream-14"))
        for name in names[:14]:
            harness.write(harness.series(name), harness.minute, "c")
        harness.seconds += 60
        for waits in range(20):  # the run is cancelled after so many waits
            run = asyncio.create_task(harness.process())
            for _ in range(waits):
                await asyncio.sleep(0)
            run.cancel()
            await asyncio.gather(run, return_exceptions=True)
        await harness.process(60)
        notices = {notice.number: notice for notice in harness.notices}  # a cancelled attempt is repeated
        assert sorted(notice.labels["resource"] for notice in notices.values()) == sorted(names[:14])
        assert {series.key.resource for series in harness.fleet.series.values()} == {*names[:14]}


async def test_an_inhibited_alert_is_notified_when_it_outlives_the_inhibiting_alert(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        records = key("orders", "kinesis.stream_write_records")
        for n, letter in enumerate("..s" + "ccccccccccc"):
            for series in (harness.series("orders"), add(harness.fleet, records, SHORT)):
                harness.write(series, harness.minute, letter if n < 3 or series.key == records else ".")
            harness.minute += 1
            harness.seconds = harness.minute * 60.0
            harness.set_read_result()
            await harness.process()
        changes = [(notice.labels["signal"], notice.kind, notice.zone) for notice in harness.notices]
        assert changes == [
            ("stream_write_bytes", NoticeKind.FIRING, "saturated"),
            ("stream_write_records", NoticeKind.FIRING, "near"),
            ("stream_write_bytes", NoticeKind.RESOLVED, "within"),
        ]


async def test_a_new_receiver_gets_firing_alerts_and_a_removed_receiver_their_resolution(
    tmp_path: Path,
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc")
        harness.configure(configuration(["pager", "chat"]))
        assert await harness.run_minutes(orders="c") == "F"
        assert harness.sent[-1].receiver == "chat"
        harness.configure(configuration(["chat"]))
        assert await harness.run_minutes(orders="...") == "..R"
        assert harness.sent[-1].receiver == "chat"
        await harness.process(301)  # the group of a removed receiver has the default interval
        harness.configure(configuration(["pager"]))  # the receiver is added again within a day
        await harness.deliver()
        assert (harness.sent[-1].receiver, harness.sent[-1].notices[0].kind) == ("pager", NoticeKind.RESOLVED)


# By name: the overrides of alerts in the new configuration, and the notices that follow.
RELOADS: dict[str, tuple[list[dict[str, Any]], list[tuple[NoticeKind, Severity]]]] = {
    "the same settings": ([], []),
    "the alert switched off": (
        [{"service": "kinesis", "near": "none", "above": "none"}],
        [(NoticeKind.RESOLVED, Severity.WARNING)],
    ),
    "a higher severity": (
        [{"service": "kinesis", "near": "critical"}],
        [(NoticeKind.WORSENED, Severity.CRITICAL)],
    ),
    # The alert of the rule `above`, which fires too, remains.
    "a lower severity": ([{"service": "kinesis", "near": "none"}], [(NoticeKind.EASED, Severity.INFO)]),
    "an override by the account's name": (
        [{"account": "prod", "near": "critical"}],
        [(NoticeKind.WORSENED, Severity.CRITICAL)],
    ),
}


@pytest.mark.parametrize(("alerts", "expected"), RELOADS.values(), ids=RELOADS)
async def test_a_reload_applies_to_alerts_that_fire_already(
    alerts: list[dict[str, Any]], expected: list[tuple[NoticeKind, Severity]], tmp_path: Path
) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc")
        harness.configure(configuration(alerts=alerts))
        assert [(notice.kind, notice.severity) for notice in await harness.process()] == expected


async def test_overrides_match_account_names(tmp_path: Path) -> None:
    overrides = [{"account": "staging", "near": "none", "above": "none"}]
    async with AlertingHarness.opened(tmp_path, configuration(alerts=overrides)) as harness:
        await harness.run_minutes(orders="..ccc")
        harness.account_names = {ACCOUNT: "staging"}
        assert [notice.kind for notice in await harness.process()] == [NoticeKind.RESOLVED]


async def test_an_alert_that_the_configuration_switches_off_ends_with_that_reason(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc")
        harness.configure(configuration(alerts=[{"service": "kinesis", "near": "none", "above": "none"}]))
        (resolved,) = await harness.process()
        assert (
            "is no longer alerting after 3 min: the configuration switches the alert off." in resolved.summary
        )
        assert harness.states == {}


async def test_the_exposition_and_the_alert_engine_agree(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..cccs", clicks="....cc", audit="......")
        exposition = Exposition(harness.fleet)
        await exposition.publish({}, harness.engine.active_alerts())
        lines = [line for line in text(exposition).splitlines() if line.startswith("headroom_alert")]
        labels = f'{{aws_account="{ACCOUNT}",aws_region="{REGION}",aws_service="kinesis",'
        labels += 'signal="stream_write_bytes",'
        (alert,) = harness.engine.alerts.values()
        since = f"{alert.since:.0f}"
        assert sorted(lines) == sorted(
            [
                f'headroom_alert_state{labels}resource="orders",severity="critical"}} 2',
                f'headroom_alert_state{labels}resource="clicks",severity="warning"}} 1',
                f'headroom_alert_since_seconds{labels}resource="orders",severity="critical"}} {since}',
                f'headroom_alert_since_seconds{labels}resource="clicks",severity="warning"}} '
                f"{(harness.minute - 2) * 60}",
            ]
        )


async def test_a_notice_that_becomes_due_between_evaluations_is_notified(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path, configuration(route={"group_wait": 30})) as harness:
        await harness.run_minutes(orders="..ccc")
        async with background(harness.engine.run()):
            harness.seconds += 31
            harness.engine.wake.set()
            async with asyncio.timeout(10):
                while not len(harness.delivery.senders["pager"].outbox):
                    await asyncio.sleep(0.01)
        await harness.deliver()
        assert [notice.kind for notice in harness.notices] == [NoticeKind.FIRING]
