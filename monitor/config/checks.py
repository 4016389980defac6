"""Checks of the configuration that involve several entries."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from monitor.alerting.settings import AlertOverride, ToleranceOverride
from monitor.aws.account import Account, account_name
from monitor.aws.organization import AnyEntry, Organization
from monitor.config.override_settings import BandOverride, PartialBand
from monitor.lib.partitions import partition_of, partition_of_arn
from monitor.schema.problems import Problem
from monitor.schema.types import ALL_REGIONS
from rules.signals import DEFAULT_BAND, Band, LimitKind, Signal
from rules.strict_yaml import DocumentPath


def duplicate_accounts(accounts: Sequence[AnyEntry]) -> Iterator[Problem]:
    """Yield a problem for each entry that has the account or the name of an earlier entry.

    Entries without a role that have the same profile are the same account. The name of an entry defaults to
    its id, its profile, or `default`.
    """
    by_id, by_name = dict[str, int](), dict[str, int]()
    for index, entry in enumerate(accounts):
        name = account_name(entry) if isinstance(entry, Account) else entry.title
        if isinstance(entry, Account):
            first_with_id = by_id.setdefault(entry.id or f"profile {entry.profile or ''}", index)
            if first_with_id != index:
                yield _duplicate("an account", first_with_id, ("accounts", index, "role_arn"))
        first_with_name = by_name.setdefault(name, index)
        is_named = entry.name or accounts[first_with_name].name or isinstance(entry, Organization)
        if first_with_name != index and is_named:
            yield _duplicate("a name", first_with_name, ("accounts", index, "name"))


def foreign_regions(accounts: Sequence[AnyEntry], regions: Sequence[str]) -> Iterator[Problem]:
    """Yield a problem for each entry with a region outside the partition of its role.

    regions: the regions of entries that name no regions. A role can only be assumed from its own partition,
    and credentials are only valid in their own partition.
    """
    for index, entry in enumerate(accounts):
        role_arn = _role_arn(entry)
        partition = partition_of_arn(role_arn)
        regions_of_entry = (region for region in entry.regions or regions if region != ALL_REGIONS)
        foreign = [region for region in regions_of_entry if partition_of(region) != partition]
        if role_arn and foreign:
            expected = f"regions of {partition.name}, the partition of role_arn"
            yield Problem(("accounts", index, "regions"), f"expected {expected}, found {', '.join(foreign)}")


def _role_arn(entry: AnyEntry) -> str:
    """Return the ARN of an entry's role, which names the entry's partition; empty without a role."""
    if isinstance(entry, Account):
        return entry.role_arn or ""
    roles = (*entry.management_role, *entry.via)
    return roles[0].role_arn if roles else ""


def _duplicate(noun: str, first: int, where: DocumentPath) -> Problem:
    return Problem(where, f"expected {noun} that differs from that of accounts[{first}], found the same")


def duplicate_labels(labels: Mapping[str, str]) -> Iterator[Problem]:
    """Yield a problem for each tag that has the exported label of an earlier tag."""
    tag_by_label: dict[str, str] = {}
    for index, (tag, label) in enumerate(labels.items()):
        if tag_by_label.setdefault(label, tag) != tag:
            yield Problem(
                ("tags", index),
                f"expected a label of its own, found {label}, the label of {tag_by_label[label]!r}",
            )


def unordered_bands(
    band: PartialBand, overrides: Sequence[BandOverride], signals: Sequence[Signal]
) -> Iterator[Problem]:
    """Yield a problem for each band that is not low < high < near once applied to its base.

    The base is the signal's band in the catalogue, or else the default band.
    """
    default = DEFAULT_BAND
    try:
        default = band.apply_to(default)
    except ValueError as error:
        yield Problem(("band",), str(error))
    for index, override in enumerate(overrides):
        base_bands = _base_bands(override, default, signals)
        if override.signal and not base_bands:
            sentence = "expected the exact name of a signal, as every matching one has its own band"
            yield Problem(("bands", index, "signal"), f"{sentence}, found {override.signal}")
        for name, base in base_bands.items():
            try:
                override.apply_to(base)
            except ValueError as error:
                suffix = f" for {name}" if name else ""
                yield Problem(("bands", index), f"{error}{suffix}")


def _base_bands(override: BandOverride, default: Band, signals: Iterable[Signal]) -> dict[str, Band]:
    """Return the bands that an override may change, by signal; the default band has an empty key."""
    matching = (signal for signal in signals if override.matches_signal(signal.service, signal.name))
    return {
        signal.id if signal.band else "": signal.band or default
        for signal in matching
        if override.may_change(signal.band)
    }


def ineffective_alerts(overrides: Sequence[AlertOverride], signals: Sequence[Signal]) -> Iterator[Problem]:
    """Yield a problem for each key that has no effect on any signal that its entry matches.

    Only provisioned limits have an alert below their band. CloudWatch counts throttled demand only for some
    signals.
    """
    for index, override in enumerate(overrides):
        matching = [signal for signal in signals if override.matches_signal(signal.service, signal.name)]
        if override.below and not any(signal.kind is LimitKind.PROVISIONED for signal in matching):
            sentence = "expected a signal with a provisioned limit: other limits have no alert below the band"
            yield Problem(("alerts", index, "below"), sentence)
        reports_throttling = any(signal.reports_throttling for signal in matching)
        for key in () if reports_throttling else _throttling_keys(override):
            sentence = (
                "expected a signal with throttled demand, which CloudWatch does not count for this signal"
            )
            yield Problem(("alerts", index, key), sentence)


def _throttling_keys(override: AlertOverride) -> Iterator[str]:
    """Yield the keys of an entry that affect only signals with throttled demand."""
    if override.saturated:
        yield "saturated"
    if override.tolerance != ToleranceOverride():
        yield "tolerance"
