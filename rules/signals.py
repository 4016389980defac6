"""The model of the catalogue: services and their signals.

The catalogue is one YAML file per service in `rules/catalogue/`, with one entry per signal. It holds what AWS
documents; a limit that was read from AWS always takes precedence over it.
"""

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
    field_validator,
    model_validator,
)

from rules.bounds import Bound
from rules.command_template import PLACEHOLDER, SAFE_NAMES, shell_words
from rules.field_types import NonEmptyText, PositiveNumber
from rules.inhibition import inhibition_cycle
from rules.model_file import error_at
from rules.sizes import PriceList, Size
from rules.units import Unit, parse_unit

# Names that no service and no signal may have, as Headroom itself uses them: for its own alerts, for the
# reading of tags, links and activity, and for blind spots.
OWN_SERVICE = "headroom"
RESERVED_SERVICES = frozenset({OWN_SERVICE, "tags", "links", "activity"})
RESERVED_SIGNALS = frozenset({"blind"})
AWS_DOCS = "https://docs.aws.amazon.com/"
DOCS_ADDRESS = r"^https?://[^\s<>]+$"
QUOTA_CODE = r"^L-[0-9A-F]{8}$"
CATALOGUE_FOLDER = Path(__file__).parent / "catalogue"

MAX_PENDING_FOR = 24 * 60  # minutes
PendingMinutes = Annotated[
    int, Field(ge=0, le=MAX_PENDING_FOR, validation_alias="for", serialization_alias="for")
]


def _parse_unit(value: object) -> Unit:
    if isinstance(value, Unit):
        return value
    if not isinstance(value, str):
        raise ValueError(f"expected the name of a unit, found {value!r}")
    return parse_unit(value)


# In YAML and JSON, a unit is its name.
NamedUnit = Annotated[
    Unit,
    PlainValidator(_parse_unit),
    PlainSerializer(str, return_type=str),
    WithJsonSchema({"type": "string", "minLength": 1}),
]


class LimitKind(StrEnum):
    """The kind of a limit; it decides what usage below the band means."""

    QUOTA = "quota"  # set by AWS per account and region: below the band is headroom
    PROVISIONED = "provisioned"  # bought for the resource: below the band is idle capacity that is paid for
    FIXED = "fixed"  # part of the service's design: only another design of the application helps


class RemedyKind(StrEnum):
    """A way to make room below a limit."""

    REQUEST = "request"  # AWS decides on a request for an increase
    CHANGE = "change"  # a resource is changed: what was bought for it, its type or a setting
    REDESIGN = "redesign"  # the application is changed


# The hours that a remedy takes, unless a signal says otherwise: AWS decides a request for an increase within
# hours or days (how soon it approves one by itself is not documented), a resource is changed in minutes, and
# another design takes a week at least.
REMEDY_HOURS: Final[Mapping[RemedyKind, float]] = {
    RemedyKind.REQUEST: 48,
    RemedyKind.CHANGE: 0.25,
    RemedyKind.REDESIGN: 7 * 24,
}


class Tier(StrEnum):
    """The tier of a signal, which decides whether its metrics are read by default."""

    CORE = "core"  # read by default
    DETAIL = "detail"  # read on request: metrics of parts of resources multiply CloudWatch's cost


class ServiceFamily(StrEnum):
    """The purpose of a service. Dashboards and documents are arranged by it, in this order."""

    NETWORK = "network"
    EDGE = "edge"
    COMPUTE = "compute"
    MESSAGING = "messaging"
    STORAGE = "storage"
    DATABASES = "databases"
    SECURITY = "security"
    MANAGEMENT = "management"
    OTHER = "other"  # a user's own services


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, defer_build=True)


