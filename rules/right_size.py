"""The right size of what is bought: with it, the expected demand is in the target band."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rules.signals import Band
from rules.sizes import Size

MIN_DAYS: Final = 7.0  # of history; with less, no size is advised
MIN_KNOWN_SHARE: Final = 0.9  # share of the quarter-hours since the oldest known one that must be known
# Throttling at a lower utilization is caused not by the size, but by a hot key or a burst.
MIN_CEILING: Final = Band().low  # see `Demand.ceiling`
MAX_BELOW_EDGE: Final = 0.15  # utilization; half the width of the default band
MAX_WEEKLY_GROWTH: Final = 1.0  # faster growth is that of new or moved usage, and does not last
NO_CHANGE: Final = 1e-6  # relative difference below which two numbers of items are the same


class Advice(StrEnum):
    """Advice about the size of a purchase."""

    RAISE = "raise"
    LOWER = "lower"
    KEEP = "keep"
    UNKNOWN = "unknown"  # there is not enough data


def target_utilization(band: Band) -> float:
    """Return the utilization to aim for: the middle of the band, at most MAX_BELOW_EDGE under its upper edge.

    With the middle of the band alone, a band [0, high] would aim for high / 2, twice the needed capacity.
    """
    return max((band.low + band.high) / 2, band.high - MAX_BELOW_EDGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The expected demand for one limit, by the demand of the last fortnight.

    utilization: the expected peak (see `rules.expected_peak`) of served and throttled demand, divided by the
        limit in force now; None if the peak or the limit is unknown.
    weekly_growth: the growth from week to week that the peak contains, as a share; 0 if none is counted.
    days: the days since the oldest known quarter-hour.
    known_share: the share of the quarter-hours since then that are known.
    ceiling: the lowest utilization above 0 at which demand was throttled; None without one.
    throttled_days: the number of days on which demand was throttled.
    is_part: True for a limit of a part of the resource, such as a shard: it has more room after a larger
        purchase only if the demand is spread anew.
    """

    utilization: float | None
    days: float
    known_share: float
    band: Band
    weekly_growth: float = 0.0
    ceiling: float | None = None
    throttled_days: int = 0
    is_part: bool = False

    @property
    def reason_unknown(self) -> str:
        """The reason, in words, why no size can be advised; empty if a size can be advised."""
        if self.days < MIN_DAYS:
            return f"{self.days:.1f} of {MIN_DAYS:g} days of history"
        if self.known_share < MIN_KNOWN_SHARE:
            share = f"{self.known_share:.0%} of the last {self.days:.0f} days"
            return f"{share} are known, of {MIN_KNOWN_SHARE:.0%} needed"
        return "" if self.utilization is not None else "the limit is not known"

    @property
    def reason_not_lower(self) -> str:
        """The reason not to advise a smaller size, in words; empty if throttling gives none."""
        if not self.throttled_days:
            return ""
        if self.ceiling is None:
            return "demand was throttled while nothing was served: how much is needed is not known"
        if self.ceiling < MIN_CEILING:
            return (
                f"demand was throttled at {self.ceiling:.0%} of the limit: a hot part or a burst, "
                "for which a larger size may not help"
            )
        return ""

    @property
    def growth(self) -> str:
        """The growth that the peak contains, in words; empty without growth."""
        if not self.weekly_growth:
            return ""
        at_least = " or more" if self.weekly_growth >= MAX_WEEKLY_GROWTH else ""
        return f"grows {self.weekly_growth:.0%} a week{at_least}"

    def needed_items(self, bought: float) -> float:
        """Return how many items keep the peak in the band; `bought` if the peak is in the band now.

        Where demand was throttled below the limit, the upper edge of the band is multiplied by the ceiling.
        At least `bought` if there is a reason not to buy less; at most `bought` for a part.
        """
        utilization = self.utilization or 0.0
        ceiling = self.ceiling if self.ceiling is not None and not self.reason_not_lower else 1.0
        upper = self.band.high * min(ceiling, 1.0)
        items = bought
        if utilization > upper or utilization < self.band.low:
            items = bought * utilization / min(target_utilization(self.band), upper)
        if self.reason_not_lower:
            items = max(items, bought)
        return min(items, bought) if self.is_part else items


@dataclass(frozen=True, slots=True, kw_only=True)
class RightSize:
    """The size to buy.

    items: the number of items; None if it is unknown. decided_by: the index of the demand that decides the
    size. reason: the reason for the advice, in words; empty if the numbers say enough.
    """

    advice: Advice
    items: float | None
    decided_by: int
    reason: str = ""


def right_size(
    size: Size, bought: float, demands: Sequence[Demand], minimum: float = 0.0, maximum: float | None = None
) -> RightSize:
    """Return the size that fits all demands of one purchase, which has at least one demand.

    bought: the present number of items. minimum: the items that the resource needs in any case. maximum: the
    most items that it may have; None without a maximum. A smaller size is advised only if all demands are
    known and none needs the present size: capacity that one signal uses well is not idle, even if the other
    signals are below their bands.
    """
    reasons_unknown = [
        (demand.reason_unknown, index) for index, demand in enumerate(demands) if demand.reason_unknown
    ]
    needs = [
        (demand.needed_items(bought), index)
        for index, demand in enumerate(demands)
        if not demand.reason_unknown
    ]
    needed, decided_by = max(needs, key=lambda need: need[0], default=(0.0, 0))
    if needs and needed > bought * (1 + NO_CHANGE):
        items = size.fewest_items(needed, minimum, maximum)
        if items > bought * (1 + NO_CHANGE):
            restriction = f"{size.count(needed)} are needed" if items < needed * (1 - NO_CHANGE) else ""
            return RightSize(advice=Advice.RAISE, items=items, decided_by=decided_by, reason=restriction)
        reason = f"more than {size.count(bought)} cannot be bought for this resource"
        return RightSize(advice=Advice.KEEP, items=bought, decided_by=decided_by, reason=reason)
    if reasons_unknown:
        reason, index = reasons_unknown[0]
        return RightSize(advice=Advice.UNKNOWN, items=None, decided_by=index, reason=reason)
    items = size.fewest_items(needed, minimum, maximum)
    if items < bought * (1 - NO_CHANGE):
        return RightSize(advice=Advice.LOWER, items=items, decided_by=decided_by)
    reasons_not_lower = [
        (demand.reason_not_lower, index) for index, demand in enumerate(demands) if demand.reason_not_lower
    ]
    reason, decided_by = reasons_not_lower[0] if reasons_not_lower else ("", decided_by)
    return RightSize(advice=Advice.KEEP, items=bought, decided_by=decided_by, reason=reason)
