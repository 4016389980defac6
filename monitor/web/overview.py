"""The overview: is anything refused now, what is next, what is not seen."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite

from markupsafe import Markup

from collectors.base import ACCOUNT
from monitor.course import Course
from monitor.fleet import Fleet, Key, Series
from monitor.query import matches
from monitor.rows import signal_of
from monitor.snapshot import Snapshot
from monitor.status import Told
from monitor.strokes import bar, spark
from monitor.units import amount, percent
from monitor.web.filters import Filters
from monitor.web.tally import Heat, counts, heat, hidden, worst
from rules.band import ZONES, Zone
from rules.limits import catalogue

ROWS = 25  # series on one page
LONGEST_NAME = 96  # characters of a resource's name shown in a list
LONGEST_ACCOUNT = 40
Number = float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One series as a line of a list. since: epoch seconds; None when longer than three hours."""

    series: Series
    zone: Zone
    account: str
    usage: str
    limit: str
    utilization: Number
    refused: Number
    since: int | None
    bar: Markup
    spark: Markup

    @property
    def key(self) -> Key:
        return self.series.key

    @property
    def name(self) -> str:
        return shortened(self.key.resource) if self.key.resource != ACCOUNT else "whole account"

    @property
    def title(self) -> str:
        return signal_of(self.key).title


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """What the snapshot says of the series that pass the filters."""

    counts: Mapping[Zone, int]
    places: list[int]
    total: int
    heat: Heat
    heads: Mapping[Zone, Mapping[str, str]]  # the worst series of a zone, whatever zones are filtered
    choices: Mapping[str, list[tuple[str, str]]]


def shortened(name: str, most: int = LONGEST_NAME) -> str:
    """A name with its middle left out, when it is long."""
    half = most // 2
    return name if len(name) <= most else f"{name[:half]} … {name[-half:]}"


def choose(snapshot: Snapshot, filters: Filters, told: Told) -> Chosen:
    """What to show. May take long: not for the event loop."""
    passing = matches(snapshot, filters.query)
    number = counts(snapshot, passing)
    shown = passing.copy()
    if filters.zone:
        shown[:] = matches(snapshot, filters.query.model_copy(update={"zone": list(filters.zone)}))
    places = worst(snapshot, shown, filters.page * ROWS)
    heads = {
        zone: headline(snapshot, worst(snapshot, passing & (snapshot.zone == zone), 1)[0])
        for zone in (Zone.SATURATED, Zone.CRITICAL)
        if number[zone]
    }
    return Chosen(
        counts=number,
        places=places[(filters.page - 1) * ROWS :],
        total=sum(number[ZONES[word]] for word in filters.zone) if filters.zone else sum(number.values()),
        heat=heat(snapshot, shown, () if filters.zone or filters.resource else _hidden(told, filters)),
        heads=heads,
        choices=choices(snapshot),
    )


def _hidden(told: Told, filters: Filters) -> Iterator[tuple[str, str, str]]:
    wanted = filters.account, filters.region, filters.service
    for place in hidden(told.cells):
        if all(want in ("", have) for want, have in zip(wanted, place, strict=True)) and not filters.signal:
            yield place


def lines(snapshot: Snapshot, fleet: Fleet, places: list[int], now: int) -> list[Line]:
    """The series at some places; those that left the fleet since are not among them."""
    alerts = {one.place: one.since for one in snapshot.alerts}
    series = [snapshot.series[place] for place in places]
    return [line(snapshot, fleet, one, now, alerts) for one in series if one.key in fleet.series]


def line(snapshot: Snapshot, fleet: Fleet, series: Series, now: int, alerts: Mapping[int, int]) -> Line:
    place, signal, band = series.place, signal_of(series.key), series.ruling.band
    zone, used = Zone(int(snapshot.zone[place])), number(snapshot.utilization[place])
    usage, at_most, limit, refused = (
        number(getattr(snapshot, name)[place]) for name in ("usage", "at_most", "limit", "saturation")
    )
    course = Course.of(fleet, series, now)
    minute = course.since(band, zone)
    return Line(
        series=series,
        zone=zone,
        account=shortened(snapshot.names.get(series.key.account, series.key.account), LONGEST_ACCOUNT),
        usage=ranged(usage, at_most, signal.unit),
        limit=amount(limit, signal.unit) if limit is not None else "not known",
        utilization=used,
        refused=refused,
        since=alerts.get(place) or (minute * 60 if minute else None),
        bar=bar(used, band, zone.word),
        spark=spark(course.utilization, course.saturation, band),
    )


def ranged(usage: Number, at_most: Number, unit: str) -> str:
    """A usage, or the range that CloudWatch gives for it; a dash when nothing is known."""
    if usage is None:
        return "-"
    return amount(usage, unit) if at_most is None else f"{amount(usage, unit)} to {amount(at_most, unit)}"


def number(value: float) -> Number:
    """A column's number; None for NaN."""
    return float(value) if isfinite(value) else None


def headline(snapshot: Snapshot, place: int) -> dict[str, str]:
    """The worst series of a zone in a few words."""
    series = snapshot.series[place]
    signal = signal_of(series.key)
    refused, used = number(snapshot.saturation[place]), number(snapshot.utilization[place])
    how = amount(refused, "refused/s") if refused else f"{percent(used)} of the limit"
    return {
        "id": series.key.id,
        "name": shortened(series.key.resource, 48) if series.key.resource != ACCOUNT else "whole account",
        "signal": signal.title,
        "how": how,
    }


def choices(snapshot: Snapshot) -> dict[str, list[tuple[str, str]]]:
    """What each filter can be: values and what they are called."""
    accounts = {group[0] for group in snapshot.groups}
    services = sorted({group[2] for group in snapshot.groups})
    titles = {one.service: one.title for one in catalogue().values()}
    return {
        "service": [(one, titles.get(one, one)) for one in services],
        "signal": sorted({(group[3], group[3]) for group in snapshot.groups}),
        "account": sorted(((one, snapshot.names.get(one, one)) for one in accounts), key=lambda one: one[1]),
        "region": sorted({(group[1], group[1]) for group in snapshot.groups}),
    }
