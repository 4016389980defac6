"""Both stores of the push queue: first in, first out; a bounded size; watermarks saved with requests."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from monitor.push.queue_store import PushBatch, PushQueueStore, PushRequest, QueueSize
from monitor.push.sqlite_queue import SqliteQueueStore
from monitor.push.watermarks import WATERMARK_DTYPE, WatermarkRows
from tests.monitor.fleet.fleets import NOW
from tests.monitor.push.memory_queue import QUEUED_AT, MemoryQueueStore

PROTOCOL, MAX_BYTES = "remote_write 1", 1_000_000


@pytest.fixture(params=["sqlite", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[PushQueueStore]:
    sqlite = SqliteQueueStore(tmp_path / "queue.db", now=lambda: QUEUED_AT)
    stores: dict[str, PushQueueStore] = {"sqlite": sqlite, "memory": MemoryQueueStore()}
    yield stores[request.param]
    stores[request.param].close()


def push_request(samples: int, size: int = 10) -> PushRequest:
    """Return a request. Tests identify a request by its number of samples. size: of the body, in bytes."""
    return PushRequest(sample_count=samples, newest_minute=NOW, body=bytes([samples]) * size)


def watermarks(**minutes: int) -> WatermarkRows:
    """Return rows of watermarks; the id of a series is the code of its one-letter name."""
    return np.array([(ord(name), [minute] * 3) for name, minute in minutes.items()], WATERMARK_DTYPE)


def minutes_of(rows: WatermarkRows) -> dict[str, int]:
    """Return the first watermark of each series, by its one-letter name."""
    return {
        chr(series_id): minutes[0] for series_id, minutes in zip(rows["id"], rows["minutes"], strict=True)
    }


def append(
    store: PushQueueStore,
    *requests: PushRequest,
    chunk: int = 0,
    rows: WatermarkRows | None = None,
    max_bytes: int = MAX_BYTES,
) -> int:
    """Queue requests with watermarks, and return how many samples are dropped for them."""
    rows_by_chunk = {chunk: watermarks() if rows is None else rows}
    return store.append("mimir", PushBatch(PROTOCOL, requests, rows_by_chunk), max_bytes)


def drain(store: PushQueueStore, receiver: str = "mimir") -> list[int]:
    """Remove all requests; return the number of samples of each, in order."""
    samples = []
    while queued := store.first(receiver):
        samples.append(queued.request.sample_count)
        store.remove(receiver, queued)
    return samples


def test_the_queue_is_first_in_first_out_also_after_it_was_closed(store: PushQueueStore) -> None:
    append(store, push_request(1), push_request(2))
    append(store, push_request(3))
    store.close()
    first = store.first("mimir")
    assert first
    assert (first.protocol, first.queued_at, first.request) == (PROTOCOL, QUEUED_AT, push_request(1))
    assert store.sizes == {"mimir": QueueSize(6, 30)}
    assert drain(store) == [1, 2, 3]
    assert store.sizes == {"mimir": QueueSize(0, 0)}


def test_each_receiver_has_its_own_requests_and_watermarks_until_it_is_removed(store: PushQueueStore) -> None:
    append(store, push_request(1))
    store.append("thanos", PushBatch(PROTOCOL, [push_request(2)], {0: watermarks(a=NOW)}), MAX_BYTES)
    assert drain(store) == [1]
    assert store.load_watermarks("mimir").size == 0
    assert minutes_of(store.load_watermarks("thanos")) == {"a": NOW}
    assert store.retain_receivers(["mimir"]) == {"thanos": 2}
    assert store.first("thanos") is None
    assert store.load_watermarks("thanos").size == 0


def test_a_full_queue_drops_its_oldest_requests_except_the_request_in_flight(store: PushQueueStore) -> None:
    assert append(store, *(push_request(n, 100) for n in range(1, 6)), max_bytes=500) == 0
    assert append(store, push_request(6, 100), max_bytes=500) == 2
    assert append(store, push_request(7, 150), max_bytes=500) == 3 + 4
    assert store.sizes == {"mimir": QueueSize(1 + 5 + 6 + 7, 450)}
    assert drain(store) == [1, 5, 6, 7]


def test_removing_a_request_twice_reduces_the_size_once(store: PushQueueStore) -> None:
    append(store, push_request(1), push_request(2))
    first = store.first("mimir")
    assert first
    store.remove("mimir", first)
    store.remove("mimir", first)
    assert store.sizes == {"mimir": QueueSize(2, 10)}


def test_the_newest_watermark_of_each_series_is_loaded_from_all_chunks(store: PushQueueStore) -> None:
    append(store, chunk=0, rows=watermarks(a=NOW - 9, b=NOW - 1))
    append(store, chunk=1, rows=watermarks(a=NOW, c=NOW - 5))
    store.close()
    assert minutes_of(store.load_watermarks("mimir")) == {"a": NOW, "b": NOW - 1, "c": NOW - 5}
    append(store, chunk=0, rows=watermarks(d=NOW + 1))  # a later process may have other series in chunk 0
    assert minutes_of(store.load_watermarks("mimir")) == {
        "a": NOW,
        "b": NOW - 1,
        "c": NOW - 5,
        "d": NOW + 1,
    }
    append(store, chunk=0, rows=watermarks(d=NOW + 180))
    assert minutes_of(store.load_watermarks("mimir")) == {"d": NOW + 180}, (
        "the other watermarks are older than the window"
    )
