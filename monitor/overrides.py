"""What the configuration says of some series: another band, another limit, other alerts."""

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from monitor.config_errors import shown, unexpected
from monitor.config_types import Duration, Model, Number, Ratio
from monitor.selector import Selector
from rules.alerts import Severity
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


NOBODY = "none"  # no alert at all


def _importance(value: Any) -> Any:
    known = [NOBODY, *Severity]
    if value not in known:
        raise unexpected(f"one of {', '.join(known)}", value, known)
    return value


Importance = Annotated[str, BeforeValidator(_importance), WithJsonSchema({"enum": [NOBODY, *Severity]})]
Minutes = Annotated[Duration, AfterValidator(lambda seconds: 60 * round(seconds / 60))]


class AlertOverride(Selector):
    """How alerts of some series differ from what the catalogue says."""

    hold: Minutes | None = Field(
        default=None, ge=0, le=86400, description="How long a breach lasts before it fires, in whole minutes."
    )
    keep_firing_for: Minutes | None = Field(
        default=None, ge=0, le=86400, description="How long it must be clear before it is resolved."
    )
    below: Importance | None = Field(
        default=None, description="Severity of being below the band, of what is paid for; default info."
    )
    above: Importance | None = Field(default=None, description="Severity of being above it; default info.")
    critical: Importance | None = Field(
        default=None, description="Severity of being near the limit; default warning."
    )
    saturated: Importance | None = Field(
        default=None, description="Severity of refused demand; default critical. none: no alert."
    )
