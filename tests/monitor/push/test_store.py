"""What waits on disk: over restarts, in order, bounded, and begun anew when it is unusable."""

import sqlite3
from pathlib import Path

import numpy as np
import pytest

from monitor.push.batches import Batch
from monitor.push.progress import KEPT, Kept
from monitor.push.store import Held, Store
from tests.monitor.fleets import NOW

PROTOCOL, MOST = "remote_write 1", 1_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "queue.db"


def batch(number: int, size: int = 10) -> Batch:
    return Batch(samples=number, newest=NOW, body=bytes([number]) * size)


def far(kept: Kept) -> dict[str, int]:
    return {chr(one): minutes[0] for one, minutes in zip(kept["id"], kept["minutes"], strict=True)}


def kept(**minutes: int) -> Kept:
    """How far series are, by their one-letter names."""
    return np.array([(ord(name), [minute] * 3) for name, minute in minutes.items()], KEPT)


def put(store: Store, *made: Batch, chunk: int = 0, series: Kept | None = None, most: int = MOST) -> int:
    saved = {chunk: (kept() if series is None else series).tobytes()}
    return store.put("mimir", PROTOCOL, made, saved, most)


def drained(store: Store, receiver: str = "mimir") -> list[int]:
    found = []
    while queued := store.first(receiver):
        found.append(queued.batch.samples)
        store.remove(receiver, queued)
    return found


def test_it_is_first_in_first_out_and_outlives_the_process(path: Path) -> None:
    store = Store(path, now=lambda: 7.0)
    put(store, batch(1), batch(2))
    put(store, batch(3))
    store.close()
    again = Store(path)
    first = again.first("mimir")
    assert first
    assert (first.protocol, first.at, first.batch) == (PROTOCOL, 7.0, batch(1))
    assert again.held == {"mimir": Held(6, 30)}
    assert drained(again) == [1, 2, 3]
    assert again.held == {"mimir": Held(0, 0)}
    again.close()


def test_receivers_do_not_share(path: Path) -> None:
    store = Store(path)
    put(store, batch(1))
    store.put("thanos", PROTOCOL, [batch(2)], {0: kept(a=NOW).tobytes()}, MOST)
    assert drained(store) == [1]
    assert store.progress("mimir").size == 0
    assert far(store.progress("thanos")) == {"a": NOW}
    assert store.keep(["mimir"]) == {"thanos": 2}
    assert store.first("thanos") is None
    assert store.progress("thanos").size == 0
    store.close()


def test_beyond_its_bound_the_oldest_go_but_for_the_one_on_its_way(path: Path) -> None:
    store = Store(path)
    assert put(store, *(batch(n, 100) for n in range(1, 6)), most=500) == 0
    assert put(store, batch(6, 100), most=500) == 2
    assert put(store, batch(7, 150), most=500) == 3 + 4
    assert store.held == {"mimir": Held(1 + 5 + 6 + 7, 450)}
    assert drained(store) == [1, 5, 6, 7]
    store.close()


def test_what_was_removed_meanwhile_is_not_counted_twice(path: Path) -> None:
    store = Store(path)
    put(store, batch(1), batch(2))
    first = store.first("mimir")
    assert first
    store.remove("mimir", first)
    store.remove("mimir", first)
    assert store.held == {"mimir": Held(2, 10)}
    store.close()


def test_progress_is_the_farthest_of_each_series_whatever_chunks_they_were_in(path: Path) -> None:
    store = Store(path)
    put(store, chunk=0, series=kept(a=NOW - 9, b=NOW - 1))
    put(store, chunk=1, series=kept(a=NOW, c=NOW - 5))
    store.close()
    again = Store(path)
    assert far(again.progress("mimir")) == {"a": NOW, "b": NOW - 1, "c": NOW - 5}
    put(again, chunk=0, series=kept(d=NOW + 1))  # of a process that has others in the chunk
    assert far(again.progress("mimir")) == {"a": NOW, "b": NOW - 1, "c": NOW - 5, "d": NOW + 1}
    put(again, chunk=0, series=kept(d=NOW + 180))
    assert far(again.progress("mimir")) == {"d": NOW + 180}, "no window reaches back"
    again.close()


@pytest.mark.parametrize(
    "content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\1" * 4000], ids=["no database", "corrupt"]
)
def test_an_unusable_file_is_kept_aside_and_a_new_one_begun(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    store = Store(path)
    with pytest.raises(sqlite3.Error):
        put(store, batch(1))
    assert put(store, batch(1)) == 0
    assert drained(store) == [1]
    store.close()
    (aside,) = path.parent.glob("queue.db.unusable-*")
    assert aside.read_bytes() == content


def test_a_file_of_another_version_is_kept_aside(path: Path) -> None:
    path.parent.mkdir()
    other = sqlite3.connect(path)
    other.execute("PRAGMA user_version = 99")
    other.close()
    store = Store(path)
    with pytest.raises(ValueError, match="version 99"):
        store.first("mimir")
    assert store.first("mimir") is None
    store.close()


def test_a_failure_leaves_everything_as_it_was(path: Path) -> None:
    store = Store(path)
    put(store, batch(1), series=kept(a=NOW - 1))
    with pytest.raises(sqlite3.Error):
        store.put("mimir", None, [batch(2)], {0: kept(a=NOW).tobytes()}, MOST)  # type: ignore[arg-type]
    assert far(store.progress("mimir")) == {"a": NOW - 1}
    assert store.held == {"mimir": Held(1, 10)}
    assert drained(store) == [1]
    store.close()


def test_a_file_that_cannot_be_opened_is_an_error_not_a_loss(path: Path) -> None:
    path.mkdir(parents=True)
    store = Store(path)
    with pytest.raises(IsADirectoryError):
        put(store, batch(1))
    path.rmdir()
    assert put(store, batch(1)) == 0
    store.close()
