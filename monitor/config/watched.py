"""A text that says what a configuration watches and whom it notifies."""

from collections.abc import Sequence

from collectors.registry import Registry
from monitor.aws.organization import AnyEntry, Organization
from monitor.config.config import Config
from monitor.schema.types import ALL_REGIONS

MAX_NAMES = 5  # names of a list; of a longer list, only the number of names is shown


def watched_sentence(config: Config, registry: Registry) -> str:
    """Return `watches ...; notifies ...`: the accounts, regions and services, and the receivers.

    It is the end of a sentence about a configuration: "It watches the account production in ...".
    """
    entries = config.monitored_entries(registry)
    if not entries:
        return "watches nothing: `exclude` matches all accounts"
    accounts = _names_or_count([_account_text(entry) for entry in entries], "accounts")
    regions = _names_or_count(
        sorted({region for entry in entries for region in _region_texts(entry)}), "regions"
    )
    services = _names_or_count(
        sorted({service for entry in entries for service in entry.services}), "services"
    )
    receivers = (
        _names_or_count([receiver.name for receiver in config.receivers], "receivers")
        or "nobody (no `receivers`)"
    )
    return f"watches {accounts} in {regions}: {services}; notifies {receivers}"


def _account_text(entry: AnyEntry) -> str:
    if isinstance(entry, Organization):
        return f"the {entry.title}"
    return entry.name or entry.id or _account_of_credentials(entry.profile)


def _account_of_credentials(profile: str | None) -> str:
    return f"the account of the profile {profile}" if profile else "the account of the AWS credentials"


def _region_texts(entry: AnyEntry) -> Sequence[str]:
    if ALL_REGIONS in entry.regions:
        return ("all enabled regions",)
    return entry.regions or ("the region of the environment",)


def _names_or_count(names: Sequence[str], noun: str) -> str:
    return ", ".join(names) if len(names) <= MAX_NAMES else f"{len(names)} {noun}"
