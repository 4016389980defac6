"""Packs the samples of many series into requests of a bounded size."""

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import orjson

from monitor.exposition.families import Family
from monitor.fleet.snapshot import Snapshot
from monitor.push.encodings import Encoding, MessageWriter
from monitor.push.label_encoder import LabelEncoder
from monitor.push.pending_samples import SampleBatch
from monitor.push.queue_store import PushRequest
from monitor.push.samples import PUSHED_FAMILIES
from rules.arrays import Float64s, Indices, Ints

MAX_SAMPLES: Final = 2000  # per request
FULL_BYTES: Final = 900_000  # a request of this size gets no further series


def shortest_decimals(values: npt.NDArray[Any]) -> Float64s:
    """Return float32 values as the numbers that the exposition shows: the shortest decimals equal to them."""
    return np.array(orjson.loads(orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY)), np.float64)


class RequestBatcher:
    """Writes samples into requests. The number of samples and the size of each request are bounded."""

    def __init__(self, encoding: Encoding, labels: LabelEncoder) -> None:
        self._encoding, self._labels = encoding, labels
        self._reset()

    def _reset(self) -> None:
        self._writer: MessageWriter = self._encoding.writer(self._labels)
        self._sample_count = self._newest_minute = 0

    def add(
        self, family: Family, snapshot: Snapshot, selected: Indices, values: npt.NDArray[Any]
    ) -> Iterator[PushRequest]:
        """Add the samples of a snapshot that `selected` lists, with their values; yield full requests.

        The samples are ordered by series and then minute.
        """
        ids, minutes = snapshot.id[selected], snapshot.minute[selected]
        encoded = self._encoding.encode_points(minutes, shortest_decimals(values))
        points, width = memoryview(encoded.tobytes()), encoded.itemsize
        # A run of one series starts where the id differs from the id before. The first id is compared with
        # its complement, so that a run starts there, too.
        starts = np.flatnonzero(np.diff(ids, prepend=~ids[:1]))
        ends = np.append(starts[1:], ids.size)
        series_of_run = snapshot.series[selected[starts]]
        runs = zip(series_of_run, starts.tolist(), ends.tolist(), minutes[ends - 1].tolist(), strict=True)
        for series, start, end, newest_minute in runs:
            if self._sample_count + end - start > MAX_SAMPLES or self._writer.size >= FULL_BYTES:
                yield from self.finish()
            self._writer.add(family, series, points[start * width : end * width])
            self._sample_count += end - start
            self._newest_minute = max(self._newest_minute, newest_minute)

    def finish(self) -> Iterator[PushRequest]:
        """Yield the last request, unless it is empty."""
        if self._sample_count:
            body = self._encoding.compress(self._writer.message())
            yield PushRequest(self._sample_count, self._newest_minute, body)
            self._reset()


def build_requests(
    batch: SampleBatch, encoding: Encoding, labels: LabelEncoder
) -> tuple[list[PushRequest], Ints]:
    """Return the requests of a batch, and the watermarks of its chunk after its requests are queued.

    The watermarks are the newest minutes queued, [kind, slot]. May run in any thread, but threads must not
    share `labels` at the same time.
    """
    batcher, requests = RequestBatcher(encoding, labels), list[PushRequest]()
    queued_through = batch.queued_through.copy()
    for family, kind in PUSHED_FAMILIES:
        values = family.values(batch.snapshot)
        selected = np.flatnonzero(values.is_exported & batch.selected[kind])
        if selected.size:
            requests += batcher.add(family, batch.snapshot, selected, values.values[selected])
            slots = batch.slots[selected] - batch.chunk.start
            np.maximum.at(queued_through[kind], slots, batch.snapshot.minute[selected])
    return [*requests, *batcher.finish()], queued_through
