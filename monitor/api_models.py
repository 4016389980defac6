"""What the JSON API answers."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from monitor.query import ZoneWord
from rules.limits import Band, Service, Signal, Source

Number = Annotated[float | None, Field(allow_inf_nan=False)]


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, from_attributes=True)


class Error(Model):
    """Every answer that is not a success."""

    error: str = Field(description="A sentence that says what went wrong.")


class Unobservable(Model):
    reason: str
    enable: str | None = Field(description="The command that makes it observable; null: nothing does.")


class Series(Model):
    """A series at the last judgement; null is what is not known."""

    id: str
    account: str
    region: str
    service: str
    signal: str
    resource: str
    zone: ZoneWord
    usage: Number = Field(description="In `unit`; the least, where `at_most` is set.")
    at_most: Number = Field(description="In `unit`; set where CloudWatch tells a range and not the usage.")
    limit: Number = Field(description="In `unit`.")
    unit: str
    source: Source | None = Field(description="Where the limit was read.")
    utilization: Number = Field(description="Usage divided by limit: 0.8 is 80 %.")
    saturation: Number = Field(description="Demand refused or kept waiting, per second.")
    sampled_at: datetime | None = Field(description="Start of the minute of the newest sample.")
    tags: dict[str, str] = Field(description="Tags of the resource that are exported as labels.")


class Page(Model):
    items: Sequence[Series]
    next: str | None = Field(description="The cursor of the next page; null: this is the last one.")
    total: int = Field(description="Series that match the filters, on all pages.")
    zones: Mapping[str, int] = Field(
        description="Series in each zone, of those that match all filters but that of zones; the worst first."
    )
    newest_sample_at: datetime | None = Field(description="Of all series; null: there is no sample yet.")


class Sample(Model):
    """One minute; null is what is not known."""

    minute: datetime
    usage: Number
    at_most: Number
    saturation: Number


class LimitSince(Model):
    """A limit that was in force until the next one; a change counts from when an inventory first saw it."""

    since: datetime | None = Field(description="null: from before the last three hours, or not known.")
    limit: Number = Field(description="In `unit`.")


class Detail(Series):
    """A series, what holds for it and why, and its last three hours."""

    account_name: str
    limit_read_at: datetime | None
    band: Band
    unobservable: Unobservable | None
    sample_source: Literal["stream", "poll"] | None = Field(description="How the last sample came.")
    about: Signal = Field(description="The signal in the catalogue: why it matters, caveats, remedy, docs.")
    limits: Sequence[LimitSince] = Field(
        description="In the last three hours, oldest first; changes before a restart are not known."
    )
    history: Sequence[Sample] = Field(description="The last three hours, oldest minute first.")


class Catalogue(Model):
    services: Sequence[Service]


class Failure(Model):
    operation: str = Field(description="The AWS operation; empty when it is not about one.")
    item: str = Field(description="The resource it was about; empty when it is about all.")
    code: str
    message: str


class Outcome(Model):
    """How a look at AWS fared; null: never."""

    last_attempt: datetime | None = Field(validation_alias="attempted")
    last_success: datetime | None = Field(validation_alias="succeeded")
    failures: Sequence[Failure]


class Hidden(Unobservable):
    """A series that cannot be observed."""

    id: str
    signal: str
    resource: str


class Collector(Model):
    service: str
    inventory: Outcome
    unobservable_total: int
    unobservable: Sequence[Hidden] = Field(description="The first hundred.")


class Cell(Model):
    account: str
    region: str
    name: str
    poll: Outcome
    collectors: Sequence[Collector]


class Shut(Model):
    """An account that does not let the monitor in."""

    account: str
    failure: Failure


class Reload(Model):
    at: datetime
    error: str | None = Field(description="Why the new configuration was refused; null: it is in force.")


class Status(Model):
    version: str
    ready: bool
    waiting_for: Sequence[str] = Field(description="What has not been read yet, in words.")
    last_reload: Reload | None
    shut: Sequence[Shut]
    cells: Sequence[Cell]


class Reloaded(Model):
    reloaded: Literal[True] = True


class Healthy(Model):
    healthy: Literal[True] = True


class Ready(Model):
    ready: Literal[True] = True
