"""Acknowledging and silencing in `headroom top`, and its list of alerts."""

from pathlib import Path

import msgspec
import pytest

from monitor.fleet.fleet import Series
from monitor.lib.current_user import current_user
from monitor.notifiers.notice import Severity
from rules.band import Zone
from tests.monitor.access.authenticated_server import AUTH, OPERATOR_TOKEN, READER_TOKEN, authenticated_server
from tests.monitor.alerting.notices import ACCOUNT, REGION, notice
from tests.monitor.fleet.fleets import add, key, set_judgement
from tests.monitor.top.harness import FAST_REFRESH, NO_REFRESH, Headroom, run_top, serve_on_loopback


@pytest.fixture
async def clicks(headroom: Headroom) -> Series:
    """Return a series with a firing alert; `orders`, which is listed below it, has no alert."""
    series, _ = await headroom.publish_streams(
        ('c "l" [i]', Zone.SATURATED, 0.5), ("orders", Zone.ABOVE, 0.8)
    )
    headroom.fire_alert(series, Severity.CRITICAL, summary="Kinesis stream `c` is busy. Remedy: Add shards.")
    return series


async def test_an_acknowledgement_is_recorded_with_its_author_and_comment(
    headroom: Headroom, clicks: Series
) -> None:
    async with run_top(headroom.address) as user:
        await user.press("a", *"on", "space", *"it", "enter")
        await user.wait_for(f'stream_write_bytes of c "l" [i] is acknowledged by {current_user()}')
        assert 'c "l" [i] is' in str(user.app.screen.query_one("Toast").render())
        ack = headroom.silences.acknowledgements[clicks.key.id]
        assert (ack.author, ack.comment) == (current_user(), "on it")
        await user.wait_for(f"firing, acknowledged by {current_user()}")
        await user.press("enter")
        await user.wait_for(f"alert firing, critical, acknowledged by {current_user()}")


async def test_an_acknowledgement_may_have_another_author(headroom: Headroom, clicks: Series) -> None:
    async with run_top(headroom.address) as user:
        await user.press("enter", "a", *"ok", "tab")
        await user.write("Ada")
        await user.press("enter")
        await user.wait_for("is acknowledged by Ada")
    assert headroom.silences.acknowledgements[clicks.key.id].author == "Ada"


async def test_a_rejected_acknowledgement_is_reported_and_can_be_corrected(
    headroom: Headroom, clicks: Series
) -> None:
    async with run_top(headroom.address) as user:
        await user.press("a", "enter")
        await user.wait_for("comment: String should have at least 1 character")
        assert not headroom.silences.acknowledgements
        await user.press("x", "enter")
        await user.wait_for("is acknowledged by")
        await user.press("a", "escape")
        await user.wait_for("2 series")
    assert headroom.silences.acknowledgements[clicks.key.id].comment == "x"


async def test_a_series_without_a_firing_alert_is_not_acknowledged(
    headroom: Headroom, clicks: Series
) -> None:
    async with run_top(headroom.address) as user:
        await user.press("j", "a")
        await user.wait_for("No alert fires for kinesis.stream_write_bytes of orders.")
        assert len(user.app.screen_stack) == 1


async def test_a_silence_matches_only_the_selected_series_and_lasts_as_long_as_given(
    headroom: Headroom, clicks: Series
) -> None:
    async with run_top(headroom.address) as user:
        await user.press("m")
        await user.write("2 ho")
        await user.press("tab", *"load", "enter")
        await user.wait_for("duration: ")
        await user.press("shift+tab")
        await user.write("2h")
        await user.press("enter")
        await user.wait_for('stream_write_bytes of c "l" [i] is silenced until ')
    (silence,) = headroom.silences.stored
    assert (silence.ends - silence.starts, silence.author, silence.comment) == (7200, current_user(), "load")
    labels = headroom.server.alerting.engine.alerts[clicks.key.id].labels
    assert headroom.silences.matching_silence(labels, silence.starts)
    assert not headroom.silences.matching_silence({**labels, "resource": "orders"}, silence.starts)


