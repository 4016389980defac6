"""A journal with flipped bits: Headroom starts, and alerting continues from what can be read.

`HEADROOM_FLIPS=1200 pytest tests/monitor/alerting/test_flipped_bits.py` tests 1200 corrupt copies of the
journal. The letters of samples are explained in `harness.py`.
"""

import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

from monitor.alerting.journal import Journal, JournalError
from monitor.alerting.records import Acknowledgement, Silence
from monitor.outbound.result import refused_result, retry_result
from rules.alert_rules import Severity
from tests.monitor.alerting.harness import AlertingHarness

COPIES = int(os.environ.get("HEADROOM_FLIPS", "300"))  # how many corrupt copies of the journal are tried
NOW = 29_000_000 * 60.0
CONFUSING_BYTES = b'09-".\xff'  # in numbers, in JSON and in UTF-8


async def journal_with_rows(folder: Path) -> Path:
    """Create a journal in which every table has rows, and return its path."""
    async with AlertingHarness.opened(folder, minute=int(NOW // 60)) as harness:
        await harness.run_minutes(orders="....cccc", clicks="....ssss", names="....aaaa")
        harness.answer = refused_result("http_400", "the notification is invalid")
        await harness.run_minutes(views="....ssss")
        harness.answer = retry_result("http_503", "it is unavailable")
        await harness.run_minutes(jobs="....ssss", mails="....cccc")
        silences = harness.engine.silences
        silence = Silence(
            id="", matchers=("service=kinesis",), starts=NOW, ends=NOW + 1e6, author="a", comment="b"
        )
        await silences.add(silence, NOW)
        for alert in harness.engine.alerts:
            acknowledgement = Acknowledgement(
                alert=alert, severity=Severity.WARNING, author="ana", comment="on it", at=NOW, until=NOW + 1e6
            )
            await silences.acknowledge(acknowledgement)
    return folder / "journal.db"


async def use_journal(folder: Path) -> None:
    """Start a process on the journal, and use all rows that it reads."""
    async with AlertingHarness.opened(folder, minute=int(NOW // 60) + 40) as harness:
        await harness.run_minutes(orders="..cccc", others="..ssss", views="......")
        assert any(notice.firing for notice in harness.engine.alerts.values())
        assert harness.sent
        await harness.store.maintain()
        assert isinstance(harness.store, Journal)
        assert harness.store.failure is None, harness.store.failure
        await harness.store.history()
        await harness.delivery.replay()
        await harness.delivery.maintain()
        await harness.process(60)


def with_changed_bytes(data: bytes, offsets: Sequence[int], rng: random.Random) -> bytes:
    """Return the data after one to three changes of a byte. offsets: of the bytes that may be changed."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 3)):
        changed[rng.choice(offsets)] = rng.choice((rng.randrange(256), *CONFUSING_BYTES))
    return bytes(changed)


async def test_alerting_continues_with_flipped_bits_in_the_journal(tmp_path: Path) -> None:
    (tmp_path / "original").mkdir()
    data = (await journal_with_rows(tmp_path / "original")).read_bytes()
    nonzero_offsets = [offset for offset, byte in enumerate(data) if byte]
    for seed in range(COPIES):
        folder = tmp_path / "flipped"
        folder.mkdir()
        (folder / "journal.db").write_bytes(with_changed_bytes(data, nonzero_offsets, random.Random(seed)))
        try:
            await use_journal(folder)
        except JournalError as error:
            assert "created by a newer Headroom" in str(error)
        except BaseException:
            print(f"with the changes of seed {seed}")
            raise
        shutil.rmtree(folder)
