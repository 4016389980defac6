"""The routes of alerts, silences and deliveries."""

import asyncio
import time
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

from fastapi import APIRouter, HTTPException, Path, Query, Request, Response

from monitor.access.principal import principal_of
from monitor.alerting.alert_receivers import AlertReceiver, AlertReceivers
from monitor.alerting.delivery import ReceiverStatus
from monitor.alerting.engine import AlertEngine, NotFiringError
from monitor.alerting.firing_alerts import FiringAlert, firing_alerts, with_acknowledgement_and_silence
from monitor.alerting.groups import alert_urgency
from monitor.alerting.links import runbook_of_alert
from monitor.alerting.matchers import MAX_MATCHERS, Matcher, MatcherError, all_match, parse_matcher_lists
from monitor.alerting.records import SentNotice, Silence
from monitor.alerting.sent_notices import sent_by_notice
from monitor.alerting.service import Alerting
from monitor.alerting.silence_matches import SilenceMatches, matches_of
from monitor.alerting.silences import Silences
from monitor.api import alert_models as models
from monitor.api.models import ErrorModel
from monitor.api.timestamps import utc_datetime
from monitor.fleet.fleet import Fleet
from monitor.fleet.snapshot import ActiveAlert
from monitor.lib.cooperative import cooperative_iter
from monitor.notifiers.notice import Notice, Severity
from monitor.schema.annotations import InvalidInputError
from rules.alerts import AlertState

MAX_ALERTS = 1000  # alerts in one response
AlertIdParameter = Annotated[str, Path(description="The id of the alert, as /api/v1/alerts lists it.")]
SilenceIdParameter = Annotated[str, Path(description="The id of the silence, as /api/v1/silences lists it.")]
NOT_FOUND_RESPONSE: dict[int | str, dict[str, Any]] = {404: {"model": ErrorModel}}


def alerts_router(alerting: Alerting, fleet: Fleet) -> APIRouter:
    """Return the router of /api/v1/alerts, /api/v1/silences and /api/v1/deliveries."""
    router = APIRouter(prefix="/api/v1", tags=["Alerts"])
    _add_alert_routes(router, alerting, fleet)
    _add_acknowledgement_routes(router, alerting)
    _add_history_route(router, alerting)
    _add_silence_routes(router, alerting, fleet)
    _add_delivery_routes(router, alerting)
    return router


def _add_alert_routes(router: APIRouter, alerting: Alerting, fleet: Fleet) -> None:
    engine = alerting.engine

    @router.get("/alerts", response_model=models.AlertList, summary="List alerts")
    async def list_alerts(
        limit: Annotated[
            int, Query(ge=1, le=MAX_ALERTS, description="The highest number of alerts in the answer.")
        ] = MAX_ALERTS,
        match: Annotated[
            list[str],
            Query(
                max_length=MAX_MATCHERS,
                description="Matchers in the syntax of silences; an alert must match all of them.",
            ),
        ] = [],  # noqa: B006 - FastAPI copies it
        state: Annotated[
            Literal["firing", "pending"] | None,
            Query(description="The state of the listed alerts; without it, both."),
        ] = None,
    ) -> Response:
        """List firing alerts that nobody handles, other firing alerts, then pending alerts.

        In each of the three groups, the most urgent alerts are first.
        """
        try:
            selection = AlertSelection(parse_matcher_lists(match), state)
        except MatcherError as error:
            raise HTTPException(422, f"match: {error}") from None
        firing, previews, total = await _selected_alerts(engine, fleet, selection, limit)
        receivers = AlertReceivers.of(engine, alerting.delivery.statuses())
        body = await asyncio.to_thread(_alert_list_json, firing, previews, engine.silences, total, receivers)
        return Response(body, media_type="application/json")


