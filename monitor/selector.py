"""Which series an entry of the configuration is about."""

from fnmatch import fnmatchcase
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from monitor.config_errors import problem
from monitor.config_types import Model, RegionPattern, ServicePattern, SignalPattern, Text


class Labels(NamedTuple):
    """What names a series, as exported; `account` is the 12-digit id, `account_name` the configured name."""

    account: str
    region: str
    service: str
    signal: str
    resource: str
    account_name: str = ""


class Selector(Model):
    """Shell patterns, case-sensitive (`*`, `?`, `[a-z]`); a series matches when all that are given do."""

    service: ServicePattern | None = Field(default=None, description="Pattern of the service's name.")
    signal: SignalPattern | None = Field(
        default=None,
        description="Pattern of the signal's name, with or without its service: kinesis.stream_*.",
    )
    resource: Text | None = Field(default=None, description="Pattern of the resource's name, as exported.")
    account: Text | None = Field(
        default=None, description="Pattern of the account's 12-digit id or its name."
    )
    region: RegionPattern | None = Field(default=None, description="Pattern of the region's name.")

    def matches(self, labels: Labels) -> bool:
        """Whether the series of these labels is meant."""
        return (
            self.concerns(labels.service, labels.signal)
            and _fits(self.resource, labels.resource)
            and _fits(self.account, labels.account, labels.account_name)
            and _fits(self.region, labels.region)
        )

    def concerns(self, service: str, signal: str) -> bool:
        """Whether some series of this signal may be meant."""
        return _fits(self.service, service) and _fits(self.signal, signal, f"{service}.{signal}")

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(getattr(self, name) for name in Selector.model_fields):
            raise problem(f"expected at least one of {', '.join(Selector.model_fields)}, found none")
        return self


def _fits(pattern: str | None, *names: str) -> bool:
    return pattern is None or any(fnmatchcase(name, pattern) for name in names)
