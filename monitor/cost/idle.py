"""Provisioned limits that are paid for and idle, and their cost."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from collectors.base import Bought
from monitor.fleet.history import SeriesHistory
from monitor.fleet.key import Key
from monitor.fleet.purchases import Purchase
from monitor.fleet.rows import Row
from monitor.lib.percent import format_percent
from rules.limits import LimitSource
from rules.sizes import Size

UNKNOWN_PRICE = "price not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdlePurchase:
    """A provisioned limit that is idle.

    key: the key of one of its series. name: the name of the resource that the limit was bought for.
    bought_text: the bought amount. peak_text: the highest utilization of the last three hours. spare_text:
    the amount that can be released so that this peak would be at most in the middle of the band; empty if
    unknown. monthly_dollars: the list price of the spare amount for a month, in US dollars; None if
    unknown. price_text: the price and its region. price_source: the URL at which AWS publishes the price.
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
    """Return the idle purchases (see `monitor.fleet.idleness`), the most expensive first."""
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
    """Group the idle series by purchase.

    If the size of some series of a purchase is known, its group holds only these series.
    """
    rows_by_purchase = defaultdict[Purchase, list[Row]](list)
    for row in rows:
        if row.idle:
            rows_by_purchase[Purchase.of(row.key, row.size)].append(row)
    for group in rows_by_purchase.values():
        yield list(filter(_known_size, group)) or group


def _known_size(row: Row) -> Size | None:
    """Return how a limit is bought; None when it is not known, as for a limit set in the configuration."""
    return None if row.source is LimitSource.OVERRIDE else row.size


def _peak(row: Row, history: SeriesHistory) -> float:
    """Return the highest utilization of the last three hours."""
    known_utilizations = history.utilization[np.isfinite(history.utilization)]
    return max(float(known_utilizations.max(initial=0.0)), row.utilization or 0.0)


def _finding(rows: Sequence[Row], peaks: Sequence[float]) -> IdlePurchase | None:
    """Return the finding for the series of one purchase; None if nothing can be released."""
    row, size, peak_text = rows[0], _known_size(rows[0]), format_percent(max(peaks))
    if size is None:
        limit_text = f"a limit of {row.unit.format(row.limit or 0.0)}"
        return IdlePurchase(
            key=row.key,
            name=row.key.resource,
            bought_text=limit_text,
            peak_text=peak_text,
            spare_text="",
            monthly_dollars=None,
            price_text=UNKNOWN_PRICE,
        )
    items = [_bought_and_needed_items(row, peak) for row, peak in zip(rows, peaks, strict=True)]
    bought = max(bought_for_series for bought_for_series, _ in items)
    needed = max(needed_for_series for _, needed_for_series in items)
    purchase_terms = row.bought or Bought()
    spare = bought - size.fewest_items(needed, purchase_terms.minimum, purchase_terms.maximum)
    purchase = IdlePurchase(
        key=row.key,
        name=row.key.subject.path[0] if size.for_parts else row.key.resource,
        bought_text=size.count(bought),
        peak_text=peak_text,
        spare_text=size.count(spare),
        monthly_dollars=None,
        price_text=f"{UNKNOWN_PRICE} for {row.aws_region}",
    )
    paid_items = purchase_terms.paid(bought), purchase_terms.paid(bought - spare)
    return _with_price(purchase, paid_items, size, row.aws_region) if spare > 0 else None


def _with_price(
    purchase: IdlePurchase, paid_items: tuple[float | None, float | None], size: Size, region: str
) -> IdlePurchase:
    """Add the price of the spare items. paid_items: the items paid for now, and after the release."""
    price = size.price_in(region)
    if price is None:
        return purchase
    dollars_now, dollars_after = (
        None if items is None else price.monthly_dollars(items, region) for items in paid_items
    )
    saved = None if dollars_now is None or dollars_after is None else dollars_now - dollars_after
    price_text = price.text(size.item, region)
    return replace(purchase, monthly_dollars=saved, price_text=price_text, price_source=price.source)


def _bought_and_needed_items(row: Row, peak: float) -> tuple[float, float]:
    """Return how many items are bought, and how many would put the peak in the middle of the band."""
    bought = bought_items(row.size, row.bought, row.limit)
    return bought, bought * peak / ((row.band.low + row.band.high) / 2)


def bought_items(size: Size | None, bought: Bought | None, limit: float | None) -> float:
    """Return how many items are bought; 0 if that is not known."""
    if bought and bought.items:
        return bought.items
    return round((limit or 0.0) / size.holds, 6) if size else 0.0
