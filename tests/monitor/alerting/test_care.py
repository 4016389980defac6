"""What people say of alerts, as the alarm heeds it: mutes and acknowledgements."""

from pathlib import Path

from monitor.alerting.notice import Severity
from monitor.alerting.records import Ack, Silence
from tests.monitor.alerting.stage import AT_ONCE, Stage, configuration


def mute(stage: Stage, *matchers: str, lasts: float) -> Silence:
    return Silence(
        id="", matchers=matchers, starts=stage.seconds, ends=stage.seconds + lasts, who="me", why="a test"
    )


async def test_a_mute_keeps_quiet_until_it_ends(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.turn()
        await stage.alarm.silences.mute(mute(stage, 'resource="orders"', lasts=600), stage.seconds)
        assert await stage.play(orders="..ccc", clicks="..ccc") == "....F"
        assert await stage.play(orders="c" * 5, clicks="c" * 5) == "....F"
        assert stage.alarm.silences.mutes == []


async def test_a_mute_does_not_hide_the_end_of_what_was_told(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        made = await stage.alarm.silences.mute(mute(stage, 'resource="orders"', lasts=6000), stage.seconds)
        assert await stage.play(orders="s.") == ".."
        assert await stage.play(orders="." * 8) == "......R."
        assert await stage.play(orders="..ccc") == "....."
        await stage.alarm.silences.unmute(made.id)
        assert await stage.play(orders="c") == "F"


async def test_what_is_acknowledged_is_not_repeated_but_its_worsening_is_told(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path, configuration(route={**AT_ONCE, "repeat_interval": 120})) as stage:
        assert await stage.play(orders="..ccccc") == "....F.r"
        (alert,) = stage.alarm.standing
        ack = Ack(alert=alert, severity=Severity.WARNING, who="me", why="on it", at=stage.seconds)
        await stage.alarm.silences.acknowledge(ack)
        assert await stage.play(orders="cccccsss") == ".....W.r"
        assert "R" in await stage.play(orders="." * 12)
        assert stage.alarm.silences.acks == {}


async def test_what_is_acknowledged_for_a_time_is_repeated_after_it(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path, configuration(route={**AT_ONCE, "repeat_interval": 120})) as stage:
        assert await stage.play(orders="..ccccc") == "....F.r"
        (alert,) = stage.alarm.standing
        now = stage.seconds
        ack = Ack(alert=alert, severity=Severity.WARNING, who="me", why="on it", at=now, until=now + 4 * 60)
        await stage.alarm.silences.acknowledge(ack)
        assert await stage.play(orders="cccccc") == "...r.r"


async def test_alertmanager_is_told_again_and_again_also_what_is_acknowledged(tmp_path: Path) -> None:
    forgetful = {"name": "am", "type": "alertmanager", "urls": ["https://example.org"]}
    async with Stage.opened(tmp_path, configuration([forgetful], route=AT_ONCE)) as stage:
        assert await stage.play(orders="..cccc") == "....Fr"
        (alert,) = stage.alarm.standing
        ack = Ack(alert=alert, severity=Severity.WARNING, who="me", why="on it", at=stage.seconds)
        await stage.alarm.silences.acknowledge(ack)
        assert await stage.play(orders="ccc") == "rrr"
        assert await stage.play(orders="...") == "rrR"
