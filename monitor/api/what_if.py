"""The route of what-if: what breaks first when traffic grows, a region fails or a limit changes."""

import asyncio
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BeforeValidator, Field

from monitor.api.app_state import AppState
from monitor.api.models import ApiModel, Number
from monitor.api.timestamps import utc_datetime
from monitor.fleet.fleet import Series
from monitor.http.errors import error_response
from monitor.lib.text import replace_surrogates
from monitor.what_if.answer import Action, Answer, Basis, NotAnswered, QuotaToRequest, StressedSeries
from monitor.what_if.query import WhatIfQuery
from monitor.what_if.question import QuestionError
from monitor.what_if.words import (
    basis_text,
    factor_text,
    left_out,
    request_text,
    room_text,
    summary,
    usage_text,
)
from rules.signals import LimitKind

Utf8 = Annotated[str, BeforeValidator(replace_surrogates)]  # text with names that customers chose


class NamedSeriesModel(ApiModel):
    """The labels of a series."""

    id: str = Field(description="Of the series.")
    account: str
    region: str
    service: str
    signal: str
    resource: Utf8 = Field(description="The name of the resource; empty for a limit of the whole account.")
    resource_id: Utf8 = Field(description="The AWS ids of the resource, unique within the signal.")


class WordsModel(ApiModel):
    """The answer about one series, in words."""

    breaks_at: str = Field(description="`x1.08`, or that there is no usage.")
    would_use: str = Field(description="`at least 300 % of 4 MiB/s`.")
    basis: str = Field(description="The peak, its time, and from which usage on demand was throttled.")
    to_make_room: str = Field(description="What makes room; empty where it does not break.")


class RemedyModel(ApiModel):
    """A way to make room for the demand."""

    action: Action = Field(
        description="`request`: ask AWS for a higher quota. `change`: raise what was bought or set. "
        "`redesign`: the limit is fixed."
    )
    text: str = Field(description="In a few words.")
    command: Utf8 = Field(description="The AWS command; empty where there is none.")
    is_step: bool = Field(description="True if one call does not raise the limit far enough.")
    pending: str = Field(description="The pending request for an increase, in a sentence; empty without one.")
    pending_is_enough: bool = Field(description="True if what is pending is as much.")


class StressedSeriesModel(NamedSeriesModel):
    """A series under the demand of the question. Amounts are in `unit`."""

    unit: str
    kind: LimitKind = Field(description="quota, provisioned or fixed.")
    is_broken: bool = Field(description="True if the demand reaches the limit or the effective ceiling.")
    breaks_at: Number = Field(
        description="The factor of traffic at which it breaks; null where it has no usage."
    )
    breaks_at_now: Number = Field(description="The same without the failing region and the other limit.")
    factor: float = Field(description="What its usage is multiplied by.")
    peak: float = Field(description="Its highest demand, with what was throttled where that is known.")
    peak_at: datetime | None = Field(description="When that was.")
    p99: Number = Field(description="The 99th percentile of its usage in 14 days.")
    peak_is_lower_bound: bool = Field(
        description="True if demand was throttled, as the peak may have been higher."
    )
    basis: Basis = Field(
        description="What the peak is of: `fortnight`; `short`, less than two days of it; `hours`, "
        "the last three hours, before its past was read; `now`, one sample."
    )
    history_days: float = Field(description="Of 14 days, those of which the usage is known.")
    received: str = Field(description="The id of the series whose traffic it receives; empty without one.")
    sums_peaks: bool = Field(description="True if the peaks of both are added up, though not at one time.")
    demand: float = Field(description="The peak multiplied by the factor, with what it receives.")
    utilization: float = Field(description="Demand divided by limit: 1.5 is 150 %.")
    limit_now: float = Field(description="The limit in force.")
    limit: float = Field(description="The limit of the question, else the one in force.")
    effective_ceiling: Number = Field(
        description="Inferred: the lowest usage at which demand was throttled in 14 days, if that is below "
        "the limit."
    )
    needed_limit: Number = Field(
        description="The limit with which it is within its band again; null where it does not break, and for "
        "percentages."
    )
    needed_factor: Number = Field(description="The needed limit divided by the limit.")
    remedy: RemedyModel | None
    words: WordsModel = Field(description="The same in words.")


class QuotaToRequestModel(ApiModel):
    """A quota to ask for."""

    account: str
    region: str
    service_code: str = Field(description="As in Service Quotas.")
    quota_code: str = Field(description="Such as L-B99A9384.")
    signal: str = Field(description="The signal that needs it, service.name.")
    value: float = Field(description="In AWS's unit.")
    series: int = Field(description="How many series need it.")
    command: Utf8 = Field(description="The AWS command that requests it; empty where there is none.")
    pending: str = Field(description="The pending request for an increase, in a sentence; empty without one.")
    pending_is_enough: bool = Field(description="True if what is pending is as much.")
    summary: str = Field(description="In words.")


class NotAnsweredModel(NamedSeriesModel):
    """A series whose answer is unknown, or whose traffic no other series receives."""

    reason: Utf8 = Field(description="Why, in a sentence.")


