"""Acknowledging and muting from the terminal, and the list of alerts."""

from pathlib import Path

import pytest

from monitor.alerting.notice import Severity
from monitor.cli_alerts import user as who
from monitor.fleet import Series
from rules.band import Zone
from tests.monitor.access.gated import AUTH, OPERATOR, READER, guarded
from tests.monitor.alerting.notices import ACCOUNT, REGION, notice
from tests.monitor.fleets import add, judged, key
from tests.monitor.top.stage import OFTEN, ONCE, Headroom, at, listening


@pytest.fixture
async def clicks(headroom: Headroom) -> Series:
    """A series whose alert fires, before one that has none."""
    series, _ = await headroom.stand(('c "l" [i]', Zone.SATURATED, 0.5), ("orders", Zone.ABOVE, 0.8))
    headroom.fire(series, Severity.CRITICAL, summary="Kinesis stream `c` is busy. Remedy: Add shards.")
    return series


async def test_an_acknowledgement_is_recorded_with_who_and_why(headroom: Headroom, clicks: Series) -> None:
    async with at(headroom.address) as user:
        await user.press("a", *"on", "space", *"it", "enter")
        await user.sees(f'stream_write_bytes of c "l" [i] is acknowledged by {who()}')
        assert 'c "l" [i] is' in str(user.app.screen.query_one("Toast").render())
        ack = headroom.silences.acks[clicks.key.id]
        assert (ack.who, ack.why) == (who(), "on it")
        await user.sees(f"firing, acknowledged by {who()}")
        await user.press("enter")
        await user.sees(f"alert firing, critical, acknowledged by {who()}")


async def test_somebody_else_may_acknowledge(headroom: Headroom, clicks: Series) -> None:
    async with at(headroom.address) as user:
        await user.press("enter", "a", *"ok", "tab")
        await user.write("Ada")
        await user.press("enter")
        await user.sees("is acknowledged by Ada")
    assert headroom.silences.acks[clicks.key.id].who == "Ada"


async def test_what_is_refused_is_said_and_can_be_put_right(headroom: Headroom, clicks: Series) -> None:
    async with at(headroom.address) as user:
        await user.press("a", "enter")
        await user.sees("why: String should have at least 1 character")
        assert not headroom.silences.acks
        await user.press("x", "enter")
        await user.sees("is acknowledged by")
        await user.press("a", "escape")
        await user.sees("2 series")
    assert headroom.silences.acks[clicks.key.id].why == "x"


async def test_what_does_not_fire_is_not_acknowledged(headroom: Headroom, clicks: Series) -> None:
    async with at(headroom.address) as user:
        await user.press("j", "a")
        await user.sees("No alert of kinesis.stream_write_bytes of orders fires.")
        assert len(user.app.screen_stack) == 1


async def test_a_mute_is_of_this_series_and_ends(headroom: Headroom, clicks: Series) -> None:
    async with at(headroom.address) as user:
        await user.press("m")
        await user.write("2 ho")
        await user.press("tab", *"load", "enter")
        await user.sees("lasts: ")
        await user.press("shift+tab")
        await user.write("2h")
        await user.press("enter")
        await user.sees('stream_write_bytes of c "l" [i] is muted until ')
    (mute,) = headroom.silences.mutes
    assert (mute.ends - mute.starts, mute.who, mute.why) == (7200, who(), "load")
    labels = headroom.server.alerting.alarm.standing[clicks.key.id].labels
    assert headroom.silences.muting(labels, mute.starts)
    assert not headroom.silences.muting({**labels, "resource": "orders"}, mute.starts)


async def test_the_alerts_the_most_urgent_first(headroom: Headroom, clicks: Series) -> None:
    (orders,) = await headroom.stand(("orders", Zone.ABOVE, 0.8))
    headroom.fire(orders, Severity.INFO, summary="Kinesis stream `orders` fills.")
    async with at(headroom.address, OFTEN) as user:
        await user.press("e")
        screen = await user.sees("2 alerts", "orders")
        first, second = (line for line in screen.split("\n") if line.startswith("firing "))
        assert first.startswith("firing critical saturated ") and second.startswith("firing info above ")
        assert "Kinesis stream `c` is busy. Remedy: Add shards. Since " in screen
        await user.press("j", "a", *"mine", "enter")
        await user.sees("Kinesis stream `orders` fills. is acknowledged by", f"acknowledged by {who()}")
        assert headroom.silences.acks.keys() == {orders.key.id}
        await user.press("enter")
        await user.sees("orders Bytes written to a provisioned stream")
        await user.press("escape", "tab")
        await user.sees("2 series")
        await user.press("tab")
        await user.sees("2 alerts")


async def test_what_is_blind_is_counted_and_has_no_chart(headroom: Headroom) -> None:
    labels = {"account": ACCOUNT, "region": REGION, "service": "s3", "signal": "blind"}
    labels["severity"] = "warning"
    blind = notice("0123456789abcdef", zone="blind", summary="S3 is not seen.")
    blind = type(blind)(**{**{f: getattr(blind, f) for f in blind.__struct_fields__}, "labels": labels})
    headroom.server.alerting.alarm.standing[blind.alert] = blind
    async with at(headroom.address, ONCE) as user:
        await user.press("e")
        await user.sees("1 firing · 1 blind", "S3 is not seen.")
        await user.press("enter")
        await user.sees("It is of what is not seen: there is no chart of it.")
        await user.press("m", "tab", *"ok", "enter")
        await user.sees("S3 is not seen. is muted until")
    (mute,) = headroom.silences.mutes
    assert mute.matchers == (
        f'account="{ACCOUNT}"',
        f'region="{REGION}"',
        'service="s3"',
        'signal="blind"',
    )


async def test_no_alert_fires(headroom: Headroom) -> None:
    async with at(headroom.address) as user:
        await user.press("e")
        await user.sees("No alert fires.")
        await user.press("a", "m", "enter", "escape")
        await user.sees("No series is watched yet")


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("", "log in first: expected a user and password or a bearer token"),
        ("wrong", "nobody has this token; give its token in $HEADROOM_TOKEN"),
        ("ü", "$HEADROOM_TOKEN: expected ASCII characters"),
        (READER, "rita has the role read here, and this needs operate"),
        (OPERATOR, "is acknowledged by otto"),
    ],
)
async def test_who_may_do_what(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, shown: str
) -> None:
    monkeypatch.setenv("HEADROOM_TOKEN", token)
    async with guarded(tmp_path, AUTH) as gate, listening(gate.server.app) as port:
        series = add(gate.server.fleet, key("clicks"))
        judged(gate.server.fleet, series, Zone.CRITICAL, 950.0)
        gate.server.alerting.alarm.standing[series.key.id] = notice(series.key.id, resource="clicks")
        await gate.server.publish()
        async with at(f"127.0.0.1:{port}") as user:
            if not user.app.trouble:
                await user.press("a", "x", "enter")
            await user.until(lambda: shown in " ".join(user.screen.split()))
