"""The JSON models of the API's general responses: series, catalogue, status and probes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from monitor.fleet.query import ZoneWord
from rules.limits import LimitSource
from rules.signals import Band, ServiceFamily, Signal

Number = Annotated[float | None, Field(allow_inf_nan=False)]


class ApiModel(BaseModel):
    """The base of all models. Unknown values are null."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class ErrorModel(ApiModel):
    """The body of every error response."""

    error: str = Field(description="What went wrong, in a sentence.")


class UnobservableModel(ApiModel):
    """The reason why a series is unobservable."""

    reason: str = Field(description="In a sentence.")
    enable_command: str | None = Field(
        description="The command that makes it observable; null when there is none."
    )
    enable_cost: str | None = Field(
        description="What AWS charges for that, in a sentence; null when it is not known."
    )


class ForecastModel(ApiModel):
    """The forecast of a series, from its usage of the last 14 days."""

    summary: str = Field(
        description="In words: `reaches the limit in 3-5 h, 80 %`, or why there is none: `1.2 of 2 days of "
        "history`. Empty where the series cannot be judged."
    )
    probability: Mapping[str, float] = Field(
        description="Of reaching the limit within 1h, 6h, 24h and 3d; empty where nothing can be said."
    )
    reached_at: Mapping[str, datetime] = Field(
        description="When it is reached, if it is: the quantiles 0.1, 0.5 and 0.9; empty where that is "
        "improbable."
    )
    history_days: Number = Field(description="Of 14 days, those of which the usage is known.")
    effective_ceiling: Number = Field(
        description="Inferred, in `unit`: the lowest usage at which demand was refused in 14 days, where "
        "that is below the limit; the forecast is of it."
    )


class SeriesModel(ApiModel):
    """A series as judged last."""

    id: str = Field(description="Which stays the same.")
    account: str
    region: str
    service: str
    signal: str
    resource: str = Field(description="The name of the resource; empty for a limit of the whole account.")
    resource_id: str = Field(description="The AWS ids of the resource, unique within the signal.")
    zone: ZoneWord
    bounded: bool = Field(
        description="True if the usage is known only within bounds: at least `usage`, at most `upper_bound`."
    )
    usage: Number = Field(description="In `unit`; the lower bound if `bounded`.")
    upper_bound: Number = Field(description="In `unit`, if `bounded`; null when there is no upper bound.")
    limit: Number = Field(description="In `unit`.")
    unit: str
    source: LimitSource | None = Field(description="Where the limit was read.")
    utilization: Number = Field(description="Usage divided by limit: 0.8 is 80 %.")
    saturation: Number = Field(description="Throttled or delayed demand, per second.")
    seconds_to_exhaustion: Number = Field(
        description="Of a budget that drains: the time until the limit is reached at the"
        " present rate; null when the usage does not rise, and for other signals."
    )
    forecast: ForecastModel = Field(description="When it will probably reach its limit.")
    sampled_at: datetime | None = Field(description="The start of the minute of the newest sample.")
    tags: dict[str, str] = Field(description="The tags of the resource that are exported as labels.")


class SeriesPageModel(ApiModel):
    """One page of the series that match a query."""

    items: Sequence[SeriesModel] = Field(description="Empty when no series matches or follows the cursor.")
    next: str | None = Field(description="The cursor of the next page; null on the last page.")
    total: int = Field(description="The number of series that match, on all pages.")
    zones: Mapping[str, int] = Field(
        description="The number of series in each zone, worst zone first; the filter `zone` does not apply."
    )
    newest_sample_at: datetime | None = Field(
        description="The newest sample of all series; null before the first."
    )


class SampleModel(ApiModel):
    """The sample of a series in one minute."""

    minute: datetime = Field(description="The start of the minute.")
    usage: Number
    upper_bound: Number = Field(description="In `unit`, where the usage is known only within bounds.")
    saturation: Number
    excess: Number = Field(description="The part of `saturation` that exceeds the tolerance.")
    doubted: bool = Field(
        description="True if the minute is not judged, because its usage proves the known limit outdated."
    )