def _add_acknowledgement_routes(router: APIRouter, alerting: Alerting) -> None:
    engine = alerting.engine

    @router.post("/alerts/{id}/ack", responses=NOT_FOUND_RESPONSE, summary="Acknowledge an alert")
    async def acknowledge_alert(
        id: AlertIdParameter, body: models.AcknowledgeRequest, request: Request
    ) -> models.AlertModel:
        """Acknowledge an alert. Receivers get no repetitions, only its escalation and its resolution."""
        author = principal_of(request.scope).author_name(body.author)
        try:
            await alerting.acknowledge(id, author=author, comment=body.comment, duration=body.duration)
        except NotFiringError as error:
            raise HTTPException(404, str(error)) from None
        except InvalidInputError as error:
            raise HTTPException(422, str(error)) from None
        return _firing_model(alerting, engine.alerts[id])

    @router.delete("/alerts/{id}/ack", responses=NOT_FOUND_RESPONSE, summary="Undo an acknowledgement")
    async def unacknowledge_alert(id: AlertIdParameter) -> models.AlertModel:
        """End the acknowledgement of an alert, as if it had not been made.

        If it replaced an earlier acknowledgement that has not ended, the earlier one is in force again.
        """
        try:
            notice = engine.firing_notice(id)
            await alerting.unacknowledge(id)
        except NotFiringError as error:
            raise HTTPException(404, str(error)) from None
        except KeyError:
            raise HTTPException(404, f"the alert {id} is not acknowledged") from None
        return _firing_model(alerting, notice)


def _add_history_route(router: APIRouter, alerting: Alerting) -> None:
    @router.get("/alerts/history", summary="List the notices of alerts")
    async def list_alert_history(
        alert: Annotated[
            str | None, Query(description="The id of an alert; without it, the notices of all alerts.")
        ] = None,
        limit: Annotated[
            int, Query(ge=1, le=1000, description="The highest number of notices in the answer.")
        ] = 100,
    ) -> models.NoticeList:
        """List the notices of alerts, the newest first, with the receivers that were notified and why.

        The latest 100,000 notices are stored, for 30 days.
        """
        notices = await alerting.journal.history(alert, limit)
        sent_notices = await sent_by_notice(alerting.journal, notices, alert)
        return models.NoticeList(
            items=[_notice_model(notice, sent) for notice, sent in zip(notices, sent_notices, strict=True)],
            total=await alerting.journal.notice_count(alert),
        )


class AlertSelection(NamedTuple):
    """Selects alerts by matchers, all of which must match, and by state (None: both states)."""

    matchers: Sequence[Matcher] = ()
    state: Literal["firing", "pending"] | None = None


async def _selected_alerts(
    engine: AlertEngine, fleet: Fleet, selection: AlertSelection, limit: int
) -> tuple[list[FiringAlert], list[Notice], int]:
    """Return the first `limit` selected alerts, firing and then pending, and the number of all selected.

    The labels of a pending alert are those of the preview of its notice. So with matchers, previews are built
    of all pending alerts; without matchers, of the listed alerts only.
    """
    matchers, state = selection
    firing = await firing_alerts(engine) if state != "pending" else []
    firing = [alert for alert in firing if all_match(matchers, alert.notice.labels)]
    pending = _pending_alerts(engine, fleet) if state != "firing" else []
    max_pending = max(limit - len(firing), 0)
    previews = await _preview_notices(engine, fleet, pending if matchers else pending[:max_pending])
    previews = [notice for notice in previews if all_match(matchers, notice.labels)]
    return firing[:limit], previews[:max_pending], len(firing) + len(previews if matchers else pending)


def _pending_alerts(engine: AlertEngine, fleet: Fleet) -> list[ActiveAlert]:
    """Return the pending alerts, the most urgent first."""

    def sort_key(alert: ActiveAlert) -> tuple[int, float]:
        utilization = float(fleet.utilization[alert.slot])
        return alert_urgency(Severity(alert.severity), utilization if utilization >= 0 else None)

    return sorted(
        (alert for alert in engine.active_alerts() if alert.state == AlertState.PENDING), key=sort_key
    )


