"""What the configuration says of some series: another band, another limit."""

from pydantic import Field

from monitor.config_errors import shown
from monitor.config_types import Model, Number, Ratio
from monitor.selector import Selector
from rules.limits import Band

DEFAULT_BAND = Band()


class Bounds(Model):
    """A target band, or the part of it that differs from another."""

    low: Ratio | None = Field(
        default=None, description="Below this utilization what was bought is idle; default 0.4."
    )
    high: Ratio | None = Field(
        default=None, description="Above this utilization headroom is short; default 0.7."
    )
    critical: Ratio | None = Field(
        default=None, description="From this utilization on the limit is near; default 0.9."
    )

    def over(self, base: Band) -> Band:
        """`base` with the bounds given here. Raises ValueError when they end up out of order."""
        given = {name: getattr(self, name) for name in Bounds.model_fields}
        bounds = base.model_dump() | {name: bound for name, bound in given.items() if bound is not None}
        if not bounds["low"] < bounds["high"] < bounds["critical"]:
            raise ValueError(
                f"expected low < high < critical, found {', '.join(map(shown, bounds.values()))}"
            )
        return Band(**bounds)


class BandOverride(Selector, Bounds):
    """Another band for some series."""


class LimitOverride(Selector):
    """Another limit for some series."""

    limit: Number = Field(
        gt=0, description="The limit, in the signal's unit as `headroom catalogue` tells it."
    )
