"""Overrides of the band or the limit of selected series."""

from pydantic import Field

from monitor.schema.problems import shown_value
from monitor.schema.selector import Selector
from monitor.schema.types import ConfigModel, Number, Ratio
from rules.signals import Band


class PartialBand(ConfigModel):
    """A target band; bounds that are not set are those of another band, such as the default."""

    low: Ratio | None = Field(
        default=None, description="Below this utilization, provisioned capacity is idle; default 0.4."
    )
    high: Ratio | None = Field(
        default=None, description="Above this utilization, headroom is getting scarce; default 0.7."
    )
    near: Ratio | None = Field(
        default=None, description="From this utilization on, usage is near the limit; default 0.9."
    )

    def apply_to(self, base: Band) -> Band:
        """Return `base` with the bounds that are set here. Raises ValueError when they are not ordered."""
        own_bounds = {name: getattr(self, name) for name in PartialBand.model_fields}
        bounds = base.model_dump() | {name: bound for name, bound in own_bounds.items() if bound is not None}
        if not bounds["low"] < bounds["high"] < bounds["near"]:
            raise ValueError(
                f"expected low < high < near, found {', '.join(map(shown_value, bounds.values()))}"
            )
        return Band(**bounds)


PATTERN_CHARACTERS = {*"*?["}


class BandOverride(Selector, PartialBand):
    """A band for selected series."""

    def may_change(self, catalogue_band: Band | None) -> bool:
        """Return whether this override may change the band of a signal.

        catalogue_band: the band of the signal in the catalogue, if any. Its bounds have a meaning of their
        own, so only an entry with the signal's exact name may change them: a pattern could match signals of a
        later version, which the author of the entry did not know.
        """
        return catalogue_band is None or bool(self.signal and not PATTERN_CHARACTERS & {*self.signal})


class LimitOverride(Selector):
    """A limit for selected series."""

    limit: Number = Field(
        gt=0, description="The limit in the signal's unit, which `headroom catalogue` shows."
    )
