"""The push queue on disk: it survives a restart, and a new file replaces an unusable file."""

import sqlite3
from pathlib import Path
from typing import Any

import pytest

from monitor.push.queue_store import PushBatch, PushQueueError, QueueSize
from monitor.push.sqlite_queue import SqliteQueueStore
from tests.monitor.fleet.fleets import NOW
from tests.monitor.push.test_queue_store import (
    MAX_BYTES,
    append,
    drain,
    minutes_of,
    push_request,
    watermarks,
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "new" / "queue.db"


def test_the_queue_survives_a_restart(path: Path) -> None:
    store = SqliteQueueStore(path)
    append(store, push_request(1), rows=watermarks(a=NOW))
    append(store, push_request(2))
    store.close()
    reopened = SqliteQueueStore(path)
    assert reopened.first("mimir")
    assert reopened.sizes == {"mimir": QueueSize(3, 20)}
    assert drain(reopened) == [1, 2]
    assert reopened.sizes == {"mimir": QueueSize(0, 0)}
    reopened.close()


def test_watermarks_survive_a_restart(path: Path) -> None:
    store = SqliteQueueStore(path)
    append(store, chunk=0, rows=watermarks(a=NOW - 9, b=NOW - 1))
    append(store, chunk=1, rows=watermarks(a=NOW))
    store.close()
    reopened = SqliteQueueStore(path)
    assert minutes_of(reopened.load_watermarks("mimir")) == {"a": NOW, "b": NOW - 1}
    reopened.close()


@pytest.mark.parametrize(
    "content", [b"garbage" * 1000, b"SQLite format 3\0" + b"\1" * 4000], ids=["no database", "corrupt"]
)
def test_an_unusable_file_is_renamed_and_a_new_file_is_used(path: Path, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    store = SqliteQueueStore(path)
    with pytest.raises(PushQueueError, match="cannot be used"):
        append(store, push_request(1))
    assert append(store, push_request(1)) == 0
    assert drain(store) == [1]
    store.close()
    (renamed,) = path.parent.glob("queue.db.unusable-*")
    assert renamed.read_bytes() == content


def test_a_file_of_another_version_is_replaced_by_a_new_file(path: Path) -> None:
    path.parent.mkdir()
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    store = SqliteQueueStore(path)
    with pytest.raises(PushQueueError, match="version 99"):
        store.first("mimir")
    assert store.first("mimir") is None
    store.close()


def test_a_failed_append_changes_neither_the_queue_nor_the_watermarks(path: Path) -> None:
    store = SqliteQueueStore(path)
    append(store, push_request(1), rows=watermarks(a=NOW - 1))
    invalid_protocol: Any = object()
    with pytest.raises(PushQueueError):
        store.append(
            "mimir", PushBatch(invalid_protocol, [push_request(2)], {0: watermarks(a=NOW)}), MAX_BYTES
        )
    assert minutes_of(store.load_watermarks("mimir")) == {"a": NOW - 1}
    assert store.sizes == {"mimir": QueueSize(1, 10)}
    assert drain(store) == [1]
    store.close()


def test_a_file_that_cannot_be_opened_is_an_error_and_is_opened_by_a_later_append(path: Path) -> None:
    path.mkdir(parents=True)
    store = SqliteQueueStore(path)
    with pytest.raises(PushQueueError, match="Is a directory"):
        append(store, push_request(1))
    path.rmdir()
    assert append(store, push_request(1)) == 0
    store.close()


def test_without_a_file_no_receiver_is_dropped_and_no_file_is_created(path: Path) -> None:
    store = SqliteQueueStore(path)
    assert store.retain_receivers([]) == {}
    assert not path.parent.exists()
