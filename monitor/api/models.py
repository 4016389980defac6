"""The JSON models of the API's general responses: series, catalogue, status and probes."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from monitor.fleet.query import ZoneWord
from monitor.lib.text import replace_surrogates
from rules.limits import LimitSource
from rules.signals import Band, ServiceFamily, Signal

NumberOrNull = Annotated[float | None, Field(allow_inf_nan=False)]
# Text that may contain names that customers chose, whose lone surrogates are replaced.
Utf8Text = Annotated[str, BeforeValidator(replace_surrogates)]


class ApiModel(BaseModel):
    """The base of all models. Unknown values are null."""

    model_config = ConfigDict(frozen=True, from_attributes=True)


class ListModel(ApiModel):
    """The base of all lists: the items of one response, and the number of all items that match."""

    items: Sequence[Any]
    total: int


class ErrorModel(ApiModel):
    """The body of every error response."""

    error: str = Field(description="The error, in a sentence.")


class UnobservableModel(ApiModel):
    """The reason why a series is unobservable."""

    reason: str = Field(description="The reason, in a sentence.")
    enable_command: str | None = Field(
        description="The command that makes the series observable; null when there is none."
    )
    enable_cost: str | None = Field(
        description="AWS's charge for making the series observable, in a sentence; null when it is not known."
    )


class ForecastModel(ApiModel):
    """The forecast of a series, from its usage of the last 14 days."""

    summary: str = Field(
        description="The forecast in words: `reaches the limit in 3-5 h, 80 %`; `8 % within 3d` if the limit "
        "is probably not reached; or why there is none: `1.2 of 2 days of history`. Empty when the series "
        "cannot be judged."
    )
    probability: Mapping[str, float] = Field(
        description="The probability that the limit is reached, by the time within which it is reached: "
        "`1h`, `6h`, `24h` and `3d`; empty when there is no forecast."
    )
    reached_at: Mapping[str, datetime] = Field(
        description="The times at which the limit is reached, if at all, by quantile: 0.1, 0.5 and 0.9; "
        "empty when no time can be told."
    )
    history_days: NumberOrNull = Field(
        description="The number of days with known usage, of the last 14 days."
    )
    effective_ceiling: NumberOrNull = Field(
        description="The lowest usage at which demand was throttled in 14 days, in `unit`, if that is below "
        "the limit; else null. The forecast is about this inferred ceiling instead of the limit."
    )


class SeriesModel(ApiModel):
    """A series as judged last."""

    id: str = Field(description="The id of the series, which stays the same over restarts.")
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
    usage: NumberOrNull = Field(
        description="The usage in `unit`; its lower bound if `bounded`; null when it is not known."
    )
    upper_bound: NumberOrNull = Field(
        description="The upper bound of the usage in `unit`, if `bounded`; null when there is none."
    )
    limit: NumberOrNull = Field(description="The limit in `unit`; null when it is not known.")
    unit: str
    source: LimitSource | None = Field(description="The source of the limit; null when no limit is known.")
    utilization: NumberOrNull = Field(description="The usage divided by the limit: 0.8 is 80 %.")
    saturation: NumberOrNull = Field(description="The throttled or delayed demand, per second.")
    seconds_to_exhaustion: NumberOrNull = Field(
        description="The seconds until a budget that drains reaches its limit at the present rate; null "
        "when the usage does not rise, and for all other signals."
    )
    forecast: ForecastModel = Field(description="The forecast of when the series reaches its limit.")
    sampled_at: datetime | None = Field(description="The start of the minute of the newest sample.")
    tags: dict[str, str] = Field(description="The tags of the resource that are exported as labels.")


class SeriesPageModel(ListModel):
    """One page of the series that match a query.

    items: the series of the page; empty when no series matches or follows the cursor. total: the number of
    series that match, on all pages.
    """

    items: Sequence[SeriesModel]
    next: str | None = Field(description="The cursor of the next page; null on the last page.")
    zones: Mapping[str, int] = Field(
        description="The number of series in each zone, worst zone first; the filter `zone` does not apply."
    )
    newest_sample_at: datetime | None = Field(
        description="The time of the newest sample of all series; null before the first sample."
    )


class SampleModel(ApiModel):
    """The sample of a series in one minute."""

    minute: datetime = Field(description="The start of the minute.")
    usage: NumberOrNull
    upper_bound: NumberOrNull = Field(
        description="The upper bound of the usage in `unit`; null when the usage is known exactly or not at "
        "all."
    )
    saturation: NumberOrNull
    excess: NumberOrNull = Field(
        description="The part of `saturation` that exceeds the tolerance, per second."
    )
    limit_doubted: bool = Field(
        description="True if the minute is not judged, because its usage proves the known limit outdated."
    )


class LimitChangeModel(ApiModel):
    """A limit, which was in force from `since` until the next limit of the list."""

    since: datetime | None = Field(
        description="The time at which the limit came into force; null when that is unknown or over three "
        "hours ago."
    )
    limit: NumberOrNull = Field(description="The limit in `unit`.")


class QuotaRequestModel(ApiModel):
    """The newest request for an increase of a quota: pending, or decided in the last 30 days."""

    desired: float = Field(description="The requested limit, in `unit`.")
    status: str = Field(
        description="PENDING, CASE_OPENED (AWS opened a support case), APPROVED, DENIED, NOT_APPROVED, "
        "CASE_CLOSED or INVALID_REQUEST."
    )
    pending: bool = Field(description="True while AWS has not decided the request.")
    since: datetime | None = Field(description="The time of the request.")
    decided_at: datetime | None = Field(
        description="The time at which AWS decided the request; null while it is pending."
    )
    summary: str = Field(description="The request in a sentence.")


class SeriesDetailModel(SeriesModel):
    """A series, its settings, its limits and its last three hours."""

    aws_region: str = Field(
        description="The region where AWS is called: `region`, or the home region of a global service."
    )
    availability_zone: str = Field(
        description="The availability zone of the resource; empty when the resource is in none, or in "
        "several."
    )
    account_name: str = Field(description="The configured name of the account; empty without a name.")
    resource_kind: str = Field(
        description="The kind of the resource, such as stream or shard; `account` for the whole account."
    )
    resource_kinds: list[str] = Field(
        description="The kinds of the ids in `resource_path`, in the same order."
    )
    resource_path: Sequence[str] = Field(
        description="The AWS ids of the resource's parents and of the resource, outermost first."
    )
    limit_read_at: datetime | None = Field(
        description="The time at which the limit was read from AWS; null if it never was."
    )
    quota_request: QuotaRequestModel | None = Field(
        description="The newest request for an increase of the limit; null if none is known."
    )
    largest: str = Field(
        description="The resource with the highest usage, if the quota applies to each of several resources "
        "and the series is about the fullest; else empty."
    )
    band: Band = Field(description="The target band of the utilization.")
    throttled_by_cause: Mapping[str, NumberOrNull] = Field(
        description="The parts of `saturation` by cause, per second, the largest first; null when a part is "
        "unknown. Empty when AWS does not count throttled demand by cause."
    )
    throttled_not_read: str = Field(
        description="The reason why throttled demand is known to be 0 without being read, such as "
        "`Throttles of the account is 0`; empty if it is read."
    )
    proven_safe_by: str = Field(
        description="The aggregate that is too small to take the series to the upper edge of its band, such "
        "as `IncomingBytes of StreamName orders`, so that usage is read only once an hour; empty if usage "
        "is read as usual."
    )
    deliberate: bool = Field(
        description="True if the limit is set on purpose: being near the limit raises no warning unless "
        "demand is throttled."
    )
    unjudged: bool = Field(
        description="True if the bounds of the usage are shown but never judged: only throttled demand "
        "decides the zone."
    )
    unobservable: UnobservableModel | None = Field(
        description="The reason why the series is unobservable; null if it is observable."
    )
    sample_source: Literal["stream", "poll"] | None = Field(
        description="The way in which the newest sample was read; null without a sample."
    )
    catalogue_entry: Signal = Field(description="The signal: why it matters, caveats, remedy, documentation.")
    limits: Sequence[LimitChangeModel] = Field(
        description="The limits of the last three hours, oldest first; limits from before a restart are "
        "unknown."
    )
    history: Sequence[SampleModel] = Field(
        description="The samples of the last three hours, oldest minute first."
    )


class CatalogueServiceModel(ApiModel):
    """A service of the catalogue."""

    service: str = Field(description="The name of the service in signals, such as kinesis.")
    title: str = Field(description="The name of the service for people, such as Kinesis Data Streams.")
    family: ServiceFamily = Field(description="The family of services that share a dashboard.")


class CatalogueModel(ListModel):
    """All signals of all services, in the order of the catalogue."""

    items: Sequence[Signal]
    services: Sequence[CatalogueServiceModel] = Field(description="The services of the signals.")
    off: Sequence[str] = Field(
        description="The signals of monitored services that are not read because they have the tier "
        "`detail`; to read them, name them in `signals.enabled` of the configuration."
    )


class FailureModel(ApiModel):
    """A failed read of AWS."""

    operation: str = Field(description="The AWS operation that failed; empty if no operation failed.")
    resource: str = Field(
        description="The resource that could not be read; empty if the failure concerns no resource in "
        "particular."
    )
    code: str = Field(description="AWS's error code, such as AccessDenied, or the kind of the failure.")
    message: str = Field(description="AWS's error message, or a description of the failure.")


class RunStatusModel(ApiModel):
    """The status of a read that is repeated. Times are null before the first attempt or success."""

    last_attempt: datetime | None = Field(description="The time at which the last attempt began.")
    last_success: datetime | None = Field(
        description="The time at which the last successful attempt ended. An attempt that had nothing to "
        "read is no success."
    )
    failures: Sequence[FailureModel] = Field(description="The failures of the last attempt.")


class UnobservableSeriesModel(UnobservableModel):
    """A series that is unobservable."""

    id: str = Field(description="The id of the series.")
    signal: str
    resource: str


class CollectorModel(ApiModel):
    """The status of one service in one account and region."""

    service: str
    inventory: RunStatusModel = Field(
        description="The status of reading the service's resources and their limits."
    )
    waiting: int = Field(description="The number of resources that wait for their turn to be read.")
    unobservable_total: int = Field(description="The number of unobservable series of the service.")
    unobservable: Sequence[UnobservableSeriesModel] = Field(
        description="The unobservable series, at most 100."
    )


class CallRateModel(ApiModel):
    """The rate at which a service, or one operation of it, is called while AWS throttles the calls."""

    service: str = Field(description="The service, as botocore names it.")
    operation: str = Field(description="The operation; empty for the rate of all operations together.")
    calls_per_second: float = Field(
        description="The highest rate allowed now, in calls per second: halved when AWS throttles, raised "
        "while calls succeed."
    )
    highest: float = Field(
        description="The highest rate allowed while AWS throttles no calls, in calls per second."
    )


class CellModel(ApiModel):
    """The status of one account in one region."""

    account: str
    region: str
    name: str = Field(description="The name of the account.")
    monitoring_account: str | None = Field(
        description="The id of the monitoring account through which a linked account's metrics are read; "
        "null for an account that is read directly."
    )
    poll: RunStatusModel = Field(description="The status of reading the samples of all series.")
    throttled_calls: Sequence[CallRateModel] = Field(
        description="The calls that are made less often now because AWS throttles them."
    )
    collectors: Sequence[CollectorModel] = Field(description="The status of each service.")


class InaccessibleAccountModel(ApiModel):
    """An account that Headroom cannot access."""

    account: str
    failure: FailureModel = Field(description="The failure that prevents access.")


class OrganizationModel(ApiModel):
    """An organization whose accounts are monitored."""

    organization: str = Field(description="The name of the organization in messages.")
    accounts: int = Field(description="The number of accounts of the organization that are monitored.")
    listing: RunStatusModel = Field(description="The status of listing the accounts.")


class ReloadModel(ApiModel):
    """The last reload of the configuration."""

    at: datetime = Field(description="The time at which the configuration was read.")
    error: str | None = Field(
        description="The reason why the new configuration was rejected; null when it is in force."
    )


class StatusModel(ApiModel):
    """The status of Headroom, and of all accounts, regions and services."""

    version: str = Field(description="The version of Headroom.")
    ready: bool = Field(description="True once something was read and judged.")
    pending: Sequence[str] = Field(description="The data that has not been read yet, in words.")
    last_reload: ReloadModel | None = Field(
        description="The last reload of the configuration; null if there was none."
    )
    inaccessible_accounts: Sequence[InaccessibleAccountModel] = Field(
        description="The accounts that Headroom cannot access."
    )
    organizations: Sequence[OrganizationModel] = Field(
        description="The organizations whose accounts are monitored."
    )
    disabled_regions: Sequence[str] = Field(
        description="The configured regions that are not read because an account has not enabled them; a "
        "sentence for each account."
    )
    cells: Sequence[CellModel] = Field(description="The status of each account and region.")


class ReloadedModel(ApiModel):
    """The response to a reload whose configuration is now in force."""

    reloaded: Literal[True] = Field(
        default=True, description="Always true; a rejected configuration is answered with the status 422."
    )


class HealthyModel(ApiModel):
    """The response of a live process."""

    healthy: Literal[True] = Field(
        default=True, description="Always true; an unhealthy process does not answer."
    )


class ReadyModel(ApiModel):
    """The response once Headroom has read and judged something."""

    ready: Literal[True] = Field(
        default=True, description="Always true; before Headroom is ready, the status is 503."
    )
    pending: list[str] = Field(default=[], description="The data that has not been read yet, in words.")
