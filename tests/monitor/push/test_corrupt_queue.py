"""Queue files with flipped bits: their readable requests are used, and the queue can be used again."""

import os
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from monitor.push.queue_store import PushBatch, PushQueueError, PushRequest
from monitor.push.sqlite_queue import SqliteQueueStore
from monitor.push.watermarks import WATERMARK_DTYPE

# Each copy has one to three changed bytes.
CORRUPTED_COPIES = int(os.environ.get("HEADROOM_FLIPS", "300"))
BODY = b"samples" * 50


def filled_queue(path: Path) -> bytes:
    """Write a queue file with requests of two receivers, and return its content."""
    store = SqliteQueueStore(path)
    for receiver in ("tsdb", "other"):
        for n in range(20):
            request = PushRequest(10, 29_000_000 + n, BODY)
            batch = PushBatch("remote_write 1", [request], {n: np.zeros(3, WATERMARK_DTYPE)})
            store.append(receiver, batch, 10**6)
    store.close()
    return path.read_bytes()


def can_be_used(store: SqliteQueueStore) -> bool:
    """Return whether requests can be appended and read. A call after a failure may use a new file."""
    try:
        store.retain_receivers(["tsdb"])
        store.load_watermarks("tsdb")
        no_watermarks = {1: np.empty(0, WATERMARK_DTYPE)}
        batch = PushBatch("remote_write 1", [PushRequest(1, 29_000_000, BODY)], no_watermarks)
        store.append("tsdb", batch, 10**6)
        while queued := store.first("tsdb"):
            assert isinstance(queued.request.body, bytes)
            store.remove("tsdb", queued)
    except PushQueueError:
        return False
    return True


def test_a_queue_with_flipped_bits_works_again(tmp_path: Path) -> None:
    data = filled_queue(tmp_path / "intact.db")
    offsets = [offset for offset, byte in enumerate(data) if byte]
    for seed in range(CORRUPTED_COPIES):
        generator, corrupted = random.Random(seed), bytearray(data)
        for _ in range(generator.randint(1, 3)):
            corrupted[generator.choice(offsets)] = generator.choice((generator.randrange(256), *b"09.\xff"))
        folder = tmp_path / "flipped"
        folder.mkdir()
        (folder / "queue.db").write_bytes(corrupted)
        store = SqliteQueueStore(folder / "queue.db")
        assert any(can_be_used(store) for _ in range(3)), f"the flips of seed {seed}"
        store.close()
        shutil.rmtree(folder)


def test_only_the_owner_of_the_queue_file_may_read_it(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    path.touch(0o644)
    filled_queue(path)
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["pipe", "hard link"])
def test_a_pipe_or_a_hard_link_in_place_of_the_file_is_an_error_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "queue.db"
    if kind == "pipe":
        os.mkfifo(path)
    else:
        (tmp_path / "other.db").touch()
        path.hardlink_to(tmp_path / "other.db")
    with pytest.raises(PushQueueError, match="expected a file"):
        SqliteQueueStore(path).first("tsdb")
