"""The settings of alerting, which the configuration assembles: receivers, routes, links and overrides."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema

from collectors.registry import Registry
from monitor.alerting.links import Links
from monitor.alerting.routes import RouteConfig
from monitor.alerting.windows import TimeWindow
from monitor.notifiers.receivers import Receiver
from monitor.schema.problems import unexpected
from monitor.schema.selector import Selector, SelectorLabels
from monitor.schema.types import ConfigModel, Duration, Number, Ratio
from rules.alert_rules import Rule, Severity
from rules.signals import Tolerance

WILL_REACH_FOR = 1800.0  # seconds: how long a forecast lasts before its alert fires, by default
NO_ALERT = "none"  # as the severity of an alert: the alert is switched off


def _severity_or_none(value: Any) -> Any:
    choices = [NO_ALERT, *Severity]
    if value not in choices:
        raise unexpected(f"one of {', '.join(choices)}", value, choices)
    return value


SeverityOrNone = Annotated[
    str, BeforeValidator(_severity_or_none), WithJsonSchema({"enum": [NO_ALERT, *Severity]})
]
# A duration in seconds, rounded to whole minutes.
WholeMinutes = Annotated[Duration, AfterValidator(lambda seconds: 60 * round(seconds / 60))]


class ToleranceOverride(ConfigModel):
    """Overrides the tolerance in the catalogue: the throttled demand that raises no alert."""

    rate: Number | None = Field(
        default=None,
        ge=0,
        description="Throttled demand per second, as the mean of a minute, below which throttling is "
        "tolerated; default for most signals: 0.05.",
    )
    share: Ratio | None = Field(
        default=None,
        description="Throttled share of the minute's whole demand, below which throttling is tolerated even "
        "if it exceeds `rate`; default for most signals: 0.001. Used where CloudWatch counts throttled and "
        "whole demand in one unit.",
    )
    pending_for: WholeMinutes | None = Field(
        default=None,
        alias="for",
        ge=0,
        le=86400,
        description="How long throttling beyond the tolerance lasts before its alert fires; default for "
        "most signals: 0.",
    )


class AlertOverride(Selector):
    """Changes the alerts of the series that it selects; the catalogue has the defaults."""

    pending_for: WholeMinutes | None = Field(
        default=None,
        alias="for",
        ge=0,
        le=86400,
        description="How long a breach lasts before its alert fires, in whole minutes. Applies above the "
        "band, near the limit and, unless `tolerance` has its own `for`, to throttling. Below the band, a "
        "breach always lasts a day.",
    )
    tolerance: ToleranceOverride = Field(
        default=ToleranceOverride(), description="Amount of throttled demand that raises no alert."
    )
    keep_firing_for: WholeMinutes | None = Field(
        default=None,
        ge=0,
        le=86400,
        description="How long a breach must have ended before its alert is resolved.",
    )
    below: SeverityOrNone | None = Field(
        default=None, description="Severity below the band, for limits that are paid for; default info."
    )
    above: SeverityOrNone | None = Field(default=None, description="Severity above the band; default info.")
    near: SeverityOrNone | None = Field(default=None, description="Severity near the limit; default warning.")
    saturated: SeverityOrNone | None = Field(
        default=None, description="Severity of throttling; default critical. none: no alert."
    )
    will_reach: SeverityOrNone | None = Field(
        default=None,
        description="Severity of a forecast that the limit will probably be reached within three days or "
        "sooner; default warning. none: no alert.",
    )
    will_reach_for: WholeMinutes | None = Field(
        default=None,
        ge=0,
        le=86400,
        description="How long a forecast must last before its alert fires; default 30m.",
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertingSettings:
    """The complete configuration of alerting.

    registry: the known services and signals. journal: the path of the journal's file. endpoint_url: replaces
    AWS's own endpoints for receivers in AWS. overrides: of several overrides that match a series and set a
    field, the last one counts. services: the services that are monitored in at least one account.
    poll_interval: seconds between two reads of metrics. inventory_interval: seconds between two reads of
    resources.
    """

    registry: Registry
    journal: str
    endpoint_url: str | None = None
    receivers: tuple[Receiver, ...] = ()
    route: RouteConfig | None = None
    windows: tuple[TimeWindow, ...] = ()
    links: Links
    overrides: tuple[AlertOverride, ...] = ()
    services: frozenset[str]
    poll_interval: float
    inventory_interval: float

    def severity_of(self, labels: SelectorLabels, rule: Rule) -> Severity | None:
        """Return the severity of a rule's alert on a series, or None if the alert is switched off."""
        override = override_of(self.overrides, labels, rule.word)
        if override == NO_ALERT:
            return None
        return rule.severity if override is None else Severity(override)

    def will_reach_severity(self, labels: SelectorLabels) -> Severity | None:
        """Return the severity of the alert on a series' forecast, or None if it is switched off."""
        override = override_of(self.overrides, labels, "will_reach")
        return None if override == NO_ALERT else Severity(override or Severity.WARNING)

    def will_reach_for(self, labels: SelectorLabels) -> float:
        """Return the seconds that a forecast must last before its alert fires."""
        override = override_of(self.overrides, labels, "will_reach_for")
        return WILL_REACH_FOR if override is None else float(override)


def override_of(overrides: Sequence[AlertOverride], labels: SelectorLabels, name: str) -> Any:
    """Return the field `name` of the last override that matches a series and sets the field, or None.

    labels: the labels of the series.
    """
    return _first_set(getattr(override, name) for override in reversed(overrides) if override.matches(labels))


def tolerance_of(overrides: Sequence[AlertOverride], labels: SelectorLabels, default: Tolerance) -> Tolerance:
    """Return the tolerance for throttled demand of a series.

    default: the signal's tolerance in the catalogue, whose fields apply unless an override sets them. If no
    override sets `tolerance.for`, an override's `for` applies to throttled demand, too.
    """
    last_first = [override for override in reversed(overrides) if override.matches(labels)]
    rate, share, pending_for = (
        _first_set(getattr(override.tolerance, name) for override in last_first)
        for name in ("rate", "share", "pending_for")
    )
    if pending_for is None:
        pending_for = _first_set(override.pending_for for override in last_first)
    return Tolerance(
        rate=default.rate if rate is None else rate,
        share=default.share if share is None else share,
        pending_for=default.pending_for if pending_for is None else pending_for // 60,
    )


def _first_set(values: Iterable[Any]) -> Any:
    return next((value for value in values if value is not None), None)
