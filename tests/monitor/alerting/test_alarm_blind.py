"""The alarm about what nobody sees: begun once, and over only when it is seen again."""

from dataclasses import replace
from pathlib import Path

from monitor.alerting.blind import AFTER
from monitor.alerting.notice import Kind
from monitor.aws import Failure
from monitor.inventory import Outcome
from monitor.status import CellStatus, Told
from tests.monitor.alerting.stage import DENIED, Stage, configuration
from tests.monitor.fleets import ACCOUNT, REGION


async def failing(stage: Stage, minutes: int, failure: Failure = DENIED, since: float | None = None) -> str:
    """Minutes in which every look at the cell fails; what was told, as kinds."""
    told = ""
    for _ in range(minutes):
        stage.seconds += 60
        outcome = Outcome(stage.seconds, since, (failure,))
        cell = CellStatus(
            account=ACCOUNT,
            region=REGION,
            name="prod",
            collectors={"kinesis": outcome, "sqs": outcome},
            poll=outcome,
        )
        stage.told = Told(cells=[cell])
        told += "".join(one.kind.value[0] for one in await stage.turn()) or "."
    return told


async def test_a_blind_cell_is_one_alert(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        began = stage.seconds
        told = await failing(stage, 30, since=began)
        assert told.strip(".") == "f"
        (notice,) = stage.notices
        assert notice.labels["signal"] == "blind"
        assert "AccessDeniedException" in notice.summary
        stage.see()
        (over,) = await stage.turn(60)
        assert over.summary == "prod, eu-west-1 is seen again, after 31 min."


async def test_a_restart_does_not_take_what_is_still_blind_for_seen(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        assert "f" in await failing(stage, 30, since=stage.seconds)
        minute = int(stage.seconds // 60)
    async with Stage.opened(tmp_path, minute=minute) as stage:
        assert await failing(stage, 40) == "." * 40
        stage.see()
        assert [one.kind for one in await stage.turn(60)] == [Kind.RESOLVED]


async def test_a_reload_neither_ends_nor_begins_what_is_blind(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        assert "f" in await failing(stage, 30, since=stage.seconds)
        stage.configure(configuration())
        stage.told = Told(waited_for=["account prod"])
        assert await stage.turn() == []
        stage.see(succeeded=None)  # the first look of the new watch is under way
        assert await stage.turn() == []
        assert await failing(stage, 5) == "." * 5
    async with Stage.opened(tmp_path / "seen") as stage:
        stage.seconds += 3600
        stage.see()
        assert await stage.turn() == []
        stage.configure(configuration())
        stage.see(succeeded=None)
        assert await stage.turn() == []
        assert [one.kind for one in await stage.turn(AFTER + 1)] == [Kind.FIRING]


async def test_an_account_that_is_shut_is_told_once_and_hides_nothing_else(tmp_path: Path) -> None:
    async with Stage.opened(tmp_path) as stage:
        await stage.play(orders="..ccc")
        stage.seconds += 1000
        stage.see()
        stage.told = replace(stage.told, shut={"staging": DENIED})
        assert [one.labels["account"] for one in await stage.turn()] == ["staging"]
        stage.told = replace(stage.told, shut={})
        assert [one.kind for one in await stage.turn(60)] == [Kind.RESOLVED]
