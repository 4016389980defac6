"""The route of recommendations: the right size of what is bought."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from monitor.api.app_state import AppState
from monitor.api.coverage import Utf8
from monitor.api.models import ApiModel, Number
from monitor.sizing.recommendations import Recommendation
from monitor.sizing.totals import SizingTotals
from rules.right_size import Advice

MAX_RECOMMENDATIONS = 10_000  # in one response


class RecommendationModel(ApiModel):
    """A recommendation of what to buy for a resource."""

    account: str
    region: str
    service: str
    resource: Utf8
    advice: Advice = Field(description="`unknown`: there is not enough data, for the `reason`.")
    change: Utf8 = Field(description="In words: `lower from 8 shards to 3`.")
    item: str = Field(description="What is bought, such as `shard`.")
    bought: Number = Field(description="How many items now; null when it is not known.")
    right_size: Number = Field(description="How many would be right; null when it is not known.")
    signal: str = Field(description="The limit that needs most, or of which data is missing.")
    series_id: str = Field(description="Of that limit.")
    peak_utilization: Number = Field(
        description="Of that limit: the 99th percentile of the highest demand of each quarter of an hour of "
        "14 days, with what was refused, divided by the limit of now."
    )
    reason: Utf8 = Field(description="What else decides, in words; often empty.")
    monthly_dollars: Number = Field(
        description="The change of a month's list price: negative is saved. Null when it is not known."
    )
    price: str = Field(description="In words; empty when it is not known.")
    price_source: str = Field(description="AWS's page; empty when the price is not known.")
    price_read_on: str = Field(description="The day of the price; empty when it is not known.")
    command: Utf8 | None = Field(description="Changes the size; null when none is known.")
    series_ids: list[str] = Field(description="All series that share the purchase.")

    @classmethod
    def of(cls, recommendation: Recommendation) -> "RecommendationModel":
        """Return the model of a recommendation."""
        return cls(
            account=recommendation.key.account,
            region=recommendation.key.region,
            service=recommendation.key.service,
            resource=recommendation.name,
            advice=recommendation.advice,
            change=recommendation.change,
            item=recommendation.size.item,
            bought=recommendation.bought,
            right_size=recommendation.items,
            signal=recommendation.key.signal,
            series_id=recommendation.key.id,
            peak_utilization=recommendation.utilization,
            reason=recommendation.reason,
            monthly_dollars=recommendation.monthly_dollars,
            price=recommendation.price_text,
            price_source=recommendation.price_source,
            price_read_on=recommendation.price_read_on,
            command=recommendation.command,
            series_ids=[key.id for key in recommendation.series],
        )


class RecommendationsModel(ApiModel):
    """Recommendations to raise come first, then the recommendations that save most.

    total, counts and sums cover all matching recommendations, listed or not.
    """

    items: list[RecommendationModel]
    total: int
    counts: dict[Advice, int] = Field(description="How many there are of each advice.")
    saved_monthly_dollars: float = Field(description="By what is to be lowered, where the price is known.")
    needed_monthly_dollars: float = Field(description="By what is to be raised, where the price is known.")
    unknown_prices: int = Field(description="Of what is to be raised or lowered.")


class RecommendationsQuery(BaseModel):
    """The parameters of the list; without any, all purchases are listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str | None = Field(default=None, description="The 12-digit id.")
    region: str | None = Field(default=None, description="For example eu-west-1.")
    service: str | None = Field(default=None, description="For example kinesis.")
    advice: list[Advice] = Field(default=[], description="Any of these; repeatable.")
    limit: int = Field(
        default=1000, ge=1, le=MAX_RECOMMENDATIONS, description="Recommendations in one answer."
    )

    def matches(self, recommendation: Recommendation) -> bool:
        """Return whether a recommendation is wanted."""
        key = recommendation.key
        pairs = ((self.account, key.account), (self.region, key.region), (self.service, key.service))
        is_selected = all(wanted is None or wanted == actual for wanted, actual in pairs)
        return is_selected and (not self.advice or recommendation.advice in self.advice)


def recommendations_router(state: AppState) -> APIRouter:
    """Return the route of /api/v1/recommendations."""
    router = APIRouter(prefix="/api/v1", tags=["Foresight"])

    @router.get("/recommendations", response_model=RecommendationsModel, summary="List right sizes")
    async def list_recommendations(query: Annotated[RecommendationsQuery, Query()]) -> Response:
        """The right size of each provisioned limit, from 14 days of demand, including refused demand.

        The right size keeps the peak in the target band. A purchase with one busy limit is never lowered.
        Nothing is recommended without seven days of history of which 90 % are known.
        """
        found = await read_recommendations(state)
        body = await asyncio.to_thread(
            _json, [advice for advice in found if query.matches(advice)], query.limit
        )
        return Response(body, media_type="application/json")

    return router


async def read_recommendations(state: AppState) -> Sequence[Recommendation]:
    """Return the recommendations of everything that is bought."""
    return await state.recommend(np.flatnonzero(state.exposition.snapshot.paid).astype(np.int32))


def _json(found: Sequence[Recommendation], limit: int) -> str:
    totals = SizingTotals.of(found)
    return RecommendationsModel(
        items=[RecommendationModel.of(recommendation) for recommendation in found[:limit]],
        total=len(found),
        counts={**totals.counts},
        saved_monthly_dollars=totals.saved,
        needed_monthly_dollars=totals.needed,
        unknown_prices=totals.unpriced,
    ).model_dump_json()
