"""Limits that the usage proves to be outdated.

A limit that CloudWatch publishes is known for each minute. A limit that an inventory has read may no longer
be in force. Where usage cannot exceed a limit (`hard_limit`) but does, while nothing is throttled, the limit
must be outdated: it is doubted, the service is scanned again, and the series is not judged meanwhile. If a
scan reads the same limit again, and that limit was already in force in the minute of the usage, the limit
really is exceeded; the series is then judged until the limit changes.
"""

from collections.abc import Callable, Iterator

import numpy as np

from collectors.base import Unobservable
from collectors.resource import ResourcePath
from monitor.fleet.fleet import READ_SOURCES, Fleet, Series
from monitor.fleet.key import CellKey, CellService, Key
from monitor.fleet.namespaces import NEVER
from monitor.fleet.ring_columns import WINDOW
from rules.arrays import Indices

RESCAN_INTERVAL = 5  # minutes between two scans of a service because of doubted limits

LIMIT_CHANGED = Unobservable(
    "the usage exceeds the limit and nothing is throttled, so the limit has changed; it will be read again"
)
NOT_THE_DEFAULT = Unobservable(
    "the usage exceeds the limit and nothing is throttled, so this account's limit is not the default; "
    "allow Headroom to read it, or set it in `limits`"
)


def why_unobservable_now(fleet: Fleet, series: Series) -> Unobservable | None:
    """Return why a series is not judged now; None if it is judged."""
    if series.unobservable is None and fleet.limit_doubted[series.slot]:
        return LIMIT_CHANGED if series.settings.source in READ_SOURCES else NOT_THE_DEFAULT
    return series.unobservable


def limits_since(fleet: Fleet, slot: int) -> Iterator[tuple[int | None, float]]:
    """Yield the limits of a series, the oldest first, each with its first minute (None for the oldest)."""
    if fleet.published_limits.get(slot) is None:
        yield from fleet.past_limits.history(slot, float(fleet.read_limit[slot]))
        return
    slots = np.full(WINDOW, slot, np.int32)
    minutes = (fleet.usages.newest_minutes(fleet.rings, slots) + np.arange(1 - WINDOW, 1)).astype(np.int32)
    limits = fleet.limits_at(slots, minutes)
    are_unknown = np.isnan(limits[1:]) & np.isnan(limits[:-1])
    changed = np.flatnonzero((limits[1:] != limits[:-1]) & ~are_unknown) + 1
    yield None, float(limits[0])
    yield from zip(minutes[changed].tolist(), limits[changed].tolist(), strict=True)


class LimitVerifier:
    """Requests scans of services whose limits are doubted, each at most once in RESCAN_INTERVAL minutes."""

    def __init__(self, request_scan: Callable[[CellKey, str], None]) -> None:
        self._request_scan = request_scan
        self._requested_at: dict[CellService, int] = {}

    def request_scans(self, fleet: Fleet, now: int) -> None:
        """Request the scans that are due, after a judgement at the minute `now`."""
        doubted_keys = _doubted_keys(fleet, np.arange(fleet.size))
        for cell, service in {(key.cell, key.service) for key in doubted_keys}:
            if now - self._requested_at.get((cell, service), NEVER) >= RESCAN_INTERVAL:
                self._requested_at[cell, service] = now
                self._request_scan(cell, service)


def doubted_paths(fleet: Fleet, slots: Indices) -> set[ResourcePath]:
    """Return the paths of the resources whose series in `slots` have a doubted limit, to be read again."""
    return {key.subject.path for key in _doubted_keys(fleet, slots)}


def _doubted_keys(fleet: Fleet, slots: Indices) -> Iterator[Key]:
    """Yield the keys of series that have a doubted limit which another scan can correct."""
    for slot in slots[fleet.limit_doubted[slots]].tolist():
        series: Series | None = fleet.by_slot[slot]
        if series and series.settings.source in READ_SOURCES:
            yield series.key