class LimitChangeModel(ApiModel):
    """A limit, which was in force from `since` until the next limit of the list."""

    since: datetime | None = Field(
        description="When it came into force; null when that is over three hours ago or unknown."
    )
    limit: Number = Field(description="In `unit`.")


class QuotaRequestModel(ApiModel):
    """The newest request for an increase of a quota: pending, or decided in the last 30 days."""

    desired: float = Field(description="The requested limit, in `unit`.")
    status: str = Field(
        description="PENDING, CASE_OPENED (AWS opened a support case), APPROVED, DENIED, NOT_APPROVED, "
        "CASE_CLOSED or INVALID_REQUEST."
    )
    pending: bool = Field(description="True while AWS has not decided it.")
    since: datetime | None = Field(description="When the increase was requested.")
    decided_at: datetime | None = Field(description="When AWS decided it; null while it is pending.")
    summary: str = Field(description="The request in a sentence.")


class SeriesDetailModel(SeriesModel):
    """A series, its settings, its limits and its last three hours."""

    aws_region: str = Field(
        description="The region where AWS is called: `region`, or the home region of a global service."
    )
    availability_zone: str = Field(description="Of the resource; empty when it is in none, or in several.")

    account_name: str = Field(description="What the account is called; empty without a name.")
    resource_kind: str = Field(description="For example stream or shard; account for the whole account.")
    resource_kinds: list[str] = Field(description="The kinds of the ids in resource_path.")
    resource_path: Sequence[str] = Field(description="The AWS ids, those of the parents first.")
    limit_read_at: datetime | None = Field(
        description="When the limit was read from AWS; null if it never was."
    )
    quota_request: QuotaRequestModel | None = Field(
        description="The newest request for an increase of the limit; null if none is known."
    )
    largest: str = Field(
        description="The resource whose usage it is, where of several the one that has most is compared with "
        "a quota that holds for each; empty elsewhere."
    )
    band: Band = Field(description="The target band of the utilization.")
    throttled_by_cause: Mapping[str, Number] = Field(
        description="The parts of `saturation` by cause, per second, the largest first; null is unknown."
        " Empty where AWS does not count throttled demand by cause."
    )
    throttled_not_read: str = Field(
        description="Why throttled demand is 0 without being read, such as `Throttles of the account"
        " is 0`; empty if it is read."
    )
    safe_by: str = Field(
        description="The aggregate that is too small to take the series to the upper edge of its band, such"
        " as `IncomingBytes of StreamName orders`: usage is read once an hour; empty if it is read as usual."
    )
    deliberate: bool = Field(
        description="True if the limit is set on purpose: no warning near it unless demand is throttled."
    )
    unjudged: bool = Field(
        description="True if the bounds are shown and never judged: only throttled demand decides the zone."
    )
    unobservable: UnobservableModel | None = Field(description="Why it is not observable; null if it is.")
    sample_source: Literal["stream", "poll"] | None = Field(description="How the newest sample was read.")
    catalogue_entry: Signal = Field(description="The signal: why it matters, caveats, remedy, documentation.")
    limits: Sequence[LimitChangeModel] = Field(
        description="The limits of the last three hours, oldest first; those before a restart are unknown."
    )
    history: Sequence[SampleModel] = Field(description="The last three hours, oldest minute first.")


class CatalogueServiceModel(ApiModel):
    """A service of the catalogue."""

    service: str = Field(description="Its name in signals, such as kinesis.")
    title: str = Field(description="What people call it.")
    family: ServiceFamily = Field(description="Of the services that have a dashboard in common.")


class CatalogueModel(ApiModel):
    """All signals of all services."""

    items: Sequence[Signal] = Field(description="By service, in the order of the catalogue.")
    total: int = Field(description="Of the signals.")
    services: Sequence[CatalogueServiceModel] = Field(description="The services of the signals.")
    off: Sequence[str] = Field(
        description="The signals of the monitored services that are not read, as they are of the tier detail:"
        " name them in `signals.enabled` of the configuration."
    )


