"""The reason of each notification, as it is sent, logged and stored.

The letters of samples are explained in `harness`.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from monitor.alerting.records import Acknowledgement, Silence
from monitor.alerting.tables import NOTIFICATIONS, PENDING_NOTICES
from monitor.notifiers.notice import NoticeKind, NotificationReason, Severity
from monitor.notifiers.trial_notification import trial_notification
from monitor.notifiers.webhook_body import webhook_body
from monitor.outbound.result import refused_result, retry_result
from tests.monitor.alerting.harness import AT_ONCE, DENIED, AlertingHarness, configuration
from tests.monitor.alerting.memory_store import MemoryStore
from tests.monitor.alerting.read_cells import read_cells
from tests.monitor.alerting.test_blind_alerts import ALL_HERE, KINESIS, THERE, cells_in, failures_at
from tests.monitor.notifiers.loopback import notification

Reason = NotificationReason
WEBHOOK = {"name": "pager", "type": "webhook", "url": "https://example.org/"}
ALERTMANAGER = {"name": "pager", "type": "alertmanager", "urls": ["https://example.org"]}

Action = Callable[[AlertingHarness], Awaitable[object]]


async def do_nothing(harness: AlertingHarness) -> None:
    """Do nothing."""


async def acknowledge(harness: AlertingHarness, until: float | None = None) -> None:
    """Acknowledge the only alert. until: epoch seconds; None for as long as the alert fires."""
    (alert,) = harness.engine.alerts
    acknowledgement = Acknowledgement(
        alert=alert, severity=Severity.WARNING, author="ada", comment="x", at=harness.seconds, until=until
    )
    await harness.engine.acknowledge(acknowledgement)


async def acknowledge_for_four_minutes(harness: AlertingHarness) -> None:
    await acknowledge(harness, until=harness.seconds + 240)


async def silence_for_five_minutes(harness: AlertingHarness) -> None:
    now = harness.seconds
    silence = Silence(
        id="", matchers=('service="kinesis"',), starts=now, ends=now + 300, author="ada", comment="x"
    )
    await harness.engine.silence(silence, now)


class ReasonCase(NamedTuple):
    """Samples, the action that follows, the samples after it, and the reasons of all notifications."""

    before: str
    action: Action
    after: str
    reasons: Sequence[NotificationReason]
    receiver: Mapping[str, Any] = WEBHOOK


CASES = {
    "the alert begins": ReasonCase("..ccc", do_nothing, "", [Reason.FIRST]),
    "the severity rises": ReasonCase("..ccc", do_nothing, "sss", [Reason.FIRST, Reason.ESCALATED]),
    "the severity falls": ReasonCase(
        "..sss", do_nothing, "c" * 8, [Reason.FIRST, Reason.REPEATED, Reason.REPEATED, Reason.EASED]
    ),
    "the alert ends": ReasonCase("..ccc", do_nothing, "....", [Reason.FIRST, Reason.RESOLVED]),
    "the alert lasts": ReasonCase("..ccc", do_nothing, "c" * 5, [Reason.FIRST, Reason.REPEATED]),
    "the receiver forgets alerts that are not repeated": ReasonCase(
        "..ccc", do_nothing, "c", [Reason.FIRST, Reason.KEEPALIVE], ALERTMANAGER
    ),
    "the alert is acknowledged": ReasonCase("..ccc", acknowledge, "c" * 9, [Reason.FIRST]),
    "an acknowledged alert escalates": ReasonCase(
        "..ccc", acknowledge, "sss", [Reason.FIRST, Reason.ESCALATED]
    ),
    "an acknowledgement ends": ReasonCase(
        "..ccc", acknowledge_for_four_minutes, "c" * 6, [Reason.FIRST, Reason.REPEATED]
    ),
    "the alert is silenced": ReasonCase("..", silence_for_five_minutes, "cccc", []),
    "a silence ends": ReasonCase("..", silence_for_five_minutes, "c" * 6, [Reason.FIRST]),
    "a silence of a notified alert ends": ReasonCase(
        "..ccc", silence_for_five_minutes, "c" * 6, [Reason.FIRST, Reason.REPEATED]
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
async def test_each_notification_has_its_reason(case: ReasonCase, storage: Path | MemoryStore) -> None:
    config = configuration([case.receiver], route={**AT_ONCE, "repeat_interval": 240})
    async with AlertingHarness.opened(storage, config) as harness:
        await harness.run_minutes(orders=case.before)
        await case.action(harness)
        if case.after:
            await harness.run_minutes(orders=case.after)
        assert [notification.reason for notification in harness.sent] == case.reasons
        assert [notice.kind for notice in harness.notices] == [reason.kind for reason in case.reasons]


async def test_a_blind_spot_in_more_places_has_the_reason_grew(storage: Path | MemoryStore) -> None:
    async with AlertingHarness.opened(storage) as harness:
        cells = cells_in()
        await read_cells(harness, cells, 20)
        await read_cells(harness, cells, 15, failures_at(DENIED, at=KINESIS))
        await read_cells(harness, cells, 30, failures_at(DENIED, at=[*ALL_HERE, (THERE, "")]))
        assert [notification.reason for notification in harness.sent][:2] == [Reason.FIRST, Reason.GREW]
        assert {notification.reason for notification in harness.sent} == {Reason.FIRST, Reason.GREW}


async def test_a_notification_has_the_most_important_reason_of_its_notices(tmp_path: Path) -> None:
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc...", clicks=".....ccc")
        assert [(len(notification.notices), notification.reason) for notification in harness.sent] == [
            (1, Reason.FIRST),
            (2, Reason.FIRST),
        ]
        assert {notice.kind for notice in harness.sent[-1].notices} == {
            NoticeKind.FIRING,
            NoticeKind.RESOLVED,
        }


async def test_the_reason_survives_a_restart_and_the_replay_of_a_dead_letter(
    storage: Path | MemoryStore,
) -> None:
    async with AlertingHarness.opened(storage) as harness:
        await harness.run_minutes(orders="..ccc")
        harness.answer = retry_result("http_503", "it answered 503")
        await harness.run_minutes(orders="sss")
        assert [notification.reason for notification in harness.store.rows_of(NOTIFICATIONS).values()] == [
            Reason.ESCALATED
        ]
        minute = harness.minute
    async with AlertingHarness.opened(storage, minute=minute + 10) as harness:
        harness.answer = refused_result("http_400", "it answered 400")
        await harness.deliver()
        (sender,) = harness.delivery.senders.values()
        assert [dead_letter.notification.reason for dead_letter in sender.dead_letters] == [Reason.ESCALATED]
        harness.sent.clear()
        await harness.delivery.replay()
        await harness.deliver()
        assert [notification.reason for notification in harness.sent] == [Reason.ESCALATED]


async def test_a_pending_notice_is_stored_with_its_reason(storage: Path | MemoryStore) -> None:
    async with AlertingHarness.opened(storage) as harness:
        await harness.run_minutes(orders="..cc")
        harness.delivery.configure([])
        await harness.run_minutes(orders="c")
        rows = harness.store.rows_of(PENDING_NOTICES).values()
        assert [row.reason for row in rows] == [Reason.FIRST]


async def test_the_reason_is_logged_at_delivery(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "monitor.alerting")
    async with AlertingHarness.opened(tmp_path) as harness:
        await harness.run_minutes(orders="..ccc....")
        first_id, resolved_id = (notification.id for notification in harness.sent)
    assert f"pager: notification {first_id} is delivered, reason: first" in caplog.messages
    assert f"pager: notification {resolved_id} is delivered, reason: resolved" in caplog.messages


@pytest.mark.parametrize("reason", NotificationReason)
def test_a_webhook_has_the_reason(reason: NotificationReason) -> None:
    assert webhook_body(notification(reason=reason)).data.reason is reason


def test_a_trial_notification_has_the_reason_test() -> None:
    assert trial_notification("hook", "test-1", NoticeKind.FIRING, 0, 0.0).reason is Reason.TEST
