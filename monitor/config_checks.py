"""What one entry of the configuration must not say because of another."""

from collections.abc import Iterator, Mapping, Sequence

from monitor.account import Account
from monitor.config_errors import Problem
from monitor.overrides import DEFAULT_BAND, BandOverride, Bounds
from rules.limits import Band, signals


def repeated_accounts(accounts: Sequence[Account]) -> Iterator[Problem]:
    """Each account is watched once, under a name of its own; entries without a role are the same account."""
    yield from _repeated("role_arn", "account", [account.id or "" for account in accounts])
    yield from _repeated("name", "name", [account.name for account in accounts])


def _repeated(key: str, what: str, values: Sequence[str | None]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if value is not None and first.setdefault(value, index) != index:
            said = f"expected another {what} than in accounts[{first[value]}], found the same"
            yield Problem(("accounts", index, key), said)


def repeated_labels(labels: Mapping[str, str]) -> Iterator[Problem]:
    """Two tags must not become the same label."""
    tag_of: dict[str, str] = {}
    for index, (tag, label) in enumerate(labels.items()):
        if tag_of.setdefault(label, tag) != tag:
            yield Problem(
                ("tags", index), f"expected a label of its own, found {label}, that of {tag_of[label]!r}"
            )


def disordered_bands(band: Bounds, overrides: Sequence[BandOverride]) -> Iterator[Problem]:
    """Every override must fit what it changes: the default band, or the catalogue's of a signal it names."""
    default = DEFAULT_BAND
    try:
        default = band.over(default)
    except ValueError as error:
        yield Problem(("band",), str(error))
    for index, override in enumerate(overrides):
        for name, base in _changed(override, default).items():
            try:
                override.over(base)
            except ValueError as error:
                yield Problem(("bands", index), f"{error}{name and f' for {name}'}")


def _changed(override: BandOverride, default: Band) -> dict[str, Band]:
    """The bands that `override` may change, by the signal that has its own; the default has no name."""
    concerned = (signal for signal in signals() if override.concerns(signal.service, signal.name))
    return {
        signal.id if signal.band else "": signal.band or default
        for signal in concerned
        if override.signal or not signal.band
    }
