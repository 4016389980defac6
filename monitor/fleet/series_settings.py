"""The settings of one series: limit, band and alerting."""

import math
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field

from collectors.base import Bought
from collectors.quota_requests import QuotaRequest
from rules.limits import PUBLISHED_ONLY, Limit, LimitSource
from rules.signals import DEFAULT_TOLERANCE, Band, Signal, Tolerance
from rules.sizes import Size


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesSettings:
    """The settings of a series.

    signal: its entry in the catalogue. limit: the limit in force; None if it is unknown.
    delay: minutes until the points of a minute are complete. stale_after: minutes after which a sample
        is stale.
    pending_for, keep_firing_for: the times of its alerts, in minutes; None means the default of each rule
        (see `rules.alerts`). tolerance: the throttled demand that raises no alert.
    paid: the limit was bought, so usage below the band is a finding. deliberate: the limit is a cap that was
        set on purpose. bought: how the limit is bought (see `collectors.base.Observed`).
    home_region: the region where a global service is called; empty for other services.
    tags: the exported labels that are made of the resource's tags.
    quota_request: the newest pending or recently decided request for an increase of the limit's quota; None
        if there is no request, or if it is unknown. quota_arn: the resource to which AWS applies the quota;
        empty if it applies to the account. largest_resource: the resource with the largest usage, where the
        series' usage is the largest of several resources; otherwise empty.
    """

    signal: Signal
    limit: Limit | None
    band: Band
    delay: int = 3
    stale_after: int = 15
    pending_for: int = 5
    tolerance: Tolerance = DEFAULT_TOLERANCE
    keep_firing_for: int | None = None
    paid: bool = False
    tags: Mapping[str, str] = field(default_factory=dict)
    deliberate: bool = False
    bought: Bought | None = None
    home_region: str = ""
    quota_request: QuotaRequest | None = None
    quota_arn: str = ""
    largest_resource: str = ""

    @property
    def source(self) -> LimitSource | None:
        """The source of the limit; None when it is unknown."""
        return self.limit.source if self.limit else None

    @property
    def size(self) -> Size | None:
        """The way in which the limit is bought; None if it is unknown."""
        return self.signal.size(self.bought.size if self.bought else "")

    @property
    def request_sentence(self) -> str:
        """The request for an increase in words; empty without a request."""
        current = self.limit.value if self.limit and self.limit.value is not PUBLISHED_ONLY else None
        return self.quota_request.sentence(self.signal.unit.format, current) if self.quota_request else ""

    @property
    def content(self) -> Hashable:
        """A hashable value that is equal for equal settings; it includes the time when the limit was read."""
        limit = self.limit, self.limit and self.limit.read_at, self.band
        alerts = (
            self.pending_for,
            self.tolerance,
            self.keep_firing_for,
            self.paid,
            self.deliberate,
            self.bought,
        )
        tags = sorted(self.tags.items())
        other_settings = (
            self.home_region,
            self.quota_request,
            self.quota_arn,
            self.delay,
            self.stale_after,
            self.largest_resource,
        )
        return (self.signal.id, *limit, *tags, *other_settings, *alerts)


def stale_after(interval: float, delay: int) -> int:
    """Return the age in minutes at which a sample is stale: at least 15, as AWS may publish it that late.

    interval: seconds between two reads of the usage; one failed read makes nothing stale. delay: in minutes.
    """
    return max(15, delay + 2 + 2 * math.ceil(interval / 60))
