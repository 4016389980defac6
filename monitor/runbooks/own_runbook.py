"""The runbook of the alerts on Headroom itself. Its head explains the alerts that all services share."""

from collections.abc import Iterator

from monitor.runbooks.health import HealthAlert, health_alerts
from monitor.runbooks.runbook import (
    CATALOGUE,
    Bullets,
    Reference,
    Runbook,
    RunbookBlock,
    Section,
    TextTable,
    paragraph,
)
from rules.plurals import count_of

SERIES_ALERTS = TextTable(
    ("alert", "severity", "when"),
    (
        ("`HeadroomSaturated`", "critical", "demand is throttled now, at any utilization"),
        (
            "`HeadroomNear`",
            "warning",
            "near the limit (90 %, or the signal's own band) for the signal's `for`",
        ),
        ("`HeadroomAbove`", "info", "above the target band (70 %) for the signal's `for`"),
        ("`HeadroomBelow`", "info", "below the target band (40 %) for a day, where the limit is paid for"),
    ),
)


def own_runbook() -> Runbook:
    """Return the runbook of the alerts on Headroom itself."""
    return Runbook("Headroom", tuple(_head()), tuple(map(_section, health_alerts())))


def _head() -> Iterator[RunbookBlock]:
    yield paragraph(
        "The limits of each service have a page of their own, to which their alerts link; ",
        Reference("the catalogue", CATALOGUE),
        " lists them. A series has at most one of these four alerts at a time:",
    )
    yield SERIES_ALERTS
    yield paragraph(
        "`HeadroomWillReach` (warning) tells beside them that a series which is not near its limit will "
        "probably reach it within three days, a day, six hours or an hour (`within`), by the usage of the "
        "last 14 days."
    )
    yield paragraph(
        "Details of a series, such as the source of its limit: `/api/v1/series?signal=...&resource=...`. "
        "Caveats marked (inferred) are concluded from what AWS documents; those marked (recalled) were not "
        "found in its documentation. In commands, words in capitals stand for what you choose; domains and "
        "ARNs are those of the commercial regions."
    )
    yield paragraph("The alerts below are those on Headroom itself.")


def _section(alert: HealthAlert) -> Section:
    pending = f"after {count_of(alert.pending_for, 'minute')}" if alert.pending_for else "at once"
    facts = f"{alert.description} ({alert.severity.value}, {pending})"
    return Section(alert.name, (paragraph(facts), paragraph("Remedies:"), Bullets(alert.remedies)))
