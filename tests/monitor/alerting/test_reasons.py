"""The reason of each notification: decided by the plan, and carried to the receiver, the log and the API."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from monitor.alerting.records import Acknowledgement, Silence
from monitor.alerting.tables import NOTIFICATIONS, PENDING_NOTICES
from monitor.notifiers.notice import NoticeKind, NotificationReason, Severity
from monitor.notifiers.trial_notification import trial_notification
from monitor.notifiers.webhook_body import webhook_body
from monitor.outbound.result import refused, retry
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.alerting.play_cells import play_cells
from tests.monitor.alerting.stage import AT_ONCE, DENIED, Stage, configuration
from tests.monitor.alerting.test_blind_alerts import ALL_HERE, KINESIS, THERE, cells_in, fails
from tests.monitor.notifiers.loopback import notification

R = NotificationReason
WEBHOOK = {"name": "pager", "type": "webhook", "url": "https://example.org/"}
ALERTMANAGER = {"name": "pager", "type": "alertmanager", "urls": ["https://example.org"]}

Then = Callable[[Stage], Awaitable[object]]


async def nothing(stage: Stage) -> None:
    """Do nothing between the samples."""


async def acknowledge(stage: Stage, until: float | None = None) -> None:
    """Acknowledge the only alert. until: epoch seconds; None: as long as it lasts."""
    (alert,) = stage.engine.alerts
    made = Acknowledgement(
        alert=alert, severity=Severity.WARNING, author="ada", comment="x", at=stage.seconds, until=until
    )
    await stage.engine.acknowledge(made)


async def acknowledge_for_four_minutes(stage: Stage) -> None:
    await acknowledge(stage, until=stage.seconds + 240)


async def silence_for_five_minutes(stage: Stage) -> None:
    now = stage.seconds
    silence = Silence(
        id="", matchers=('service="kinesis"',), starts=now, ends=now + 300, author="ada", comment="x"
    )
    await stage.engine.silence(silence, now)


class Story(NamedTuple):
    """Samples, what is done then, more samples, and the reasons of all notifications."""

    before: str
    then: Then
    after: str
    reasons: Sequence[NotificationReason]
    receiver: Mapping[str, Any] = WEBHOOK


STORIES = {
    "it begins": Story("..ccc", nothing, "", [R.FIRST]),
    "its severity rises": Story("..ccc", nothing, "sss", [R.FIRST, R.ESCALATED]),
    "its severity falls": Story("..sss", nothing, "c" * 8, [R.FIRST, R.REPEATED, R.REPEATED, R.EASED]),
    "it ends": Story("..ccc", nothing, "....", [R.FIRST, R.RESOLVED]),
    "it lasts": Story("..ccc", nothing, "c" * 5, [R.FIRST, R.REPEATED]),
    "the receiver forgets": Story("..ccc", nothing, "c", [R.FIRST, R.KEEPALIVE], ALERTMANAGER),
    "it is acknowledged": Story("..ccc", acknowledge, "c" * 9, [R.FIRST]),
    "it escalates though acknowledged": Story("..ccc", acknowledge, "sss", [R.FIRST, R.ESCALATED]),
    "an acknowledgement ends": Story("..ccc", acknowledge_for_four_minutes, "c" * 6, [R.FIRST, R.REPEATED]),
    "it is silenced": Story("..", silence_for_five_minutes, "cccc", []),
    "a silence ends": Story("..", silence_for_five_minutes, "c" * 6, [R.FIRST]),
    "a silence of a known alert ends": Story(
        "..ccc", silence_for_five_minutes, "c" * 6, [R.FIRST, R.REPEATED]
    ),
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
async def test_each_notification_has_its_reason(story: Story, storage: Path | MemoryStore) -> None:
    config = configuration([story.receiver], route={**AT_ONCE, "repeat_interval": 240})
    async with Stage.opened(storage, config) as stage:
        await stage.play(orders=story.before)
        await story.then(stage)
        if story.after:
            await stage.play(orders=story.after)
        assert [one.reason for one in stage.sent] == story.reasons
        assert [one.kind for one in stage.notices] == [reason.kind for reason in story.reasons]


async def test_a_blind_spot_that_shows_in_more_places_grew(storage: Path | MemoryStore) -> None:
    async with Stage.opened(storage) as stage:
        cells = cells_in()
        await play_cells(stage, cells, 20)
        await play_cells(stage, cells, 15, fails(DENIED, at=KINESIS))
        await play_cells(stage, cells, 30, fails(DENIED, at=[*ALL_HERE, (THERE, "")]))
        assert [one.reason for one in stage.sent][:2] == [R.FIRST, R.GREW]
        assert {one.reason for one in stage.sent} == {R.FIRST, R.GREW}


async def test_of_several_notices_the_most_important_reason_counts(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc...", clicks=".....ccc")
        assert [(len(one.notices), one.reason) for one in stage.sent] == [(1, R.FIRST), (2, R.FIRST)]
        assert {one.kind for one in stage.sent[-1].notices} == {NoticeKind.FIRING, NoticeKind.RESOLVED}


async def test_the_reason_survives_a_restart_and_a_replay(storage: Path | MemoryStore) -> None:
    async with Stage.opened(storage) as stage:
        await stage.play(orders="..ccc")
        stage.answer = retry("http_503", "it answered 503")
        await stage.play(orders="sss")
        assert [one.reason for one in stage.store.all(NOTIFICATIONS).values()] == [R.ESCALATED]
        minute = stage.minute
    async with Stage.opened(storage, minute=minute + 10) as stage:
        stage.answer = refused("http_400", "it answered 400")
        await stage.deliver()
        (sender,) = stage.delivery.senders.values()
        assert [one.notification.reason for one in sender.dead_letters] == [R.ESCALATED]
        stage.sent.clear()
        await stage.delivery.replay()
        await stage.deliver()
        assert [one.reason for one in stage.sent] == [R.ESCALATED]


async def test_the_reason_is_stored_before_a_notification_is_made(storage: Path | MemoryStore) -> None:
    async with Stage.opened(storage) as stage:
        await stage.play(orders="..cc")
        stage.delivery.configure([])
        await stage.play(orders="c")
        rows = stage.store.all(PENDING_NOTICES).values()
        assert [one.reason for one in rows] == [R.FIRST]


async def test_the_reason_is_logged_at_delivery(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "monitor.alerting")
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc....")
        first, resolved = (one.id for one in stage.sent)
    assert f"pager: notification {first} is delivered, reason: first" in caplog.messages
    assert f"pager: notification {resolved} is delivered, reason: resolved" in caplog.messages


@pytest.mark.parametrize("reason", NotificationReason)
def test_a_webhook_has_the_reason(reason: NotificationReason) -> None:
    assert webhook_body(notification(reason=reason)).data.reason is reason


def test_a_trial_notification_has_the_reason_test() -> None:
    assert trial_notification("hook", "test-1", NoticeKind.FIRING, 0, 0.0).reason is R.TEST
