"""The catalogue's model, and which limit is in force.

One YAML file a service in `rules/catalogue/`, one entry a signal. The catalogue holds what AWS documents;
a limit read from AWS always wins over it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

CATALOGUE = Path(__file__).parent / "catalogue"

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Text = Annotated[str, Field(min_length=1)]


class Kind(StrEnum):
    """What a limit is, and so what being below the band means."""

    QUOTA = "quota"  # set by AWS per account and region: below the band is headroom
    PROVISIONED = "provisioned"  # bought on the resource: below the band is money paid for nothing
    FIXED = "fixed"  # the service's design: only a change of design helps


class Source(StrEnum):
    """Where a limit was read, in order of precedence."""

    OVERRIDE = "override"  # the configuration
    API = "api"  # the resource's or the account's own API
    APPLIED = "quota_applied"  # Service Quotas, the applied value
    DEFAULT = "quota_default"  # Service Quotas, the default of a new account
    DOCUMENTED = "documented"  # the catalogue


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Band(_Model):
    """The target band: utilization wanted within [low, high]; from `critical` on the limit is near."""

    low: float = Field(default=0.40, ge=0, allow_inf_nan=False)
    high: float = Field(default=0.70, gt=0, allow_inf_nan=False)
    critical: float = Field(default=0.90, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ordered(self) -> "Band":
        if not self.low < self.high < self.critical:
            raise ValueError("expected low < high < critical")
        return self


class Default(_Model):
    """The documented default, in the signal's unit; `value` is for every region not named."""

    value: Positive
    by_region: Mapping[str, Positive] = {}
    note: str = ""


class Quota(_Model):
    """The quota in Service Quotas, by code: names change and are translated, codes are not."""

    service: Text
    code: Annotated[str, Field(pattern=r"^L-[0-9A-F]{8}$")]


class Price(_Model):
    """What a provisioned limit is bought by, and what AWS's public price list asks for it.

    `item` is bought by the piece, and `holds` so much of the limit, in the signal's unit. `hourly` is in US
    dollars for one, by region; in a region that is not named, the price is not known. `source` is AWS's page.
    Signals of one item and one resource (up to the first slash of its name) share what was bought.
    """

    item: Text
    holds: Positive
    hourly: Mapping[str, Positive]
    source: Annotated[str, Field(pattern=r"^https://aws\.amazon\.com/[a-z/-]+/pricing/$")]


class Signal(_Model):
    """A quantity that runs into a limit.

    `default` is None where only the customer sets the limit. `hold` is how long, in minutes, a breach
    lasts before it is an alert. `saturation` says how refused demand is seen, or that it cannot be.
    `noun` and `verb` begin its sentence: "Kinesis stream `clicks` writes 3.6 MiB/s of 4 MiB/s"; without a
    noun, the service's title does. `follows`: the signals of the service whose saturation explains this
    one's; those that share one count of refusals follow each other. `price` is None where nothing is bought,
    or the price of it is not known.
    """

    service: Text
    name: Text
    title: Text
    noun: Text | None = None
    verb: Text = "uses"
    follows: tuple[Text, ...] = ()
    unit: Text
    kind: Kind
    default: Default | None = None
    quota: Quota | None = None
    price: Price | None = None
    band: Band | None = None
    hold: int = Field(default=5, ge=0)
    why: Text
    saturation: Text
    caveats: tuple[Text, ...] = ()
    remedy: tuple[Text, ...] = Field(min_length=1)
    docs: tuple[Annotated[str, Field(pattern=r"^https://docs\.aws\.amazon\.com/")], ...] = Field(min_length=1)

    @property
    def id(self) -> str:
        return f"{self.service}.{self.name}"

    def documented(self, region: str) -> float | None:
        """The documented default in `region`, in the signal's unit."""
        if self.default is None:
            return None
        return self.default.by_region.get(region, self.default.value)


class Service(_Model):
    """One file of the catalogue. console: where AWS's console shows a resource, as the part of its address
    behind the host, with {account}, {region} and {parent}: the resource's name up to the first slash."""

    service: Text
    title: Text
    console: Text | None = None
    signals: Mapping[str, Signal]

    @model_validator(mode="before")
    @classmethod
    def _name_signals(cls, data: dict[str, object]) -> dict[str, object]:
        signals = data.get("signals")
        if isinstance(signals, dict):
            service = data.get("service")
            named = {name: {"service": service, "name": name, **entry} for name, entry in signals.items()}
            data = {**data, "signals": named}
        return data

    @model_validator(mode="after")
    def _follows_known_signals(self) -> "Service":
        for signal in self.signals.values():
            if unknown := set(signal.follows) - self.signals.keys() | set(signal.follows) & {signal.name}:
                raise ValueError(f"{signal.id}: expected other signals to follow, found {', '.join(unknown)}")
        return self


@dataclass(frozen=True, slots=True)
class Limit:
    """The number in force, in the signal's unit, where it came from and when it was read (epoch seconds)."""

    value: float
    source: Source
    read_at: float = field(compare=False)  # the same number read again is the same limit


def in_force(candidates: Mapping[Source, float | None], read_at: float) -> Limit | None:
    """The limit in force: the first source, in order of precedence, that has a value.

    A source that answers with no number, zero or less has no value: dividing by it would say nothing.
    Returns None when nobody knows a limit.
    """
    for source in Source:
        value = candidates.get(source)
        if value is not None and 0 < value < float("inf"):
            return Limit(float(value), source, read_at)
    return None


@cache
def catalogue() -> Mapping[str, Service]:
    """All services of the catalogue by name.

    Raises pydantic.ValidationError when a file is wrong: the files are ours, so that is a bug.
    """
    files = sorted(CATALOGUE.glob("*.yaml"))
    services = (Service.model_validate(yaml.safe_load(path.read_text("utf-8"))) for path in files)
    return {service.service: service for service in services}


def signals() -> Iterator[Signal]:
    """Every signal of every service, in the catalogue's order."""
    for service in catalogue().values():
        yield from service.signals.values()