async def _preview_notices(engine: AlertEngine, fleet: Fleet, pending: Sequence[ActiveAlert]) -> list[Notice]:
    """Return the notices that the pending alerts would have if they fired now."""
    notices, now = [], time.time()
    async for alert in cooperative_iter(pending):
        series = fleet.by_slot[alert.slot]
        if series and (notice := engine.notice_builder.preview(series, now)):
            notices.append(notice)
    return notices


def _alert_list_json(
    firing: Sequence[FiringAlert],
    previews: Sequence[Notice],
    silences: Silences,
    total: int,
    receivers: AlertReceivers,
) -> str:
    """Return the JSON of a list of alerts. Call it in a thread: it can take long."""
    now = time.time()
    items = [_alert_model(alert, AlertState.FIRING, receivers.receivers_of(alert.notice)) for alert in firing]
    items += [
        _alert_model(with_acknowledgement_and_silence(notice, silences, now), AlertState.PENDING)
        for notice in previews
    ]
    return models.AlertList(items=items, total=total).model_dump_json()


def _add_silence_routes(router: APIRouter, alerting: Alerting, fleet: Fleet) -> None:
    engine = alerting.engine

    @router.get("/silences", summary="List silences")
    async def list_silences() -> models.SilenceList:
        """List the silences that have not ended, ordered by their end."""
        matches_by_silence = await matches_of(engine, fleet, engine.silences.stored)
        items = [_silence_model(silence, matches) for silence, matches in matches_by_silence]
        return models.SilenceList(items=items, total=len(items))

    @router.post("/silences", summary="Silence alerts")
    async def create_silence(body: models.SilenceRequest, request: Request) -> models.SilenceModel:
        """Silence the alerts that match all matchers, for a duration."""
        author = principal_of(request.scope).author_name(body.author)
        try:
            silence = await alerting.silence(
                body.matchers, author=author, comment=body.comment, duration=body.duration
            )
        except (InvalidInputError, MatcherError) as error:
            raise HTTPException(422, str(error)) from None
        ((_, matches),) = await matches_of(engine, fleet, [silence])
        return _silence_model(silence, matches)

    @router.delete("/silences/{id}", responses=NOT_FOUND_RESPONSE, summary="End a silence")
    async def end_silence(id: SilenceIdParameter) -> models.SilenceModel:
        """End a silence now."""
        try:
            silence = await alerting.end_silence(id)
        except KeyError:
            raise HTTPException(404, f"no silence has the id {id}") from None
        ((_, matches),) = await matches_of(engine, fleet, [silence])
        return _silence_model(silence, matches)


def _add_delivery_routes(router: APIRouter, alerting: Alerting) -> None:
    @router.get("/deliveries", summary="List receivers and deliveries")
    async def list_deliveries() -> models.ReceiverStatusList:
        """List the receivers, with their queued, sent and failed notifications, and their dead letters."""
        unreachable = alerting.reachability.unreachable
        items = [
            _receiver_status_model(status, unreachable.get(status.receiver))
            for status in alerting.delivery.statuses()
        ]
        return models.ReceiverStatusList(items=items, total=len(items))

    @router.post("/deliveries/replay", responses=NOT_FOUND_RESPONSE, summary="Send dead letters again")
    async def replay_deliveries(
        receiver: Annotated[
            str | None, Query(description="The name of the receiver; without it, all receivers.")
        ] = None,
    ) -> models.ReplayResult:
        """Send the dead letters again, to one receiver or to all."""
        if receiver is not None and receiver not in alerting.delivery.senders:
            raise HTTPException(404, f"no receiver is called {receiver}")
        return models.ReplayResult(replayed=await alerting.delivery.replay(receiver))


def _firing_model(alerting: Alerting, notice: Notice) -> models.AlertModel:
    alert = with_acknowledgement_and_silence(notice, alerting.engine.silences, time.time())
    receivers = AlertReceivers.of(alerting.engine, alerting.delivery.statuses()).receivers_of(notice)
    return _alert_model(alert, AlertState.FIRING, receivers)


