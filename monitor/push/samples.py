"""The samples of series in given minutes, judged minute by minute.

The exported families show the newest sample, with the throttling of a few minutes before it, so that no
scrape misses it. A pushed sample shows its own minute only.
"""

from enum import IntEnum
from typing import Final

import numpy as np

from monitor.exposition.families import FAMILIES
from monitor.fleet.fleet import Fleet
from monitor.fleet.formulas import Block
from monitor.fleet.namespaces import NEVER
from monitor.fleet.operations import NAN
from monitor.fleet.rings import PROVISIONAL_FOR, Rings
from monitor.fleet.snapshot import Snapshot
from rules.arrays import Ints


class SampleKind(IntEnum):
    """The data without which a family has no sample: usage, throttled demand, or at least one of them."""

    USAGE = 0
    THROTTLED = 1
    EITHER = 2


SAMPLE_KINDS: Final = {
    "headroom_usage": SampleKind.USAGE,
    "headroom_usage_lower_bound": SampleKind.USAGE,
    "headroom_usage_upper_bound": SampleKind.USAGE,
    "headroom_limit": SampleKind.USAGE,
    "headroom_utilization_ratio": SampleKind.USAGE,
    "headroom_saturation": SampleKind.THROTTLED,
    "headroom_zone": SampleKind.EITHER,
}
PUSHED_FAMILIES: Final = [
    (family, SAMPLE_KINDS[family.name]) for family in FAMILIES if family.name in SAMPLE_KINDS
]


def newest_minutes(fleet: Fleet) -> Ints:
    """Return the newest minute that can be pushed, of usage and of throttled demand, [source, slot]."""
    sources = (fleet.usages, fleet.throttled)
    newest = np.full((len(sources), fleet.size), NEVER, np.int32)
    for source, formulas in enumerate(sources):
        for block in formulas:
            newest[source, block.slots] = _newest_complete(block, fleet.rings)
    return newest


def _newest_complete(block: Block, rings: Rings) -> Ints:
    """Return, for each series, the newest minute before which no poll is expected to fill a gap.

    So a receiver gets each minute once and in order. As CloudWatch may never publish a missing point,
    Headroom waits at most PROVISIONAL_FOR minutes for a gap to be filled.
    """
    newest, complete = block.newest_minutes(rings), block.complete_through(rings)
    has_gap = (complete < newest) & (newest - complete <= PROVISIONAL_FOR)
    minutes: Ints = np.where(has_gap, complete, newest)
    return minutes


def samples_at(fleet: Fleet, slots: Ints, minutes: Ints, newest: Ints) -> Snapshot:
    """Return a sample for each pair of slot and minute. newest: the result of `newest_minutes` for the slots.

    The limit is the one in force in the minute, if known (`monitor.fleet.limit_history`); the band is the
    present one. Without usage, the limit is missing, too. A sample that cannot be judged, as it has no
    utilization, has the zone `stale`.
    """
    judged = fleet.judged_at(slots, minutes)
    judged.clear(usage=minutes > newest[SampleKind.USAGE], throttled=minutes > newest[SampleKind.THROTTLED])
    return Snapshot(
        version=fleet.version,
        series=fleet.by_slot[slots],
        groups=(),
        account_names={},
        id=fleet.id[slots],
        group=fleet.group[slots],
        bounded=judged.bounded,
        limit=np.where(np.isnan(judged.usage), NAN, judged.limit),
        usage=judged.usage,
        upper_bound=judged.upper_bound,
        utilization=judged.utilization,
        saturation=judged.throttled,
        minute=minutes,
        zone=judged.zone,
        paid=fleet.paid[slots],
        # Known for the newest minute only, and not pushed:
        idle=np.zeros(slots.size, np.bool_),
        seconds_to_exhaustion=np.full(slots.size, NAN),
    )
