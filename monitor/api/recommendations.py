"""The route of recommendations: the right size of what is bought."""

import asyncio
from collections.abc import Sequence
from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from monitor.api.app_state import AppState
from monitor.api.models import ApiModel, ListModel, NumberOrNull, Utf8Text
from monitor.sizing.recommendations import Recommendation
from monitor.sizing.totals import SizingTotals
from rules.right_size import Advice

MAX_RECOMMENDATIONS = 10_000  # in one response


class RecommendationModel(ApiModel):
    """A recommendation of what to buy for a resource."""

    account: str
    region: str
    service: str
    resource: Utf8Text
    advice: Advice = Field(description="The advice; `unknown` when data is missing: see `reason`.")
    change: Utf8Text = Field(description="The advice in words: `lower from 8 shards to 3`.")
    item: str = Field(description="The unit of the purchase, such as `shard`.")
    bought: NumberOrNull = Field(description="The number of items bought now; null when it is not known.")
    right_size: NumberOrNull = Field(description="The right number of items; null when it is not known.")
    signal: str = Field(
        description="The signal that decides the advice: the one that needs most, or lacks data."
    )
    series_id: str = Field(description="The id of the series of `signal`.")
    peak_utilization: NumberOrNull = Field(
        description="The expected peak of `signal` divided by the present limit. The expected peak is the "
        "99th percentile of the highest demand, throttled demand included, of each quarter of an hour: in "
        "the last 14 days or, if it is more, in the last 7 days plus the growth of a week."
    )
    weekly_growth: float = Field(
        description="The growth from week to week that `peak_utilization` contains, as a share; 0 unless "
        "each day had more demand than the same day a week before. At most 1, which is a doubling."
    )
    reason: Utf8Text = Field(
        description="A reason for the advice other than the peak, in words, such as growth; often empty."
    )
    monthly_dollars: NumberOrNull = Field(
        description="The change of the list price in US dollars a month, negative for a saving; null when "
        "it is not known, and for a maximum."
    )
    is_maximum: bool = Field(
        description="Whether the purchase is a maximum, which costs nothing itself: AWS bills what is used "
        "below it."
    )
    price: str = Field(description="The price of an item in words; empty when it is not known.")
    price_source: str = Field(
        description="The URL of AWS's page with the price; empty when the price is not known."
    )
    price_read_on: str = Field(
        description="The day on which the price was read; empty when the price is not known."
    )
    command: Utf8Text | None = Field(
        description="The AWS command that changes the size; null when none is known."
    )
    series_ids: list[str] = Field(description="The ids of all series that share the purchase.")

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
            weekly_growth=recommendation.weekly_growth,
            reason=recommendation.reason,
            monthly_dollars=recommendation.monthly_dollars,
            is_maximum=recommendation.size.is_maximum,
            price=recommendation.price_text,
            price_source=recommendation.price_source,
            price_read_on=recommendation.price_read_on,
            command=recommendation.command,
            series_ids=[key.id for key in recommendation.series],
        )


class RecommendationsModel(ListModel):
    """A list of recommendations: first the recommendations to raise, then the largest savings.

    total, counts and sums cover all matching recommendations, listed or not.
    """

    items: Sequence[RecommendationModel]
    counts: dict[Advice, int] = Field(description="The number of recommendations with each advice.")
    saved_monthly_dollars: float = Field(
        description="The saving by all purchases to lower, in US dollars a month, without unknown prices."
    )
    needed_monthly_dollars: float = Field(
        description="The extra cost of all purchases to raise, in US dollars a month, without unknown prices."
    )
    unknown_prices: int = Field(
        description="The number of purchases to raise or lower whose price is unknown."
    )
    maxima: int = Field(description="The number of maxima to raise or lower: they cost nothing themselves.")


class RecommendationsQuery(BaseModel):
    """The parameters of the list; without any, all purchases are listed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: str | None = Field(default=None, description="The 12-digit id of the account.")
    region: str | None = Field(default=None, description="The region, such as eu-west-1.")
    service: str | None = Field(default=None, description="The service, such as kinesis.")
    advice: list[Advice] = Field(
        default=[], description="The advice of the listed recommendations; repeatable."
    )
    limit: int = Field(
        default=1000,
        ge=1,
        le=MAX_RECOMMENDATIONS,
        description="The highest number of recommendations in the answer.",
    )

    def matches(self, recommendation: Recommendation) -> bool:
        """Return whether a recommendation fits the parameters."""
        key = recommendation.key
        pairs = ((self.account, key.account), (self.region, key.region), (self.service, key.service))
        is_selected = all(given is None or given == actual for given, actual in pairs)
        return is_selected and (not self.advice or recommendation.advice in self.advice)


def recommendations_router(state: AppState) -> APIRouter:
    """Return the route of /api/v1/recommendations."""
    router = APIRouter(prefix="/api/v1", tags=["Foresight"])

    @router.get("/recommendations", response_model=RecommendationsModel, summary="List right sizes")
    async def list_recommendations(query: Annotated[RecommendationsQuery, Query()]) -> Response:
        """The right size of each provisioned limit, by 14 days of demand, including throttled demand.

        The right size keeps the expected peak in the target band. A purchase is never lowered while a limit
        of it is busy. Nothing is recommended without seven days of history of which 90 % are known.
        """
        recommendations = await read_recommendations(state)
        body = await asyncio.to_thread(
            _json,
            [recommendation for recommendation in recommendations if query.matches(recommendation)],
            query.limit,
        )
        return Response(body, media_type="application/json")

    return router


async def read_recommendations(state: AppState) -> Sequence[Recommendation]:
    """Return the recommendations of everything that is bought."""
    return await state.recommend(np.flatnonzero(state.exposition.snapshot.paid).astype(np.int32))


def _json(recommendations: Sequence[Recommendation], limit: int) -> str:
    totals = SizingTotals.of(recommendations)
    return RecommendationsModel(
        items=[RecommendationModel.of(recommendation) for recommendation in recommendations[:limit]],
        total=len(recommendations),
        counts={**totals.counts},
        saved_monthly_dollars=totals.saved,
        needed_monthly_dollars=totals.needed,
        unknown_prices=totals.unpriced,
        maxima=totals.maximum_changes,
    ).model_dump_json()