class Band(_Model):
    """The target band: utilization should be within [low, high]; from `near` on it is near the limit.

    low: the utilization below which there is more room than wanted. high: the utilization above which there
    is less room than wanted. near: the utilization from which on the series is near its limit. All are
    ratios: 0.7 is 70 %.
    """

    low: float = Field(default=0.40, ge=0, allow_inf_nan=False)
    high: float = Field(default=0.70, gt=0, allow_inf_nan=False)
    near: float = Field(default=0.90, gt=0, allow_inf_nan=False)

    @model_validator(mode="after")
    def _ordered(self) -> "Band":
        if not self.low < self.high < self.near:
            raise ValueError("expected low < high < near")
        return self


# The band of a cap that was set on purpose: usage up to the cap raises no alert. `high` is above the cap by
# more than MARGIN of `rules.alerts`, so that alerts are clear when usage is at the cap.
DELIBERATE_CAP_BAND = Band(low=0.0, high=1.0527, near=1.053)


class Tolerance(_Model):
    """The amount of throttled demand that raises no alert: less than `rate` or less than `share`.

    Clients retry, and an occasional throttled call costs them milliseconds. Teams usually relax
    alerts on any throttling to "more than a few per minute"; AWS itself advises callers to expect and
    retry occasional throttling. Sustained throttling is far above both defaults: at least three calls in a
    minute, and at least one in a thousand.

    rate: the throttled demand per second. share: the throttled share of the whole demand of the minute.
    pending_for (in YAML: `for`): the minutes that more throttling must last before its alert fires.
    """

    rate: float = Field(default=0.05, ge=0, allow_inf_nan=False)
    share: float = Field(default=0.001, ge=0, le=1)
    pending_for: PendingMinutes = 0


DEFAULT_TOLERANCE = Tolerance()
DEFAULT_BAND = Band()


class DefaultLimit(_Model):
    """The documented default in the signal's unit.

    value: the default in all regions that are not in `by_region`. by_region: other defaults, by region. note:
    a remark on the default; empty without one.
    """

    value: PositiveNumber
    by_region: Mapping[str, PositiveNumber] = {}
    note: str = ""


class Quota(_Model):
    """The quota in Service Quotas, by code, because the names of quotas change and are translated.

    service: the service code. code: the quota code, such as L-B99A9384.
    """

    service: NonEmptyText
    code: Annotated[str, Field(pattern=QUOTA_CODE)]


# The beginnings of operations that change no limit, but show what or whom to change.
READING_OPERATIONS: Final = (
    "describe-",
    "get-",
    "list-",
    "lookup-events",  # of CloudTrail
    "test-function",  # of CloudFront
    "update-contributor-insights",  # makes DynamoDB count how often each key is used
)
# The beginnings of operations that make something beside the limited resource, whose limit stays as it is.
CREATING_OPERATIONS: Final = ("create-", "put-rule", "register-stream-consumer")
# The command that asks AWS for an increase of a quota.
REQUEST_COMMAND: Final = "aws service-quotas request-service-quota-increase"


class RemedyCommand(_Model):
    """The AWS command that raises a limit, creates what takes a part of the demand, or shows what to change.

    run: the text of the command, with {number} for the new limit, {kind} for each id of the resource's path,
    and {region}, {account_id}, {partition} and {suffix} (the domain of the region's endpoints); words that
    people have to choose are in capitals. An id that follows an option is written --option={kind}, as it may
    begin with a hyphen. unit_value: the value of 1 in {number}, in the signal's unit. max_factor: the highest
    factor by which AWS lets one call multiply the number; None without a maximum.
    """

    run: Annotated[str, Field(pattern=r"^aws [a-z0-9-]+ [a-z0-9-]+")]
    unit_value: PositiveNumber = 1.0
    max_factor: PositiveNumber | None = None

    @property
    def operation(self) -> str:
        """The operation, as the AWS CLI spells it."""
        return self.run.split(maxsplit=3)[2]

    @property
    def is_reading(self) -> bool:
        """True for a command that only shows what to change."""
        return self.operation.startswith(READING_OPERATIONS)

    @property
    def is_request(self) -> bool:
        """True for a command that asks AWS for an increase of a quota."""
        return self.run.startswith(REQUEST_COMMAND)

    @property
    def is_change(self) -> bool:
        """True for a command that changes the limited resource, or asks AWS to raise its limit."""
        return not self.is_reading and not self.operation.startswith(CREATING_OPERATIONS)

    @field_validator("run")
    @classmethod
    def _ids_are_no_options(cls, run: str) -> str:
        for option, word in pairwise(shell_words(run)):
            if option.startswith("--") and (name := PLACEHOLDER.match(word)) and name[1] not in SAFE_NAMES:
                raise ValueError(f"expected {option}={word}, as an id may begin with a hyphen")
        return run


