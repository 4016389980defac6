"""What the fleet holds of some series in some minutes, judged minute by minute.

The exported families tell of the newest sample, and of refusals in the few minutes before it as well, so that
no scrape misses them. Here each minute stands for itself.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from monitor.columns import Flags, Floats, Ints
from monitor.exposition import FAMILIES
from monitor.fleet import Fleet
from monitor.formulas import NAN
from monitor.rings import NEVER, Rings
from monitor.snapshot import Snapshot
from rules.band import zones


class Track(IntEnum):
    """What decides in which minutes a family can be told: usage, refusals or either."""

    USED = 0
    REFUSED = 1
    EITHER = 2


TRACKS: Final = {
    "headroom_usage": Track.USED,
    "headroom_usage_lower_bound": Track.USED,
    "headroom_usage_upper_bound": Track.USED,
    "headroom_limit": Track.USED,
    "headroom_utilization_ratio": Track.USED,
    "headroom_saturation": Track.REFUSED,
    "headroom_zone": Track.EITHER,
}
HELD: Final = 15  # minutes; a poll, every five of them, fills a gap
PUSHED: Final = [(family, TRACKS[family.name]) for family in FAMILIES if family.name in TRACKS]


@dataclass(frozen=True, slots=True)
class Known:
    """What can be told of places, of usage and of refusals: [source, place].

    told: the newest minute. read, began: in the minutes between these a metric that is zero when absent was
    not told of: it was read up to the one, and a stream tells of it from the other on.
    """

    told: Ints
    read: Ints
    began: Ints

    def of(self, places: Ints) -> "Known":
        return Known(self.told[:, places], self.read[:, places], self.began[:, places])

    def doubts(self, source: int, minutes: Ints, values: Floats) -> Flags:
        """Which values cannot be told: there are none yet, or nothing but silence says that they are zero."""
        unread: Flags = (minutes > self.read[source]) & (minutes < self.began[source])
        doubts: Flags = (minutes > self.told[source]) | unread & (values == 0)
        return doubts


def known(fleet: Fleet) -> Known:
    """What can be told of all places."""
    rings, sources = fleet.rings, (fleet.usages, fleet.refusals)
    told, read, began = np.full((3, len(sources), fleet.size), NEVER, np.int32)
    for source, formulas in enumerate(sources):
        for block in formulas:
            zero = rings.zero[block.rows]
            told[source, block.series] = _held(rings, block.rows, block.told(rings))
            read[source, block.series] = rings.covered[block.rows].min(axis=0, where=zero, initial=-NEVER)
            began[source, block.series] = rings.since[block.rows].max(axis=0, where=zero, initial=NEVER)
    return Known(told, read, began)


def _held(rings: Rings, rows: Ints, told: Ints) -> Ints:
    """The newest minutes, those behind a gap left out: where a stream began before a poll got as far.

    They wait for it, so that they can be told in order; not for long, as CloudWatch may never answer.
    """
    covered = rings.covered[rows]
    gap = rings.since[rows] > covered + 1
    complete = covered.min(axis=0, where=gap, initial=-NEVER)
    held: Ints = np.where((complete < told) & (told - complete <= HELD), complete, told)
    return held


def samples(fleet: Fleet, places: Ints, minutes: Ints, of: Known) -> Snapshot:
    """A sample for each of `places`, at its minute; `of`: what can be told of each of these.

    The limit is the one in force at the minute, as far as that is known (see `monitor.past_limits`); the band
    is the one in force now. Where usage is missing, so is the limit. A series that cannot be judged is stale
    here, as it has no utilization.
    """
    usage, at_most, saturation = (
        one.at(fleet.rings, places, minutes) for one in (fleet.usages, fleet.bounds, fleet.refusals)
    )
    doubts = of.doubts(Track.USED, minutes, usage)
    usage[doubts] = at_most[doubts] = NAN
    saturation[of.doubts(Track.REFUSED, minutes, saturation)] = NAN
    bounded, limit = fleet.bounded[places], fleet.limits_at(places, minutes)
    utilization = np.where(bounded, NAN, usage / limit)
    limit[np.isnan(usage)] = NAN
    return Snapshot(
        version=fleet.version,
        series=fleet.by_place[places],
        groups=(),
        names={},
        id=fleet.id[places],
        group=fleet.group[places],
        bounded=bounded,
        limit=limit,
        usage=usage,
        at_most=at_most,
        utilization=utilization,
        saturation=saturation,
        minute=minutes,
        zone=zones(utilization, saturation, fleet.low[places], fleet.high[places], fleet.critical[places]),
    )
