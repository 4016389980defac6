"""Formats accounts and regions for sentences."""

from collections.abc import Mapping


def format_location(labels: Mapping[str, str]) -> str:
    """Return the account's name or id, and the region; parts that the labels lack are left out."""
    account = labels.get("account_name") or labels.get("account", "")
    return ", ".join(filter(None, (account, labels.get("region"))))