def _command_fields(value: object) -> object:
    return {"run": value} if isinstance(value, str) else value


class Signal(_Model):
    """A quantity that has a limit.

    name: the name, unique within the service.
    title: the limited quantity, in words.
    kind: the kind of the limit: quota, provisioned or fixed.
    quota: the quota that sets the limit; None without one.
    band: the signal's own target band; None for the configured band.
    why: the reason why the signal matters.
    caveats: facts that the numbers do not show.
    tier: `detail` for a signal of each instance, node, broker or zone, which most users do not need.
    unverified: the facts that are recalled and not confirmed, as a sentence; None if all are confirmed.
    noun, verb: the words of sentences such as "Kinesis stream `clicks` writes 3.6 MiB/s of 4 MiB/s"; without
        a noun, sentences start with the service's title.
    throttle_group: the name of a group of signals of the service that share one count of throttled demand:
        the saturation of one signal explains that of all others.
    inhibited_by: further signals or throttle groups of the service whose saturation explains this signal's. A
        signal names itself where a resource and a part of it count the same throttled demand.
    covered_by: a signal of the same resources, or of parts of them, that is read from the same metrics. Its
        alert replaces the alert of this signal.
    quota_unit: the value of 1 in Service Quotas, in the signal's unit: 1099511627776 for a signal in bytes
        with a quota in TiB.
    default: the documented default; None where only the customer sets the limit.
    sizes: the ways in which a provisioned limit is bought, by name; the resource decides which of several
        applies.
    drains: True if the usage is the spent part of a budget, such as burst credits, so that the time to its
        exhaustion at the present rate matters.
    grows_with_traffic: whether the usage is proportional to traffic; None if the unit decides: rates, work at
        one time and shares of a machine grow, numbers of things and stored amounts do not.
    pending_for (in YAML: `for`): the minutes that a breach must last before its alert fires.
    remedy_hours: the hours that the remedy takes; None for the usual time of the kind of remedy.
    command: the AWS command of the remedy; None if there is none, or if it requests an increase of `quota`.
    docs: the URLs of pages about the limit: AWS's pages, or any pages for a user's own signals.
    saturation_is_state: True if CloudWatch shows only whether demand was throttled in a minute, not how much.
    throttled_unit: the unit in which CloudWatch counts throttled demand, such as records or calls; None where
        CloudWatch does not count it.
    saturation: the way in which throttled demand is counted, in words.
    tolerance: the amount of throttled demand that raises no alert.
    """

    service: NonEmptyText
    name: NonEmptyText
    title: NonEmptyText
    tier: Tier = Tier.CORE
    unverified: NonEmptyText | None = None
    noun: NonEmptyText | None = None
    verb: NonEmptyText = "uses"
    throttle_group: NonEmptyText | None = None
    inhibited_by: tuple[NonEmptyText, ...] = ()
    covered_by: NonEmptyText | None = None
    unit: NamedUnit
    kind: LimitKind
    default: DefaultLimit | None = None
    quota: Quota | None = None
    quota_unit: PositiveNumber = 1.0
    sizes: Mapping[NonEmptyText, Size] = {}
    drains: bool = False
    grows_with_traffic: bool | None = None
    band: Band | None = None
    pending_for: PendingMinutes = 5
    throttled_unit: NamedUnit | None = None
    saturation_is_state: bool = False
    tolerance: Tolerance = DEFAULT_TOLERANCE
    why: NonEmptyText
    saturation: NonEmptyText
    caveats: tuple[NonEmptyText, ...] = ()
    remedy: tuple[NonEmptyText, ...] = Field(min_length=1)
    command: Annotated[RemedyCommand, BeforeValidator(_command_fields)] | None = None
    remedy_hours: PositiveNumber | None = None
    docs: tuple[Annotated[str, Field(pattern=DOCS_ADDRESS)], ...] = Field(min_length=1)

    @property
    def remedy_kind(self) -> RemedyKind:
        """The kind of remedy.

        For a fixed limit or a quota, it is CHANGE if a command changes what sets the limit, such as the type
        of an instance or the reserved concurrency of a function.
        """
        command = self.command
        if self.kind is LimitKind.PROVISIONED or (command and command.is_change and not command.is_request):
            return RemedyKind.CHANGE
        return RemedyKind.REQUEST if self.kind is LimitKind.QUOTA else RemedyKind.REDESIGN

    @property
    def remedy_minutes(self) -> float:
        """The minutes that the remedy takes; the usual time for the kind of remedy by default."""
        return 60 * (REMEDY_HOURS[self.remedy_kind] if self.remedy_hours is None else self.remedy_hours)

    @property
    def is_load(self) -> bool:
        """True if its usage is proportional to traffic; see `grows_with_traffic`."""
        by_unit = self.unit.is_load and not self.drains
        return by_unit if self.grows_with_traffic is None else self.grows_with_traffic

    @property
    def id(self) -> str:
        """The unique name in the catalogue, such as kinesis.stream_write_bytes."""
        return f"{self.service}.{self.name}"

    def size(self, name: str = "") -> Size | None:
        """Return how the limit is bought; None where that is not known.

        name: the name of the size. If it is not known (empty), sizes that differ only in their prices are
        returned as one size without a price.
        """
        if name:
            return self.sizes.get(name)
        if len(self.sizes) <= 1:
            return next(iter(self.sizes.values()), None)
        without_prices = [size.model_copy(update={"prices": ()}) for size in self.sizes.values()]
        return without_prices[0] if all(size == without_prices[0] for size in without_prices) else None

    @property
    def reports_throttling(self) -> bool:
        """True if CloudWatch reports throttled demand."""
        return self.throttled_unit is not None or self.saturation_is_state

    @model_validator(mode="after")
    def _state_has_no_unit(self) -> "Signal":
        if self.throttled_unit and self.saturation_is_state:
            raise error_at(("throttled_unit",), "expected none beside saturation_is_state")
        return self

    @model_validator(mode="after")
    def _what_is_bought_is_provisioned(self) -> "Signal":
        if self.sizes and self.kind is not LimitKind.PROVISIONED:
            raise error_at(("sizes",), "expected none, as the limit is not bought")
        return self

    @model_validator(mode="after")
    def _quota_unit_has_a_quota(self) -> "Signal":
        if self.quota_unit != 1.0 and not self.quota:
            raise error_at(("quota_unit",), "expected a quota, whose unit it is")
        return self

    def default_limit(self, region: str) -> float | None:
        """Return the documented default in a region, in the signal's unit."""
        if self.default is None:
            return None
        return self.default.by_region.get(region, self.default.value)


