"""A journal with flipped bits: Headroom starts, and alerting continues from what can be read.

`HEADROOM_FLIPS=1200 pytest tests/monitor/alerting/test_rotten.py` flips more of them.
"""

import os
import random
import shutil
from collections.abc import Sequence
from pathlib import Path

from monitor.alerting.journal import Journal, JournalError
from monitor.alerting.records import Acknowledgement, Silence
from monitor.outbound.result import refused, retry
from rules.alert_rules import Severity
from tests.monitor.alerting.stage import Stage

FLIPS = int(os.environ.get("HEADROOM_FLIPS", "300"))
NOW = 29_000_000 * 60.0


async def made(folder: Path) -> Path:
    """A journal in which every table has rows."""
    async with Stage.opened(folder, minute=int(NOW // 60)) as stage:
        await stage.play(orders="....cccc", clicks="....ssss", names="....aaaa")
        stage.answer = refused("http_400", "it does not want it")
        await stage.play(views="....ssss")
        stage.answer = retry("http_503", "it is away")
        await stage.play(jobs="....ssss", mails="....cccc")
        silences = stage.engine.silences
        requested = Silence(
            id="", matchers=("service=kinesis",), starts=NOW, ends=NOW + 1e6, author="a", comment="b"
        )
        await silences.add(requested, NOW)
        for alert in stage.engine.alerts:
            ack = Acknowledgement(
                alert=alert, severity=Severity.WARNING, author="ana", comment="on it", at=NOW, until=NOW + 1e6
            )
            await silences.acknowledge(ack)
    return folder / "journal.db"


async def use_journal(folder: Path) -> None:
    """Start, and use everything that was read."""
    async with Stage.opened(folder, minute=int(NOW // 60) + 40) as stage:
        await stage.play(orders="..cccc", others="..ssss", views="......")
        assert any(one.firing for one in stage.engine.alerts.values())
        assert stage.sent
        await stage.store.maintain()
        assert isinstance(stage.store, Journal)
        assert stage.store.healthy, stage.store.failure
        await stage.store.history()
        await stage.delivery.replay()
        await stage.delivery.maintain()
        await stage.process(60)


def flipped(data: bytes, places: Sequence[int], chance: random.Random) -> bytes:
    """Return the data with one to three of its bytes at the places `used` changed."""
    rotten = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        rotten[chance.choice(places)] = chance.choice((chance.randrange(256), *b'09-".\xff'))
    return bytes(rotten)


async def test_alerting_continues_with_flipped_bits_in_its_journal(tmp_path: Path) -> None:
    (tmp_path / "made").mkdir()
    data = (await made(tmp_path / "made")).read_bytes()
    used_places = [place for place, byte in enumerate(data) if byte]
    for seed in range(FLIPS):
        folder = tmp_path / "flipped"
        folder.mkdir()
        (folder / "journal.db").write_bytes(flipped(data, used_places, random.Random(seed)))
        try:
            await use_journal(folder)
        except JournalError as error:
            assert "created by a newer Headroom" in str(error)
        except BaseException:
            print(f"with the flips of seed {seed}")
            raise
        shutil.rmtree(folder)
