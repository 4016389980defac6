"""Money below the band: provisioned limits that were bought and are idle, and what that costs."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from monitor.course import Course
from monitor.fleet import Key
from monitor.rows import Row, signal_of
from monitor.units import amount, percent
from monitor.web.cost import HOUR, MONTH
from rules.band import Zone
from rules.limits import Kind, Price, Source

UNKNOWN = "price not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Idle:
    """What was bought and is idle. key: of a series of it; name: of what it was bought for.

    spare: what can be given back so that the highest use would be in the middle of the band; empty when
    nobody knows. month: US dollars that this costs a month at AWS's list price; None: the price is not known.
    price: the price and where it holds; source: where AWS publishes it.
    """

    key: Key
    name: str
    bought: str
    peak: str
    spare: str
    month: float | None
    price: str
    source: str = ""


def idle(rows: Iterable[Row], course: Callable[[Key], Course]) -> list[Idle]:
    """What is paid for and below the band, the dearest first.

    Series that share what was bought are one finding, and none unless all of them are below the band.
    """
    below = (some for some in _purchases(rows) if all(row.zone is Zone.BELOW for row in some))
    findings = (_finding(some, [_peak(row, course(row.key)) for row in some]) for some in below)
    return sorted(filter(None, findings), key=lambda one: (one.month is None, -(one.month or 0.0), one.key))


def _purchases(rows: Iterable[Row]) -> Iterable[Sequence[Row]]:
    """The judged series of provisioned limits, by what was bought."""
    found = defaultdict[tuple[str, ...], list[Row]](list)
    for row in rows:
        if signal_of(row.key).kind is Kind.PROVISIONED and row.zone > Zone.STALE:
            price = _price(row)
            found[(*row.key[:3], price.item, _parent(row)) if price else row.key].append(row)
    return found.values()


def _price(row: Row) -> Price | None:
    """What its limit was bought by; None where that is not known, as of a limit that was set by hand."""
    return None if row.source is Source.OVERRIDE else signal_of(row.key).price


def _parent(row: Row) -> str:
    return row.key.resource.partition("/")[0]


def _peak(row: Row, course: Course) -> float:
    """The highest utilization of the three hours."""
    known = course.utilization[np.isfinite(course.utilization)]
    return max(float(known.max(initial=0.0)), row.utilization or 0.0)


def _finding(rows: Sequence[Row], peaks: Sequence[float]) -> Idle | None:
    """None when nothing of it can be given back."""
    row, price, peak = rows[0], _price(rows[0]), percent(max(peaks))
    if price is None:
        bought = f"a limit of {amount(row.limit or 0.0, row.unit)}"
        return Idle(
            key=row.key, name=row.key.resource, bought=bought, peak=peak, spare="", month=None, price=UNKNOWN
        )
    pieces, needed = map(max, zip(*map(_pieces, rows, peaks), strict=True))
    spare = pieces - max(needed, 1)
    told = Idle(
        key=row.key,
        name=_parent(row),
        bought=_counted(pieces, price.item),
        peak=peak,
        spare=_counted(spare, price.item),
        month=None,
        price=f"{UNKNOWN} for {row.key.region}",
    )
    return _priced(told, spare, price) if spare > 0 else None


def _priced(told: Idle, spare: int, price: Price) -> Idle:
    region = told.key.region
    if hourly := price.hourly.get(region):
        said = f"${hourly:g} an hour and {price.item} in {region}"
        return replace(told, month=spare * hourly * MONTH / HOUR, price=said, source=price.source)
    return told


def _pieces(row: Row, peak: float) -> tuple[int, int]:
    """How many pieces its limit is made of, and with how many the peak is in the middle of the band."""
    price = _price(row)
    held = round((row.limit or 0.0) / price.holds) if price else 0
    return held, ceil(held * peak / ((row.band.low + row.band.high) / 2))


def _counted(number: int, item: str) -> str:
    return f"{number} {item}" + ("" if number == 1 else "s")
