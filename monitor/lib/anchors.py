"""Anchors of headings, and the addresses of the runbooks. Alerts link to headings of runbooks."""

import re

OWN_RUNBOOK = (
    "headroom"  # the runbook of alerts about Headroom itself; it also says what all alerts have in common
)
BLIND_HEADING = "HeadroomBlind"  # the heading in OWN_RUNBOOK about alerts on blind spots


def anchor(heading: str) -> str:
    """Return the anchor that GitHub generates for a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def runbook_path(page: str, heading: str = "") -> str:
    """Return the path at which Headroom serves a runbook, or one of its headings.

    page: the name of a service, or OWN_RUNBOOK. heading: the id of a signal, or the name of an alert.
    """
    return f"/runbooks/{page}{f'#{anchor(heading)}' if heading else ''}"
