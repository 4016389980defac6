"""Sent notices: how the journal stores them, and how they are assigned to the notices in the history."""

from pathlib import Path

import pytest

from monitor.alerting.journal import Journal
from monitor.alerting.journal_file import MAX_HISTORY_AGE, JournalFile
from monitor.alerting.records import SentNotice
from monitor.alerting.sent_notices import assign_sent, sent_by_notice
from monitor.notifiers.notice import NotificationReason
from tests.monitor.alerting.pending import NOW, notice, pending_notice

DAY = 86400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def sent_notice_of(
    number: int, alert: str = "a", receiver: str = "pager", reason: str = "first"
) -> SentNotice:
    return SentNotice(
        alert=alert, number=number, receiver=receiver, reason=NotificationReason(reason), at=NOW
    )


def test_a_sent_notice_is_assigned_to_its_notice_and_a_repeat_to_the_notice_before_it() -> None:
    notices = [notice(9, "a"), notice(5, "b"), notice(3, "a")]
    first_to_pager, first_to_mail, repeat = (
        sent_notice_of(3),
        sent_notice_of(3, receiver="mail"),
        sent_notice_of(7, reason="repeated"),
    )
    escalation, of_other_alert = sent_notice_of(9, reason="escalated"), sent_notice_of(6, "b")
    without_notice = [sent_notice_of(1), sent_notice_of(4, "unknown")]
    assigned = assign_sent(
        notices, [first_to_pager, first_to_mail, repeat, escalation, of_other_alert, *without_notice]
    )
    assert assigned == [[escalation], [of_other_alert], [first_to_pager, first_to_mail, repeat]]


async def test_pending_notices_are_stored_as_sent_notices(path: Path) -> None:
    journal = await Journal.open(path)
    rows = journal.with_ids([pending_notice(notice(1)), pending_notice(notice(1), "mail")])
    await journal.commit({}, [notice(1)], rows)
    await journal.commit({}, [notice(2, "b")], [])
    for _ in range(2):  # before and after a restart
        assert await journal.sent_notices("a") == [sent_notice_of(1, receiver="mail"), sent_notice_of(1)]
        assert await journal.sent_notices(limit=1) == [sent_notice_of(1, receiver="mail")]
        by_notice = await sent_by_notice(journal, await journal.history())
        assert [[sent_notice.receiver for sent_notice in assigned] for assigned in by_notice] == [
            [],
            ["pager", "mail"],
        ]
        await journal.close()
        journal = await Journal.open(path)
    await journal.close()


async def test_sent_notices_that_are_too_old_or_too_many_are_deleted(path: Path) -> None:
    clock = [NOW]
    journal = await Journal.open(
        path, now=lambda: clock[0], file=JournalFile(path, max_history_rows=2), maintenance_interval=1
    )
    for number in range(1, 6):
        rows = journal.with_ids([pending_notice(notice(number), due=clock[0])])
        await journal.commit({}, [], rows)
        clock[0] += 5
    await journal.maintain()
    assert [sent_notice.number for sent_notice in await journal.sent_notices()] == [5, 4]
    clock[0] += MAX_HISTORY_AGE + DAY
    await journal.maintain()
    assert await journal.sent_notices() == []
    await journal.close()


async def test_an_empty_list_of_notices_has_no_sent_notices(path: Path) -> None:
    journal = await Journal.open(path)
    assert await sent_by_notice(journal, []) == []
    await journal.close()
