"""The judgement of a whole fleet at its newest minutes, written to its columns to be exported.

The judgement depends on the samples and the minute only, never on earlier runs. All series are computed
together.
"""

from collections.abc import Iterator

import numpy as np

from monitor.fleet.exhaustion import NewestSamples, seconds_to_exhaustion
from monitor.fleet.fleet import Fleet
from monitor.fleet.idleness import find_idle
from monitor.fleet.judged import judged_at, sample_minutes
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from monitor.fleet.throttling import recent_throttling, throttled_by_cause

CONFIRMED_FOR = 60  # minutes; a series that no inventory has observed for longer is not judged
# A fleet of this many series is judged in a few milliseconds; of a million series, one stage takes 20 ms.
MAX_SERIES_AT_ONCE = 100_000
MAX_RESTARTS = 3  # how often a judgement begins anew because series were added or dropped meanwhile


def judge(fleet: Fleet, now: int) -> None:
    """Judge every series at the minute `now`, and write usage, saturation, zone and so on to its columns.

    A series is judged in the minute of its newest sample, with the throttled demand of recent minutes, so
    that no scrape misses throttling. A series without a current sample gets the limit in force now.
    """
    for _ in _stages(fleet, now):
        pass


def judge_in_parts(fleet: Fleet, now: int, max_at_once: int = MAX_SERIES_AT_ONCE) -> Iterator[None]:
    """Do what `judge` does, stage by stage, so that other tasks can run in between if there are many series.

    Nothing is written before the last stage. If series are added or dropped meanwhile, the judgement begins
    anew; the last attempt is made in one part.

    max_at_once: a fleet of at most this many series is judged in one part.
    """
    for _ in range(MAX_RESTARTS if fleet.size > max_at_once else 0):
        layout = fleet.version, fleet.size, fleet.rings.layout
        for _ in _stages(fleet, now):
            yield
            if layout != (fleet.version, fleet.size, fleet.rings.layout):
                break
        else:
            return
    judge(fleet, now)


def _stages(fleet: Fleet, now: int) -> Iterator[None]:
    """Judge every series; yield between the stages, so that points may be written meanwhile."""
    size = fleet.size
    usage_minute = sample_minutes(fleet, slice(size))
    yield
    throttling, newest_throttled = recent_throttling(fleet, usage_minute)
    yield
    newest_minute = usage_minute.copy()  # of the throttled demand if there is any, else of the usage
    np.copyto(newest_minute, newest_throttled, where=throttling.excess > 0)
    oldest = np.maximum(
        np.int32(now) - fleet.stale_after[:size], np.maximum(fleet.created[:size], NEVER + WINDOW)
    )
    unconfirmed = fleet.confirmed[:size] < now - CONFIRMED_FOR
    outdated = (usage_minute < oldest) | unconfirmed
    judged_minute = np.where(outdated, np.int32(now), usage_minute)
    judged = judged_at(fleet, slice(size), judged_minute, throttling)
    judged.clear(usage=outdated, throttled=(newest_minute < oldest) | unconfirmed)
    yield
    zone, utilization = judged.zone, judged.utilization
    samples = NewestSamples(judged_minute, judged.usage, utilization, judged.limit)
    columns = {
        "limit": judged.limit,
        "usage": judged.usage,
        "upper_bound": judged.upper_bound,
        "utilization": utilization,
        "saturation": judged.throttled,
        "minute": newest_minute,
        "zone": zone,
        "seconds_to_exhaustion": seconds_to_exhaustion(fleet, samples, now),
        "idle": find_idle(fleet, zone, judged.throttled),
        "limit_doubted": judged.limit_doubted,
    }
    for name, column in columns.items():
        getattr(fleet, name)[:size] = column
    fleet.causes.throttled[: fleet.causes.size] = throttled_by_cause(
        fleet, newest_throttled, judged.throttled
    )
    fleet.judgements += 1
