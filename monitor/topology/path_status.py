"""The statuses of request paths at the last evaluation. Rates are per second; None is unknown."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import NamedTuple

from monitor.fleet.fleet import Series
from monitor.fleet.key import Key
from rules.band import Zone
from rules.hops import HopKind, Payload
from rules.path_file import Hop
from rules.paths import Visits


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitStatus:
    """A limit of a hop of a path.

    hop: the number of the hop, from 0.
    usage: the usage by the requests of the path and by all other requests.
    limit: the limit in force, or if `is_inferred` the usage at which demand was throttled lately.
    per_request: the amount of the limit that one request at the entrance uses.
    capacity: the requests per second at the entrance at which the limit is reached; infinite if a request
        uses nothing of the limit.
    throttled: throttled demand per second.
    reason: a sentence that says why the capacity is unknown: of this limit, or of the same limit of another
        part of the resource, such as a shard.
    """

    hop: int
    series: Series
    zone: Zone
    usage: float | None = None
    limit: float | None = None
    is_inferred: bool = False
    per_request: float | None = None
    capacity: float | None = None
    throttled: float | None = None
    reason: str = ""

    @property
    def is_reachable(self) -> bool:
        """True if enough requests would reach the limit."""
        return self.capacity is not None and isfinite(self.capacity)

    @property
    def title(self) -> str:
        """The title of the signal."""
        return self.series.settings.signal.title


@dataclass(frozen=True, slots=True, kw_only=True)
class HopStatus:
    """A hop of a path.

    predecessors: the numbers of the hops that it follows.
    account, region: empty if the place of the resource is unknown.
    visits: how many units of the hop a request at the entrance causes, and the basis of this number.
    flow: the present units per second.
    measures: amounts of a single unit by name, such as its duration in seconds.
    reasons: sentences about unknown facts of the hop.
    is_known: true if all limits of the hop are known, or it is known that the hop has none.
    """

    hop: Hop
    kind: HopKind
    predecessors: Sequence[int]
    account: str
    region: str
    visits: Visits
    flow: float | None
    measures: dict[str, float]
    limits: Sequence[LimitStatus]
    payload: Payload | None
    reasons: Sequence[str]
    is_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStatus:
    """A path.

    flow: the present requests per second at the entrance.
    hops: sorted so that each hop comes after the hops that it follows.
    ranking: the limits that can be reached, the weakest first.
    reasons: the reasons of all hops.
    """

    name: str
    unit: str
    flow: float | None
    hops: Sequence[HopStatus]
    ranking: Sequence[LimitStatus]
    reasons: Sequence[str]

    @property
    def weakest(self) -> LimitStatus | None:
        """The limit that is reached first."""
        return self.ranking[0] if self.ranking else None

    @property
    def next_weakest(self) -> LimitStatus | None:
        """The limit that is reached first once the weakest was raised."""
        return self.ranking[1] if len(self.ranking) > 1 else None

    @property
    def shares(self) -> Mapping[Key, float]:
        """The part of each limit's present usage that the requests of the path cause; NaN if unknown."""
        shares = defaultdict[Key, float](float)
        for hop in self.hops:
            for limit in hop.limits:
                shares[limit.series.key] += self._share(limit)
        return {key: min(share, 1.0) if isfinite(share) else nan for key, share in shares.items()}

    def _share(self, limit: LimitStatus) -> float:
        if self.flow is None or limit.per_request is None or limit.usage is None:
            return nan
        return self.flow * limit.per_request / limit.usage if limit.usage > 0 else 1.0

    @property
    def capacity(self) -> float | None:
        """The requests per second that the path can carry; if `is_upper_bound`, it may carry less."""
        return self.weakest.capacity if self.weakest else None

    @property
    def is_upper_bound(self) -> bool:
        """True if a limit is unknown, so that the path may carry less."""
        return any(not hop.is_known for hop in self.hops)

    @property
    def headroom(self) -> float | None:
        """The capacity minus the present flow; below 0 if the flow exceeds the capacity."""
        return None if self.capacity is None or self.flow is None else self.capacity - self.flow

    def growth_factor(self, limit: LimitStatus) -> float | None:
        """Return by which factor the flow may grow until it reaches a limit.

        None if the flow or the limit's capacity is unknown, or the flow is 0.
        """
        return limit.capacity / self.flow if limit.capacity is not None and self.flow else None

    @property
    def zone(self) -> Zone:
        """The worst zone of the limits of all hops; STALE if no limit is judged."""
        zones = [limit.zone for hop in self.hops for limit in hop.limits if limit.zone > Zone.STALE]
        return max(zones, default=Zone.STALE)

    @property
    def payload(self) -> tuple[int, Payload] | None:
        """The number of the hop with the smallest payload limit, and this limit; None if none is known."""
        known = [(number, hop.payload) for number, hop in enumerate(self.hops) if hop.payload]
        return min(known, key=lambda hop_payload: hop_payload[1].bytes, default=None)


class PathStatuses(NamedTuple):
    """The statuses of the evaluated paths, in the order of the files.

    configured_count: the number of all configured paths.
    """

    items: Sequence[PathStatus] = ()
    configured_count: int = 0

    @property
    def shares(self) -> Mapping[str, Mapping[Key, float]]:
        """The shares of each path by its name; see `PathStatus.shares`."""
        return {path.name: path.shares for path in self.items}
