"""The right size of what is bought: as much as keeps the demand of a fortnight in the target band."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from rules.signals import Band
from rules.sizes import Size

PEAK_QUANTILE: Final = 0.99  # of the quarters of an hour whose highest demand must fit
MIN_DAYS: Final = 7.0  # of history, without which nothing is advised
MIN_KNOWN: Final = 0.9  # of the quarters of an hour since the oldest one that is known
# Demand that is refused at a lower utilization has another cause than the size: a hot key, or a burst.
MIN_CEILING: Final = Band().low
MAX_BELOW_EDGE: Final = 0.15  # utilization; half the width of the default band
NO_CHANGE: Final = 1e-6  # relative, below which two numbers of items are the same


class Advice(StrEnum):
    """Advice about the size of a purchase."""

    RAISE = "raise"
    LOWER = "lower"
    KEEP = "keep"
    UNKNOWN = "unknown"  # there is not enough data


def target_utilization(band: Band) -> float:
    """Return the utilization to aim for: the middle of the band, at most MAX_BELOW_EDGE under its upper edge.

    Without that maximum, a band that begins at 0 would double the capacity.
    """
    return max((band.low + band.high) / 2, band.high - MAX_BELOW_EDGE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The demand for one limit in the last fortnight.

    utilization: the peak (see PEAK_QUANTILE) of served and refused demand, divided by the limit in force now;
    None where either is unknown. days: since the oldest quarter of an hour that is known. known: the share of
    the quarters since then that are known. ceiling: the lowest utilization above 0 at which demand was
    refused; None if none was. throttled_days: on how many days demand was refused. is_part: of a part of the
    resource, such as a shard, whose limit grows with the purchase only if the demand is spread anew.
    """

    utilization: float | None
    days: float
    known: float
    band: Band
    ceiling: float | None = None
    throttled_days: int = 0
    is_part: bool = False

    @property
    def missing(self) -> str:
        """The reason why nothing can be advised, in words; empty where it can."""
        if self.days < MIN_DAYS:
            return f"{self.days:.1f} of {MIN_DAYS:g} days of history"
        if self.known < MIN_KNOWN:
            return f"{self.known:.0%} of the last {self.days:.0f} days are known, of {MIN_KNOWN:.0%} needed"
        return "" if self.utilization is not None else "the limit is not known"

    @property
    def doubt(self) -> str:
        """The reason why less cannot be advised though little is used, in words; empty where it can."""
        if not self.throttled_days:
            return ""
        if self.ceiling is None:
            return "demand was refused while nothing was served: how much is needed is not known"
        if self.ceiling < MIN_CEILING:
            return (
                f"demand was refused at {self.ceiling:.0%} of the limit: a hot part or a burst, "
                "which more may not help"
            )
        return ""

    def needed(self, bought: float) -> float:
        """Return how many items keep the peak in the band; what is bought where it is in the band now.

        Where demand was refused below the limit, the upper edge of the band is as much lower.
        """
        utilization = self.utilization or 0.0
        ceiling = self.ceiling if self.ceiling is not None and not self.doubt else 1.0
        upper = self.band.high * min(ceiling, 1.0)
        items = bought
        if utilization > upper or utilization < self.band.low:
            items = bought * utilization / min(target_utilization(self.band), upper)
        if self.doubt:
            items = max(items, bought)
        return min(items, bought) if self.is_part else items


@dataclass(frozen=True, slots=True, kw_only=True)
class RightSize:
    """The size to buy. items: None where not known. decided_by: the index of the demand that needs most."""

    advice: Advice
    items: float | None
    decided_by: int
    reason: str = ""


def right_size(
    size: Size, bought: float, demands: Sequence[Demand], minimum: float = 0.0, maximum: float | None = None
) -> RightSize:
    """Return how many items fit all demands of one purchase, of which there is at least one.

    bought: the items of now. minimum, maximum: that the resource needs in any case, and may have at most.
    It is less only if all demands are known and none needs more: what is busy by one limit is not idle.
    """
    missing = [(one.missing, index) for index, one in enumerate(demands) if one.missing]
    needs = [(one.needed(bought), index) for index, one in enumerate(demands) if not one.missing]
    needed, decided_by = max(needs, key=lambda one: one[0], default=(0.0, 0))
    if needs and needed > bought * (1 + NO_CHANGE):
        items = size.rounded(needed, minimum, maximum)
        if items > bought * (1 + NO_CHANGE):
            limited = f"{size.count(needed)} are needed" if items < needed * (1 - NO_CHANGE) else ""
            return RightSize(advice=Advice.RAISE, items=items, decided_by=decided_by, reason=limited)
        reason = f"more than {size.count(bought)} cannot be bought for this resource"
        return RightSize(advice=Advice.KEEP, items=bought, decided_by=decided_by, reason=reason)
    if missing:
        reason, index = missing[0]
        return RightSize(advice=Advice.UNKNOWN, items=None, decided_by=index, reason=reason)
    items = size.rounded(needed, minimum, maximum)
    if items < bought * (1 - NO_CHANGE):
        return RightSize(advice=Advice.LOWER, items=items, decided_by=decided_by)
    doubts = [(one.doubt, index) for index, one in enumerate(demands) if one.doubt]
    reason, decided_by = doubts[0] if doubts else ("", decided_by)
    return RightSize(advice=Advice.KEEP, items=bought, decided_by=decided_by, reason=reason)
