"""Provisioned limits that are paid for and idle, and what they cost."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from math import ceil

import numpy as np

from monitor.cost.prices import SECONDS_PER_HOUR, SECONDS_PER_MONTH
from monitor.fleet.history import SeriesHistory
from monitor.fleet.key import Key
from monitor.fleet.purchases import Purchase
from monitor.fleet.rows import Row
from monitor.lib.percent import format_percent
from rules.limits import LimitSource
from rules.signals import Price

UNKNOWN_PRICE = "price not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdlePurchase:
    """A provisioned limit that is idle.

    key: of one of its series. name: of the resource that it was bought for. bought_text: the amount.
    peak_text: the highest utilization. spare_text: the amount that can be released so that this peak would be
    in the middle of the band; empty when it is not known. monthly_dollars: the list price of the spare amount
    for a month, in US dollars; None when it is not known.
    price_text: the price and where it holds. price_source: the URL at which AWS publishes it.
    """

    key: Key
    name: str
    bought_text: str
    peak_text: str
    spare_text: str
    monthly_dollars: float | None
    price_text: str
    price_source: str = ""


def idle_purchases(rows: Iterable[Row], history_of: Callable[[Key], SeriesHistory]) -> list[IdlePurchase]:
    """The idle purchases (see `monitor.fleet.idleness`), the most expensive first."""
    findings = (
        _finding(group, [_peak(row, history_of(row.key)) for row in group]) for group in _purchases(rows)
    )
    return sorted(
        filter(None, findings),
        key=lambda purchase: (
            purchase.monthly_dollars is None,
            -(purchase.monthly_dollars or 0.0),
            purchase.key,
        ),
    )


def _purchases(rows: Iterable[Row]) -> Iterable[Sequence[Row]]:
    """Group the idle series by purchase. A group that has series with a known price holds only these."""
    rows_by_purchase = defaultdict[Purchase, list[Row]](list)
    for row in rows:
        if row.idle:
            rows_by_purchase[Purchase.of(row.key, row.signal.price)].append(row)
    for group in rows_by_purchase.values():
        yield list(filter(_price, group)) or group


def _price(row: Row) -> Price | None:
    """The price of a limit; None when it is not known, as for a limit set in the configuration."""
    return None if row.source is LimitSource.OVERRIDE else row.signal.price


def _peak(row: Row, history: SeriesHistory) -> float:
    """The highest utilization of the last three hours."""
    known = history.utilization[np.isfinite(history.utilization)]
    return max(float(known.max(initial=0.0)), row.utilization or 0.0)


def _finding(rows: Sequence[Row], peaks: Sequence[float]) -> IdlePurchase | None:
    """The finding for the series of one purchase; None when nothing can be released."""
    row, price, peak = rows[0], _price(rows[0]), format_percent(max(peaks))
    if price is None:
        limit = f"a limit of {row.unit.format(row.limit or 0.0)}"
        return IdlePurchase(
            key=row.key,
            name=row.key.resource,
            bought_text=limit,
            peak_text=peak,
            spare_text="",
            monthly_dollars=None,
            price_text=UNKNOWN_PRICE,
        )
    bought, needed = map(max, zip(*map(_units, rows, peaks), strict=True))
    spare = bought - max(needed, 1)
    purchase = IdlePurchase(
        key=row.key,
        name=row.key.subject.path[0],
        bought_text=_count(bought, price.item),
        peak_text=peak,
        spare_text=_count(spare, price.item),
        monthly_dollars=None,
        price_text=f"{UNKNOWN_PRICE} for {row.aws_region}",
    )
    return _with_price(purchase, spare, price, row.aws_region) if spare > 0 else None


def _with_price(purchase: IdlePurchase, spare: int, price: Price, region: str) -> IdlePurchase:
    if hourly := price.hourly.get(region):
        text = f"${hourly:g} an hour and {price.item} in {region}"
        dollars = spare * hourly * SECONDS_PER_MONTH / SECONDS_PER_HOUR
        return replace(purchase, monthly_dollars=dollars, price_text=text, price_source=price.source)
    return purchase


def _units(row: Row, peak: float) -> tuple[int, int]:
    """The units bought, and the units that would put the peak in the middle of the band."""
    price = _price(row)
    bought = round((row.limit or 0.0) / price.holds) if price else 0
    return bought, ceil(bought * peak / ((row.band.low + row.band.high) / 2))


def _count(number: int, item: str) -> str:
    return f"{number} {item}" + ("" if number == 1 else "s")
