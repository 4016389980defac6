"""Builds the responses of the API from a snapshot of the fleet and from the status."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from math import isfinite
from typing import Any

import numpy as np

from collectors.base import Unobservable
from collectors.quota_requests import QuotaRequest
from monitor.api import models
from monitor.api.timestamps import utc_datetime
from monitor.aws.failure import Failure
from monitor.aws.run_status import RunStatus
from monitor.aws.status import CellStatus, MonitorStatus, OrganizationStatus, ReloadStatus
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.history import SeriesHistory, last_read_minute
from monitor.fleet.key import ServiceKey
from monitor.fleet.limits import limits_since, why_unobservable_now
from monitor.fleet.namespaces import NEVER
from monitor.fleet.origin import source_of
from monitor.fleet.pruned import proof_of_safety, pruned_reason
from monitor.fleet.query import Query, run_query
from monitor.fleet.reach import Reach
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from monitor.fleet.snapshot import Snapshot
from monitor.fleet.unobservable import unobservable_series
from monitor.lib.text import replace_surrogates
from monitor.lib.version import VERSION
from rules.band import Zone
from rules.forecast import QUANTILES
from rules.forecast_features import HORIZON_TEXTS, HORIZONS

MAX_UNOBSERVABLE_LISTED = 100  # series of one service in one cell


def series_page_json(snapshot: Snapshot, query: Query) -> bytes:
    """Return one page of series as JSON. Raises CursorError. Call it in a thread: it can take long."""
    result = run_query(snapshot, query)
    items = [models.SeriesModel(**_series_fields(snapshot, snapshot.series[slot])) for slot in result.slots]
    newest = int(snapshot.minute.max(initial=NEVER))
    page = models.SeriesPageModel(
        items=items,
        next=result.next,
        total=result.total,
        zones={zone.word: count for zone, count in result.zones.items()},
        newest_sample_at=utc_datetime(newest * 60) if newest > NEVER else None,
    )
    return page.model_dump_json().encode()


def series_detail(snapshot: Snapshot, fleet: Fleet, series: Series) -> models.SeriesDetailModel:
    """Return one series with its history. Call it in the event loop, as polls write the history there."""
    limit, request = series.settings.limit, series.settings.quota_request
    reason = why_unobservable_now(fleet, series)
    return models.SeriesDetailModel(
        **_series_fields(snapshot, series),
        aws_region=series.aws_region,
        availability_zone=replace_surrogates(series.key.subject.zone),
        resource_kind=series.key.subject.kind,
        resource_kinds=list(series.key.subject.ids),
        resource_path=[*map(replace_surrogates, series.key.subject.path)],
        account_name=replace_surrogates(snapshot.account_names.get(series.key.account, "")),
        limit_read_at=_time(limit.read_at if limit else None),
        quota_request=_quota_request(request, series.settings) if request else None,
        largest=replace_surrogates(series.settings.largest_resource),
        band=series.settings.band,
        throttled_by_cause={
            replace_surrogates(cause): _number(throttled)
            for cause, throttled in snapshot.causes.of(series.slot).items()
        },
        throttled_not_read=replace_surrogates(pruned_reason(fleet, series)),
        proven_safe_by=replace_surrogates(proof_of_safety(fleet, series)),
        deliberate=series.settings.deliberate,
        unjudged=bool(fleet.unjudged[series.slot]),
        unobservable=_unobservable(reason) if reason else None,
        sample_source=source_of(fleet, series),
        catalogue_entry=series.settings.signal,
        limits=list(_limits(fleet, series)),
        history=list(_history(fleet, series)),
    )


def _quota_request(request: QuotaRequest, settings: SeriesSettings) -> models.QuotaRequestModel:
    return models.QuotaRequestModel(
        desired=request.desired,
        status=request.status,
        pending=request.pending,
        since=_time(request.requested_at),
        decided_at=_time(request.decided_at),
        summary=settings.request_sentence,
    )


def _time(seconds: float | None) -> datetime | None:
    return None if seconds is None else utc_datetime(seconds)


def _series_fields(snapshot: Snapshot, series: Series) -> dict[str, Any]:
    """Return the fields of SeriesModel."""
    slot, settings = series.slot, series.settings
    minute = snapshot.minute[slot].item()
    return {
        "id": series.key.id,
        "resource_id": replace_surrogates(series.key.subject.id),
        **{name: replace_surrogates(value) for name, value in series.key.labels.items()},
        "zone": Zone(snapshot.zone[slot]).word,
        "bounded": bool(snapshot.bounded[slot]),
        "usage": _number(snapshot.usage[slot]),
        "upper_bound": _number(snapshot.upper_bound[slot]),
        "limit": _number(snapshot.limit[slot]),
        "utilization": _number(snapshot.utilization[slot]),
        "saturation": _number(snapshot.saturation[slot]),
        "unit": series.settings.signal.unit.name,
        "source": settings.source,
        "seconds_to_exhaustion": _number(snapshot.seconds_to_exhaustion[slot]),
        "forecast": _forecast(snapshot.reach.of(slot), int(snapshot.minute.max(initial=NEVER))),
        "sampled_at": utc_datetime(minute * 60) if minute >= 0 else None,
        "tags": {label: replace_surrogates(value) for label, value in settings.tags.items()},
    }


def _forecast(reach: Reach, now: int) -> models.ForecastModel:
    """Return a forecast. now: the newest minute, from which the summary counts."""
    words = [HORIZON_TEXTS[horizon] for horizon in HORIZONS]
    times = [utc_datetime(minute * 60) for minute in reach.minutes]
    return models.ForecastModel(
        summary=reach.text(now),
        probability=dict(zip(words, reach.probability, strict=False)),
        reached_at=dict(zip(map(str, QUANTILES), times, strict=False)),
        history_days=reach.history_days,
        effective_ceiling=reach.ceiling,
    )


def _history(fleet: Fleet, series: Series) -> Iterator[models.SampleModel]:
    end = last_read_minute(fleet, series)
    history = SeriesHistory.of(fleet, series, end)
    columns = history.usage, history.upper_bound, history.throttled, history.excess
    doubted = history.limit_doubted.tolist()
    for index in range(WINDOW if end > NEVER else 0):
        usage, upper_bound, throttled, excess = (_number(column[index]) for column in columns)
        yield models.SampleModel(
            minute=utc_datetime((history.start + index) * 60),
            usage=usage,
            upper_bound=upper_bound,
            saturation=throttled,
            excess=excess,
            limit_doubted=doubted[index],
        )


def _limits(fleet: Fleet, series: Series) -> Iterator[models.LimitChangeModel]:
    for minute, limit in limits_since(fleet, series.slot):
        since = None if minute is None else utc_datetime(minute * 60)
        yield models.LimitChangeModel(since=since, limit=_number(limit))


def status_json(status: MonitorStatus, snapshot: Snapshot) -> bytes:
    """Return the status as JSON. Call it in a thread: it can take long."""
    unobservable = _unobservable_by_service(snapshot)
    inaccessible = status.inaccessible_accounts.items()
    model = models.StatusModel(
        version=VERSION,
        ready=status.ready,
        pending=[*map(replace_surrogates, status.pending)],
        last_reload=_reload(status.last_reload) if status.last_reload else None,
        inaccessible_accounts=[
            models.InaccessibleAccountModel(account=replace_surrogates(name), failure=_failure(failure))
            for name, failure in inaccessible
        ],
        organizations=[_organization(organization) for organization in status.organizations],
        disabled_regions=[*map(replace_surrogates, status.disabled_regions)],
        cells=[_cell(cell, unobservable) for cell in status.cells],
    )
    return model.model_dump_json().encode()


def _organization(status: OrganizationStatus) -> models.OrganizationModel:
    return models.OrganizationModel(
        organization=replace_surrogates(status.title),
        accounts=status.accounts,
        listing=_run_status(status.listing),
    )


def _reload(reload: ReloadStatus) -> models.ReloadModel:
    return models.ReloadModel(at=utc_datetime(reload.at), error=_text(reload.error))


def _unobservable_by_service(snapshot: Snapshot) -> Mapping[ServiceKey, Sequence[Series]]:
    by_service = defaultdict[ServiceKey, list[Series]](list)
    for series, _ in unobservable_series(snapshot):
        by_service[series.key[:3]].append(series)
    return by_service


def _cell(cell: CellStatus, unobservable: Mapping[ServiceKey, Sequence[Series]]) -> models.CellModel:
    collectors = [
        _collector(service, run, unobservable.get((cell.account, cell.region, service), ()))
        for service, run in cell.collectors.items()
    ]
    poll, name = _run_status(cell.poll), replace_surrogates(cell.name)
    return models.CellModel(
        account=cell.account,
        region=cell.region,
        name=name,
        monitoring_account=cell.signer or None,
        poll=poll,
        throttled_calls=[models.CallRateModel(**rate._asdict()) for rate in cell.lowered_rates],
        collectors=collectors,
    )


def _collector(service: str, run: RunStatus, unobservable: Sequence[Series]) -> models.CollectorModel:
    return models.CollectorModel(
        service=service,
        inventory=_run_status(run),
        waiting=run.waiting,
        unobservable_total=len(unobservable),
        unobservable=[
            models.UnobservableSeriesModel(
                id=series.key.id,
                signal=series.key.signal,
                resource=replace_surrogates(series.key.resource),
                **_unobservable(cause).model_dump(),
            )
            for series in unobservable[:MAX_UNOBSERVABLE_LISTED]
            if (cause := series.unobservable)
        ],
    )


def _run_status(run: RunStatus) -> models.RunStatusModel:
    attempt, success = run.started_at, run.succeeded_at
    return models.RunStatusModel(
        last_attempt=_time(attempt),
        last_success=_time(success),
        failures=[*map(_failure, run.failures)],
    )


def _failure(failure: Failure) -> models.FailureModel:
    texts = (failure.operation, failure.resource, failure.code, failure.message)
    operation, resource, code, message = map(replace_surrogates, texts)
    return models.FailureModel(operation=operation, resource=resource, code=code, message=message)


def _unobservable(cause: Unobservable) -> models.UnobservableModel:
    return models.UnobservableModel(
        reason=replace_surrogates(cause.reason),
        enable_command=_text(cause.enable_command),
        enable_cost=cause.cost.text if cause.cost else None,
    )


def _number(value: float) -> float | None:
    """Round to the digits that a float32 holds. Returns None for NaN and infinities."""
    return float(str(np.float32(value))) if isfinite(value) else None


def _text(text: str | None) -> str | None:
    return None if text is None else replace_surrogates(text)
