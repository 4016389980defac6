"""A series looked at closely: what the API tells of it, as Headroom itself reckons with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np

from monitor.alerting.notice import Notice
from monitor.api_models import Detail, Sample
from monitor.columns import Floats
from monitor.commands import make_room
from monitor.course import Course
from monitor.fleet import Key, Ruling, Series
from monitor.rings import WINDOW
from monitor.web.chart import Chart
from rules.band import ZONES, Zone
from rules.limits import Limit

NOWHERE = -1  # the place of a series outside a fleet


@dataclass(frozen=True)
class Closeup:
    """One series, as told `at` (epoch seconds). history: the notices of its alert, the newest first."""

    told: Detail
    at: float
    history: Sequence[Notice] = ()

    @property
    def zone(self) -> Zone:
        return ZONES[self.told.zone]

    @property
    def limit(self) -> Limit | None:
        told = self.told
        if told.limit is None or told.source is None or told.limit_read_at is None:
            return None
        return Limit(told.limit, told.source, told.limit_read_at.timestamp())

    @cached_property
    def course(self) -> Course:
        """Its last three hours: up to now, so that what is stale looks so; or later, where clocks differ."""
        told = self.told
        end = max([int(self.at // 60), *(_minute(one.minute) for one in told.history[-1:])])
        usage, at_most, saturation = (
            _column(told.history, name, end) for name in ("usage", "at_most", "saturation")
        )
        return Course(end, usage, at_most, saturation, _limits(told, end))

    @property
    def chart(self) -> Chart:
        return Chart(self.course, self.told.band, self.told.unit)

    @cached_property
    def since(self) -> float | None:
        """Since when it is in its zone, in epoch seconds; None: longer than is known."""
        minute = self.course.since(self.told.band, self.zone)
        return minute * 60 if minute else None

    @property
    def command(self) -> str | None:
        """What makes room, where one command does."""
        told = self.told
        key = Key(*(getattr(told, name) for name in Key._fields))
        ruling = Ruling(limit=self.limit, band=told.band)
        series = Series(key=key, place=NOWHERE, ruling=ruling, unobservable=None)
        return make_room(told.about, series, told.utilization)


def _minute(moment: datetime) -> int:
    return int(moment.timestamp() // 60)


def _column(samples: Sequence[Sample], name: str, end: int) -> Floats:
    column = np.full(WINDOW, np.nan, np.float32)
    for one in samples:
        place, value = _minute(one.minute) - end + WINDOW - 1, getattr(one, name)
        if 0 <= place < WINDOW and value is not None:
            column[place] = value
    return column


def _limits(told: Detail, end: int) -> Floats:
    limits = np.full(WINDOW, np.nan, np.float32)
    for one in told.limits:
        place = _minute(one.since) - end + WINDOW - 1 if one.since else 0
        limits[max(place, 0) :] = np.nan if one.limit is None else one.limit
    return limits