async def test_alerts_are_listed_by_urgency(headroom: Headroom, clicks: Series) -> None:
    (orders,) = await headroom.publish_streams(("orders", Zone.ABOVE, 0.8))
    headroom.fire_alert(orders, Severity.INFO, summary="Kinesis stream `orders` fills.")
    async with run_top(headroom.address, FAST_REFRESH) as user:
        await user.press("e")
        screen = await user.wait_for("2 alerts", "orders")
        first, second = (line for line in screen.split("\n") if line.startswith("firing "))
        assert first.startswith("firing critical saturated ") and second.startswith("firing info above ")
        assert "Kinesis stream `c` is busy. Remedy: Add shards. Since " in screen
        await user.press("j", "a", *"mine", "enter")
        await user.wait_for(
            "Kinesis stream `orders` fills. is acknowledged by", f"acknowledged by {current_user()}"
        )
        assert headroom.silences.acknowledgements.keys() == {orders.key.id}
        await user.press("enter")
        await user.wait_for("orders Bytes written to a provisioned stream")
        await user.press("escape", "tab")
        await user.wait_for("2 series")
        await user.press("tab")
        await user.wait_for("2 alerts")


async def test_an_alert_of_a_blind_spot_is_counted_and_has_no_chart(headroom: Headroom) -> None:
    labels = {"account": ACCOUNT, "region": REGION, "service": "s3", "signal": "blind"}
    labels["severity"] = "warning"
    blind = notice("0123456789abcdef", zone="blind", summary="S3 is not seen.")
    blind = msgspec.structs.replace(blind, labels=labels)
    headroom.server.alerting.engine.alerts[blind.alert] = blind
    async with run_top(headroom.address, NO_REFRESH) as user:
        await user.press("e")
        await user.wait_for("1 firing · 1 blind", "S3 is not seen.")
        await user.press("enter")
        await user.wait_for("This alert is about a blind spot, which has no chart.")
        await user.press("m", "tab", *"ok", "enter")
        await user.wait_for("S3 is not seen. is silenced until")
    (silence,) = headroom.silences.stored
    assert silence.matchers == (
        f'account="{ACCOUNT}"',
        f'region="{REGION}"',
        'service="s3"',
        'signal="blind"',
    )


async def test_the_alert_screen_is_empty_without_alerts(headroom: Headroom) -> None:
    async with run_top(headroom.address) as user:
        await user.press("e")
        await user.wait_for("No alerts.")
        await user.press("a", "m", "enter", "escape")
        await user.wait_for("No series yet")


@pytest.mark.parametrize(
    ("token", "shown"),
    [
        ("", "log in first: expected a user and password or a bearer token"),
        ("wrong", "this token is unknown; set $HEADROOM_TOKEN to a valid token"),
        ("ü", "$HEADROOM_TOKEN: expected ASCII characters"),
        (READER_TOKEN, "rita has the role read, this needs operate"),
        (OPERATOR_TOKEN, "is acknowledged by otto"),
    ],
)
async def test_actions_depend_on_the_role_of_the_token(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, token: str, shown: str
) -> None:
    monkeypatch.setenv("HEADROOM_TOKEN", token)
    async with (
        authenticated_server(tmp_path, AUTH) as authenticated,
        serve_on_loopback(authenticated.server.app) as port,
    ):
        series = add(authenticated.server.fleet, key("clicks"))
        set_judgement(authenticated.server.fleet, series, Zone.NEAR, 950.0)
        authenticated.server.alerting.engine.alerts[series.key.id] = notice(series.key.id, resource="clicks")
        await authenticated.server.publish()
        async with run_top(f"127.0.0.1:{port}") as user:
            if not user.app.error:
                await user.press("a", "x", "enter")
            await user.wait_until(lambda: shown in " ".join(user.screen.split()))
