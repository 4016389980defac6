"""From decoded points to the fleet's rings, on the event loop, in slices that do not hold it up."""

import asyncio
from collections.abc import Callable

import numpy as np

from monitor.columns import Flags, Ints
from monitor.fleet import CellKey, Fleet
from monitor.rings import NEVER, WINDOW
from monitor.stream.absence import Absence
from monitor.stream.names import Names
from monitor.stream.points import Numbers, Points, Values
from monitor.stream.targets import NOWHERE, Kind, Targets
from monitor.stream.telemetry import NOBODY, StreamTelemetry
from monitor.stream.wanted import DECODED, SERVICES, WIDTH

SLICE = 2500  # points at a time: some 20 ms when all their names are new, 1 ms when they are known
MINUTE = 60_000  # milliseconds
AHEAD = 5 * MINUTE  # that clocks may differ
LOOK_AGAIN = 60.0  # seconds between two requests to look at a cell's service again

LookAgain = Callable[[CellKey, str], None]  # cell, service


class Writer:
    """Writes points to the fleet. `look_again` is told of cells that have resources nobody knows yet."""

    def __init__(self, fleet: Fleet, telemetry: StreamTelemetry, look_again: LookAgain) -> None:
        self._fleet, self._telemetry, self._look_again = fleet, telemetry, look_again
        self._targets = Targets(fleet, Names())
        self._absence = Absence(fleet)
        self._asked: dict[tuple[CellKey, str], float] = {}

    async def write(self, points: Points, names: Names, now: float) -> None:
        """Write all points, the later ones of a minute over the earlier ones; `now` is in epoch seconds."""
        if self._targets.names is not names:
            self._targets = Targets(self._fleet, names)
        targets = self._targets
        numbers, times, values = points.columns()
        for start in range(0, numbers.size, SLICE):
            part = slice(start, start + SLICE)
            self._write(targets, numbers[part], times[part], values[:, part], now)
            await asyncio.sleep(0)
        self._bill(targets, numbers)

    def _bill(self, targets: Targets, numbers: Numbers) -> None:
        """Count what AWS bills, by who watches it."""
        updates = np.bincount(targets.payer[numbers])
        for payer in np.flatnonzero(updates).tolist():
            cell, service = targets.payers[payer]
            account, region = cell if self._fleet.metrics(cell) else NOBODY
            self._telemetry.streamed(account, region, service, int(updates[payer]))

    def _write(self, targets: Targets, numbers: Numbers, times: Numbers, values: Values, now: float) -> None:
        lost = targets.look_up(numbers)
        self._ask(targets, lost, now)
        late = times // MINUTE <= now // 60 - WINDOW
        future = times > now * 1000 + AHEAD
        known = (targets.row[numbers] != NOWHERE).any(axis=1)
        timely = ~(late | future)
        self._count(late=late, future=future, unknown=timely & ~known)
        minutes = np.where(timely, times // MINUTE, NEVER).astype(np.int32)
        usable = timely & known
        self._write_rows(targets, numbers[usable], minutes[usable], values[:, usable], int(now // 60))
        self._absence.hear(_newest(targets, numbers[timely], minutes[timely]), int(now // 60))
        for cell in {targets.kinds[kind].cell for kind in np.unique(targets.kind[numbers[usable]]).tolist()}:
            self._telemetry.heard.labels(*cell).set(now)

    def _write_rows(
        self, targets: Targets, numbers: Numbers, minutes: Ints, values: Values, minute: int
    ) -> None:
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            average = values[DECODED.index("sum")] / values[DECODED.index("count")]
            choices = np.vstack([values, average])
            for n in range(WIDTH):
                there = targets.row[numbers, n] != NOWHERE
                some = numbers[there]
                factors = targets.factor[some, n]
                told = choices[targets.statistic[some, n], np.flatnonzero(there)] * factors
                written = told.astype(np.float32)  # what it cannot hold becomes infinite
                self._fleet.rings.write_streamed(targets.row[some, n], minutes[there], written, minute)
                unit, number = np.isnan(factors), np.isfinite(written)
                self._count(unit=unit, missing=~(unit | number), written=number)

    def _ask(self, targets: Targets, lost: Numbers, now: float) -> None:
        """Have the inventory look for the resources of new names, once for each, and not too often."""
        for number in lost[~targets.asked[lost]].tolist():
            name = targets.names.all[number]
            if self._fleet.metrics(name.cell):  # else nobody watches it, or nothing was found there yet
                asked = [self._asks(name.cell, service, now) for service in SERVICES[name.namespace]]
                targets.asked[number] = any(asked)

    def _asks(self, cell: CellKey, service: str, now: float) -> bool:
        """Whether a look that begins now is asked for."""
        last = self._asked.get((cell, service), 0.0)
        if last != now and now - last >= LOOK_AGAIN:
            self._asked[cell, service] = now
            self._look_again(cell, service)
        return self._asked[cell, service] == now

    def _count(self, **outcomes: Flags) -> None:
        for outcome, places in outcomes.items():
            self._telemetry.count(outcome, int(np.count_nonzero(places)))


def _newest(targets: Targets, numbers: Numbers, minutes: Ints) -> dict[Kind, int]:
    """The newest minute of each kind."""
    kinds, where = np.unique(targets.kind[numbers], return_inverse=True)
    newest = np.full(kinds.size, NEVER, np.int32)
    np.maximum.at(newest, where, minutes)
    return {targets.kinds[kind]: minute for kind, minute in zip(kinds.tolist(), newest.tolist(), strict=True)}
