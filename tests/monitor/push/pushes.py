"""Fleets by hand, minute by minute, and what is made of them for a receiver."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from collectors.base import total
from monitor.fleet import Fleet, Ruling, Series
from monitor.push.batches import batches
from monitor.push.encodings import ENCODINGS
from monitor.push.gather import LATE, Gathering
from monitor.push.labels import NAME, Labels
from monitor.push.progress import KEPT, Progress
from tests.monitor.fleets import NOW, RULING, add, key, refused, traffic
from tests.monitor.push.schemas import Sample, written

PROTOCOL = "remote_write 1"
Point = tuple[str, int, float]  # what is told, of which minute


def row(fleet: Fleet, series: Series, of_refusals: bool = False) -> int:
    """The only row of a formula of a series."""
    formula = (fleet.refusals if of_refusals else fleet.usages).get(series.place)
    assert formula and len(formula.rows) == 1
    return formula.rows[0]


def use(fleet: Fleet, series: Series, by_minute: Mapping[int, float], of_refusals: bool = False) -> None:
    """Usage (or refusals) by minute."""
    rows = np.full(len(by_minute), row(fleet, series, of_refusals), np.int32)
    values = np.array(list(by_minute.values()), np.float32)
    fleet.rings.write(rows, np.array(list(by_minute), np.int32), values)


def read(fleet: Fleet, series: Series, minute: int) -> None:
    """All metrics of a series were asked for up to a minute."""
    rows = [row(fleet, series), *([row(fleet, series, True)] if fleet.refusals.get(series.place) else [])]
    fleet.rings.mark_read(np.array(rows, np.int32), minute)


def stream(fleet: Fleet, name: str = "clicks", ruling: Ruling = RULING, **seen: Any) -> Series:
    """A stream with a limit of 1000, whose metrics are in its unit."""
    named = key(name)
    used, waiting = traffic.of(StreamName=named.id), refused.of(StreamName=named.id)
    return add(fleet, named, ruling, **({"usage": total(used), "refused": total(waiting)} | seen))


class Pushed:
    """A receiver that gets everything at once."""

    def __init__(self, fleet: Fleet, out_of_order: bool = False) -> None:
        self.fleet, self.late = fleet, LATE if out_of_order else 0
        self.labels = Labels(ENCODINGS[PROTOCOL].label)
        self.progress = Progress(np.empty(0, KEPT), self.late)
        self.saved: dict[int, bytes] = {}

    def look(self) -> list[list[Sample]]:
        """The samples that a look at the fleet brings, request by request."""
        gathering, found = Gathering(self.fleet, self.progress), []
        for portion in gathering.portions():
            made, queued = batches(portion, ENCODINGS[PROTOCOL], self.labels)
            self.saved |= self.progress.saved(portion.chunk, queued)
            gathering.settle(portion, queued)
            found += [written(one.body) for one in made]
            assert [one.samples for one in made] == [len(one) for one in found[len(found) - len(made) :]]
        return found

    def told(self, family: str) -> list[tuple[str, int, float]]:
        """What a look brings of a family: resource, minute before NOW, value; in the order of sending."""
        return [point for name, point in points(self.look()) if name == family]

    def restart(self) -> None:
        """Begin anew from what was saved."""
        kept = np.concatenate([np.frombuffer(one, KEPT) for one in self.saved.values()])
        self.progress = Progress(kept, self.late)


def points(requests: Iterable[Iterable[Sample]]) -> list[tuple[str, Point]]:
    found = []
    for request in requests:
        for labels, ms, value in request:
            named = dict(labels)
            assert ms % 60_000 == 0
            name = named[NAME].removeprefix("headroom_")
            found.append((name, (named["resource"], NOW - ms // 60_000, value)))
    return found
