"""The API of alerts: what fires, who takes care of it, what is muted, and what was delivered."""

import asyncio
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, HTTPException, Query, Request, Response

from monitor import api_alert_models as models
from monitor.access.visitor import visitor_of
from monitor.alerting import inhibit
from monitor.alerting.alarm import Alarm
from monitor.alerting.alerting import Alerting
from monitor.alerting.breath import unhurried
from monitor.alerting.delivery import Standing
from monitor.alerting.groups import urgency
from monitor.alerting.matchers import MatcherError
from monitor.alerting.notice import Notice, Severity
from monitor.alerting.records import Ack, Silence
from monitor.alerting.silences import Refused, Silences
from monitor.api_models import Error
from monitor.fleet import Fleet
from monitor.snapshot import ActiveAlert
from rules.alerts import State

MOST = 1000  # alerts of an answer
NO_SUCH: dict[int | str, dict[str, Any]] = {404: {"model": Error}}


def alerts_router(alerting: Alerting, fleet: Fleet) -> APIRouter:
    """Everything below /api/v1/alerts, /api/v1/silences and /api/v1/deliveries."""
    router = APIRouter(prefix="/api/v1")
    _alerts(router, alerting, fleet)
    _silences(router, alerting.alarm)
    _deliveries(router, alerting)
    return router


