"""The receivers that were notified of a change of an alert, as they are stored and as they are assigned."""

from pathlib import Path

import pytest

from monitor.alerting.journal import Journal
from monitor.alerting.journal_file import JournalFile
from monitor.alerting.records import SentNotice
from monitor.alerting.sent_notices import assign_sent, sent_by_notice
from monitor.notifiers.notice import NotificationReason
from tests.monitor.alerting.pending import NOW, notice, pending_notice

DAY = 86400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


def sent(number: int, alert: str = "a", receiver: str = "pager", reason: str = "first") -> SentNotice:
    return SentNotice(
        alert=alert, number=number, receiver=receiver, reason=NotificationReason(reason), at=NOW
    )


def test_a_repeat_belongs_to_the_change_before_it() -> None:
    notices = [notice(9, "a"), notice(5, "b"), notice(3, "a")]
    told = [sent(3), sent(3, receiver="mail"), sent(7, reason="repeated"), sent(9, reason="escalated")]
    told += [sent(6, "b"), sent(1), sent(4, "unknown")]
    assert assign_sent(notices, told) == [[told[3]], [told[4]], told[:3]]


async def test_what_is_handed_to_a_receiver_is_stored_with_its_reason(path: Path) -> None:
    journal = await Journal.open(path)
    rows = journal.with_ids([pending_notice(notice(1)), pending_notice(notice(1), "mail")])
    await journal.commit({}, [notice(1)], rows)
    await journal.commit({}, [notice(2, "b")], [])
    for _ in range(2):
        assert await journal.sent_notices("a") == [sent(1, receiver="mail"), sent(1)]
        assert await journal.sent_notices(limit=1) == [sent(1, receiver="mail")]
        by_notice = await sent_by_notice(journal, await journal.history())
        assert [[one.receiver for one in told] for told in by_notice] == [[], ["pager", "mail"]]
        await journal.close()
        journal = await Journal.open(path)
    await journal.close()


async def test_it_is_forgotten_by_age_and_by_number(path: Path) -> None:
    clock = [NOW]
    journal = await Journal.open(
        path, now=lambda: clock[0], file=JournalFile(path, max_history_rows=2), maintenance_interval=1
    )
    for number in range(1, 6):
        rows = journal.with_ids([pending_notice(notice(number), due=clock[0])])
        await journal.commit({}, [], rows)
        clock[0] += 5
    await journal.maintain()
    assert [one.number for one in await journal.sent_notices()] == [5, 4]
    clock[0] += 31 * DAY
    await journal.maintain()
    assert await journal.sent_notices() == []
    await journal.close()


async def test_without_notices_nothing_is_asked(path: Path) -> None:
    journal = await Journal.open(path)
    assert await sent_by_notice(journal, []) == []
    await journal.close()
