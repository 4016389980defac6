"""The route of the coverage of quotas."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import AfterValidator, Field

from monitor.api.app_state import AppState
from monitor.api.models import ApiModel, ListModel, NumberOrNull, Utf8Text
from monitor.coverage.filters import CoverageFilters
from monitor.coverage.quota_coverage import Coverage
from monitor.coverage.search import QUOTA_FIELDS, matching_quotas
from monitor.coverage.totals import CoverageTotals
from monitor.coverage.verdicts import CoverageState
from monitor.fleet.search import MAX_SEARCH_LENGTH, parse_search

MAX_QUOTAS = 10_000  # in one response


class QuotaCoverageModel(ApiModel):
    """A quota of an account in a region, and whether it is watched."""

    account: str
    region: str
    service_code: str = Field(description="The service code in Service Quotas, such as lambda.")
    code: str = Field(description="The quota code, such as L-B99A9384.")
    name: Utf8Text = Field(description="The name of the quota, as AWS gives it.")
    value: NumberOrNull = Field(
        description="The value of the quota in AWS's unit; null when AWS does not return it."
    )
    source: str = Field(
        description="The source of the value: `quota_applied`, or `quota_default` when the account has no "
        "applied value."
    )
    adjustable: bool = Field(description="True if AWS accepts requests for an increase.")
    state: CoverageState = Field(
        description="The state of the quota: `watched`, or the kind of reason why it is not."
    )
    reason: Utf8Text = Field(
        description="The reason why the quota is not watched, in a sentence; empty when it is watched."
    )
    enable: Utf8Text = Field(
        description="The command, setting or permission that makes the quota watched; empty when there is "
        "none."
    )
    signals: list[str] = Field(description="The signals that watch the quota, or could.")
    monthly_dollars: NumberOrNull = Field(
        description="The list price of watching the quota, in US dollars a month: the price of the metrics "
        "that are or would be requested, or of the AWS setting in `enable`. API calls are free. Null when "
        "the price is unknown (see `cost_note`), and in the state `no_usage_source`."
    )
    cost_note: Utf8Text = Field(
        description="AWS's charge in words, with the URL of AWS's page, or the reason why the cost is "
        "unknown; often empty."
    )
    note: Utf8Text = Field(
        description="The difference from the utilization that AWS reports, in a sentence; usually empty."
    )


class CoverageModel(ListModel):
    """Quotas, sorted by account, region, service code and code.

    total, states, monthly_dollars and unknown_costs cover all matching quotas, listed or not. notes: further
    remarks, such as that AWS's report of utilization is not permitted.
    """

    items: Sequence[QuotaCoverageModel]
    states: dict[CoverageState, int] = Field(description="The number of quotas in each state.")
    monthly_dollars: float = Field(
        description="The sum of the known costs in US dollars a month; a metric that several quotas share "
        "counts for each."
    )
    unknown_costs: int = Field(description="The number of quotas with an unknown cost; see `cost_note`.")
    notes: list[Utf8Text]
    unread: list[Utf8Text] = Field(
        description="Sentences about quotas that could not be read, or have not been read yet."
    )


def _checked_search(text: str) -> str:
    """Return a search with each term once. Raises SearchError, a ValueError, if it is invalid."""
    return str(parse_search(text, QUOTA_FIELDS))


class CoverageQuery(CoverageFilters):
    """The parameters of the list; without any, all quotas are listed."""

    q: Annotated[str, Field(max_length=MAX_SEARCH_LENGTH), AfterValidator(_checked_search)] = Field(
        default="", description="A search as on the coverage page: `state:not_enabled service:ec2 -vCPU`."
    )
    limit: int = Field(
        default=MAX_QUOTAS, ge=1, le=MAX_QUOTAS, description="The highest number of quotas in the answer."
    )


def coverage_router(state: AppState) -> APIRouter:
    """Return the route of /api/v1/coverage."""
    router = APIRouter(prefix="/api/v1", tags=["Coverage"])

    @router.get("/coverage", response_model=CoverageModel, summary="List quotas and their coverage")
    async def list_quotas(query: Annotated[CoverageQuery, Query()]) -> Response:
        """Every quota of the services in use: whether it is watched, and if not, why, and what enables it.

        Headroom reads Service Quotas once a day; the list is complete some minutes after the start.
        """
        body = await asyncio.to_thread(_coverage_json, state.coverage(), query)
        return Response(body, media_type="application/json")

    return router


def _coverage_json(coverage: Coverage, query: CoverageQuery) -> str:
    """Return the matching quotas as JSON. Call it in a thread: it can take long."""
    filtered = (quota for quota in coverage.quotas() if query.matches(quota))
    matching = matching_quotas(parse_search(query.q, QUOTA_FIELDS), filtered)
    totals = CoverageTotals.of(matching)
    return CoverageModel(
        items=[QuotaCoverageModel.model_validate(quota) for quota in matching[: query.limit]],
        total=totals.quota_count,
        states={**totals.count_by_state},
        monthly_dollars=totals.monthly_dollars,
        unknown_costs=totals.unknown_costs,
        notes=coverage.notes(),
        unread=[*coverage.unread()],
    ).model_dump_json()
