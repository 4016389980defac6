"""Finds the hops of request paths in the fleet: their series, and the metrics that count their traffic."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from collectors.base import GLOBAL_REGION, Metric
from collectors.resource import ResourcePath
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import CellKey
from monitor.lib.cooperative import cooperative_iter
from monitor.lib.partitions import partition_of
from rules.arrays import Ints
from rules.hops import HopKind, HopLimit, HopMetric, hop_kinds
from rules.path_file import Hop, RequestPath

PERIOD = 300  # seconds of one point of a metric
AccountNames = Mapping[str, str]  # by id


class Place(NamedTuple):
    """A resource in the fleet: its cell, the ids of its path, and the names for these ids."""

    cell: CellKey
    path: ResourcePath
    names: ResourcePath


@dataclass(frozen=True, slots=True)
class PlacedLimit:
    """A limit of a hop: the series of the resource, or of its parts, with their slots.

    A series that the fleet drops later stays in `series`.
    """

    signal: str
    declared: HopLimit
    series: Sequence[Series]
    slots: Ints

    @classmethod
    def of(cls, signal: str, declared: HopLimit, series: Sequence[Series]) -> "PlacedLimit":
        """Return a limit with these series and their slots."""
        return cls(signal, declared, series, np.array([one_series.slot for one_series in series], np.int32))


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedHop:
    """A hop and its series.

    predecessors: the numbers of the hops that it follows.
    place: None if the account and region of the hop are unknown.
    limits: the watched limits.
    flow: the series whose usage is the flow of the hop; None: the first of `flow_metrics` with points is.
    flow_metrics, measures: each metric as it is declared, and with the dimensions of the resource.
    measures: the metrics, by name, that tell what one unit uses, such as its duration. `each` of a limit
        refers to them.
    problem: a sentence that says why limits of the hop are unknown.
    """

    hop: Hop
    kind: HopKind
    predecessors: Sequence[int]
    place: Place | None
    limits: Sequence[PlacedLimit] = ()
    flow: Series | None = None
    flow_metrics: Sequence[tuple[HopMetric, Metric]] = ()
    measures: Mapping[str, tuple[HopMetric, Metric]] = field(default_factory=dict)
    problem: str = ""

    @property
    def metrics(self) -> Iterator[tuple[CellKey, Metric]]:
        """The metrics to read, with their cells."""
        for _, metric in (*self.flow_metrics, *self.measures.values()) if self.place else ():
            assert self.place
            yield self.place.cell, metric


class PlacedPath(NamedTuple):
    """A path and its hops, each after the hops that it follows."""

    path: RequestPath
    hops: Sequence[PlacedHop]


SeriesBySignal = dict[str, list[Series]]


def _by_signal() -> SeriesBySignal:
    return defaultdict(list)


class HopIndex:
    """The series of the services of some paths, by cell, service and the texts that name their resources."""

    def __init__(self, fleet: Fleet, paths: Iterable[RequestPath], names: AccountNames) -> None:
        self._names = names
        hop_resources = {(hop.service, hop.resource.rstrip("/")) for path in paths for hop in path.hops}
        self._texts = {text for _, text in hop_resources if text}
        services = {service for service, _ in hop_resources}
        self.by_text: dict[tuple[str, str], dict[tuple[CellKey, ResourcePath], Place]] = defaultdict(dict)
        self.by_place: dict[tuple[CellKey, str, ResourcePath], SeriesBySignal] = defaultdict(_by_signal)
        self.of_account: dict[tuple[CellKey, str], SeriesBySignal] = defaultdict(_by_signal)
        self._series = _series_of(fleet, services)

    async def fill(self) -> None:
        """Add the series of the services to the index."""
        async for series in cooperative_iter(self._series):
            self._add(series)

    def _add(self, series: Series) -> None:
        key, subject = series.key, series.key.subject
        if key.is_of_account:
            self.of_account[key.cell, key.service][key.signal].append(series)
        names = subject.names or subject.path
        for end in range(1, len(subject.path) + 1):
            path, path_names = subject.path[:end], names[:end]
            for text in {"/".join(path).rstrip("/"), "/".join(path_names).rstrip("/")} & self._texts:
                self.by_text[key.service, text][key.cell, path] = Place(key.cell, path, path_names)
                place_series = self.by_place[key.cell, key.service, path][key.signal]
                if place_series[-1:] != [series]:
                    place_series.append(series)

    def places(self, hop: Hop, account: str | None, region: str | None) -> list[Place]:
        """Return the resources that a hop names, in an account and region if these are given."""
        found = self.by_text.get((hop.service, hop.resource.rstrip("/")), {}).values()
        return [place for place in found if self.is_in(place.cell, account, region)]

    def is_in(self, cell: CellKey, account: str | None, region: str | None) -> bool:
        """Return whether a cell is in an account, by id or name, and in a region, if these are given."""
        return (not account or account in (cell[0], self._names.get(cell[0]))) and (
            not region or region == cell[1]
        )

    def cells(self, service: str, account: str | None, region: str | None) -> list[CellKey]:
        """Return the cells in which a service has series of a limit of the whole account."""
        found = (cell for cell, name in self.of_account if name == service)
        return [cell for cell in found if self.is_in(cell, account, region)]


def _series_of(fleet: Fleet, services: Iterable[str]) -> Iterator[Series]:
    """Yield the series of signals that identify the hops of services, limit them, or count their traffic."""
    signals = {(service, signal) for service in services for signal in hop_kinds()[service].signals}
    groups = [number for group, number in fleet.groups.items() if group[2:] in signals]
    found = fleet.by_slot[np.isin(fleet.group[: fleet.size], groups).nonzero()[0]]
    yield from (series for series in found if series is not None)


async def place_paths(fleet: Fleet, paths: Sequence[RequestPath], names: AccountNames) -> list[PlacedPath]:
    """Return the paths with the series and metrics of their hops in the fleet."""
    index = HopIndex(fleet, paths, names)
    await index.fill()
    return [PlacedPath(path, _place_hops(index, path)) async for path in cooperative_iter(paths)]


def _place_hops(index: HopIndex, path: RequestPath) -> list[PlacedHop]:
    hops = path.ordered_hops
    numbers = {hop.effective_name: number for number, hop in enumerate(hops)}
    placed: list[PlacedHop] = []
    for hop in hops:
        predecessors = [numbers[name] for name in path.predecessors[hop.effective_name]]
        kind = hop_kinds()[hop.service]
        unplaced = PlacedHop(hop=hop, kind=kind, predecessors=predecessors, place=None)
        preceding_place = next(
            (placed[number].place for number in predecessors if placed[number].place), None
        )
        placed.append(_place_hop(index, path, unplaced, preceding_place))
    return placed


def _place_hop(
    index: HopIndex, path: RequestPath, unplaced: PlacedHop, preceding_place: Place | None
) -> PlacedHop:
    """Return a hop with its place and series. preceding_place: the place of a hop that it follows."""
    hop, kind = unplaced.hop, unplaced.kind
    account = hop.account or path.account
    region = GLOBAL_REGION if kind.scope == "global" else hop.region or path.region
    places = index.places(hop, account, region)
    if preceding_place and len(places) > 1:
        places = [place for place in places if place.cell == preceding_place.cell] or places
    if len(places) > 1:
        where = ", ".join(f"{'/'.join(place.path)} in {'/'.join(place.cell)}" for place in places[:3])
        sentence = f"several resources are called {hop.effective_name}: {where}; name account, region or id"
        return replace(unplaced, problem=sentence)
    place = places[0] if places else _assumed_place(index, unplaced, (account, region), preceding_place)
    if place is None:
        where = " in " + "/".join(filter(None, (account, region))) if account or region else ""
        sentence = f"no series of the {kind.title} {hop.resource} is watched{where}"
        return replace(unplaced, problem=sentence)
    return _with_series(index, replace(unplaced, place=place), is_found=bool(places))


def _assumed_place(
    index: HopIndex,
    unplaced: PlacedHop,
    account_and_region: tuple[str | None, str | None],
    preceding_place: Place | None,
) -> Place | None:
    """Return the place of a resource without series; None if several cells, or none, come into question.

    It is in the cell of `preceding_place`, or in the only cell of its service.
    account_and_region: the account and the region that the cell must have; None: any.
    """
    cells = index.cells(unplaced.hop.service, *account_and_region)
    if (
        preceding_place
        and (preceding_place.cell in cells or not cells)
        and index.is_in(preceding_place.cell, *account_and_region)
    ):
        cells = [preceding_place.cell]
    if len(cells) != 1:
        return None
    parts = unplaced.kind.split(unplaced.hop.resource)
    return Place(cells[0], parts, parts)


def _with_series(index: HopIndex, placed: PlacedHop, *, is_found: bool) -> PlacedHop:
    """Return a hop that has a place, with its series and metrics."""
    hop, kind, place = placed.hop, placed.kind, placed.place
    assert place
    own = index.by_place[place.cell, hop.service, place.path]
    of_account = index.of_account[place.cell, hop.service]
    limits = [
        PlacedLimit.of(signal, limit, series)
        for signal, limit in kind.limits.items()
        if (series := (own if limit.of == "resource" else of_account).get(signal))
    ]
    candidates = (series for source in kind.flow for series in own.get(source.signal or "", ()))
    flow = next((series for series in candidates if _is_flow(series, place)), None)
    problem = "" if is_found or not hop.resource else _missing_series_problem(placed)
    return replace(
        placed,
        limits=limits,
        flow=flow,
        flow_metrics=[] if flow else [*_flow_metrics(kind, place)],
        measures={
            name: (measure, metric)
            for name, measure in kind.measures.items()
            if (metric := metric_of(measure, place))
        },
        problem=problem,
    )


def _is_flow(series: Series, place: Place) -> bool:
    return series.key.subject.path == place.path and series.unobservable is None


def _missing_series_problem(placed: PlacedHop) -> str:
    """Return the reason why limits of the resource itself are unknown; empty if it has no such limits."""
    kind, place = placed.kind, placed.place
    assert place
    if not any(limit.of == "resource" for limit in kind.limits.values()) and not kind.unlimited:
        return ""
    return f"no series of the {kind.title} {placed.hop.resource} is watched in {'/'.join(place.cell)}"


def _flow_metrics(kind: HopKind, place: Place) -> Iterator[tuple[HopMetric, Metric]]:
    for source in kind.flow:
        if (declared := source.hop_metric) and (metric := metric_of(declared, place)):
            yield declared, metric


def metric_of(declared: HopMetric, place: Place) -> Metric | None:
    """Return a metric of a resource; None if the parts of the resource do not fit its dimensions."""
    if declared.parts is not None and declared.parts != len(place.path):
        return None
    account, region = place.cell
    # CloudWatch's dimensions are ASCII.
    ascii_names = [name.encode("ascii", "ignore").decode() for name in place.names]
    values = {f"name{number}": name for number, name in enumerate(ascii_names)}
    # A route of an API is a verb and a path: `GET /orders`.
    verb, _, route_path = place.path[-1].partition(" ") if place.path else ("", "", "")
    values |= {"verb": verb, "path": route_path, "region": region, "account": account}
    values["partition"] = partition_of("" if region == GLOBAL_REGION else region).name
    try:
        dimensions = {
            name: template.format(*place.path, **values) for name, template in declared.dimensions.items()
        }
    except IndexError:  # the resource has fewer parts than the dimensions
        return None
    metric = Metric(declared.namespace, declared.metric, declared.stat, period=PERIOD)
    return metric.of(**dimensions) if all(dimensions.values()) else None
