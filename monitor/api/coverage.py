"""The route of the coverage of quotas."""

import asyncio
from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import Field

from monitor.api.app_state import AppState
from monitor.api.models import ApiModel, Number
from monitor.coverage.quota_coverage import Coverage, CoverageState, QuotaCoverage
from monitor.lib.text import replace_surrogates

MAX_QUOTAS = 10_000  # in one response


class QuotaCoverageModel(ApiModel):
    """A quota of an account in a region, and whether it is watched."""

    account: str
    region: str
    service_code: str = Field(description="As in Service Quotas.")
    code: str
    name: str
    value: Number = Field(description="In AWS's unit; null when AWS does not return it.")
    source: str = Field(description="`quota_applied`, or `quota_default` where the account has no value.")
    adjustable: bool
    state: CoverageState
    reason: str = Field(description="Why it is not watched, in a sentence; empty when it is.")
    enable: str = Field(description="The command or the setting that makes it watched; empty without one.")
    signals: list[str] = Field(description="The signals that watch it, or that could.")
    note: str = Field(description="How AWS's report of utilization differs, in a sentence; usually empty.")


class CoverageModel(ApiModel):
    """Quotas by account, region, service code and code. total, states: of all that match, listed or not.

    notes: what else is to be said, such as that AWS's report of utilization is not permitted.
    """

    items: list[QuotaCoverageModel]
    total: int
    states: dict[CoverageState, int]
    notes: list[str]


class CoverageQuery(ApiModel):
    """What is listed: all without a parameter."""

    account: str | None = None
    region: str | None = None
    service_code: str | None = None
    state: CoverageState | None = None
    limit: Annotated[int, Field(ge=1, le=MAX_QUOTAS)] = MAX_QUOTAS

    def matches(self, quota: QuotaCoverage) -> bool:
        """Return whether a quota is listed."""
        wanted = self.model_dump(exclude={"limit"}, exclude_none=True)
        return all(getattr(quota, name) == value for name, value in wanted.items())


def coverage_router(state: AppState) -> APIRouter:
    """Return the route of /api/v1/coverage."""
    router = APIRouter(prefix="/api/v1")

    @router.get("/coverage", response_model=CoverageModel, summary="List quotas and their coverage")
    async def coverage(query: Annotated[CoverageQuery, Query()]) -> Response:
        """Every quota of the services in use: whether it is watched, and if not, why, and what enables it.

        Read from Service Quotas once a day; complete some minutes after the start.
        """
        body = await asyncio.to_thread(_coverage_json, state.coverage(), query)
        return Response(body, media_type="application/json")

    return router


def _coverage_json(coverage: Coverage, query: CoverageQuery) -> str:
    """Return the JSON of the quotas that are listed. Call it in a thread: it can take long."""
    found = [quota for quota in coverage.quotas() if query.matches(quota)]
    items = [QuotaCoverageModel.model_validate(quota) for quota in found[: query.limit]]
    states = Counter(quota.state for quota in found)
    notes = [*map(replace_surrogates, coverage.notes())]
    return CoverageModel(items=items, total=len(found), states=states, notes=notes).model_dump_json()