class FailureModel(ApiModel):
    """A failed read of AWS."""

    operation: str = Field(description="The AWS operation that failed; empty if none did.")
    resource: str = Field(
        description="The resource that could not be read; empty if the failure concerns none in particular."
    )
    code: str = Field(description="AWS's error code, such as AccessDenied, or the kind of the failure.")
    message: str = Field(description="What AWS said, or what went wrong.")


class RunStatusModel(ApiModel):
    """The status of a read that is repeated. Times are null before the first attempt or success."""

    last_attempt: datetime | None = Field(description="When the last attempt began.")
    last_success: datetime | None = Field(description="When the last successful one began.")
    failures: Sequence[FailureModel] = Field(description="The failures of the last attempt.")


class UnobservableSeriesModel(UnobservableModel):
    """A series that is unobservable."""

    id: str = Field(description="Of the series.")
    signal: str
    resource: str


class CollectorModel(ApiModel):
    """The status of one service in one account and region."""

    service: str
    inventory: RunStatusModel = Field(description="Of its resources and their limits.")
    waiting: int = Field(description="Resources that wait for their turn to be read.")
    unobservable_total: int = Field(description="How many of its series are unobservable.")
    unobservable: Sequence[UnobservableSeriesModel] = Field(description="The first hundred.")


class CallRateModel(ApiModel):
    """The rate at which a service, or one operation of it, is called while AWS throttles the calls."""

    service: str = Field(description="As botocore names it.")
    operation: str = Field(description="Empty where the rate is that of all operations together.")
    calls_per_second: float = Field(description="At most now: halved when AWS throttles, grows with success.")
    highest: float = Field(description="Calls per second at most while AWS throttles none.")


class CellModel(ApiModel):
    """The status of one account in one region."""

    account: str
    region: str
    name: str = Field(description="The name of the account.")
    monitoring_account: str | None = Field(
        description="The id of the account that reads its metrics, where it has no role; else null."
    )
    poll: RunStatusModel = Field(description="Of the samples of all its series.")
    throttled_calls: Sequence[CallRateModel] = Field(
        description="The calls that are made more seldom now, as AWS throttles them."
    )
    collectors: Sequence[CollectorModel] = Field(description="By service.")


class InaccessibleAccountModel(ApiModel):
    """An account that Headroom cannot access."""

    account: str
    failure: FailureModel = Field(description="Why.")


class OrganizationModel(ApiModel):
    """An organization whose accounts are monitored."""

    organization: str = Field(description="What it is called in messages.")
    accounts: int = Field(description="How many accounts of it are monitored.")
    listing: RunStatusModel = Field(description="The attempts to list its accounts.")


class ReloadModel(ApiModel):
    """The last reload of the configuration."""

    at: datetime = Field(description="When it was read.")
    error: str | None = Field(description="Why the new configuration was rejected; null when it is in force.")


class StatusModel(ApiModel):
    """The status of Headroom, and of all accounts, regions and services."""

    version: str = Field(description="Of Headroom.")
    ready: bool = Field(description="True once something was read and judged.")
    pending: Sequence[str] = Field(description="What has not been read yet.")
    last_reload: ReloadModel | None = Field(description="Null if there was none.")
    inaccessible_accounts: Sequence[InaccessibleAccountModel] = Field(
        description="Accounts of which nothing can be read."
    )
    organizations: Sequence[OrganizationModel] = Field(description="Those whose accounts are watched.")
    disabled_regions: Sequence[str] = Field(
        description="Of each account, the regions that are not read, as they are not enabled in it."
    )
    cells: Sequence[CellModel] = Field(description="By account and region.")


class ReloadedModel(ApiModel):
    """The response to a reload whose configuration is now in force."""

    reloaded: Literal[True] = Field(default=True, description="Always true: else the status is 422.")


class HealthyModel(ApiModel):
    """The response of a live process."""

    healthy: Literal[True] = Field(
        default=True, description="Always true: what is not healthy does not answer."
    )


class ReadyModel(ApiModel):
    """The response once Headroom has read and judged something."""

    ready: Literal[True] = Field(default=True, description="Always true: else the status is 503.")
    pending: list[str] = Field(default=[], description="What has not been read yet.")
