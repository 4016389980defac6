"""From a snapshot's numbers to what the API answers."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import numpy as np

from collectors.base import Unobservable
from monitor import api_models as models
from monitor.aws import Failure
from monitor.fleet import Fleet, Series
from monitor.formulas import Formulas
from monitor.inventory import Outcome
from monitor.judge import history
from monitor.query import Query, find
from monitor.rings import NEVER, WINDOW
from monitor.rows import signal_of
from monitor.snapshot import Snapshot
from monitor.status import CellStatus, Told
from monitor.stream.source import source_of
from monitor.telemetry import VERSION
from monitor.text import encodable
from rules.band import Zone

MOST_HIDDEN = 100  # series that cannot be observed, told of one collector in one cell

Place = tuple[str, str, str]  # account, region, service


def page(snapshot: Snapshot, query: Query) -> bytes:
    """One page as JSON. Raises query.BadCursor. May take long: not for the event loop."""
    found = find(snapshot, query)
    items = [models.Series(**_numbers(snapshot, snapshot.series[place])) for place in found.places]
    newest = int(snapshot.minute.max(initial=NEVER))
    told = models.Page(
        items=items,
        next=found.next,
        total=found.total,
        zones={zone.word: count for zone, count in found.zones.items()},
        newest_sample_at=_time(newest * 60) if newest > NEVER else None,
    )
    return told.model_dump_json().encode()


def detail(snapshot: Snapshot, fleet: Fleet, series: Series) -> models.Detail:
    """All that is known of a series which is in the fleet."""
    limit, hidden = series.ruling.limit, series.unobservable
    return models.Detail(
        **_numbers(snapshot, series),
        account_name=encodable(snapshot.names.get(series.key.account, "")),
        limit_read_at=_time(limit.read_at) if limit else None,
        band=series.ruling.band,
        unobservable=_reason(hidden) if hidden else None,
        sample_source=source_of(fleet, series),
        about=signal_of(series.key),
        limits=list(_limits(fleet, series)),
        history=list(_history(fleet, series)),
    )


def _numbers(snapshot: Snapshot, series: Series) -> dict[str, Any]:
    place, ruling = series.place, series.ruling
    minute = snapshot.minute[place].item()
    told = ("usage", "at_most", "limit", "utilization", "saturation")
    return {
        "id": series.key.id,
        **{name: encodable(value) for name, value in series.key._asdict().items()},
        "zone": Zone(snapshot.zone[place]).word,
        **{name: _number(getattr(snapshot, name)[place]) for name in told},
        "unit": signal_of(series.key).unit,
        "source": ruling.limit.source if ruling.limit else None,
        "sampled_at": _time(minute * 60) if minute >= 0 else None,
        "tags": {label: encodable(value) for label, value in ruling.tags.items()},
    }


def _history(fleet: Fleet, series: Series) -> Iterator[models.Sample]:
    columns = [_by_minute(fleet, of, series) for of in (fleet.usages, fleet.bounds, fleet.refusals)]
    last = max((max(column) for column in columns if column), default=0)
    for minute in range(last - WINDOW + 1, last + 1) if last else ():
        usage, at_most, saturation = (_number(column.get(minute, np.nan)) for column in columns)
        yield models.Sample(minute=_time(minute * 60), usage=usage, at_most=at_most, saturation=saturation)


def _limits(fleet: Fleet, series: Series) -> Iterator[models.LimitSince]:
    now = float(fleet.limit[series.place])
    for minute, limit in fleet.past_limits.since(series.place, now):
        since = None if minute is None else _time(minute * 60)
        yield models.LimitSince(since=since, limit=_number(limit))


def _by_minute(fleet: Fleet, formulas: Formulas, series: Series) -> dict[int, float]:
    formula = formulas.get(series.place)
    if formula is None:
        return {}
    minutes, values = history(fleet, formula)
    return {} if minutes[-1] < 0 else dict(zip(minutes.tolist(), values.tolist(), strict=True))


def status(told: Told, snapshot: Snapshot) -> bytes:
    """How every cell and collector fares, as JSON. May take long: not for the event loop."""
    hidden, reload = _hidden(snapshot), told.last_reload
    shut = told.shut.items()
    answer = models.Status(
        version=VERSION,
        ready=told.ready,
        waiting_for=[*map(encodable, told.waited_for)],
        last_reload=models.Reload(at=_time(reload.at), error=_told(reload.error)) if reload else None,
        shut=[models.Shut(account=encodable(name), failure=_failure(one)) for name, one in shut],
        cells=[_cell(cell, hidden) for cell in told.cells],
    )
    return answer.model_dump_json().encode()


def _hidden(snapshot: Snapshot) -> Mapping[Place, Sequence[Series]]:
    """The series that cannot be observed, by where they are."""
    hidden = defaultdict[Place, list[Series]](list)
    for place in np.flatnonzero(snapshot.zone == Zone.UNOBSERVABLE).tolist():
        series = snapshot.series[place]
        hidden[series.key[:3]].append(series)
    return hidden


def _cell(cell: CellStatus, hidden: Mapping[Place, Sequence[Series]]) -> models.Cell:
    collectors = [
        _collector(service, outcome, hidden.get((cell.account, cell.region, service), ()))
        for service, outcome in cell.collectors.items()
    ]
    poll, name = _outcome(cell.poll), encodable(cell.name)
    return models.Cell(account=cell.account, region=cell.region, name=name, poll=poll, collectors=collectors)


def _collector(service: str, outcome: Outcome, hidden: Sequence[Series]) -> models.Collector:
    told = ((series, series.unobservable) for series in hidden[:MOST_HIDDEN])
    return models.Collector(
        service=service,
        inventory=_outcome(outcome),
        unobservable_total=len(hidden),
        unobservable=[
            models.Hidden(
                id=series.key.id,
                signal=series.key.signal,
                resource=encodable(series.key.resource),
                **_reason(reason).model_dump(),
            )
            for series, reason in told
            if reason
        ],
    )


def _outcome(outcome: Outcome) -> models.Outcome:
    times = {"attempted": outcome.attempted, "succeeded": outcome.succeeded}
    return models.Outcome.model_validate(times | {"failures": [*map(_failure, outcome.failures)]})


def _failure(failure: Failure) -> models.Failure:
    told = (failure.operation, failure.item, failure.code, failure.message)
    operation, item, code, message = map(encodable, told)
    return models.Failure(operation=operation, item=item, code=code, message=message)


def _reason(reason: Unobservable) -> models.Unobservable:
    return models.Unobservable(reason=encodable(reason.reason), enable=_told(reason.enable))


def _number(value: float) -> float | None:
    return float(str(np.float32(value))) if isfinite(value) else None  # as short as its precision is


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _told(text: str | None) -> str | None:
    return None if text is None else encodable(text)
