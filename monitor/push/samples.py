"""What the fleet holds of some series in some minutes, judged minute by minute.

The exported families tell of the newest sample, and of refusals in the few minutes before it as well, so that
no scrape misses them. Here each minute stands for itself.
"""

from enum import IntEnum
from typing import Final

import numpy as np

from monitor.columns import Ints
from monitor.exposition import FAMILIES
from monitor.fleet import Fleet
from monitor.formulas import NAN
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
PUSHED: Final = [(family, TRACKS[family.name]) for family in FAMILIES if family.name in TRACKS]


def newest(fleet: Fleet) -> Ints:
    """The newest minute that can be told of every series: of its usage, and of its refusals."""
    places = np.arange(fleet.size, dtype=np.int32)
    return np.stack([one.told(fleet.rings, places) for one in (fleet.usages, fleet.refusals)])


def samples(fleet: Fleet, places: Ints, minutes: Ints, told: Ints) -> Snapshot:
    """A sample for each of `places`, at its minute; `told`: up to when usage and refusals can be told.

    The limit and the band are those in force now, whatever the minute; where usage is missing, so is the
    limit. A series that cannot be judged is stale here, as it has no utilization.
    """
    usage, at_most, saturation = (
        one.at(fleet.rings, places, minutes) for one in (fleet.usages, fleet.bounds, fleet.refusals)
    )
    late = minutes > told[Track.USED]
    usage[late] = at_most[late] = NAN
    saturation[minutes > told[Track.REFUSED]] = NAN
    bounded, limit = fleet.bounded[places], fleet.limit[places]
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
