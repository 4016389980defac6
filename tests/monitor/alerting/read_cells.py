"""Reads simulated cells, and runs the alert engine on what was read."""

from monitor.notifiers.notice import Notice
from tests.monitor.alerting.cells import FailuresOf, SimulatedCells
from tests.monitor.alerting.harness import AlertingHarness


async def read_cells(
    harness: AlertingHarness,
    cells: SimulatedCells,
    minutes: float,
    failures_of: FailuresOf | None = None,
    step: float = 15.0,
) -> list[Notice]:
    """Read the cells for some minutes, and return the notices sent.

    failures_of: returns the failures of reads from now on; None keeps the present function. step: seconds
    between two runs of the alert engine.
    """
    if failures_of:
        cells.failures_of = failures_of
    earlier_count = len(harness.sent)
    for _ in range(int(minutes * 60 / step)):
        harness.seconds += step
        harness.status = cells.step(harness.seconds)
        await harness.process()
    return [notice for notification in harness.sent[earlier_count:] for notice in notification.notices]
