"""Parts of the fleet that are scraped one by one, each rendered when it is scraped.

Of a part, only what changed since it was scraped last is rendered again.
"""

import asyncio
from collections import OrderedDict
from dataclasses import replace
from threading import Lock

import numpy as np

from monitor.exposition.body import ExpositionBody
from monitor.exposition.exposition import Exposition, Rendering
from monitor.exposition.selection import Selection
from monitor.fleet.columns import Objects
from monitor.fleet.snapshot import Snapshot
from monitor.lib.errors import HeadroomError
from rules.arrays import Indices

MAX_PARTS = 1000  # most parts that are kept rendered
KEPT_SERIES_RATIO = 2  # the kept parts together have at most this many times the series of the fleet
NO_OBJECTS: Objects = np.empty(0, np.object_)


class TooManySeriesError(HeadroomError):
    """A scrape selects more series than one scrape may have."""


def check_series_count(series: int, max_series: int) -> None:
    """Raise TooManySeriesError if a scrape has more than `max_series` series."""
    if series > max_series:
        raise TooManySeriesError(
            f"expected at most {max_series:,} series in one scrape, found {series:,}: split it by account, "
            "region or service, such as /metrics?service=kinesis; Headroom itself is "
            "/metrics?service=headroom"
        )


class _Part:
    """A part of the fleet, as it was rendered last."""

    def __init__(self, selection: Selection) -> None:
        self._selection, self._rendering, self._lock = selection, Rendering(), Lock()
        self._rendered_snapshot: Snapshot | None = None
        self._all_series = self._series = NO_OBJECTS
        self._slots: Indices = np.empty(0, np.intp)

    @property
    def size(self) -> int:
        """The number of series in the part."""
        return self._slots.size

    def render(self, snapshot: Snapshot, max_series: int) -> ExpositionBody:
        """Return the text of the part of a snapshot. Raises TooManySeriesError."""
        with self._lock:
            if snapshot is not self._rendered_snapshot:
                self._select(snapshot)
                check_series_count(self._slots.size, max_series)
                names = snapshot.account_names if self._selection.has_own_families else {}
                part = snapshot.select(self._slots)
                self._rendering.render(replace(part, series=self._series, account_names=names))
                self._rendered_snapshot = snapshot
            return self._rendering.body

    def _select(self, snapshot: Snapshot) -> None:
        """Look up the slots again if any series was added, dropped or replaced."""
        if snapshot.series is not self._all_series:
            self._slots = self._selection.slots(snapshot)
            self._series, self._all_series = snapshot.series[self._slots], snapshot.series


class ScrapedParts:
    """The parts of an exposition that were scraped lately."""

    def __init__(self, exposition: Exposition) -> None:
        self._exposition = exposition
        self._parts = OrderedDict[Selection, _Part]()

    async def body(self, selection: Selection) -> ExpositionBody:
        """Return the text of a part, or of the whole, as judged last. Raises TooManySeriesError."""
        snapshot, max_series = self._exposition.snapshot, self._exposition.max_series
        if selection.is_whole:
            check_series_count(snapshot.series_count, max_series)
            return self._exposition.body
        selection = selection.normalized()
        part = self._parts.setdefault(selection, _Part(selection))
        self._parts.move_to_end(selection)
        try:
            return await asyncio.to_thread(part.render, snapshot, max_series)
        finally:
            self._forget_oldest(KEPT_SERIES_RATIO * snapshot.series_count)

    def _forget_oldest(self, max_series: int) -> None:
        """Forget the parts scraped longest ago until at most MAX_PARTS with `max_series` series remain.

        A single part remains whatever its size.
        """
        size = sum(part.size for part in self._parts.values())
        while len(self._parts) > MAX_PARTS or (size > max_series and len(self._parts) > 1):
            _, oldest = self._parts.popitem(last=False)
            size -= oldest.size
