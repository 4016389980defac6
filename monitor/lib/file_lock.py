"""A lock that lets one process at a time use a database, and names the process that holds it."""

import fcntl
import os
import socket
import time
from contextlib import suppress
from pathlib import Path

import msgspec

MAX_HOLDER_BYTES = 1024  # bytes that are read of a lock file


class LockHolder(msgspec.Struct, frozen=True):
    """The process that holds a lock. since: epoch seconds."""

    pid: int
    host: str
    since: float

    def __str__(self) -> str:
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(self.since))
        return f"process {self.pid} on {self.host} since {since}"


class FileLock:
    """A lock of the kernel (flock) on a lock file. The kernel releases it when the process ends or crashes.

    The file contains a LockHolder, for error messages only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    def acquire(self) -> str | None:
        """Acquire the lock. Return None on success, else a description of the holder.

        Raises OSError when the file cannot be created or its file system has no locks.
        """
        if self._descriptor is not None:
            return None
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = _describe_holder(os.pread(descriptor, MAX_HOLDER_BYTES, 0))
            os.close(descriptor)
            if isinstance(error, BlockingIOError):
                return holder
            raise
        self._descriptor = descriptor
        with suppress(OSError):  # the disk is full; the lock is held nevertheless
            os.ftruncate(descriptor, 0)
            os.pwrite(
                descriptor, msgspec.json.encode(LockHolder(os.getpid(), socket.gethostname(), time.time())), 0
            )
        return None

    def release(self) -> None:
        """Release the lock, if this process holds it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _describe_holder(content: bytes) -> str:
    """Return a description of the process in the content of a lock file."""
    try:
        return str(msgspec.json.decode(content, type=LockHolder))
    except msgspec.MsgspecError:
        return "another process"
