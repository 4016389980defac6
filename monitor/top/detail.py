"""One series in detail: the API's response, converted to the types that rendering needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np

from collectors.base import Resource
from monitor.api.alert_models import NoticeModel
from monitor.api.models import SampleModel, SeriesDetailModel
from monitor.fleet.fleet import Series
from monitor.fleet.history import SeriesHistory
from monitor.fleet.key import Key
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.series_settings import SeriesSettings
from monitor.render.chart import Chart
from monitor.render.commands import increase_command
from rules.arrays import Floats
from rules.band import ZONES, Zone
from rules.limits import Limit
from rules.units import Unit, unit_named

NO_SLOT = -1  # the slot of a series that is in no fleet


@dataclass(frozen=True)
class SeriesDetail:
    """One series as the API returned it at `fetched_at`, in epoch seconds.

    notices: the notices of its alert, the newest first.
    """

    model: SeriesDetailModel
    fetched_at: float
    notices: Sequence[NoticeModel] = ()

    @property
    def zone(self) -> Zone:
        """The zone of the series."""
        return ZONES[self.model.zone]

    @property
    def limit(self) -> Limit | None:
        """The limit in force; None when it is unknown."""
        model = self.model
        if model.limit is None or model.source is None or model.limit_read_at is None:
            return None
        return Limit(model.limit, model.source, model.limit_read_at.timestamp())

    @cached_property
    def history(self) -> SeriesHistory:
        """The three hours until the fetch, or until the newest sample if the server's clock is ahead."""
        model = self.model
        end = max([int(self.fetched_at // 60), *(_minute(sample.minute) for sample in model.history[-1:])])
        usage, upper_bound, throttled, excess, doubted = (
            _column(model.history, name, end)
            for name in ("usage", "upper_bound", "saturation", "excess", "limit_doubted")
        )
        edges = model.band.model_dump().items()
        band: dict[str, Any] = {name: np.full(WINDOW, edge, np.float32) for name, edge in edges}
        return SeriesHistory(
            end=end,
            usage=usage,
            upper_bound=upper_bound,
            throttled=throttled,
            excess=excess,
            limit=_limits(model, end),
            **band,
            bounded=np.full(WINDOW, model.bounded),
            unjudged=np.full(WINDOW, model.unjudged),
            limit_doubted=doubted > 0,
            observable=np.full(WINDOW, model.unobservable is None or bool((doubted > 0).any())),
        )

    @property
    def chart(self) -> Chart:
        """The chart of the last three hours."""
        return Chart(self.history, self.model.band, self.unit)

    @property
    def unit(self) -> Unit:
        """The unit of usage and limit."""
        return unit_named(self.model.unit)

    @cached_property
    def since(self) -> float | None:
        """The epoch second in which the series entered its zone; None if that is before the known history."""
        minute = self.history.since(self.zone)
        return minute * 60 if minute else None

    @property
    def command(self) -> str | None:
        """The command that raises the limit; None when no single command raises it."""
        model = self.model
        path, parents = tuple(model.resource_path), tuple(model.resource_kinds[:-1])
        resource = Resource(model.resource_kind, path, parent_kinds=parents)
        key = Key(model.account, model.region, model.service, model.signal, resource)
        settings = SeriesSettings(
            signal=model.catalogue_entry, limit=self.limit, band=model.band, home_region=model.aws_region
        )
        series = Series(key=key, slot=NO_SLOT, settings=settings, unobservable=None)
        is_saturated = self.zone is Zone.SATURATED
        return increase_command(model.catalogue_entry, series, model.utilization, saturated=is_saturated)


def _minute(moment: datetime) -> int:
    return int(moment.timestamp() // 60)


def _index(moment: datetime, end: int) -> int:
    """Return the index of a moment in a column whose last entry is the minute `end`."""
    return _minute(moment) - end + WINDOW - 1


def _column(samples: Sequence[SampleModel], name: str, end: int) -> Floats:
    column = np.full(WINDOW, np.nan, np.float32)
    for sample in samples:
        index, value = _index(sample.minute, end), getattr(sample, name)
        if 0 <= index < WINDOW and value is not None:
            column[index] = value
    return column


def _limits(model: SeriesDetailModel, end: int) -> Floats:
    limits = np.full(WINDOW, np.nan, np.float32)
    for change in model.limits:
        first = _index(change.since, end) if change.since else 0
        limits[max(first, 0) :] = np.nan if change.limit is None else change.limit
    return limits
