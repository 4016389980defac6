"""What one entry of the configuration must not say because of another."""

from collections.abc import Iterator, Mapping, Sequence

from monitor.account import Account
from monitor.config_errors import Problem
from monitor.overrides import DEFAULT_BAND, BandOverride, Bounds
from rules.limits import signals


def repeated_accounts(accounts: Sequence[Account]) -> Iterator[Problem]:
    """Each account is watched once: two entries without a role are the same account too."""
    ids = [account.id for account in accounts]
    for index, account in enumerate(accounts):
        if account.id in ids[:index]:
            yield Problem(("accounts", index, "role_arn"), _same("account", ids.index(account.id)))
        names = [other.name for other in accounts[:index]]
        if account.name and account.name in names:
            yield Problem(("accounts", index, "name"), _same("name", names.index(account.name)))


def _same(what: str, first: int) -> str:
    return f"expected another {what} than in accounts[{first}], found the same"


def repeated_labels(labels: Mapping[str, str]) -> Iterator[Problem]:
    """Two tags must not become the same label."""
    tag_of: dict[str, str] = {}
    for index, (tag, label) in enumerate(labels.items()):
        if tag_of.setdefault(label, tag) != tag:
            yield Problem(
                ("tags", index), f"expected a label of its own, found {label}, that of {tag_of[label]!r}"
            )


def disordered_bands(band: Bounds, overrides: Sequence[BandOverride]) -> Iterator[Problem]:
    """Every override must fit the default band, and the catalogue's band of every signal it may be about."""
    default = DEFAULT_BAND
    try:
        default = band.over(default)
    except ValueError as error:
        yield Problem(("band",), str(error))
    for index, override in enumerate(overrides):
        own = {
            signal.id: signal.band for signal in signals() if override.concerns(signal.service, signal.name)
        }
        for name, base in {"": default, **own}.items():
            try:
                override.over(base or default)
            except ValueError as error:
                yield Problem(("bands", index), f"{error}{name and f' for {name}'}")
                break