def _alerts(router: APIRouter, alerting: Alerting, fleet: Fleet) -> None:
    alarm = alerting.alarm

    @router.get("/alerts", response_model=models.Alerts)
    async def alerts(limit: Annotated[int, Query(ge=1, le=MOST)] = MOST) -> Response:
        """What fires, the most urgent first, and then what is pending, up to the limit; total: of all."""
        firing = [one for one in alarm.standing.values() if one.firing]
        pending = _pending(alarm, fleet)
        waiting = await _waiting(alarm, fleet, pending[: max(limit - len(firing), 0)])
        total = len(firing) + len(pending)
        listed = await asyncio.to_thread(_listed, firing, waiting, alarm.silences, limit, total)
        return Response(listed, media_type="application/json")

    @router.post("/alerts/{id}/ack", responses=NO_SUCH)
    async def acknowledge(id: str, body: models.AckBody, request: Request) -> models.AlertModel:
        """Say that somebody takes care: it is not repeated, but told when it gets worse, and when it ends."""
        one = alarm.standing.get(id)
        if one is None or not one.firing:
            raise HTTPException(404, f"no alert with the id {id} fires")
        try:
            who, now = visitor_of(request.scope).signed(body.who), time.time()
            until = now + body.lasts if body.lasts else None
            ack = Ack(alert=id, severity=one.severity, who=who, why=body.why, at=now, until=until)
            await alarm.silences.acknowledge(ack)
        except Refused as refused:
            raise HTTPException(422, str(refused)) from None
        alarm.wake.set()
        return _alert(one, State.FIRING, alarm.silences)

    @router.get("/alerts/history")
    async def history(
        alert: str | None = None, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> models.Told:
        """What became of alerts, the newest first: 30 days and 100,000 at most."""
        told = await alerting.journal.history(alert, limit)
        return models.Told(items=[msgspec.to_builtins(one) for one in told])


def _pending(alarm: Alarm, fleet: Fleet) -> list[ActiveAlert]:
    """What is pending, the most urgent first."""

    def urgent(one: ActiveAlert) -> tuple[int, float]:
        utilization = float(fleet.utilization[one.place])
        return -Severity(one.severity).rank, -utilization if utilization >= 0 else 0.0

    return sorted((one for one in alarm.active() if one.state == State.PENDING), key=urgent)


async def _waiting(alarm: Alarm, fleet: Fleet, pending: Sequence[ActiveAlert]) -> list[Notice]:
    """What would be told of it."""
    found, now = [], time.time()
    async for one in unhurried(pending):
        series = fleet.by_place[one.place]
        if series and (notice := alarm.writer.waiting(series, now)):
            found.append(notice)
    return found


def _listed(
    firing: Sequence[Notice], waiting: Sequence[Notice], silences: Silences, limit: int, total: int
) -> str:
    """The JSON of a list of alerts; in a thread, as it may take long."""
    explained = inhibit.explained(firing)
    shown = [
        _alert(one, State.FIRING, silences, explained.get(one.alert))
        for one in sorted(firing, key=urgency)[:limit]
    ]
    shown += [_alert(one, State.PENDING, silences) for one in waiting]
    return models.Alerts(items=shown, total=total).model_dump_json()


def _silences(router: APIRouter, alarm: Alarm) -> None:
    @router.get("/silences")
    async def silences() -> models.Silences:
        """The mutes that are not over, those that end first first."""
        return models.Silences(items=[_silence(one) for one in alarm.silences.mutes])

    @router.post("/silences")
    async def mute(body: models.SilenceBody, request: Request) -> models.SilenceModel:
        """Mute what matches, until it ends by itself."""
        now, who = time.time(), visitor_of(request.scope).signed(body.who)
        matchers, ends = tuple(body.matchers), now + body.lasts
        asked = Silence(id="", matchers=matchers, starts=now, ends=ends, who=who, why=body.why)
        try:
            made = await alarm.silences.mute(asked, now)
        except (Refused, MatcherError) as refused:
            raise HTTPException(422, str(refused)) from None
        alarm.wake.set()
        return _silence(made)

    @router.delete("/silences/{id}", responses=NO_SUCH)
    async def unmute(id: str) -> models.SilenceModel:
        """End a mute."""
        try:
            ended = await alarm.silences.unmute(id)
        except KeyError:
            raise HTTPException(404, f"no mute has the id {id}") from None
        alarm.wake.set()
        return _silence(ended)


def _deliveries(router: APIRouter, alerting: Alerting) -> None:
    @router.get("/deliveries")
    async def deliveries() -> models.Deliveries:
        """How it stands with each receiver: what is queued, sent, failed, and given up."""
        away = alerting.reach.unreachable
        return models.Deliveries(
            items=[_delivery(one, away.get(one.receiver)) for one in alerting.delivery.standings()]
        )

    @router.post("/deliveries/replay", responses=NO_SUCH)
    async def replay(receiver: str | None = None) -> models.Replayed:
        """Send again what was given up, to one receiver or all."""
        if receiver is not None and receiver not in alerting.delivery.senders:
            raise HTTPException(404, f"no receiver is called {receiver}")
        return models.Replayed(replayed=await alerting.delivery.replay(receiver))


def _alert(one: Notice, state: State, silences: Silences, cause: str | None = None) -> models.AlertModel:
    ack, mute = silences.acks.get(one.alert), silences.muting(one.labels, time.time())
    return models.AlertModel(
        id=one.alert,
        state=state.word,
        severity=one.severity,
        zone=one.zone,
        summary=one.summary,
        labels=dict(one.labels),
        since=_time(one.since),
        usage=one.usage,
        limit=one.limit,
        unit=one.unit,
        utilization=one.utilization,
        saturation=one.refused,
        remedy=list(one.remedy),
        docs=one.docs,
        links=dict(one.links),
        acknowledged_by=ack.who if ack else None,
        acknowledged_why=ack.why if ack else None,
        acknowledged_until=_time(ack.until) if ack and ack.until else None,
        muted_by=mute.id if mute else None,
        explained_by=cause,
    )


def _silence(one: Silence) -> models.SilenceModel:
    return models.SilenceModel(
        id=one.id,
        matchers=list(one.matchers),
        starts=_time(one.starts),
        ends=_time(one.ends),
        who=one.who,
        why=one.why,
    )


def _delivery(one: Standing, unreachable: str | None) -> models.DeliveryModel:
    progress = one.progress
    return models.DeliveryModel(
        receiver=one.receiver,
        queued=one.queued,
        oldest_queued=_time(one.oldest) if one.oldest else None,
        parked=[
            {"id": parked.id, "status": parked.status, "why": parked.sentence, "at": _time(parked.at)}
            for parked in one.parked
        ],
        sent=progress.sent,
        failed=progress.failed,
        last_accepted=_time(progress.accepted) if progress.accepted else None,
        problem=progress.problem,
        unreachable=unreachable,
    )


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
