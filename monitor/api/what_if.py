"""The route of what-if: what breaks first when traffic grows, a region fails or a limit changes."""

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import Field

from monitor.api.app_state import AppState
from monitor.api.models import ApiModel, ListModel, NumberOrNull, Utf8Text
from monitor.api.timestamps import utc_datetime
from monitor.fleet.fleet import Series
from monitor.http.errors import error_response
from monitor.what_if.answer import Action, Answer, Basis, NotAnswered, QuotaToRequest, StressedSeries
from monitor.what_if.query import WhatIfQuery
from monitor.what_if.question import QuestionError
from monitor.what_if.words import (
    basis_text,
    factor_text,
    left_out_text,
    remedy_text,
    request_text,
    summary,
    usage_text,
)
from rules.signals import LimitKind


class NamedSeriesModel(ApiModel):
    """The id and the labels of a series."""

    id: str = Field(description="The id of the series.")
    account: str
    region: str
    service: str
    signal: str
    resource: Utf8Text = Field(
        description="The name of the resource; empty for a limit of the whole account."
    )
    resource_id: Utf8Text = Field(description="The AWS ids of the resource, unique within the signal.")


class WordsModel(ApiModel):
    """The answer about one series, in words."""

    breaking_factor: str = Field(
        description="The factor at which the series breaks, such as `x1.08`, or `no usage`."
    )
    would_use: str = Field(description="The usage under the demand: `at least 300 % of 4 MiB/s`.")
    basis: str = Field(description="The peak, its time, and the usage from which demand was throttled.")
    to_make_room: str = Field(description="The way to make room; empty when the series does not break.")


class RemedyModel(ApiModel):
    """A way to make room for the demand."""

    action: Action = Field(
        description="The kind of remedy. `request`: ask AWS for a higher quota. `change`: raise what was "
        "bought or set. `redesign`: the limit is fixed."
    )
    text: str = Field(description="The remedy in a few words.")
    command: Utf8Text = Field(description="The AWS command; empty when there is none.")
    needs_several_calls: bool = Field(
        description="True if one call of the command does not raise the limit far enough."
    )
    pending: str = Field(
        description="The pending request for an increase, in a sentence; empty when there is none."
    )
    pending_is_enough: bool = Field(description="True if the pending request makes enough room.")


class StressedSeriesModel(NamedSeriesModel):
    """A series under the demand of the question. Amounts are in `unit`."""

    unit: str
    kind: LimitKind = Field(description="The kind of the limit: quota, provisioned or fixed.")
    is_broken: bool = Field(description="True if the demand reaches the limit or the effective ceiling.")
    breaking_factor: NumberOrNull = Field(
        description="The factor of traffic at which the series breaks; null when it has no usage."
    )
    breaking_factor_now: NumberOrNull = Field(
        description="The factor of traffic at which the series breaks without the failing region and the "
        "changed limit of the question; null when it has no usage."
    )
    factor: float = Field(description="The factor by which the usage is multiplied.")
    peak: float = Field(description="The highest demand, including throttled demand if that is known.")
    peak_at: datetime | None = Field(description="The time of the peak; null when it is not known.")
    p99: NumberOrNull = Field(
        description="The 99th percentile of the usage in 14 days; null when it is not known."
    )
    peak_is_lower_bound: bool = Field(
        description="True if the peak may have been higher, because demand was throttled."
    )
    basis: Basis = Field(
        description="The data in which the peak was found. `fortnight`: the last 14 days. `short`: the last "
        "14 days, of which less than two are known. `hours`: the last three hours, as no older usage is "
        "known. `now`: one sample."
    )
    history_days: float = Field(description="The number of days with known usage, of the last 14 days.")
    received: str = Field(
        description="The id of the series in the failing region whose traffic this series receives; empty "
        "when it receives none."
    )
    sums_peaks: bool = Field(
        description="True if the demand is the sum of this series' peak and the peak of the series "
        "`received`, which may have been at different times."
    )
    demand: float = Field(description="The peak multiplied by the factor, plus the received traffic.")
    utilization: float = Field(description="The demand divided by the limit: 1.5 is 150 %.")
    limit_now: float = Field(description="The limit in force.")
    limit: float = Field(description="The limit that the question sets, else the limit in force.")
    effective_ceiling: NumberOrNull = Field(
        description="The lowest usage at which demand was throttled in 14 days, if that is below the limit; "
        "else null."
    )
    needed_limit: NumberOrNull = Field(
        description="The limit that brings the series back into its target band; null when it does not "
        "break, and for a signal in percent."
    )
    needed_factor: NumberOrNull = Field(
        description="The needed limit divided by the limit; null when the series does not break."
    )
    remedy: RemedyModel | None = Field(
        description="The way to make room; null when the series does not break."
    )
    words: WordsModel = Field(description="The answer about the series, in words.")


