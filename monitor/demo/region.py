"""A region of the simulated world, and the types that its services are declared with."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from moto.core.models import DEFAULT_ACCOUNT_ID

from monitor.demo.metric import AnyMetric
from monitor.lib.errors import HeadroomError

ACCOUNT = DEFAULT_ACCOUNT_ID  # 123456789012
ResourceType = TypeVar("ResourceType")


@dataclass(frozen=True, slots=True)
class DemoQuota:
    """A quota.

    by_region: by region, the default if it is not `default`. per_second: true if it is a rate per second.
    usage: the metric of its usage, as Service Quotas describes it.
    """

    service: str
    code: str
    name: str
    default: float
    adjustable: bool = True
    by_region: Mapping[str, float] = field(default_factory=dict)
    per_second: bool = False
    usage: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DemoRegion:
    """One region of an account: its resources and quotas.

    quotas: the quotas that `monitor.demo.services.quotas` lacks. denied: true if every call is denied.
    enabled_regions: the names of the account's regions, as EC2 lists them. start: the minute since 1970 in
    which the world started. ids: the ids that moto gave to resources, by name.
    """

    name: str
    resources: tuple[Any, ...] = ()
    quotas: tuple[DemoQuota, ...] = ()
    applied_quotas: Mapping[str, float] = field(default_factory=dict)  # by quota code
    requested_quotas: Mapping[str, float] = field(default_factory=dict)  # pending, by quota code
    denied: bool = False
    account: str = ACCOUNT
    enabled_regions: tuple[str, ...] = ()
    start: int = 0
    ids: dict[str, str] = field(default_factory=dict)

    def resources_of(self, kind: type[ResourceType]) -> list[ResourceType]:
        """Return the resources of a type, in the order of their declaration."""
        return [resource for resource in self.resources if isinstance(resource, kind)]

    def minute(self, now: float) -> int:
        """Return the minutes since the world started. now: an epoch second."""
        return int(now // 60) - self.start

    def arn(self, service: str, resource: str) -> str:
        """Return an ARN in this region."""
        return f"arn:aws:{service}:{self.name}:{self.account}:{resource}"


class AwsResponseError(HeadroomError):
    """An error response with an error code of AWS."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message

    @property
    def is_denial(self) -> bool:
        """True if the call is not allowed."""
        return self.code.startswith(("AccessDenied", "Unauthorized"))


RequestParams = Mapping[str, Any]
# Takes the region, the parameters and the time in epoch seconds; returns the response.
OperationHandler = Callable[[DemoRegion, RequestParams, float], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoService:
    """The simulation of one AWS service.

    name: the name in botocore. signing_name: the name in signatures, if it differs. metrics: returns the
    metrics of a region. seed: creates the resources in moto with a boto3 client. operations: handlers of
    operations that moto lacks or answers wrongly, by botocore's names.
    """

    name: str
    signing_name: str = ""
    metrics: Callable[[DemoRegion], Iterable[AnyMetric]] = lambda _: ()
    seed: Callable[[DemoRegion, Any], None] | None = None
    operations: Mapping[str, OperationHandler] = field(default_factory=dict)
