"""Recommends the size of each purchase, by the expected demand of all series that share it."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import isnan

import numpy as np

from collectors.base import Bought
from monitor.fleet.fleet import Series
from monitor.fleet.key import Key
from monitor.fleet.purchases import Purchase
from monitor.fleet.snapshot import Snapshot
from monitor.render.commands import size_command
from monitor.sizing.peaks import Peaks
from rules.analogs import BINS_PER_DAY
from rules.arrays import Ints
from rules.limits import LimitSource
from rules.right_size import Advice, Demand, RightSize, right_size
from rules.sizes import Price, Size

ADVICE_ORDER = (Advice.RAISE, Advice.LOWER, Advice.UNKNOWN, Advice.KEEP)
ON_PURPOSE = "the limit is set on purpose"
NO_LIMIT = "AWS tells no limit, so that what is bought is not known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recommendation:
    """A recommendation of what to buy for a resource.

    key: the key of the series that needs the largest size, or that lacks data.
    name: the resource's name.
    size: how the limit is bought.
    bought, items: the number of items bought now, and the right number; None if unknown.
    utilization: the expected peak of the series `key` divided by its limit.
    weekly_growth: the growth from week to week that this peak contains, as a share; 0 if none is counted.
    reason: the reason for the advice, in words, with the growth; empty if the numbers say enough.
    monthly_dollars: the change of the monthly list price, negative if money is saved; None if unknown.
    price: the price of an item in the region; None if unknown. price_text: the price in words; empty if
    unknown.
    command: the shell command that changes the size; None if there is none.
    series: the keys of all series that share the purchase.
    """

    key: Key
    name: str
    advice: Advice
    size: Size
    bought: float | None
    items: float | None
    utilization: float | None
    weekly_growth: float
    reason: str
    monthly_dollars: float | None
    price: Price | None
    price_text: str
    command: str | None
    series: Sequence[Key]

    @property
    def price_source(self) -> str:
        """The URL at which AWS publishes the price; empty if the price is not known."""
        return self.price.source if self.price else ""

    @property
    def price_read_on(self) -> str:
        """The day on which the price was valid; empty if the price is not known."""
        return str(self.price.read_on) if self.price else ""

    @property
    def change(self) -> str:
        """The advice in words: `lower from 8 shards to 3`."""
        bought = "" if self.bought is None else self.size.count(self.bought)
        if self.items is None or self.advice in (Advice.KEEP, Advice.UNKNOWN):
            return f"keep {bought}" if self.advice is Advice.KEEP else bought
        return f"{self.advice} from {bought} to {self.items:,g}"


def recommendations(snapshot: Snapshot, peaks: Peaks, slots: Ints) -> list[Recommendation]:
    """Recommend the sizes of purchases, ordered by advice, then by money. May run in a thread.

    slots: of the series; they should include all series of each purchase.
    """
    groups = defaultdict[Purchase, list[Series]](list)
    for series in snapshot.series[slots[slots < snapshot.series.size]].tolist():
        if series and series.settings.paid and (size := series.settings.size):
            groups[Purchase.of(series.key, size)].append(series)
    return _ordered([_recommendation(snapshot, peaks, group) for group in groups.values()])


def _ordered(unordered: Sequence[Recommendation]) -> list[Recommendation]:
    """Sort recommendations with numpy: comparing a hundred thousand objects would block other threads."""
    advice = np.array([ADVICE_ORDER.index(recommendation.advice) for recommendation in unordered], np.int8)
    dollars = np.array([abs(recommendation.monthly_dollars or 0.0) for recommendation in unordered])
    return [unordered[index] for index in np.lexsort((-dollars, advice)).tolist()]


def _recommendation(snapshot: Snapshot, peaks: Peaks, group: Sequence[Series]) -> Recommendation:
    """Recommend the size of the purchase that some series share."""
    size, conditions = group[0].settings.size or Size(item=""), _common_conditions(group)
    counts = [_items_bought(series, float(snapshot.limit[series.slot])) for series in group]
    bought = max((number for number in counts if number is not None), default=None)
    demands = [_demand(snapshot, peaks, series, size) for series in group]
    if any(series.settings.deliberate for series in group):
        sizing = RightSize(advice=Advice.KEEP, items=bought, decided_by=0, reason=ON_PURPOSE)
    elif not bought:
        sizing = RightSize(advice=Advice.UNKNOWN, items=None, decided_by=0, reason=NO_LIMIT)
    else:
        sizing = right_size(size, bought, demands, conditions.minimum, conditions.maximum)
    decisive, demand = group[sizing.decided_by], demands[sizing.decided_by]
    paid_items = [None if items is None else conditions.paid(items) for items in (bought, sizing.items)]
    price, region = size.price_in(decisive.aws_region), decisive.aws_region
    return Recommendation(
        key=decisive.key,
        name=decisive.key.subject.path[0] if size.for_parts else decisive.key.resource,
        advice=sizing.advice,
        size=size,
        bought=bought,
        items=sizing.items,
        utilization=demand.utilization,
        weekly_growth=demand.weekly_growth,
        reason="; ".join(filter(None, (sizing.reason, demand.growth))),
        monthly_dollars=_monthly_change(price, paid_items, region),
        price=price,
        price_text=price.text(size.item, region) if price else "",
        command=_command(group, sizing, bought),
        series=[series.key for series in group],
    )


def _common_conditions(group: Iterable[Series]) -> Bought:
    """Return the minimum, the maximum and the included items that hold for all series of a purchase."""
    all_conditions = [series.settings.bought or Bought() for series in group]
    maxima = [conditions.maximum for conditions in all_conditions if conditions.maximum is not None]
    included = [conditions.included for conditions in all_conditions]
    return Bought(
        minimum=max(conditions.minimum for conditions in all_conditions),
        maximum=min(maxima) if maxima else None,
        included=None if None in included else max(filter(None, included), default=0.0),
    )


def _items_bought(series: Series, limit: float) -> float | None:
    """Return the number of items bought; None if unknown, such as for a limit that the user has set."""
    settings = series.settings
    if settings.bought and settings.bought.items is not None:
        return settings.bought.items
    if settings.size is None or isnan(limit) or settings.source is LimitSource.OVERRIDE:
        return None
    return round(limit / settings.size.holds, 6)


def _demand(snapshot: Snapshot, peaks: Peaks, series: Series, size: Size) -> Demand:
    slot = series.slot
    limit = float(snapshot.limit[slot])
    known_quarters, quarters = int(peaks.known_bins[slot]), int(peaks.span_bins[slot])
    peak, ceiling = float(peaks.peak[slot]), float(peaks.ceiling[slot])
    is_known = limit > 0 and not isnan(peak)
    return Demand(
        utilization=peak / limit if is_known else None,
        weekly_growth=float(peaks.weekly_growth[slot]),
        days=quarters / BINS_PER_DAY,
        known_share=known_quarters / quarters if quarters else 0.0,
        band=series.settings.band,
        ceiling=None if isnan(ceiling) else ceiling,
        throttled_days=int(peaks.throttled_days[slot]),
        is_part=size.for_parts and len(series.key.subject.path) > 1,
    )


def _monthly_change(price: Price | None, paid_items: Sequence[float | None], region: str) -> float | None:
    """Return the change of the monthly list price; None if it is unknown.

    paid_items: the number of items that are paid for now, and the number after the change.
    """
    if price is None:
        return None
    now, after = (None if items is None else price.monthly_dollars(items, region) for items in paid_items)
    return None if now is None or after is None else after - now


def _command(group: Sequence[Series], sizing: RightSize, bought: float | None) -> str | None:
    """Return the command that changes the size: of the decisive series or, if that has none, of another."""
    if sizing.advice not in (Advice.RAISE, Advice.LOWER) or not bought or sizing.items is None:
        return None
    ratio = sizing.items / bought
    ordered = [group[sizing.decided_by], *group]
    commands = (size_command(series.settings.signal, series, sizing.items, ratio) for series in ordered)
    return next(filter(None, commands), None)