class QuotaToRequestModel(ApiModel):
    """A quota whose increase to request."""

    account: str
    region: str
    service_code: str = Field(description="The service code in Service Quotas, such as lambda.")
    quota_code: str = Field(description="The quota code, such as L-B99A9384.")
    signal: str = Field(description="The signal that needs the increase, as service.name.")
    value: float = Field(description="The value to request, in AWS's unit.")
    series: int = Field(description="The number of series that need the increase.")
    command: Utf8Text = Field(
        description="The AWS command that requests the increase; empty when there is none."
    )
    pending: str = Field(
        description="The pending request for an increase, in a sentence; empty when there is none."
    )
    pending_is_enough: bool = Field(description="True if the pending request makes enough room.")
    summary: str = Field(description="The request in words.")


class NotAnsweredModel(NamedSeriesModel):
    """A series whose answer is unknown, or whose traffic no other series receives."""

    reason: Utf8Text = Field(description="The reason, in a sentence.")


class WhatIfModel(ListModel):
    """The answer to a question: the series that the question is about, in the order in which they break.

    Totals cover all series that the question is about, listed or not.
    """

    items: Sequence[StressedSeriesModel]
    question: Utf8Text = Field(description="The question in words.")
    summary: Utf8Text = Field(
        description="The number of series that break, and what makes room, in a sentence."
    )
    broken: int = Field(description="The number of series that break.")
    broken_now: int = Field(description="The number of series that are at their limit without any change.")
    actions: dict[Action, int] = Field(
        description="The number of series that break, by the action that makes room."
    )
    requests: list[QuotaToRequestModel] = Field(description="The quotas to request, at most 200.")
    requests_total: int = Field(description="The number of quotas to request, listed or not.")
    unknown: list[NotAnsweredModel] = Field(
        description="The series whose answer is unknown, at most 100; they may break, too."
    )
    unknown_total: int = Field(description="The number of series whose answer is unknown, listed or not.")
    not_carried: list[NotAnsweredModel] = Field(
        description="The series of the failing region whose traffic no other series receives, at most 100."
    )
    not_carried_total: int = Field(
        description="The number of series of the failing region whose traffic no other series receives, "
        "listed or not."
    )
    not_growing: int = Field(
        description="The number of series that are left out because they do not grow with traffic: numbers "
        "of things and stored amounts; see the parameter `counts`."
    )
    newest_sample_at: datetime | None = Field(
        description="The time of the newest sample of all series; null before the first sample."
    )
    notes: list[str] = Field(description="Further remarks, in sentences.")


def what_if_router(state: AppState) -> APIRouter:
    """Return the route of /api/v1/what-if."""
    router = APIRouter(prefix="/api/v1", tags=["Foresight"])

    @router.get("/what-if", response_model=WhatIfModel, summary="Ask what breaks first")
    async def ask_what_if(query: Annotated[WhatIfQuery, Query()]) -> Response:
        """The limits that are reached first, the factor of traffic at which each is reached, and remedies.

        The answer is computed from the highest usage of the last 14 days, and from the lowest usage at which
        demand was throttled. Ask about growing traffic, a failing region, a changed limit, or several of
        these together. A question that cannot be answered gets the status 422. Nothing is sent to AWS.
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
        items=[_stressed_model(stressed) for stressed in answer.items],
        total=answer.total,
        broken=answer.broken,
        broken_now=answer.broken_now,
        actions={**answer.actions},
        requests=[_request_model(request) for request in answer.requests],
        requests_total=answer.requests_total,
        unknown=[_not_answered_model(series) for series in answer.unknown],
        unknown_total=answer.unknown_total,
        not_carried=[_not_answered_model(series) for series in answer.not_carried],
        not_carried_total=answer.not_carried_total,
        not_growing=answer.not_growing,
        newest_sample_at=None if answer.now is None else utc_datetime(answer.now * 60),
        notes=[*answer.notes, *filter(None, [left_out_text(answer)])],
    ).model_dump_json()


def _series_labels(series: Series) -> dict[str, Any]:
    return {"id": series.key.id, "resource_id": series.key.subject.id, **series.key.labels}


def _not_answered_model(not_answered: NotAnswered) -> NotAnsweredModel:
    return NotAnsweredModel(**_series_labels(not_answered.series), reason=not_answered.reason)


def _request_model(request: QuotaToRequest) -> QuotaToRequestModel:
    return QuotaToRequestModel(
        account=request.account,
        region=request.region,
        service_code=request.quota.service,
        quota_code=request.quota.code,
        signal=request.signal.id,
        value=request.value,
        series=request.series_count,
        command=request.command,
        pending=request.pending,
        pending_is_enough=request.pending_is_enough,
        summary=request_text(request),
    )


def _stressed_model(stressed: StressedSeries) -> StressedSeriesModel:
    return StressedSeriesModel(
        **_series_labels(stressed.series),
        unit=stressed.signal.unit.name,
        kind=stressed.kind,
        is_broken=stressed.is_broken,
        breaking_factor=stressed.breaking_factor,
        breaking_factor_now=stressed.breaking_factor_now,
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
            breaking_factor=factor_text(stressed.breaking_factor),
            would_use=usage_text(stressed),
            basis=basis_text(stressed),
            to_make_room=remedy_text(stressed),
        ),
    )
