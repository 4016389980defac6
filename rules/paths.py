"""Computes how many requests a path can carry: what one request uses of each limit, and the weakest limits.

All rates are per second, in the unit of the path's entrance. NaN is unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from rules.arrays import Float64s


class Visits(NamedTuple):
    """The units of a hop, such as its calls or messages, for each request at the entrance.

    basis: `entrance`, `declared`, `measured` or `assumed`; empty if the number is unknown.
    """

    number: float
    basis: str


UNKNOWN_VISITS = Visits(np.nan, "")
ENTRANCE_VISITS = Visits(1.0, "entrance")


@dataclass(frozen=True, slots=True, kw_only=True)
class HopFlow:
    """The number of units of a hop, as far as it is declared, assumed or measured.

    predecessors: the hops that it follows; empty for the entrance.
    per_request: declared units for each request at the entrance.
    per_unit: declared units for each unit of its predecessors.
    assumed_per_unit: assumed units for each unit of its predecessors.
    measured_rate: units per second, averaged over the same time for all hops; NaN if no metric counts them.
    """

    predecessors: Sequence[str] = ()
    per_request: float | None = None
    per_unit: float | None = None
    assumed_per_unit: float | None = None
    measured_rate: float = np.nan


def visits_of(flows: Mapping[str, HopFlow]) -> dict[str, Visits]:
    """Return the visits of each hop. flows: in the order of `path_order`; the first one is the entrance.

    Declared numbers take precedence over measured numbers, and measured over assumed ones.
    """
    visits_by_hop: dict[str, Visits] = {}
    entrance_rate = next(iter(flows.values())).measured_rate if flows else np.nan
    for name, flow in flows.items():
        visits_before = sum(visits_by_hop[hop].number for hop in flow.predecessors)
        if not visits_by_hop:
            visits_by_hop[name] = ENTRANCE_VISITS
        elif flow.per_request is not None:
            visits_by_hop[name] = Visits(flow.per_request, "declared")
        elif flow.per_unit is not None:
            visits_by_hop[name] = Visits(visits_before * flow.per_unit, "declared")
        elif entrance_rate > 0 and not np.isnan(flow.measured_rate):
            visits_by_hop[name] = Visits(flow.measured_rate / entrance_rate, "measured")
        elif flow.assumed_per_unit is not None:
            visits_by_hop[name] = Visits(visits_before * flow.assumed_per_unit, "assumed")
        else:
            visits_by_hop[name] = UNKNOWN_VISITS
    return visits_by_hop


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """The amount of a limit that the units of a hop use, as far as it is known; NaN is unknown.

    visits: units of the hop for each request at the entrance.
    is_shared: True if the visits are declared or assumed, so that what is measured at the hop may include the
        traffic of other paths.
    measured_per_request: the hop's measured units per second, of all paths, divided by the requests per
        second at the entrance.
    declared_each: the declared amount that one unit uses.
    each: the amount that one unit uses by its nature or as measured.
    ratio: for a limit that only this hop uses, its usage divided by the requests per second at the entrance.
    """

    visits: float
    is_shared: bool = False
    measured_per_request: float = np.nan
    declared_each: float = np.nan
    each: float = np.nan
    ratio: float = np.nan

    @property
    def per_request(self) -> float:
        """The amount of the limit that one request at the entrance uses.

        Without a declared amount, it is the amount by `each` or the amount by `ratio`, whichever is higher,
        because `ratio` counts peaks within minutes, which the mean `each` misses. Where executions at one
        time are limited, `each` is a duration: by Little's law, one request per second that lasts W seconds
        holds W executions.
        """
        if not np.isnan(self.declared_each):
            return self.visits * self.declared_each
        by_ratio = self.ratio
        if self.is_shared:
            by_ratio = self.visits * self.ratio / self.measured_per_request
        return float(np.fmax(self.visits * self.each, by_ratio))


def capacities(flow: float, usage: Float64s, limit: Float64s, per_request: Float64s) -> Float64s:
    """Return the requests per second at the entrance at which each limit is reached.

    A capacity is the present flow plus the flow that the headroom of the limit allows: the headroom divided
    by what one request uses of the limit. It is infinite if a request uses nothing of the limit.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        capacity: Float64s = flow + (limit - usage) / per_request
    capacity[(per_request == 0) & ~np.isnan(usage) & ~np.isnan(limit)] = np.inf
    return np.maximum(capacity, 0)


def weakest_first(capacity: Float64s) -> list[int]:
    """Return the indices of the limits that can be reached, the weakest first."""
    order = np.argsort(capacity, kind="stable")
    return [int(index) for index in order if np.isfinite(capacity[index])]
