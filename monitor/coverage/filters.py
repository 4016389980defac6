"""The filters of the coverage, with the names that the API and the page use."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from monitor.coverage.quota_coverage import QuotaCoverage
from monitor.coverage.verdicts import CoverageState

MAX_TEXT_LENGTH = 200


class CoverageFilters(BaseModel):
    """The filters of the coverage. An empty filter matches everything."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    account: str = Field(default="", description="The 12-digit id of the account.")
    region: str = Field(default="", description="The region, such as eu-west-1.")
    service_code: str = Field(default="", description="The service code in Service Quotas, such as lambda.")
    state: CoverageState | None = Field(default=None, description="The state of the listed quotas.")
    text: str = Field(
        default="",
        max_length=MAX_TEXT_LENGTH,
        description="A part of the quota's name or code; upper and lower case are the same.",
    )

    @field_validator("state", mode="before")
    @classmethod
    def _without_empty_state(cls, state: Any) -> Any:
        return state or None

    def matches(self, quota: QuotaCoverage) -> bool:
        """Return whether a quota matches all filters."""
        text = self.text.casefold()
        return (
            self.state in (None, quota.state)
            and self.account in ("", quota.account)
            and self.region in ("", quota.region)
            and self.service_code in ("", quota.service_code)
            and (not text or text in quota.name.casefold() or text in quota.code.casefold())
        )
