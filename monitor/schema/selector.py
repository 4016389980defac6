"""Selectors, which select series by patterns of their labels."""

from fnmatch import fnmatchcase
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from monitor.schema.problems import problem
from monitor.schema.types import ConfigModel, RegionPattern, ServicePattern, SignalPattern, Text


class SelectorLabels(NamedTuple):
    """The labels of a series (see `Key.labels`), and the configured name of the account."""

    account: str
    region: str
    service: str
    signal: str
    resource: str
    account_name: str = ""
    resource_id: str = ""


class Location(NamedTuple):
    """An account, a region of the account, or a service in the region.

    account: empty if it is unknown. region: empty for all regions of the account. service: empty for all
    services of the region.
    """

    account: str
    account_name: str = ""
    region: str = ""
    service: str = ""


class Selector(ConfigModel):
    """Case-sensitive shell patterns (`*`, `?`, `[a-z]`) of labels. A series must match all that are set."""

    service: ServicePattern | None = Field(default=None, description="Pattern of the service's name.")
    signal: SignalPattern | None = Field(
        default=None,
        description="Pattern of the signal's name, with or without its service: kinesis.stream_*.",
    )
    resource: Text | None = Field(
        default=None, description="Pattern of the resource's name, as exported, or of its id."
    )
    account: Text | None = Field(
        default=None, description="Pattern of the account's 12-digit id or its name."
    )
    region: RegionPattern | None = Field(
        default=None, description="Pattern of the region's name, which is `global` for global services."
    )

    def matches(self, labels: SelectorLabels) -> bool:
        """Return whether a series with these labels matches."""
        return (
            self.matches_signal(labels.service, labels.signal)
            and _fits(self.resource, labels.resource, *filter(None, (labels.resource_id,)))
            and _fits(self.account, labels.account, labels.account_name)
            and _fits(self.region, labels.region)
        )

    def matches_signal(self, service: str, signal: str) -> bool:
        """Return whether the patterns of service and signal match a signal."""
        return _fits(self.service, service) and _fits(self.signal, signal, f"{service}.{signal}")

    def matches_all_of(self, location: Location, signal: str) -> bool:
        """Return whether all series of a signal in a location match. location: with a service."""
        return (
            self.resource in (None, "*")
            and self.matches_signal(location.service, signal)
            and _fits(self.account, location.account, location.account_name)
            and _fits(self.region, location.region)
        )

    def may_match(self, location: Location) -> bool:
        """Return whether a series in a location can match. Empty fields of the location fit any pattern."""
        return (
            _may_fit(self.service, location.service)
            and _may_fit(self.region, location.region)
            # Without the id, an account with another name may still match by its id.
            and _may_fit(
                self.account, location.account, location.account_name, is_complete=bool(location.account)
            )
        )

    @model_validator(mode="after")
    def _check_has_pattern(self) -> Self:
        if not any(getattr(self, name) for name in Selector.model_fields):
            raise problem(f"expected at least one of {', '.join(Selector.model_fields)}, found none")
        return self


def _fits(pattern: str | None, *names: str) -> bool:
    return pattern is None or any(fnmatchcase(name, pattern) for name in names)


def _may_fit(pattern: str | None, *names: str, is_complete: bool = True) -> bool:
    """Return whether a pattern may fit. is_complete: false if there may be a name that is not known."""
    known_names = [name for name in names if name]
    return not (known_names and is_complete) or _fits(pattern, *known_names)
