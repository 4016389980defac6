"""Lets cells be read for some time, while alerts follow."""

from monitor.notifiers.notice import Notice
from tests.monitor.alerting.cells import FailuresOf, SimulatedCells
from tests.monitor.alerting.stage import Stage


async def play_cells(
    stage: Stage, cells: SimulatedCells, minutes: float, by: FailuresOf | None = None, step: float = 15.0
) -> list[Notice]:
    """Read the cells as usual for some minutes, with failures as `by` says; return what was notified."""
    if by:
        cells.fails = by
    before = len(stage.sent)
    for _ in range(int(minutes * 60 / step)):
        stage.seconds += step
        stage.status = cells.step(stage.seconds)
        await stage.process()
    return [notice for one in stage.sent[before:] for notice in one.notices]