def _with_prices(entry: object, prices: Mapping[str, object]) -> object:
    """Return a copy of an entry of a document in which each `price` is a price itself, and not its name."""
    if not isinstance(entry, dict):
        return entry
    return {
        key: prices.get(value, value)
        if key == "price" and isinstance(value, str)
        else _with_prices(value, prices)
        for key, value in entry.items()
    }


class Service(_Model):
    """One file of the catalogue.

    family: the group of services by which dashboards are arranged.
    console: the path of a resource's page in AWS's console, with the fields {account}, {region}, {suffix}
    (the domain of the region's endpoints) and {parent} (the first id of the resource's path).
    quota_services: service codes in Service Quotas, beside the codes of the signals' quotas.
    bounded_by: bounds on metrics, each by an aggregate that AWS publishes.
    prices: prices by name, which the sizes of several signals have in common.
    """

    service: NonEmptyText
    title: NonEmptyText
    family: ServiceFamily = ServiceFamily.OTHER
    console: NonEmptyText | None = None
    quota_services: tuple[NonEmptyText, ...] = ()
    bounded_by: tuple[Bound, ...] = ()
    prices: Mapping[NonEmptyText, PriceList] = {}
    signals: Mapping[str, Signal]

    @model_validator(mode="before")
    @classmethod
    def _name_signals(cls, data: object) -> object:
        signals = data.get("signals") if isinstance(data, dict) else None
        if isinstance(data, dict) and isinstance(signals, dict):
            service = data.get("service") or "?"  # a missing service is reported by itself
            signals_with_names = {
                name: {"service": service, "name": name, **entry} if isinstance(entry, dict) else entry
                for name, entry in signals.items()
            }
            data = {**data, "signals": signals_with_names}
        return data

    @model_validator(mode="before")
    @classmethod
    def _look_up_prices(cls, data: object) -> object:
        """Put the named prices in the place of their names."""
        if not isinstance(data, dict) or not isinstance(data.get("prices"), dict):
            return data
        return {**data, "signals": _with_prices(data.get("signals"), data["prices"])}

    @model_validator(mode="after")
    def _names_are_not_reserved(self) -> "Service":
        if self.service in RESERVED_SERVICES:
            raise error_at(("service",), f"expected another name, as Headroom itself has {self.service}")
        for name in RESERVED_SIGNALS & self.signals.keys():
            raise error_at(("signals", name), f"expected another name, as Headroom itself has {name}")
        return self

    @model_validator(mode="after")
    def _groups_have_members(self) -> "Service":
        last_members = {signal.throttle_group: name for name, signal in self.signals.items()}
        sizes_of_groups = Counter(
            signal.throttle_group for signal in self.signals.values() if signal.throttle_group
        )
        for group, size in sizes_of_groups.items():
            where = ("signals", last_members[group], "throttle_group")
            if size == 1:
                raise error_at(where, f"expected several signals in the throttle group {group}, found one")
            if group in self.signals:
                raise error_at(
                    where, f"expected another name for the throttle group {group}: it is a signal's"
                )
        return self

    @model_validator(mode="after")
    def _refers_to_known_names(self) -> "Service":
        groups = {signal.throttle_group for signal in self.signals.values()}
        for signal in self.signals.values():
            unknown = {*signal.inhibited_by} - self.signals.keys() - groups
            if signal.covered_by:
                unknown |= {signal.covered_by} - self.signals.keys()
            if unknown:
                names = ", ".join(sorted(unknown))
                sentence = f"{signal.id}: expected signals of the service, found {names}"
                raise error_at(("signals", signal.name), sentence)
        return self

    @model_validator(mode="after")
    def _inhibition_has_no_cycle(self) -> "Service":
        inhibited = [
            signal for signal in self.signals.values() if signal.throttle_group or signal.inhibited_by
        ]
        inhibitors = {signal.name: self.inhibitors(signal.name) for signal in inhibited}
        covered_by = {signal.name: signal.covered_by for signal in self.signals.values() if signal.covered_by}
        if cycle := inhibition_cycle(inhibitors, covered_by):
            sentence = f"expected no cycle of signals that inhibit each other, found {' -> '.join(cycle)}"
            raise error_at(("signals", cycle[0]), sentence)
        return self

    def inhibitors(self, name: str) -> frozenset[str]:
        """Return the signals whose saturation explains the saturation of the signal `name`."""
        signal = self.signals.get(name)
        if signal is None:
            return frozenset()
        named_signals = {other_name for other_name in signal.inhibited_by if other_name in self.signals}
        groups = {signal.throttle_group, *signal.inhibited_by} - {None}
        members = {other.name for other in self.signals.values() if other.throttle_group in groups}
        return frozenset(named_signals | (members - {name}))
