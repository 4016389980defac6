"""What cannot be observed, why, and the command that enables it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from monitor.aws import Failure
from monitor.fleet import Series
from monitor.snapshot import Snapshot
from monitor.status import CellStatus, Told
from rules.band import Zone
from rules.limits import catalogue

EXAMPLES = 10  # series spelled out for one reason
METRICS = "CloudWatch metrics"


@dataclass(slots=True)
class Cause:
    """One reason why series of a service cannot be observed: the first of them, and how many there are."""

    service: str
    reason: str
    series: list[Series] = field(default_factory=list)
    total: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What AWS refused or failed to answer: where, of what, in words, and whether nothing at all is seen."""

    where: str
    what: str
    failure: Failure
    times: int
    never: bool


def causes(snapshot: Snapshot) -> list[Cause]:
    """The reasons, those of most series first. May take long: not for the event loop."""
    found: dict[tuple[str, str], Cause] = {}
    for place in np.flatnonzero((snapshot.zone == Zone.UNOBSERVABLE) & (snapshot.group >= 0)).tolist():
        series = snapshot.series[place]
        if series.unobservable is None:
            continue
        key = series.key.service, series.unobservable.reason
        cause = found.setdefault(key, Cause(*key))
        cause.total += 1
        if len(cause.series) < EXAMPLES:
            cause.series.append(series)
    return sorted(found.values(), key=lambda one: (-one.total, one.service, one.reason))


def troubles(told: Told) -> list[Trouble]:
    """What AWS refuses, one line for each cell, service and code, what was never seen first."""
    shut = [
        Trouble(where=name, what="the whole account", failure=one, times=1, never=True)
        for name, one in told.shut.items()
    ]
    cells = [trouble for cell in told.cells for trouble in _of_cell(cell)]
    return shut + sorted(cells, key=lambda one: (not one.never, one.where, one.what))


def _of_cell(cell: CellStatus) -> Sequence[Trouble]:
    titles = {one.service: one.title for one in catalogue().values()}
    found: dict[tuple[str, str], Trouble] = {}
    for service, outcome in {METRICS: cell.poll, **cell.collectors}.items():
        times: Mapping[str, int] = {
            code: sum(one.code == code for one in outcome.failures)
            for code in {one.code for one in outcome.failures}
        }
        for failure in outcome.failures:
            found.setdefault(
                (service, failure.code),
                Trouble(
                    where=f"{cell.name or cell.account}, {cell.region}",
                    what=titles.get(service, service),
                    failure=failure,
                    times=times[failure.code],
                    never=outcome.succeeded is None,
                ),
            )
    return list(found.values())
