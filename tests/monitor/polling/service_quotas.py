"""A Service Quotas for tests: it returns applied and default values, in lists and singly."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rules.signals import Quota
from tests.fake_aws import denied

LIST, DEFAULTS, GET, GET_DEFAULT, HISTORY = (
    "service-quotas:ListServiceQuotas",
    "service-quotas:ListAWSDefaultServiceQuotas",
    "service-quotas:GetServiceQuota",
    "service-quotas:GetAWSDefaultServiceQuota",
    "service-quotas:ListRequestedServiceQuotaChangeHistory",
)
NOT_FOUND = "NoSuchResourceException"
THROTTLED = "TooManyRequestsException"

Values = Mapping[Quota, float]


def code(number: int, service: str = "lambda") -> Quota:
    """A quota of a service by its number."""
    return Quota(service=service, code=f"L-{number:08X}")


def described(quota: Quota, value: float, arn: str = "") -> dict[str, Any]:
    """A quota as a list describes it. arn: of the resource that it holds for; empty for the account."""
    context = {"ContextScope": "RESOURCE", "ContextId": arn, "AdjustableAtLevel": "PER_RESOURCE"}
    return {"QuotaCode": quota.code, "Value": value, **({"QuotaContext": context} if arn else {})}


@dataclass
class ServiceQuotas:
    """Answers of Service Quotas, by method; `denials` are raised instead.

    applied, defaults: the values in the lists, and by single calls. unlisted: applied values that only a
    single call returns. resource_values: the values of single resources, by quota and ARN; `*` is of all
    others. requests: the desired values of pending requests. decided: other requests, as AWS describes them.
    """

    applied: Values = field(default_factory=dict)
    defaults: Values = field(default_factory=dict)
    unlisted: Values = field(default_factory=dict)
    requests: Values = field(default_factory=dict)
    resource_values: Mapping[Quota, Mapping[str, float]] = field(default_factory=dict)
    decided: Sequence[Mapping[str, Any]] = ()
    denials: dict[str, str] = field(default_factory=dict)

    @property
    def answers(self) -> dict[str, Any]:
        """The answers for a `FakeAws`."""
        return {
            "list_service_quotas": lambda **params: self._list(LIST, "applied", params),
            "list_aws_default_service_quotas": lambda **params: self._list(DEFAULTS, "defaults", params),
            "get_service_quota": lambda **params: self._get(GET, {**self.applied, **self.unlisted}, params),
            "get_aws_default_service_quota": lambda **params: self._get(GET_DEFAULT, self.defaults, params),
            "list_requested_service_quota_change_history": self._history,
        }

    def _error(self, operation: str) -> Exception | None:
        error_code = self.denials.get(operation)
        return denied(operation.partition(":")[2], error_code) if error_code else None

    def _list(self, operation: str, name: str, params: Mapping[str, Any]) -> Any:
        service = params["ServiceCode"]
        if params.get("QuotaAppliedAtLevel") == "RESOURCE":
            own = self.resource_values.items()
            entries = [(quota, value, arn) for quota, values in own for arn, value in values.items()]
        else:
            of_account: Values = getattr(self, name)
            entries = [
                (one, value, "*" if one in self.resource_values else "") for one, value in of_account.items()
            ]
        listed = [described(*entry) for entry in entries if entry[0].service == service]
        return self._error(operation) or {"Quotas": listed}

    def _get(self, operation: str, values: Values, params: Mapping[str, Any]) -> Any:
        value = values.get(Quota(service=params["ServiceCode"], code=params["QuotaCode"]))
        missing = denied(operation.partition(":")[2], NOT_FOUND) if value is None else None
        return self._error(operation) or missing or {"Quota": {"Value": value}}

    def _history(self, **_: Any) -> Any:
        requests = [
            {
                "ServiceCode": quota.service,
                "QuotaCode": quota.code,
                "DesiredValue": desired,
                "Status": "PENDING",
            }
            for quota, desired in self.requests.items()
        ]
        return self._error(HISTORY) or {"RequestedQuotas": [*requests, *self.decided]}
