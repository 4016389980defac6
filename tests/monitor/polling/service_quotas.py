"""A fake Service Quotas: it returns applied and default values, in lists and by single calls."""

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


def numbered_quota(number: int, service: str = "lambda") -> Quota:
    """Return a quota of a service; `number` is the hexadecimal part of the quota's code."""
    return Quota(service=service, code=f"L-{number:08X}")


def list_entry(quota: Quota, value: float, arn: str = "") -> dict[str, Any]:
    """Return a quota as an entry of a list.

    arn: the resource with this value; `*` for all resources without a value of their own; empty for the
    account.
    """
    context = {"ContextScope": "RESOURCE", "ContextId": arn, "AdjustableAtLevel": "PER_RESOURCE"}
    return {"QuotaCode": quota.code, "Value": value, **({"QuotaContext": context} if arn else {})}


@dataclass
class ServiceQuotas:
    """The quotas and requests that a fake Service Quotas knows; `answers` has its responses.

    applied, defaults: the values that lists and single calls return.
    unlisted: applied values that only a single call returns.
    resource_values: the values of single resources, by quota and ARN.
    requests: the desired values of pending requests.
    decided: the requests that AWS approved or denied, as AWS describes them.
    denials: the error codes of operations that fail, by operation.
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
        """The responses for a `FakeAws`, by method of the client."""
        return {
            "list_service_quotas": lambda **params: self._list(LIST, self.applied, params),
            "list_aws_default_service_quotas": lambda **params: self._list(DEFAULTS, self.defaults, params),
            "get_service_quota": lambda **params: self._get(GET, {**self.applied, **self.unlisted}, params),
            "get_aws_default_service_quota": lambda **params: self._get(GET_DEFAULT, self.defaults, params),
            "list_requested_service_quota_change_history": self._history,
        }

    def _error(self, operation: str) -> Exception | None:
        error_code = self.denials.get(operation)
        return denied(operation.partition(":")[2], error_code) if error_code else None

    def _list(self, operation: str, account_values: Values, params: Mapping[str, Any]) -> Any:
        service = params["ServiceCode"]
        if params.get("QuotaAppliedAtLevel") == "RESOURCE":
            by_quota = self.resource_values.items()
            entries = [(quota, value, arn) for quota, values in by_quota for arn, value in values.items()]
        else:
            entries = [
                (quota, value, "*" if quota in self.resource_values else "")
                for quota, value in account_values.items()
            ]
        listed = [list_entry(*entry) for entry in entries if entry[0].service == service]
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
