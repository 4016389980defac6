"""How far the samples of every series have been queued for one receiver."""

from typing import Final

import numpy as np
import numpy.typing as npt

from monitor.columns import Floats, Ids, Ints
from monitor.fleet import Fleet
from monitor.push.samples import Track
from monitor.rings import NEVER, WINDOW

KEPT: Final = np.dtype([("id", "<u8"), ("minutes", "<i4", len(Track))])
Kept = npt.NDArray[np.void]
SOURCES: Final = 2  # tracks that samples come from: usage and refusals
CHUNK: Final = 2048  # places looked at, and saved, in one go, for which the event loop has to wait
BEFORE: Final = -1  # instead of a chunk's number: series that are in no place


def merged(kept: Kept) -> Kept:
    """One row a series: the farthest. Those that are out of any window by now are left out."""
    ids, where = np.unique(kept["id"], return_inverse=True)
    found = np.empty(ids.size, KEPT)
    found["id"], found["minutes"] = ids, NEVER
    np.maximum.at(found["minutes"], where, kept["minutes"])
    farthest = found["minutes"].max(axis=1, initial=NEVER)
    within: Kept = found[farthest > farthest.max(initial=NEVER) - WINDOW]
    return within


class Progress:
    """Columns by place in the fleet.

    ids: whose they are. queued: the newest minute queued, by track. looked: the newest minute there was when
    a series was last looked at, usage's and refusals'. seen: by track and minute % `late`, what was told of
    the last minutes queued, to tell revised ones; `late` is 0 where they do not matter.

    kept: of series that are in no place at the moment. left: some left their places since it was saved.
    """

    def __init__(self, kept: Kept, late: int) -> None:
        self.late, self._kept, self.left = late, merged(kept), False
        self.ids: Ids = np.empty(0, np.uint64)
        self.queued: Ints = np.empty((len(Track), 0), np.int32)
        self.looked: Ints = np.empty((SOURCES, 0), np.int32)
        self.seen: Floats = np.empty((len(Track), 0, late), np.float32)

    def follow(self, fleet: Fleet) -> None:
        """Take note of series that came and went: before looking at a fleet."""
        self._grow(fleet.size - self.ids.size)
        moved = np.flatnonzero(self.ids != fleet.id[: fleet.size])
        if not moved.size:
            return
        gone = moved[self.ids[moved] != 0]
        self._kept = merged(np.concatenate([self._kept, self._rows(gone, self.queued[:, gone])]))
        self.left = self.left or bool(gone.size)
        self.ids[moved] = fleet.id[moved]
        self.queued[:, moved] = self._found(self.ids[moved])
        self.looked[:, moved], self.seen[:, moved] = NEVER, np.nan

    def _grow(self, more: int) -> None:
        if more > 0:
            self.ids = np.concatenate([self.ids, np.zeros(more, np.uint64)])
            fresh = np.full((len(Track), more), NEVER, np.int32)
            self.queued = np.concatenate([self.queued, fresh], axis=1)
            self.looked = np.concatenate([self.looked, fresh[:SOURCES]], axis=1)
            nothing = np.full((len(Track), more, self.late), np.nan, np.float32)
            self.seen = np.concatenate([self.seen, nothing], axis=1)

    def _found(self, ids: Ids) -> Ints:
        found = np.full((len(Track), ids.size), NEVER, np.int32)
        if self._kept.size:
            where = np.minimum(np.searchsorted(self._kept["id"], ids), self._kept.size - 1)
            same = self._kept["id"][where] == ids
            found[:, same] = self._kept["minutes"][where[same]].T
        return found

    def _rows(self, places: npt.NDArray[np.intp] | slice, queued: Ints) -> Kept:
        rows = np.empty(queued.shape[1], KEPT)
        rows["id"], rows["minutes"] = self.ids[places], queued.T
        return rows

    def saved(self, chunk: slice, queued: Ints) -> dict[int, bytes]:
        """What must survive a restart, by chunk, once the places of one got as far as `queued`."""
        rows = {chunk.start // CHUNK: self._rows(chunk, queued).tobytes()}
        return rows | ({BEFORE: self._kept.tobytes()} if self.left else {})
