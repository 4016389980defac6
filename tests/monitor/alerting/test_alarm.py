"""The alarm: what is told to whom, how often, and what keeps it quiet."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from monitor.alerting.notice import Kind, Severity
from monitor.exposition import Exposition
from rules.limits import Limit, Source
from tests.monitor.alerting.stage import AT_ONCE, LIMIT, SHORT, Stage, configuration
from tests.monitor.fleets import ACCOUNT, REGION, add, key, text


async def test_one_notification_says_all_that_is_needed(tmp_path: Path) -> None:
    config = configuration(links={"headroom": "https://headroom.example.org"})
    async with Stage.opened(tmp_path, config) as stage:
        await stage.play(orders="..ccc")
        (sent,) = stage.sent
        (notice,) = sent.notices
        assert sent.group == {"account": ACCOUNT, "region": REGION, "service": "kinesis"}
        assert notice.summary.startswith(
            "Kinesis stream `orders` (prod, eu-west-1) writes 950 B/s of 1000 B/s (95 %); 0 refused so far. "
            "Remedy: "
        )
        assert notice.usage == pytest.approx(950)
        assert (notice.limit, notice.source) == (LIMIT, "api")
        assert notice.labels["account_name"] == "prod"
        assert notice.links["page"].endswith(f"/series/{notice.alert}")


async def test_a_group_gathers_and_rests(tmp_path: Path) -> None:
    async with Stage.opened(
        tmp_path, configuration(route={"group_wait": 30, "group_interval": 300})
    ) as stage:
        assert await stage.play(orders="..ccc", clicks="..ccc") == "....."
        assert await stage.turn(29) == []
        assert [one.kind for one in await stage.turn(1)] == [Kind.FIRING] * 2
        assert len(stage.sent) == 1
        assert await stage.play(orders="cs", clicks="cc") == ".."
        (worse,) = await stage.turn(30)  # it does not wait for the interval
        assert (worse.kind, worse.severity) == (Kind.WORSENED, Severity.CRITICAL)


async def test_what_still_fires_is_told_again_as_it_is_then(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path, configuration(route={**AT_ONCE, "repeat_interval": 300})) as stage:
        assert await stage.play(orders="..cccccccss") == "....F....W."
        assert await stage.play(orders="ss" + "." * 3) == "...r."
        assert "refused" in stage.notices[-1].summary
        assert len({one.number for one in stage.notices}) == len(stage.notices)


async def test_each_receiver_is_told_what_its_route_says(tmp_path: Path) -> None:
    routes = [
        {"receiver": "saturated", "severities": "critical", "continue": True},
        {"receiver": "streams", "matchers": 'service="kinesis"'},
    ]
    config = configuration(
        ["saturated", "streams", "nobody"], route={**AT_ONCE, "receiver": "nobody", "routes": routes}
    )
    async with Stage.opened(tmp_path, config) as stage:
        assert await stage.play(orders="..cccsc") == "....FFW."
        assert [(one.receiver, one.notices[0].kind) for one in stage.sent] == [
            ("streams", Kind.FIRING),
            ("saturated", Kind.FIRING),
            ("streams", Kind.WORSENED),
        ]


async def test_a_limit_that_is_raised_resolves_at_once_and_says_so(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        stage.relimit("orders", 2 * LIMIT)
        (over,) = await stage.turn()
        assert over.kind is Kind.RESOLVED
        assert over.reason == "the limit was raised from 1000 B/s to 1.95 KiB/s"
        assert over.reason in over.summary


async def test_a_limit_that_was_raised_while_nobody_was_here(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        minute = stage.minute
    async with Stage.opened(tmp_path, minute=minute) as stage:
        orders = stage.series("orders", replace(SHORT, limit=Limit(2 * LIMIT, Source.API, 0)))
        for ago, letter in enumerate("ccc..", 1):
            stage.write(orders, minute - ago, letter)
        assert await stage.play(orders="cccc") == "R..."
        assert stage.notices[-1].reason.startswith("the limit was raised")


async def test_a_usage_that_fell_is_not_put_down_to_the_limit(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        stage.relimit("orders", 1001)
        assert await stage.play(orders="...") == "..R"
        assert stage.notices[-1].reason == ""


async def test_a_resource_that_is_gone_resolves_its_alert(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc", clicks="....c")
        for resource in ("orders", "clicks"):
            stage.fleet.drop(key(resource))
        (over,) = await stage.turn()
        subject = "Kinesis stream `orders` (prod, eu-west-1)"
        assert over.summary == f"{subject} is no longer an alert after 3 min: it is no longer there."
        assert stage.alarm.active() == []
        assert await stage.play(orders="...") == "..."


async def test_one_that_comes_back_at_once_is_still_an_alert(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        stage.fleet.drop(key("orders"))
        assert await stage.play(orders="ccc") == "R.F"


async def test_a_turn_that_is_cancelled_loses_nothing(tmp_path: Path) -> None:
    names = [f"stream-{n}" for n in range(15)]
    async with Stage.opened(tmp_path) as stage:
        await stage.play(**dict.fromkeys(names, "..cc"))
        stage.fleet.drop(key("stream-14"))
        for name in names[:14]:
            stage.write(stage.series(name), stage.minute, "c")
        stage.seconds += 60
        for waits in range(20):  # it is cancelled wherever it waits, the n-th time
            turn = asyncio.create_task(stage.turn())
            for _ in range(waits):
                await asyncio.sleep(0)
            turn.cancel()
            await asyncio.gather(turn, return_exceptions=True)
        await stage.turn(60)
        told = {one.number: one for one in stage.notices}  # an attempt that was cancelled is made again
        assert sorted(one.labels["resource"] for one in told.values()) == sorted(names[:14])
        assert {place.key.resource for place in stage.fleet.series.values()} == {*names[:14]}


async def test_what_a_saturated_series_explains_is_told_when_it_outlives_it(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        records = key("orders", "kinesis.stream_write_records")
        for n, letter in enumerate("..s" + "ccccccccccc"):
            for one in (stage.series("orders"), add(stage.fleet, records, SHORT)):
                stage.write(one, stage.minute, letter if n < 3 or one.key == records else ".")
            stage.minute += 1
            stage.seconds = stage.minute * 60.0
            stage.see()
            await stage.turn()
        told = [(one.labels["signal"], one.kind, one.zone) for one in stage.notices]
        assert told == [
            ("stream_write_bytes", Kind.FIRING, "saturated"),
            ("stream_write_records", Kind.FIRING, "critical"),
            ("stream_write_bytes", Kind.RESOLVED, "within"),
        ]


async def test_a_new_receiver_is_told_of_what_fires_and_an_old_one_of_its_end(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        stage.configure(configuration(["pager", "chat"]))
        assert await stage.play(orders="c") == "F"
        assert stage.sent[-1].receiver == "chat"
        stage.configure(configuration(["chat"]))
        assert await stage.play(orders="...") == "..R"
        assert stage.sent[-1].receiver == "chat"
        await stage.turn(301)  # a group that nobody asks for any more has the usual interval
        stage.configure(configuration(["pager"]))  # it comes back within a day
        await stage.deliver()
        assert (stage.sent[-1].receiver, stage.sent[-1].notices[0].kind) == ("pager", Kind.RESOLVED)


RELOADS: dict[str, tuple[list[dict[str, Any]], list[tuple[Kind, Severity]]]] = {
    "the same": ([], []),
    "no alert": (
        [{"service": "kinesis", "critical": "none", "above": "none"}],
        [(Kind.RESOLVED, Severity.WARNING)],
    ),
    "more": ([{"service": "kinesis", "critical": "critical"}], [(Kind.WORSENED, Severity.CRITICAL)]),
    "less": ([{"service": "kinesis", "critical": "none"}], [(Kind.EASED, Severity.INFO)]),
    "by the account's name": (
        [{"account": "prod", "critical": "critical"}],
        [(Kind.WORSENED, Severity.CRITICAL)],
    ),
}


@pytest.mark.parametrize(("alerts", "told"), RELOADS.values(), ids=RELOADS)
async def test_a_reload_holds_for_what_fires_already(
    alerts: list[dict[str, Any]], told: list[tuple[Kind, Severity]], tmp_path: Path
) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        stage.configure(configuration(alerts=alerts))
        assert [(one.kind, one.severity) for one in await stage.turn()] == told


async def test_what_an_account_is_called_decides_too(tmp_path: Path) -> None:
    overrides = [{"account": "staging", "critical": "none", "above": "none"}]
    async with Stage.opened(tmp_path, configuration(alerts=overrides)) as stage:
        await stage.play(orders="..ccc")
        stage.names = {ACCOUNT: "staging"}
        assert [one.kind for one in await stage.turn()] == [Kind.RESOLVED]


async def test_what_the_configuration_calls_no_alert_ends_for_that_reason(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        stage.configure(configuration(alerts=[{"service": "kinesis", "critical": "none", "above": "none"}]))
        (over,) = await stage.turn()
        assert "is no longer an alert after 3 min: the configuration says that it is none." in over.summary
        assert stage.states == {}


async def test_the_exposition_and_the_alarm_agree(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..cccs", clicks="....cc", audit="......")
        exposition = Exposition(stage.fleet)
        await exposition.publish({}, stage.alarm.active())
        lines = [line for line in text(exposition).splitlines() if line.startswith("headroom_alert")]
        where = f'{{account="{ACCOUNT}",region="{REGION}",service="kinesis",signal="stream_write_bytes",'
        (alert,) = stage.alarm.standing.values()
        since = f"{alert.since:.0f}"
        assert sorted(lines) == sorted(
            [
                f'headroom_alert_state{where}resource="orders",severity="critical"}} 2',
                f'headroom_alert_state{where}resource="clicks",severity="warning"}} 1',
                f'headroom_alert_since_seconds{where}resource="orders",severity="critical"}} {since}',
                f'headroom_alert_since_seconds{where}resource="clicks",severity="warning"}} '
                f"{(stage.minute - 2) * 60}",
            ]
        )


async def test_between_judgements_it_tells_what_becomes_due(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path, configuration(route={"group_wait": 30})) as stage:
        await stage.play(orders="..ccc")
        running = asyncio.create_task(stage.alarm.run())
        stage.seconds += 31
        stage.alarm.wake.set()
        async with asyncio.timeout(10):
            while not len(stage.delivery.senders["pager"].outbox):
                await asyncio.sleep(0.01)
        running.cancel()
        await stage.deliver()
        assert [one.kind for one in stage.notices] == [Kind.FIRING]
