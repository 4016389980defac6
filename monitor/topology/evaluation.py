"""Computes the capacity of request paths from the flows of their hops and the usage of their limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from collectors.base import Metric
from monitor.fleet.fleet import Fleet, Series
from monitor.fleet.key import CellKey
from monitor.fleet.limits import why_unobservable_now
from monitor.topology.flow_points import POINTS, as_flow, newest, ratio, usage_points
from monitor.topology.path_status import HopStatus, LimitStatus, PathStatus
from monitor.topology.resolver import PlacedHop, PlacedLimit, PlacedPath
from rules.arrays import Float64s
from rules.band import Zone
from rules.hops import HopLimit, HopMetric
from rules.paths import HopFlow, LimitUse, Visits, capacities, visits_of, weakest_first

MAX_PARTS = 50  # parts of a resource that are compared for one limit: the parts with the highest utilization
UNKNOWN = np.full(POINTS, np.nan)

MetricPoints = Mapping[tuple[CellKey, Metric], Float64s]


@dataclass(frozen=True, slots=True)
class PathPoints:
    """The points of the last three hours. usage: by slot. metrics: as CloudWatch has them, not scaled."""

    usage: Mapping[int, Float64s]
    metrics: MetricPoints

    def of_metric(self, placed_hop: PlacedHop, declared: HopMetric, metric: Metric) -> Float64s:
        """Return the scaled points of a metric of a hop; counts are converted to rates per second."""
        points = self.metrics.get((placed_hop.place.cell, metric), UNKNOWN) if placed_hop.place else UNKNOWN
        return (as_flow(points) if declared.stat == "Sum" else points) * declared.scale

    def flow(self, placed_hop: PlacedHop) -> Float64s:
        """Return the flow of a hop, in units per second."""
        if placed_hop.flow:
            return self.usage.get(placed_hop.flow.slot, UNKNOWN)
        candidates = (self.of_metric(placed_hop, *flow_metric) for flow_metric in placed_hop.flow_metrics)
        return next((points for points in candidates if np.isfinite(points).any()), UNKNOWN)


def compared_series(path: PlacedPath) -> list[Series]:
    """Return the series of the flows and limits of a path."""
    flows = [hop.flow for hop in path.hops if hop.flow]
    return [*flows, *(series for hop in path.hops for limit in hop.limits for series in limit.series)]


def with_busiest_parts(fleet: Fleet, limit: PlacedLimit) -> PlacedLimit | None:
    """Return a limit with the MAX_PARTS series of highest utilization, the highest first.

    The series are read from the fleet again; None if the fleet has dropped all of them.
    """
    order = np.argsort(-np.nan_to_num(fleet.utilization[limit.slots], nan=-1), kind="stable")
    keys = (limit.series[index].key for index in order[:MAX_PARTS].tolist())
    series = [current_series for key in keys if (current_series := fleet.series.get(key))]
    return PlacedLimit.of(limit.signal, limit.declared, series) if series else None


def with_current_series(fleet: Fleet, path: PlacedPath) -> PlacedPath:
    """Return a path with the series that are compared, read from the fleet again."""
    return PlacedPath(path.path, [_hop_with_current_series(fleet, hop) for hop in path.hops])


def _hop_with_current_series(fleet: Fleet, hop: PlacedHop) -> PlacedHop:
    limits = [with_busiest_parts(fleet, limit) for limit in hop.limits]
    flow = fleet.series.get(hop.flow.key) if hop.flow else None
    return replace(hop, limits=[limit for limit in limits if limit], flow=flow)


def evaluate(fleet: Fleet, placed_path: PlacedPath, minutes: range, metrics: MetricPoints) -> PathStatus:
    """Return the status of a path. Call it in the event loop, where polls write to the fleet."""
    path = with_current_series(fleet, placed_path)
    points = PathPoints(usage_points(fleet, compared_series(path), minutes), metrics)
    return _Evaluation(fleet, path, points).status()


class _Evaluation:
    """One evaluation of a path. flows: the points of the flow of each hop."""

    def __init__(self, fleet: Fleet, path: PlacedPath, points: PathPoints) -> None:
        self._fleet, self._path, self._points = fleet, path, points
        self.flows = [points.flow(hop) for hop in path.hops]
        self._entrance = self.flows[0]
        self._visits = self._find_visits()

    def status(self) -> PathStatus:
        """Return the status of the path."""
        entrance = self._path.hops[0]
        entrance_flow = self._flow_now(0)
        hops = [self._hop_status(number, entrance_flow) for number in range(len(self._path.hops))]
        limits = [limit for hop in hops for limit in hop.limits if limit.is_reachable]
        order = weakest_first(np.array([limit.capacity for limit in limits], np.float64))
        return PathStatus(
            name=self._path.path.name,
            unit=entrance.kind.unit,
            flow=_none_if_nan(entrance_flow),
            hops=hops,
            ranking=[limits[index] for index in order],
            reasons=[reason for hop in hops for reason in hop.reasons],
        )

    def _find_visits(self) -> list[Visits]:
        names = [placed_hop.hop.effective_name for placed_hop in self._path.hops]
        mean = _mean(self._entrance)
        flows = {
            placed_hop.hop.effective_name: HopFlow(
                predecessors=[names[predecessor] for predecessor in placed_hop.predecessors],
                per_request=placed_hop.hop.per_request,
                per_unit=placed_hop.hop.units_per_unit,
                assumed_per_unit=placed_hop.kind.per_unit,
                measured_rate=mean * ratio(flow, self._entrance) if number else mean,
            )
            for number, (placed_hop, flow) in enumerate(zip(self._path.hops, self.flows, strict=True))
        }
        return [*visits_of(flows).values()]

    def _flow_now(self, number: int) -> float:
        """Return the present units per second of a hop: the last judged usage, or the newest point."""
        series = self._path.hops[number].flow
        if series and not np.isnan(self._fleet.usage[series.slot]):
            return float(self._fleet.usage[series.slot])
        return newest(self.flows[number])

    def _hop_status(self, number: int, entrance_flow: float) -> HopStatus:
        placed_hop = self._path.hops[number]
        predecessors = [self._path.hops[predecessor].hop.service for predecessor in placed_hop.predecessors]
        measured = {
            name: newest(self._points.of_metric(placed_hop, *measure))
            for name, measure in placed_hop.measures.items()
        }
        limits = self._limit_statuses(number, entrance_flow, predecessors)
        reasons = [*self._hop_reasons(number, limits), *(limit.reason for limit in limits if limit.reason)]
        hop_name = f"{placed_hop.kind.title} {placed_hop.hop.effective_name}"
        return HopStatus(
            hop=placed_hop.hop,
            kind=placed_hop.kind,
            predecessors=placed_hop.predecessors,
            account=placed_hop.place.cell[0] if placed_hop.place else "",
            region=placed_hop.place.cell[1] if placed_hop.place else "",
            visits=self._visits[number],
            flow=_none_if_nan(self._flow_now(number)),
            measures={name: value for name, value in measured.items() if not np.isnan(value)},
            limits=limits,
            payload=placed_hop.kind.payload_after(predecessors),
            reasons=[f"{hop_name}: {reason}" for reason in reasons],
            is_known=not reasons,
        )

    def _hop_reasons(self, number: int, limits: Sequence[LimitStatus]) -> list[str]:
        """Return the reasons why the whole hop is unknown; none if the hop has limits or needs none."""
        placed_hop = self._path.hops[number]
        if not number and not _mean(self._entrance) > 0:
            has_points = np.isfinite(self._entrance).any()
            clause = (
                "came in the last 3 hours" if has_points else "are counted by a metric or signal that is read"
            )
            return [f"no {placed_hop.kind.unit} {clause}, so that nothing can be compared with them"]
        is_seen = placed_hop.place and np.isfinite(self.flows[number]).any()
        # A hop that has points needs no series: it may have no limits of its own.
        if placed_hop.problem and not is_seen:
            return [placed_hop.problem]
        if not limits and not placed_hop.kind.unlimited:
            return ["no limit of it is watched"]
        return []

    def _limit_statuses(
        self, number: int, entrance_flow: float, predecessors: Sequence[str]
    ) -> list[LimitStatus]:
        """Return the status of each limit of a hop; of a limit of several parts, that of the weakest part."""
        placed_hop = self._path.hops[number]
        applicable = {signal for signal, _ in placed_hop.kind.limits_after(predecessors)}
        watched = {limit.signal for limit in placed_hop.limits}
        return [
            _weakest_part(
                [self._limit_status(number, limit, series, entrance_flow) for series in limit.series]
            )
            for limit in placed_hop.limits
            if limit.signal in applicable and limit.declared.unless not in watched
        ]

    def _limit_status(
        self, number: int, limit: PlacedLimit, series: Series, entrance_flow: float
    ) -> LimitStatus:
        fleet, slot = self._fleet, series.slot
        usage, in_force, ceiling = (
            float(column[slot]) for column in (fleet.usage, fleet.limit, fleet.ceiling)
        )
        effective_limit = float(np.fmin(in_force, ceiling))
        per_request = self._per_request(number, limit, series)
        limit_values = usage, effective_limit, per_request
        capacity = float(capacities(entrance_flow, *(np.array([value]) for value in limit_values))[0])
        reason = self._unknown_reason(series, limit_values, entrance_flow)
        return LimitStatus(
            hop=number,
            series=series,
            zone=Zone(int(fleet.zone[slot])),
            usage=_none_if_nan(usage),
            limit=_none_if_nan(effective_limit),
            is_inferred=effective_limit < in_force,
            per_request=_none_if_nan(per_request),
            capacity=None if reason or np.isnan(capacity) else capacity,
            throttled=_none_if_nan(float(fleet.saturation[slot])),
            reason=reason,
        )

    def _per_request(self, number: int, limit: PlacedLimit, series: Series) -> float:
        placed_hop = self._path.hops[number]
        hop, visits = placed_hop.hop, self._visits[number]
        is_own = limit.declared.of == "resource"
        usage = self._points.usage.get(series.slot, UNKNOWN)
        return LimitUse(
            visits=visits.number,
            is_shared=visits.basis in ("declared", "assumed"),
            measured_per_request=ratio(self.flows[number], self._entrance),
            declared_each=hop.uses.get(limit.signal, np.nan),
            each=self._amount_per_unit(placed_hop, limit.declared),
            ratio=ratio(usage, self._entrance) if is_own else np.nan,
        ).per_request

    def _amount_per_unit(self, placed_hop: PlacedHop, limit: HopLimit) -> float:
        """Return how much of a limit one unit uses: declared, or a mean; NaN if unknown."""
        if isinstance(limit.each, str):
            measure = placed_hop.measures.get(limit.each)
            return _mean(self._points.of_metric(placed_hop, *measure)) if measure else np.nan
        return np.nan if limit.each is None else limit.each

    def _unknown_reason(
        self, series: Series, limit_values: tuple[float, float, float], entrance_flow: float
    ) -> str:
        """Return why the capacity of a limit is unknown; empty if it is known.

        limit_values: the usage, the limit and the usage per request.
        """
        usage, limit, per_request = limit_values
        title = f"{series.settings.signal.title} ({series.key.display_name})"
        if cause := why_unobservable_now(self._fleet, series):
            return f"{title}: {cause.reason}"
        if self._fleet.bounded[series.slot]:
            return f"{title}: its usage is known only within bounds"
        if np.isnan(usage) or self._fleet.zone[series.slot] == Zone.STALE:
            return f"{title}: it has no recent sample"
        if np.isnan(limit):
            return f"{title}: its limit is not known"
        if np.isnan(per_request) and not np.isnan(entrance_flow):
            return f"{title}: what a request uses of it is not known; declare per_request or uses"
        return ""


def _weakest_part(parts: Sequence[LimitStatus]) -> LimitStatus:
    """Return the part that is reached first, with the reason of any part whose capacity is unknown."""
    known = [part for part in parts if part.capacity is not None]
    weakest = min(known, key=lambda part: part.capacity or 0.0, default=parts[0])
    reason = next((part.reason for part in parts if part.reason), "")
    return replace(weakest, reason=reason)


def _mean(points: Float64s) -> float:
    known = points[np.isfinite(points)]
    return float(known.mean()) if known.size else np.nan


def _none_if_nan(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
