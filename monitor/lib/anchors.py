"""Anchors of headings, and the addresses of the runbooks, whose headings alerts link to."""

import re

OWN_RUNBOOK = "headroom"  # of the alerts on Headroom itself, and of what all alerts have in common
BLIND_HEADING = "HeadroomBlind"  # of the runbook of Headroom: the alerts of blind spots


def anchor(heading: str) -> str:
    """Return the anchor that GitHub generates for a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def runbook_path(page: str, heading: str = "") -> str:
    """Return the path at which Headroom serves a runbook, or a heading of it.

    page: the name of a service, or OWN_RUNBOOK. heading: the id of a signal, or the name of an alert.
    """
    return f"/runbooks/{page}{f'#{anchor(heading)}' if heading else ''}"
