"""Applies `exclude` to accounts, regions and services, so that AWS is not called for excluded places."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from collectors.base import GLOBAL_REGION, ServiceScope
from collectors.registry import Registry
from monitor.aws.account import Account, MemberAccount
from monitor.aws.organization import AnyEntry, Organization
from monitor.schema.selector import Location, Selector
from monitor.schema.types import ALL_REGIONS

SomeEntry = TypeVar("SomeEntry", Account, MemberAccount, Organization)


def excludes_all_of(exclude: Sequence[Selector], location: Location, registry: Registry) -> bool:
    """Return whether all series of a service in a region are excluded, so that AWS need not be called."""
    signals = registry.services[location.service].signals
    return bool(exclude) and all(
        any(selector.matches_all_of(location, signal) for selector in exclude) for signal in signals
    )


def remove_excluded(exclude: Sequence[Selector], entry: SomeEntry, registry: Registry) -> SomeEntry | None:
    """Return an entry without its excluded regions and services; None if no service is left.

    The regions are not changed if they are `all` or empty, as it is not known yet which regions these are.
    The regions are not changed, either, if only global services are left, as regions tell the partition.
    """
    location = entry.location
    services = [
        service
        for service in entry.services
        if not excludes_all_of(
            exclude, location._replace(region=_only_region(service, registry), service=service), registry
        )
    ]
    regional_services = [service for service in services if registry.scope_of(service) is ServiceScope.REGION]
    regions = [
        region
        for region in entry.regions
        if region == ALL_REGIONS
        or not all(
            excludes_all_of(exclude, location._replace(region=region, service=service), registry)
            for service in regional_services
        )
    ]
    if entry.regions and not regions:  # only global services are left
        regions = [*entry.regions]
        services = [service for service in services if service not in regional_services]
    if not services:
        return None
    return entry.model_copy(update={"regions": tuple(regions), "services": tuple(services)})


def _only_region(service: str, registry: Registry) -> str:
    """Return GLOBAL_REGION for a global service; empty for a service that may be read in several regions."""
    return GLOBAL_REGION if registry.scope_of(service) is ServiceScope.GLOBAL else ""


def ineffective_entries(
    exclude: Iterable[Selector], accounts: Sequence[AnyEntry], registry: Registry
) -> Iterator[str]:
    """Yield a sentence for each entry of `exclude` that excludes nothing.

    accounts: the entries of `accounts`, including excluded accounts, regions and services.
    """
    locations = [location for account in accounts for location in _locations(account, registry)]
    for index, entry in enumerate(exclude):
        if reason := _mismatch(entry, locations, registry):
            yield f"exclude[{index}] excludes nothing: {reason}."


def _locations(account: AnyEntry, registry: Registry) -> Iterator[Location]:
    regions = ("",) if ALL_REGIONS in account.regions else account.regions or ("",)
    for service in account.services:
        only_region = _only_region(service, registry)
        possible_regions = (*regions, GLOBAL_REGION) if registry.is_read_globally(service) else regions
        for region in (only_region,) if only_region else possible_regions:
            yield account.location._replace(region=region, service=service)


def _mismatch(entry: Selector, locations: Sequence[Location], registry: Registry) -> str:
    """Return why an entry matches no configured account, region or service; empty if it may match."""
    if any(
        entry.may_match(location) and _matches_a_signal(entry, location.service, registry)
        for location in locations
    ):
        return ""
    for label in ("account", "region", "service"):
        pattern = getattr(entry, label)
        selector = Selector.model_construct(**{label: pattern})
        if pattern is not None and not any(selector.may_match(location) for location in locations):
            return f"no configured {label} matches {pattern!r}"
    return "nothing configured matches all of its patterns"


def _matches_a_signal(entry: Selector, service: str, registry: Registry) -> bool:
    return any(entry.matches_signal(service, signal) for signal in registry.services[service].signals)
