"""Computes what a request path can carry: what one request uses of each limit, and the weakest of them.

All rates are per second, in the unit of the path's entrance. NaN is unknown.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Visits(NamedTuple):
    """The units of a hop for each request at the entrance. basis: what the number rests on, in words."""

    number: float
    basis: str


UNKNOWN_VISITS = Visits(np.nan, "")
ENTRANCE_VISITS = Visits(1.0, "entrance")


@dataclass(frozen=True, slots=True, kw_only=True)
class HopFlow:
    """The known units of a hop.

    before: the hops that it follows; none for the entrance. per_request: declared units for each request at
    the entrance. per_unit: declared units for each unit of the hops before. assumed: the same, where nothing
    counts them. measured: units per second, the mean of the time that is compared; NaN: nothing counts them.
    """

    before: Sequence[str] = ()
    per_request: float | None = None
    per_unit: float | None = None
    assumed: float | None = None
    measured: float = np.nan


def visits_of(flows: Mapping[str, HopFlow]) -> dict[str, Visits]:
    """Return the visits of each hop. flows: in the order of `path_order`; the first one is the entrance.

    What is declared precedes what is measured, and that what is assumed.
    """
    found: dict[str, Visits] = {}
    entrance = next(iter(flows.values())).measured if flows else np.nan
    for name, flow in flows.items():
        sent = sum(found[one].number for one in flow.before)
        if not found:
            found[name] = ENTRANCE_VISITS
        elif flow.per_request is not None:
            found[name] = Visits(flow.per_request, "declared")
        elif flow.per_unit is not None:
            found[name] = Visits(sent * flow.per_unit, "declared")
        elif entrance > 0 and not np.isnan(flow.measured):
            found[name] = Visits(flow.measured / entrance, "measured")
        elif flow.assumed is not None:
            found[name] = Visits(sent * flow.assumed, "assumed")
        else:
            found[name] = UNKNOWN_VISITS
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitUse:
    """The known use of a limit by the units of a hop; NaN is unknown.

    visits: units of the hop for each request at the entrance. is_shared: the visits were declared, so that
    other traffic may go through the hop, too. flow: units of the hop for each request at the entrance, as
    measured. declared_each: what one unit uses, as declared. each: the same, by nature or as measured.
    ratio: of a limit that the hop alone uses: its usage for each request per second at the entrance.
    """

    visits: float
    is_shared: bool = False
    flow: float = np.nan
    declared_each: float = np.nan
    each: float = np.nan
    ratio: float = np.nan

    @property
    def per_request(self) -> float:
        """The amount of the limit that one request at the entrance uses.

        By Little's law, each request per second that lasts W seconds holds W executions. Usage is measured
        at its peaks within minutes, so where the ratio is higher, it counts.
        """
        if not np.isnan(self.declared_each):
            return self.visits * self.declared_each
        by_ratio = self.visits * self.ratio / self.flow if self.is_shared else self.ratio
        return float(np.fmax(self.visits * self.each, by_ratio))


def capacities(flow: float, usage: Floats, limit: Floats, per_request: Floats) -> Floats:
    """Return the requests per second at the entrance at which each limit is reached.

    That is what flows now, and what is left of the limit, divided by what one request uses of it. Infinite
    where a request uses nothing of it.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        capacity: Floats = flow + (limit - usage) / per_request
    capacity[(per_request == 0) & ~np.isnan(usage) & ~np.isnan(limit)] = np.inf
    return np.maximum(capacity, 0)


def weakest_first(capacity: Floats) -> list[int]:
    """Return the indices of the limits that can be reached, the weakest first."""
    order = np.argsort(capacity, kind="stable")
    return [int(one) for one in order if np.isfinite(capacity[one])]
