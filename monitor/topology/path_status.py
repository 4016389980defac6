"""Request paths and what they carry, as evaluated last. Rates are per second; None is unknown."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from typing import NamedTuple

from monitor.fleet.fleet import Series
from rules.band import Zone
from rules.hops import HopKind, Payload
from rules.path_file import Hop
from rules.paths import Visits


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitStatus:
    """A limit on a path. hop: the number of its hop, from 0.

    usage: of all who use it; limit: the one in force, or where `is_inferred` the usage at which demand was
    refused lately. per_request: what one request at the entrance uses of it. capacity: the requests per
    second at the entrance at which it is reached; infinite where a request uses nothing of it. throttled:
    demand that is refused or delayed. reason: why the capacity is unknown, or that of another part of the
    resource, in a sentence.
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
        """True if a number of requests reaches the limit."""
        return self.capacity is not None and isfinite(self.capacity)

    @property
    def title(self) -> str:
        """The title of the signal."""
        return self.series.settings.signal.title


@dataclass(frozen=True, slots=True, kw_only=True)
class HopStatus:
    """A hop of a path. before: the numbers of the hops that it follows.

    account, region: empty where the resource was not found, and its place is not told. flow: units per second
    now. visits: units for each request at the entrance, and what that rests on. each: what is measured of
    single units, such as the duration in seconds, by name. reasons: what is unknown of it, in sentences.
    is_known: its limits, or that it has none, are known, so that it can be compared with others.
    """

    hop: Hop
    kind: HopKind
    before: Sequence[int]
    account: str
    region: str
    visits: Visits
    flow: float | None
    each: dict[str, float]
    limits: Sequence[LimitStatus]
    payload: Payload | None
    reasons: Sequence[str]
    is_known: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PathStatus:
    """A path. flow: the requests per second at the entrance now. hops: each after those before it.

    ranking: the limits that can be reached, the weakest first. reasons: what is unknown, in sentences.
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
    def capacity(self) -> float | None:
        """The requests per second that it can carry, or at most where it `is_upper_bound`."""
        return self.weakest.capacity if self.weakest else None

    @property
    def is_upper_bound(self) -> bool:
        """True if a limit is unknown, so that the path may carry less."""
        return any(not hop.is_known for hop in self.hops)

    @property
    def headroom(self) -> float | None:
        """The requests per second that may come beside those that flow now; below 0 where none may."""
        return None if self.capacity is None or self.flow is None else self.capacity - self.flow

    def share(self, limit: LimitStatus) -> float | None:
        """Return the factor of the present requests at which a limit is reached."""
        return limit.capacity / self.flow if limit.capacity is not None and self.flow else None

    @property
    def zone(self) -> Zone:
        """The worst zone of the limits on the way; STALE where none is judged."""
        zones = [one.zone for hop in self.hops for one in hop.limits if one.zone > Zone.STALE]
        return max(zones, default=Zone.STALE)

    @property
    def payload(self) -> tuple[int, Payload] | None:
        """The smallest of the largest payloads on the way, with the number of its hop."""
        known = [(number, hop.payload) for number, hop in enumerate(self.hops) if hop.payload]
        return min(known, key=lambda one: one[1].bytes, default=None)


class PathStatuses(NamedTuple):
    """The paths that were evaluated, in the order of the files. configured: how many there are to be."""

    items: Sequence[PathStatus] = ()
    configured: int = 0
