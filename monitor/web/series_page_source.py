"""Gathers the data of the page of one series from the fleet, the journal and the forecasts."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import HTTPException

from monitor.alerting.firing_alerts import firing_alerts, with_current_usage
from monitor.alerting.links import runbook_of
from monitor.alerting.sent_notices import sent_by_notice
from monitor.api.app_state import AppState
from monitor.fleet.fleet import Series
from monitor.fleet.outlook import Outlook
from monitor.fleet.query import series_by_id
from monitor.lib.partitions import partition_of
from monitor.notifiers.notice import Notice
from monitor.sizing.recommendations import Recommendation
from monitor.web.chart_data import RANGES, ChartRange
from monitor.web.first_step import HigherLimit, Remedies
from monitor.web.limit_sources import request_summary
from monitor.web.series_page import SeriesState, chart_of, paths_through, series_page, siblings, verdict
from monitor.web.series_rows import series_rows

MAX_HISTORY = 100  # notices of the alert that are read
MAX_NOTICES = 12  # notices that are shown
MAX_ID_LENGTH = 64
NOT_FOUND = 404


class SeriesPageSource:
    """Gathers the variables of the template of one series."""

    def __init__(self, state: AppState) -> None:
        self._state, self._engine = state, state.alerting.engine

    async def variables(self, identity: str, chosen: ChartRange, now: int) -> dict[str, Any]:
        """Return the variables of the template. identity: the id of the series. now: the current minute.

        Raises HTTPException (404) for an unknown series.
        """
        snapshot, fleet = self._state.exposition.snapshot, self._state.fleet
        journal = self._state.alerting.journal
        notices = await journal.history(identity, MAX_HISTORY)
        series = series_by_id(snapshot, identity)
        if series is None or series.key not in fleet.series:
            raise HTTPException(NOT_FOUND, _unknown_series_sentence(identity, notices))
        shown_notices = notices[:MAX_NOTICES]
        sent_lists = await sent_by_notice(journal, shown_notices, identity)
        fan = await self._state.fan(series.slot, *chosen.fan_days)
        recommendation = await self._recommendation(series)
        state = SeriesState.of(snapshot, fleet, series, now, notices)
        plan = state.plan(fan)
        page = series_page(fleet, state) | chart_of(state, chosen, fan)
        outlook = await self._outlook(state, plan)
        remedies = Remedies(
            plan=plan,
            recommendation=recommendation,
            probabilities_after=outlook.probability if outlook else (),
        )
        page |= verdict(state, page, outlook, remedies)
        names = self._state.registry.services[series.key.service].signals
        beside = [
            sibling.slot for sibling in siblings(fleet, series, names) if sibling.slot < snapshot.series.size
        ]
        firing = [alert for alert in await firing_alerts(self._engine) if alert.notice.series_id == identity]
        return {
            "firing": with_current_usage(firing, fleet),
            "notices": list(zip(shown_notices, sent_lists, strict=True)),
            "recommendation": recommendation,
            "beside": series_rows(snapshot, fleet, beside, now),
            "paths": paths_through(series.key, self._state.paths().items),
            "request": request_summary(series, self._state.monitor_status(), page["first"].command),
            "links": self._links(series),
            "docs": [*map(partition_of(series.aws_region).localized_url, series.settings.signal.docs)],
            "ranges": RANGES.values(),
            "range": chosen,
            **page,
        }

    async def _outlook(self, state: SeriesState, plan: HigherLimit | None) -> Outlook | None:
        slot, limit = state.series.slot, state.limit
        if limit is None:
            return None
        ceiling = state.snapshot.reach.of(slot).ceiling
        return await self._state.outlook(slot, ceiling or limit, state.other_limit(plan))

    async def _recommendation(self, series: Series) -> Recommendation | None:
        """Return the recommendation for the purchase of a series; None if nothing is bought."""
        if not series.settings.paid:
            return None
        fleet = self._state.fleet
        in_purchase = fleet.purchase[: fleet.size] == fleet.purchase[series.slot]
        purchase_slots = np.flatnonzero(in_purchase & fleet.paid[: fleet.size]).astype(np.int32)
        return next(iter(await self._state.recommend(purchase_slots)), None)

    def _links(self, series: Series) -> dict[str, str]:
        configured = self._engine.notice_builder.settings.links
        own = {"runbook": runbook_of(series.key.service, series.key.signal)}
        return own | configured.for_series(series.key, self._state.registry, series.aws_region)


def _unknown_series_sentence(identity: str, notices: Sequence[Notice]) -> str:
    """Return a sentence about a series that does not exist, with the last summary of its alert."""
    if not notices:
        return f"no series has the id {identity[:MAX_ID_LENGTH]}; its resource may be gone"
    labels = notices[0].labels
    what = (
        f"{labels.get('service')}.{labels.get('signal')} of {labels.get('resource') or 'the whole account'}"
    )
    place = f"{labels.get('account_name') or labels.get('account')}, {labels.get('region')}"
    return (
        f"{what} in {place} is no longer watched: its resource may be gone."
        f" The last notice of its alert: {notices[0].summary.removesuffix('.')}"
    )