class WhatIfModel(ApiModel):
    """The series in the order in which they break.

    Totals cover all series that the question is about, listed or not.
    """

    question: Utf8 = Field(description="In words.")
    summary: Utf8 = Field(description="How many series break, and what makes room, in a sentence.")
    items: list[StressedSeriesModel] = Field(description="What breaks first is first.")
    total: int
    broken: int = Field(description="How many series break.")
    broken_now: int = Field(description="How many are at their limit without any change.")
    actions: dict[Action, int] = Field(description="The broken ones, by what makes room.")
    requests: list[QuotaToRequestModel] = Field(description="The quotas to ask for, 200 at most.")
    requests_total: int = Field(description="How many quotas there are to ask for.")
    unknown: list[NotAnsweredModel] = Field(description="What is not known, 100 at most: none of it is fine.")
    unknown_total: int = Field(description="How many series are not known.")
    left: list[NotAnsweredModel] = Field(
        description="Series of the failing region whose traffic nothing carries, 100 at most."
    )
    left_total: int = Field(description="How many series of the failing region nothing carries.")
    not_growing: int = Field(
        description="Series left out, as they count things or what is stored; see the parameter `counts`."
    )
    newest_sample_at: datetime | None = Field(
        description="The newest sample of all series; null before the first."
    )
    notes: list[str] = Field(description="What else is to be said, in sentences.")


def what_if_router(state: AppState) -> APIRouter:
    """Return the route of /api/v1/what-if."""
    router = APIRouter(prefix="/api/v1", tags=["Foresight"])

    @router.get("/what-if", response_model=WhatIfModel, summary="Ask what breaks first")
    async def ask_what_if(query: Annotated[WhatIfQuery, Query()]) -> Response:
        """The limits that are reached first, in which order and at which factor, and what makes room.

        The answer is computed from the highest usage of the last 14 days, and from the lowest usage at which
        demand was throttled. Ask about traffic that grows, a region that fails, another limit, or several of
        these. 422 for a question that cannot be answered. Nothing is sent to AWS.
        """
        try:
            answer = await state.what_if.answer(query)
        except QuestionError as error:
            return error_response(422, str(error))
        return Response(await asyncio.to_thread(_json, answer), media_type="application/json")

    return router


def _json(answer: Answer) -> str:
    return WhatIfModel(
        question=answer.question.words,
        summary=summary(answer),
        items=[_stressed(stressed) for stressed in answer.items],
        total=answer.total,
        broken=answer.broken,
        broken_now=answer.broken_now,
        actions={**answer.actions},
        requests=[_request(request) for request in answer.requests],
        requests_total=answer.requests_total,
        unknown=[_not_answered(unknown) for unknown in answer.unknown],
        unknown_total=answer.unknown_total,
        left=[_not_answered(left) for left in answer.left],
        left_total=answer.left_total,
        not_growing=answer.not_growing,
        newest_sample_at=None if answer.now is None else utc_datetime(answer.now * 60),
        notes=[*answer.notes, *filter(None, [left_out(answer)])],
    ).model_dump_json()


def _named(series: Series) -> dict[str, Any]:
    return {"id": series.key.id, "resource_id": series.key.subject.id, **series.key.labels}


def _not_answered(not_answered: NotAnswered) -> NotAnsweredModel:
    return NotAnsweredModel(**_named(not_answered.series), reason=not_answered.reason)


def _request(request: QuotaToRequest) -> QuotaToRequestModel:
    return QuotaToRequestModel(
        account=request.account,
        region=request.region,
        service_code=request.quota.service,
        quota_code=request.quota.code,
        signal=request.signal.id,
        value=request.value,
        series=request.series,
        command=request.command,
        pending=request.pending,
        pending_is_enough=request.pending_is_enough,
        summary=request_text(request),
    )


def _stressed(stressed: StressedSeries) -> StressedSeriesModel:
    return StressedSeriesModel(
        **_named(stressed.series),
        unit=stressed.signal.unit.name,
        kind=stressed.kind,
        is_broken=stressed.is_broken,
        breaks_at=stressed.breaks_at,
        breaks_at_now=stressed.breaks_at_now,
        factor=stressed.factor,
        peak=stressed.peak,
        peak_at=None if stressed.peak_at is None else utc_datetime(stressed.peak_at * 60),
        p99=stressed.p99,
        peak_is_lower_bound=stressed.peak_is_lower_bound,
        basis=stressed.basis,
        history_days=stressed.history_days,
        received=stressed.received,
        sums_peaks=stressed.sums_peaks,
        demand=stressed.demand,
        utilization=stressed.utilization,
        limit_now=stressed.limit_now,
        limit=stressed.limit,
        effective_ceiling=stressed.ceiling,
        needed_limit=stressed.needed_limit,
        needed_factor=stressed.needed_factor,
        remedy=RemedyModel.model_validate(stressed.remedy) if stressed.remedy else None,
        words=WordsModel(
            breaks_at=factor_text(stressed.breaks_at),
            would_use=usage_text(stressed),
            basis=basis_text(stressed),
            to_make_room=room_text(stressed),
        ),
    )