def _alert_model(
    alert: FiringAlert, state: AlertState, receivers: Sequence[AlertReceiver] = ()
) -> models.AlertModel:
    notice, acknowledgement = alert.notice, alert.acknowledgement
    return models.AlertModel(
        id=notice.alert,
        state=state.word,
        severity=notice.severity,
        zone=notice.zone,
        summary=notice.summary,
        labels=dict(notice.labels),
        since=utc_datetime(notice.since),
        usage=notice.usage,
        limit=notice.limit,
        unit=notice.unit,
        utilization=notice.utilization,
        saturation=notice.throttled,
        remedy=list(notice.remedy),
        docs=notice.docs,
        runbook=runbook_of_alert(notice),
        links=dict(notice.links),
        acknowledged_by=acknowledgement.author if acknowledgement else None,
        acknowledged_comment=acknowledgement.comment if acknowledgement else None,
        acknowledged_until=(
            utc_datetime(acknowledgement.until) if acknowledgement and acknowledgement.until else None
        ),
        silenced_by=alert.silence.id if alert.silence else None,
        inhibited_by=alert.inhibited_by.alert if alert.inhibited_by else None,
        series_id=notice.series_id,
        receivers=[
            models.AlertReceiverModel(receiver=receiver.receiver, state=receiver.state)
            for receiver in receivers
        ],
    )


def _notice_model(notice: Notice, sent: Sequence[SentNotice]) -> models.NoticeModel:
    return models.NoticeModel(
        alert=notice.alert,
        number=notice.number,
        kind=notice.kind,
        severity=notice.severity,
        zone=notice.zone,
        summary=notice.summary,
        labels=dict(notice.labels),
        at=utc_datetime(notice.at),
        since=utc_datetime(notice.since),
        usage=notice.usage,
        limit=notice.limit,
        unit=notice.unit,
        source=notice.source,
        utilization=notice.utilization,
        saturation=notice.throttled,
        sampled_at=None if notice.sampled is None else utc_datetime(notice.sampled),
        places=notice.places,
        resolution_reason=notice.resolution_reason,
        remedy=list(notice.remedy),
        docs=notice.docs,
        links=dict(notice.links),
        series_id=notice.series_id,
        notified=[_sent_model(sent_notice) for sent_notice in sent],
    )


def _sent_model(sent: SentNotice) -> models.SentModel:
    return models.SentModel(receiver=sent.receiver, reason=sent.reason, at=utc_datetime(sent.at))


def _silence_model(silence: Silence, matches: SilenceMatches) -> models.SilenceModel:
    return models.SilenceModel(
        id=silence.id,
        matchers=list(silence.matchers),
        starts=utc_datetime(silence.starts),
        ends=utc_datetime(silence.ends),
        author=silence.author,
        comment=silence.comment,
        alerts=matches.alert_count,
        unmatched_reason=matches.unmatched_reason or None,
    )


def _receiver_status_model(status: ReceiverStatus, unreachable: str | None) -> models.ReceiverStatusModel:
    stats = status.stats
    return models.ReceiverStatusModel(
        receiver=status.receiver,
        queued=status.queued_count,
        oldest_queued=utc_datetime(status.oldest_queued_at) if status.oldest_queued_at else None,
        dead_letters=[
            models.DeadLetterModel(
                id=dead_letter.id,
                status=dead_letter.status,
                error=dead_letter.sentence,
                at=utc_datetime(dead_letter.at),
                reason=dead_letter.notification.reason,
            )
            for dead_letter in status.dead_letters
        ],
        sent=stats.sent,
        failed=stats.failed,
        last_accepted=utc_datetime(stats.last_accepted) if stats.last_accepted else None,
        last_reason=stats.last_reason,
        last_error=stats.last_error,
        unreachable=unreachable,
    )
