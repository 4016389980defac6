"""One process a database: the lock, and who holds it."""

import fcntl
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

import msgspec


class Holder(msgspec.Struct, frozen=True):
    """The process that holds a lock. since: epoch seconds."""

    pid: int
    host: str
    since: float

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.since))
        return f"process {self.pid} on {self.host} since {since}"


class Lock:
    """Held through the kernel, on a file beside the database: it ends with its process, however that ends.

    What is written in the file only tells people who holds it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: int | None = None

    def acquire(self) -> str | None:
        """None when it is ours now, or already was; else who holds it, in words.

        Raises OSError where the file cannot be made, or its file system knows no locks.
        """
        if self._file is not None:
            return None
        file = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _holder(os.pread(file, 1024, 0))
            os.close(file)
            if isinstance(error, BlockingIOError):
                return holder
            raise
        self._file = file
        with suppress(OSError):  # a full disk: it is locked all the same
            os.ftruncate(file, 0)
            os.pwrite(file, msgspec.json.encode(Holder(os.getpid(), socket.gethostname(), time.time())), 0)
        return None

    def release(self) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _holder(text: bytes) -> str:
    try:
        return str(msgspec.json.decode(text, type=Holder))
    except msgspec.MsgspecError:
        return "another process"
